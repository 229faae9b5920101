//! What only the whole play can refuse.

use serde_json::{Value, json};

use super::{Name, Preflight, Replied, list, text, without_suffix};
use crate::names::Role;
use crate::names::option;
use crate::verdict::results::texts;

impl Preflight<'_> {
    /// What makes every other look worthless, as the play fails with it, and the host that it is about.
    pub(super) fn obstacle(&self) -> Option<(String, &str)> {
        let silent = self
            .play
            .each_host()
            .find(|host| !self.play.answered(*host));
        match silent {
            Some(host) => Some((self.unanswered(host), self.name(host))),
            None => Some((self.misfit()?, "")),
        }
    }

    /// What is not as the user thinks.
    fn misfit(&self) -> Option<String> {
        if self.api.is_none() {
            return Some(format!(
                "VOID {}: failed to find Pulp on {}: expected httpd and Pulp's services or pulpcore-api on one of them; check the group \
                 of {}, and --limit; nothing was touched",
                Name::Unsupported,
                self.play.hosts.join(", "),
                option("hosts"),
            ));
        }
        let (kept, keepable) = (self.intent.kept(), self.keepable());
        (!kept.iter().all(|unit| keepable.contains(unit))).then(|| {
            format!(
                "value of {} must be one or more of: {}, got: {}",
                option("keep"),
                if keepable.is_empty() {
                    "(nothing runs that could be kept)".to_owned()
                } else {
                    keepable.join(", ")
                },
                kept.join(", ")
            )
        })
    }

    fn unanswered(&self, host: usize) -> String {
        let reply = self.play.raw("facts", host);
        let name = if reply.is_unreachable() {
            Name::HostUnreachable
        } else {
            Name::Unsupported
        };
        let why = not_started(reply).unwrap_or_else(|| reply.message("no answer"));
        format!(
            "VOID {name}: {}: {why}; nothing was touched",
            self.name(host)
        )
    }

    /// All that runs and need not connect to the broker at its start, of all hosts.
    fn keepable(&self) -> Vec<String> {
        let connects = |unit: &str| {
            let role = Role::of_unit(unit);
            matches!(role, Role::Worker | Role::ResourceManager | Role::Scheduler)
        };
        let runs = self.actors().filter(|actor| actor["running"] == true);
        let names = runs
            .map(|actor| text(&actor["name"]))
            .filter(|name| !connects(name));
        let mut names: Vec<String> = names.map(|name| without_suffix(&name).to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Everything that is in the way, host by host; another run first, because what that has taken away is no fault of Pulp's. Where
    /// nothing is taken away, only a Pulp that is not healthy is in the way.
    pub(super) fn refusals(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for host in self.play.each_host() {
            let first = found.len();
            let preflight = &self.play.deployment(host)["preflight"];
            let idle = list(&self.play.raw("idle", host)["refusals"]).iter();
            if self.takes_away() {
                found.extend(self.other_run(host));
                found.extend(list(&preflight["refusals"]).iter().cloned());
                found.extend(idle.cloned());
                found.extend(list(&preflight["outage"]["refusals"]).iter().cloned());
            } else {
                found.extend(
                    idle.filter(|refusal| refusal["name"] != Name::Busy.word())
                        .cloned(),
                );
            }
            found.extend(self.of_api(host));
            if self.takes_away() {
                found.extend(self.of_another_pulp(host));
                found.extend(self.strangers(host));
            }
            for refusal in found.iter_mut().skip(first) {
                refusal["host"] = self.name(host).into();
            }
        }
        found
    }

    fn other_run(&self, host: usize) -> Option<Value> {
        let taken = &self.play.deployment(host)["taken"];
        taken.as_object()?;
        let msg = format!(
            "{}: run `{}` has taken services of this host away since {} and gives them back at {}; wait for it, or run \
             `sudo sh /run/pulp_broker/heal` there",
            self.name(host),
            text(&taken["run_id"]),
            text(&taken["since"]),
            text(&taken["restores_at"]),
        );
        Some(refusal(Name::Busy, &msg))
    }

    /// What is said of all hosts together, on the host that speaks to Pulp's API.
    fn of_api(&self, host: usize) -> Vec<Value> {
        let idle = self.play.raw("idle", host);
        let mut found = Vec::new();
        if idle.has_failed() || idle.is_unreachable() {
            found.push(refusal(Name::UnhealthyBefore, &text(&idle["msg"])));
        }
        if self.api != Some(host) || !self.takes_away() {
            return found;
        }
        let is_worker = |actor: &Value| Role::of_unit(&text(&actor["name"])) == Role::Worker;
        if !self
            .actors()
            .any(|actor| actor["running"] == true && is_worker(actor))
        {
            let msg = format!(
                "no worker of Pulp runs on {}, so nothing could be seen to recover; start {}, or add the workers' hosts to the group",
                self.play.hosts.join(", "),
                if self.is_pulp(3) {
                    "pulpcore-worker@1"
                } else {
                    "pulp_workers"
                }
            );
            found.push(refusal(Name::UnhealthyBefore, &msg));
        }
        found.extend(self.broker_elsewhere());
        found
    }

    /// Where the broker itself is already refused, what is said of its host is no help.
    fn broker_elsewhere(&self) -> Option<Value> {
        let deployment = self.deployment();
        let known = |name: Name| {
            let refusals = list(&deployment["preflight"]["refusals"]);
            refusals
                .iter()
                .any(|refusal| refusal["name"] == name.word())
        };
        if !self.broker_hosts().is_empty()
            || known(Name::Unsupported)
            || known(Name::BrokerUncertain)
        {
            return None;
        }
        let broker = &deployment["broker"];
        let or = |key: &str, none: &str| {
            Some(text(&broker[key]))
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| none.to_owned())
        };
        let msg = format!(
            "the broker at {} port {} ({}) is on none of {}; add its host to the group, and to --limit, or test from Pulp's side alone \
             with {}: pulp and {}: partition",
            or("host", "(not found)"),
            or("port", "?"),
            or("source", "neither configuration nor unit"),
            self.play.hosts.join(", "),
            option("apply_at"),
            option("method"),
        );
        Some(refusal(Name::Unsupported, &msg))
    }

    /// A host whose broker or database is another than that of the API's host.
    fn of_another_pulp(&self, host: usize) -> Option<Value> {
        let (here, there) = (self.play.deployment(host), self.deployment());
        let differs = |of: fn(&Value) -> Vec<String>| {
            let (here, there) = (of(here), of(there));
            !here.is_empty()
                && !there.is_empty()
                && !here.iter().any(|address| there.contains(address))
        };
        let mut what = Vec::new();
        if differs(broker_addresses) {
            what.push("broker");
        }
        if differs(database_addresses) {
            what.push("database");
        }
        let msg = format!(
            "{} and {} have not the same {}, so they are not of one Pulp; leave the hosts of the other one out of the group of {}",
            self.name(host),
            self.api.map(|api| self.name(api)).unwrap_or_default(),
            what.join(" and "),
            option("hosts"),
        );
        (!what.is_empty()).then(|| refusal(Name::Unsupported, &msg))
    }

    /// Who is connected to this host's broker and is none of the play's hosts.
    fn strangers(&self, host: usize) -> Option<Value> {
        if self.intent.apply_at != "broker" || self.intent.accept_shared {
            return None;
        }
        let own: Vec<String> = self
            .play
            .each_host()
            .flat_map(|host| texts(&self.play.deployment(host)["addresses"]))
            .collect();
        let peers = list(&self.play.deployment(host)["broker"]["peers"]).iter();
        let mut strangers: Vec<String> = Vec::new();
        for address in peers.map(|peer| text(&peer["address"])) {
            if !own.contains(&address) && !strangers.contains(&address) {
                strangers.push(address);
            }
        }
        let msg = format!(
            "others use the broker on {} and are no hosts of this play: {}; add them to the group, and to --limit, if they are this \
             Pulp's, else {}: true takes it away from them too",
            self.name(host),
            strangers.join(", "),
            option("accept_shared"),
        );
        (!strangers.is_empty()).then(|| refusal(Name::BrokerShared, &msg))
    }
}

fn refusal(name: Name, msg: &str) -> Value {
    json!({ "name": name, "msg": msg })
}

fn broker_addresses(deployment: &Value) -> Vec<String> {
    texts(&deployment["broker"]["addresses"])
}

fn database_addresses(deployment: &Value) -> Vec<String> {
    let seeds = list(&deployment["database"]["seeds"]).iter();
    seeds.flat_map(|seed| texts(&seed["addresses"])).collect()
}

/// A program that may not be started says nothing; the shell does, beside words of Ansible's that do not help.
fn not_started(reply: &Value) -> Option<String> {
    if reply["rc"].as_i64() != Some(126) {
        return None;
    }
    let said = format!(
        "{}{}",
        text(&reply["module_stderr"]),
        text(&reply["module_stdout"])
    );
    let why = ["Permission denied", "Operation not permitted"]
        .into_iter()
        .find(|why| said.contains(why))?;
    let (folder, _) = said.split_once("/ansible-tmp-")?;
    let folder = folder
        .rfind([' ', ':', '\n'])
        .map_or(folder, |at| &folder[at + 1..]);
    Some(format!(
        "failed to start `pulp_facts` in `{folder}`: {why}; programs may not be started there (mounted with noexec?), set \
         ansible_remote_tmp to a folder where they may"
    ))
}
