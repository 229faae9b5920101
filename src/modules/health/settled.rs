//! Whether the services that run on the play's hosts are those that Pulp lists. Until both agree nothing may
//! be taken away: whatever was lost before would be called lost by the outage. Pure.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::is_alive;
use crate::names::{Actor, Generation, Role, same_host, same_worker};
use crate::pulp::others::Refusal;
use crate::pulp::{Status, Worker};

/// A service as its host saw it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Service {
    #[serde(flatten)]
    pub(super) actor: Actor,
    /// The host's own name.
    pub(super) host: String,
    /// Which machine that is, by whatever name the inventory has it.
    #[serde(default)]
    pub(super) machine: Option<String>,
    pub(super) running: bool,
    /// How it ended, where it ended and nobody stopped it; else empty.
    pub(super) died: String,
}

/// What is between the services and the list.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// No wait changes that.
    pub(super) refusals: Vec<Refusal>,
    /// The list may have to settle.
    pub(super) open: Vec<Refusal>,
}

/// How long Pulp's list may need to settle since 2.12.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long Pulp may list a worker that is dead, and need to list one that was started: 24 s, and 300 s
/// before 2.12; a little more, because each is a look at a clock that ticks.
pub(super) fn patience(status: &Status) -> Duration {
    let mut parts = status.version.as_deref().unwrap_or_default().split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(2), Some(minor)) if minor < 12 => Duration::from_mins(6),
        _ => PATIENCE,
    }
}

/// Compares them. A Pulp that lists nobody, as before 2.6, is believed.
pub(super) fn differences(services: &[Service], status: &Status) -> Difference {
    let mut found = Difference::default();
    let Some(listed) = &status.workers else {
        return found;
    };
    // Without its database Pulp lists nobody, and says why.
    if services.is_empty() || status.database == Some(false) {
        return found;
    }
    if let Some(refusal) = twice(services) {
        found.refusals.push(refusal);
        return found;
    }
    let now = status.at.unwrap_or_else(SystemTime::now);
    let alive: Vec<&Worker> = listed.iter().filter(|w| is_alive(w, now)).collect();
    for service in services.iter().filter(|s| is_listed_kind(s)) {
        one(service, &alive, &mut found);
    }
    found.open.extend(unknown(services, &alive));
    found.open.extend(too_few(services, &alive, status));
    // Before 2.12 a scheduler beats each 90 s, so one that was not heard of may only have to be waited for.
    let refused = if patience(status) > PATIENCE {
        &mut found.open
    } else {
        &mut found.refusals
    };
    refused.extend(no_scheduler(services, &alive, status));
    found
}

/// A service that died, that does not run and is listed, or that runs and is not.
fn one(service: &Service, alive: &[&Worker], found: &mut Difference) {
    let (unit, host) = (service.actor.word(), &service.host);
    let refusal = |text| Refusal::unhealthy_of(Some(service.actor.clone()), text);
    let heard = alive.iter().find(|w| is_of(service, &w.name));
    match (service.running, heard) {
        (false, heard) if !service.died.is_empty() => {
            let still = heard.map_or(String::new(), |w| {
                format!(", although Pulp lists `{}` still", w.name)
            });
            found.refusals.push(refusal(format!(
                "{unit} does not run on {host}: it {}{still}; see `journalctl -u {unit}`, then start it, or \
                 forget it with `systemctl reset-failed {unit}` if it is not needed",
                service.died
            )));
        }
        (false, Some(w)) => found.open.push(refusal(format!(
            "{unit} does not run on {host}, and Pulp lists `{}` still, as of {}; start it, or wait until \
             Pulp has forgotten it",
            w.name,
            w.heartbeat.as_deref().unwrap_or("no time that it tells")
        ))),
        (true, None) if service.actor.worker.is_some() && !is_spare(service, alive) => {
            found.open.push(refusal(format!(
                "{unit} runs on {host}, and Pulp has not heard of it; see `journalctl -u {unit}`, then restart it"
            )));
        }
        _ => {}
    }
}

/// One machine is two hosts of the play: its services would be counted twice, and taken away by both.
fn twice(services: &[Service]) -> Option<Refusal> {
    let is_same = |a: &Service, b: &Service| {
        a.machine.is_some() && a.machine == b.machine && a.actor.name == b.actor.name
    };
    let mut pairs = services.iter().enumerate();
    let (_, service) = pairs.find(|(at, a)| services[at + 1..].iter().any(|b| is_same(a, b)))?;
    Some(Refusal::unsupported(format!(
        "`{}` is one machine and stands in the inventory more than once; leave all but one of its names out of the play's group, or \
         out of this run by `--limit`",
        service.host
    )))
}

fn is_listed_kind(service: &Service) -> bool {
    service.actor.role.consumes() || service.actor.role == Role::Scheduler
}

/// A second resource manager waits until the first is gone, and is not listed meanwhile; since Pulp 2.8.7.
fn is_spare(service: &Service, alive: &[&Worker]) -> bool {
    let mut listed = alive.iter().map(|w| Role::of_listed(&w.name));
    service.actor.role == Role::ResourceManager && listed.any(|r| r == Role::ResourceManager)
}

fn is_of(service: &Service, name: &str) -> bool {
    let own = service.actor.worker.as_deref();
    own.is_some_and(|own| same_worker(own, name))
}

/// Listed at one of these hosts, which have no such unit any more.
fn unknown(services: &[Service], alive: &[&Worker]) -> Option<Refusal> {
    let is_here = |host: &str| services.iter().any(|s| same_host(&s.host, host));
    let stray = alive.iter().find(|w| {
        let actor = Actor::listed(&w.name);
        let host = crate::names::host(&w.name);
        !actor.name.is_empty() && is_here(host) && !services.iter().any(|s| is_of(s, &w.name))
    })?;
    let actor = Actor::listed(&stray.name);
    let text = format!(
        "Pulp lists `{}`, and there is no {} on that host; wait until Pulp has forgotten it",
        stray.name,
        actor.word()
    );
    Some(Refusal::unhealthy_of(Some(actor), text))
}

/// Pulp 3 names its workers by their processes: there the numbers have to do.
fn too_few(services: &[Service], alive: &[&Worker], status: &Status) -> Option<Refusal> {
    status.three.as_ref()?;
    let is_running = |s: &&Service| s.running && s.actor.role == Role::Worker;
    let running: Vec<&Service> = services.iter().filter(is_running).collect();
    let first = running.first().filter(|_| running.len() > alive.len())?;
    let text = format!(
        "{} workers run, but Pulp has heard of {} only; wait until it has heard of all, or see {}",
        running.len(),
        alive.len(),
        Generation::Three.log_of(Role::Worker)
    );
    Some(Refusal::unhealthy_of(Some(first.actor.clone()), text))
}

/// Without a scheduler Pulp 2 cancels nothing, and nobody notices a dead worker. One that runs and is not
/// listed, or that died, is named above.
fn no_scheduler(services: &[Service], alive: &[&Worker], status: &Status) -> Option<Refusal> {
    let is_named =
        |s: &Service| s.actor.role == Role::Scheduler && (s.running || !s.died.is_empty());
    let listed = alive
        .iter()
        .any(|w| Role::of_listed(&w.name) == Role::Scheduler);
    if status.three.is_some() || listed || services.iter().any(is_named) {
        return None;
    }
    let stopped = services.iter().find(|s| s.actor.role == Role::Scheduler);
    let actor = stopped.map_or_else(|| Actor::listed("scheduler@"), |s| s.actor.clone());
    let text = format!(
        "Pulp knows no running {}, so it would neither notice a lost worker nor cancel its tasks; start it with \
         `systemctl start {0}`",
        actor.word().trim_end_matches(".service")
    );
    Some(Refusal::unhealthy_of(Some(actor), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::verdict::Name;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn service(unit: &str, running: bool, died: &str) -> Service {
        Service {
            actor: Actor::on("h.example.com", unit),
            host: "h.example.com".to_owned(),
            machine: Some("m".to_owned()),
            running,
            died: died.to_owned(),
        }
    }

    fn all() -> Vec<Service> {
        [
            "pulp_worker-0",
            "pulp_worker-1",
            "pulp_resource_manager",
            "pulp_celerybeat",
            "httpd",
        ]
        .map(|name| service(&format!("{name}.service"), true, ""))
        .into()
    }

    fn status(version: &str, names: &[&str]) -> Status {
        let worker = |name: &&str| Worker {
            name: format!("{name}@h"),
            heartbeat: Some("2026-11-23T11:59:50Z".to_owned()),
        };
        Status {
            version: Some(version.to_owned()),
            workers: Some(names.iter().map(worker).collect()),
            at: humantime::parse_rfc3339(NOW).ok(),
            ..Status::default()
        }
    }

    const EVERYBODY: [&str; 4] = [
        "scheduler",
        "resource_manager",
        "reserved_resource_worker-0",
        "reserved_resource_worker-1",
    ];

    fn without(name: &str) -> Status {
        let mut names = EVERYBODY.to_vec();
        names.retain(|n| *n != name);
        status("2.21.5", &names)
    }

    /// Of whom what is refused, and what is waited for.
    fn told(services: &[Service], status: &Status) -> [Vec<String>; 2] {
        let found = differences(services, status);
        [found.refusals, found.open].map(|refusals| {
            let actor = |r: Refusal| r.actor.map(|a| a.word().to_owned());
            refusals.into_iter().filter_map(actor).collect()
        })
    }

    fn nobody() -> Vec<String> {
        Vec::new()
    }

    fn only(unit: &str) -> Vec<String> {
        vec![format!("{unit}.service")]
    }

    /// No restart of a service helps, and none is named.
    #[test]
    fn a_service_that_has_no_name_or_role_is_none_to_be_judged() {
        let whole = serde_json::json!({"name": "pulp_worker-0.service", "role": "worker", "worker": null,
            "host": "h", "running": true, "died": ""});
        assert!(Service::deserialize(&whole).is_ok());
        for key in ["name", "role"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(key);
            assert!(Service::deserialize(&part).is_err(), "{key}");
        }
    }

    #[test]
    fn a_machine_that_stands_in_the_inventory_twice_is_refused_as_that() {
        let [one, two] = [all(), all()];
        let both: Vec<Service> = one.into_iter().chain(two).collect();
        let found = differences(&both, &status("2.21.5", &EVERYBODY));
        assert!(found.open.is_empty());
        let [refusal] = found.refusals.try_into().unwrap();
        assert_eq!(refusal.name, Name::Unsupported);
        assert!(refusal.msg.contains("`h.example.com` is one machine"));
        assert!(!refusal.msg.contains("restart"), "{}", refusal.msg);
        // Two machines that are called the same are two; of what is not known nothing is said.
        for machine in [Some("n".to_owned()), None] {
            let mut both = both.clone();
            let half = both.len() / 2;
            both[half..]
                .iter_mut()
                .for_each(|s| s.machine.clone_from(&machine));
            let found = differences(&both, &status("2.21.5", &EVERYBODY));
            assert!(found.refusals.is_empty() && found.open.is_empty());
        }
    }

    #[test]
    fn a_whole_pulp_differs_in_nothing() {
        let whole = status("2.21.5", &EVERYBODY);
        assert_eq!(told(&all(), &whole), [nobody(), nobody()]);
        let old = Status::default();
        assert_eq!(told(&all(), &old), [nobody(), nobody()]);
        assert_eq!(told(&[], &without("scheduler")), [nobody(), nobody()]);
    }

    #[test]
    fn a_worker_that_was_killed_is_refused_by_name_whether_or_not_it_is_listed_still() {
        let mut services = all();
        services[1] = service("pulp_worker-1.service", false, "was killed by signal 9");
        for list in [
            status("2.21.5", &EVERYBODY),
            without("reserved_resource_worker-1"),
        ] {
            assert_eq!(told(&services, &list), [only("pulp_worker-1"), nobody()]);
        }
        let text = differences(&services, &status("2.21.5", &EVERYBODY))
            .refusals
            .remove(0)
            .msg;
        for word in [
            "killed by signal 9",
            "lists `reserved_resource_worker-1@h` still",
        ] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_list_that_may_settle_is_waited_for() {
        // Stopped, and not forgotten yet.
        let mut services = all();
        services[1] = service("pulp_worker-1.service", false, "");
        let whole = status("2.21.5", &EVERYBODY);
        assert_eq!(told(&services, &whole), [nobody(), only("pulp_worker-1")]);
        let settled = without("reserved_resource_worker-1");
        assert_eq!(told(&services, &settled), [nobody(), nobody()]);
        // Started, and not heard of yet.
        assert_eq!(told(&all(), &settled), [nobody(), only("pulp_worker-1")]);
        // Its unit is there no more.
        services.remove(1);
        assert_eq!(told(&services, &whole), [nobody(), only("pulp_worker-1")]);
    }

    #[test]
    fn a_worker_that_says_nothing_for_a_minute_is_not_listed() {
        let mut old = status("2.8.0", &EVERYBODY);
        old.workers.as_mut().unwrap()[3].heartbeat = Some("2026-11-23T11:58:00Z".to_owned());
        assert_eq!(told(&all(), &old), [nobody(), only("pulp_worker-1")]);
        assert_eq!(patience(&old), Duration::from_mins(6));
        assert_eq!(patience(&without("")), Duration::from_secs(30));
    }

    #[test]
    fn no_scheduler_is_refused() {
        let none = without("scheduler");
        let mut services = all();
        assert_eq!(told(&services, &none), [nobody(), only("pulp_celerybeat")]);
        services[3] = service("pulp_celerybeat.service", false, "");
        assert_eq!(told(&services, &none), [only("pulp_celerybeat"), nobody()]);
        services.remove(3);
        assert_eq!(told(&services, &none), [only("pulp_celerybeat"), nobody()]);
        // It may run on a host that is none of the play's.
        let mut elsewhere = none;
        elsewhere.workers.as_mut().unwrap().push(Worker {
            name: "scheduler@other".to_owned(),
            heartbeat: None,
        });
        assert_eq!(told(&services, &elsewhere), [nobody(), nobody()]);
    }
}
