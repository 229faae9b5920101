//! The results of all hosts as the play hands them over, read leniently: every part may be missing, null or
//! of another shape than expected, and unknown ones are passed over. What is not there is `None` or empty,
//! never a reason to fail and never a reason to believe in something.

mod actor;
mod api;
mod lenient;
mod reply;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::names::Role;
use crate::names::verdict::Name;
pub(crate) use api::{Api, Availability, Stretch};
pub(crate) use lenient::{fitting, flag, instant, list, number, text, texts};
pub(crate) use reply::{ModuleReply, OutageReply, Replied, ReportedFailure, failures};
pub(crate) use watch::WatchReply;

/// One run on all its hosts.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) began: String,
    pub(crate) ended: String,
    pub(crate) pulp_url: String,
    pub(crate) pulp_version: String,
    pub(crate) method: String,
    pub(crate) apply_at: String,
    pub(crate) tool: String,
    pub(crate) scenarios: Vec<String>,
    /// What the play recorded first, and on which host; empty: the scenarios came to their end.
    pub(crate) cause: String,
    /// The same as the play fails with it.
    pub(crate) cause_said: String,
    pub(crate) cause_host: String,
    /// The user asks for what cannot be.
    pub(crate) impossible: bool,
    /// Who the cause is about.
    pub(crate) failures: Vec<ReportedFailure>,
    /// Everything that was in the way before anything was touched.
    pub(crate) refused: Vec<String>,
    /// What was not given back; empty: all of it was. None: nobody told.
    pub(crate) left: Option<String>,
    pub(crate) restored_at: String,
    pub(crate) restarted_hosts: Vec<String>,
    pub(crate) health_before: Option<ModuleReply>,
    pub(crate) hosts: Vec<Host>,
}

/// One host.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// Ansible could not reach it any more.
    pub(crate) lost: bool,
    /// The broker's unit there, where it is, and that of Pulp's database.
    pub(crate) broker_unit: String,
    /// What the broker is, such as `rabbitmq`.
    pub(crate) broker_kind: String,
    pub(crate) database_unit: String,
    /// How many listened for the agents' replies before the run, by queue.
    pub(crate) listeners: BTreeMap<String, f64>,
    pub(crate) not_restored: String,
    /// Whether an alarm stands at the broker could not be told: why.
    pub(crate) alarms_unknown: String,
    /// Who is not as before.
    pub(crate) not_restored_by: Vec<ReportedFailure>,
    /// The consumers that ran there before; None: nobody told what is there.
    pub(crate) consumers: Option<Vec<String>>,
    pub(crate) scenes: BTreeMap<String, Scene>,
}

/// What came of one scenario on one host.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) down: Option<ModuleReply>,
    pub(crate) held: Option<ModuleReply>,
    pub(crate) up: Option<ModuleReply>,
    /// The wait for the recovery; None: it did not come to that.
    pub(crate) recovered: Option<ModuleReply>,
    pub(crate) watch: Option<WatchReply>,
    pub(crate) health: Option<ModuleReply>,
    pub(crate) working: Option<ModuleReply>,
    /// Consumers of each queue before and after.
    pub(crate) queues: Vec<QueueReport>,
}

/// How many consumers a queue had.
#[derive(Debug, PartialEq)]
pub(crate) struct QueueReport {
    pub(crate) name: String,
    /// None: nobody could count, as while the broker was away.
    pub(crate) before: Option<f64>,
    /// None: nobody counted again.
    pub(crate) after: Option<f64>,
}

/// The scenarios that take the broker away.
const OUTAGES: [&str; 2] = ["connect", "reconnect"];

impl Run {
    /// What every form of the results says of the run.
    pub(crate) fn begun(results: &Value) -> Self {
        let run = &results["run"];
        Self {
            id: text(&run["id"]),
            began: text(&run["began"]),
            ended: text(&run["ended"]),
            pulp_url: text(&run["pulp_url"]),
            pulp_version: text(&run["pulp_version"]),
            method: text(&run["method"]),
            apply_at: text(&run["apply_at"]),
            tool: text(&run["tool"]),
            scenarios: texts(&run["scenarios"]),
            ..Self::default()
        }
    }

    /// As a run that was recorded by an earlier version has it.
    pub(crate) fn read(results: &Value) -> Self {
        let hosts = results["hosts"].as_object();
        Self {
            cause: text(&results["cause"]),
            cause_host: text(&results["cause_host"]),
            failures: [
                failures(&results["failures"]),
                failures(&results["refusals"]),
            ]
            .concat(),
            refused: texts(&results["refused"]),
            left: results["left"].as_str().map(|_| text(&results["left"])),
            restored_at: text(&results["restored_at"]),
            restarted_hosts: texts(&results["restarted_hosts"]),
            health_before: ModuleReply::read(&results["health_before"]),
            hosts: hosts
                .into_iter()
                .flatten()
                .map(|(name, host)| Host::read(name, host))
                .collect(),
            ..Self::begun(results)
        }
    }

    /// The scenarios of this run that take the broker away.
    pub(crate) fn outages(&self) -> impl Iterator<Item = &str> {
        let named = |name: &&str| self.scenarios.iter().any(|s| s == name);
        OUTAGES.into_iter().filter(named)
    }

    /// The hosts with what came of this scenario on each.
    pub(crate) fn scenes<'a>(
        &'a self,
        scenario: &'a str,
    ) -> impl Iterator<Item = (&'a Host, &'a Scene)> {
        let scene = move |host: &'a Host| Some((host, host.scenes.get(scenario)?));
        self.hosts.iter().filter_map(scene)
    }

    /// Whether the run ended before this scenario: a host told of others and not of this one.
    pub(crate) fn is_unbegun(&self, scenario: &str) -> bool {
        let told = self.hosts.iter().any(|host| !host.scenes.is_empty());
        told && self.scenes(scenario).next().is_none()
    }

    /// Whether this Pulp's services are meant to exit and to be started again.
    pub(crate) fn is_pulp_3(&self) -> bool {
        self.pulp_version.starts_with('3')
    }
}

impl Host {
    fn read(name: &str, host: &Value) -> Self {
        let scenarios = host["scenarios"].as_object();
        let deployment = match &host["facts"]["pulp_deployment"] {
            Value::Null => &host["facts"],
            deployment => deployment,
        };
        Self {
            lost: flag(&host["lost"]) == Some(true),
            alarms_unknown: text(&host["alarms_unknown"]),
            not_restored: text(&host["not_restored"]),
            not_restored_by: not_restored_by(&host["not_restored_by"]),
            scenes: scenarios
                .into_iter()
                .flatten()
                .map(|(name, scene)| (name.clone(), Scene::read(scene)))
                .collect(),
            ..Self::found(name, deployment)
        }
    }

    /// What was found on a host before the run.
    pub(crate) fn found(name: &str, deployment: &Value) -> Self {
        let services = deployment["services"].as_array();
        let consumers = services.map(|services| {
            let running = services
                .iter()
                .filter(|s| flag(&s["running"]) == Some(true));
            let names = running.map(|s| text(&s["name"]));
            names
                .filter(|name| Role::of_unit(name).consumes())
                .collect()
        });
        Self {
            name: text(&name.into()),
            broker_kind: text(&deployment["broker"]["kind"]),
            broker_unit: text(&deployment["broker"]["unit"]),
            database_unit: text(&deployment["database"]["unit"]),
            listeners: deployment["broker"]["listeners"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, count)| Some((name.clone(), number(count)?)))
                .collect(),
            consumers,
            ..Self::default()
        }
    }

    /// Whether a reply says that Ansible could not reach the host.
    pub(crate) fn is_unreachable(&self) -> bool {
        let unreachable = |scene: &Scene| scene.replies().any(|(_, reply)| reply.unreachable);
        self.lost || self.scenes.values().any(unreachable)
    }
}

impl Scene {
    fn read(scene: &Value) -> Self {
        Self {
            down: ModuleReply::read(&scene["down"]),
            held: ModuleReply::read(&scene["held"]),
            up: ModuleReply::read(&scene["up"]),
            recovered: ModuleReply::read(&scene["recovered"]),
            watch: WatchReply::read(&scene["watch"]),
            health: ModuleReply::read(&scene["health"]),
            working: ModuleReply::read(&scene["working"]),
            queues: queues(&scene["queues"]),
        }
    }

    /// The replies that there are, in the order of their steps, with the steps' names.
    pub(crate) fn replies(&self) -> impl Iterator<Item = (&'static str, &ModuleReply)> {
        let named = [
            ("take the broker away", self.down.as_ref()),
            ("hold the broker away", self.held.as_ref()),
            ("give the broker back", self.up.as_ref()),
            ("wait for the recovery", self.recovered.as_ref()),
            ("recovery", self.watch.as_ref().map(|w| &w.reply)),
            ("health check", self.health.as_ref()),
            ("work of each worker", self.working.as_ref()),
        ];
        let there = |(name, reply): (&'static str, Option<_>)| Some((name, reply?));
        named.into_iter().filter_map(there)
    }

    /// What the broker's own host tells of the outage that it held; one that was not watched is none.
    pub(crate) fn outage(&self) -> Option<&OutageReply> {
        let replies = [self.held.as_ref(), self.down.as_ref()];
        let proven = replies.into_iter().flatten().filter(|r| !r.failed);
        let mut outages = proven.filter_map(|r| r.outage.as_ref());
        outages.find(|outage| outage.held_seconds.is_some_and(|s| s > 0.0))
    }
}

/// By the step of the restoring that told it. A service that does not run or is not connected by then is
/// not restored, whatever that is called in an outage.
pub(crate) fn not_restored_by(steps: &Value) -> Vec<ReportedFailure> {
    let services = ["services", "works"].into_iter().flat_map(|step| {
        failures(&steps[step])
            .into_iter()
            .map(|failure| ReportedFailure {
                name: Name::ServicesNotRestored,
                ..failure
            })
    });
    services.chain(failures(&steps["heard"])).collect()
}

pub(crate) fn queues(queues: &Value) -> Vec<QueueReport> {
    let count = |value: &Value| number(value).or_else(|| number(&value["consumers"]));
    let names: BTreeSet<&String> = ["before", "after"]
        .into_iter()
        .filter_map(|moment| queues[moment].as_object())
        .flat_map(|counted| counted.keys())
        .collect();
    let read = |name: &String| QueueReport {
        name: text(&name.as_str().into()),
        before: count(&queues["before"][name]),
        after: count(&queues["after"][name]),
    };
    names.into_iter().map(read).collect()
}
