//! What is not as it was before, by what the restoring steps replied; and what is still worth doing while they are under way.

use serde_json::{Value, json};

use super::{Play, said};
use crate::names::verdict::{Grade, Name};
use crate::verdict::results::{Replied, text};

/// What is done next in the course of restoring, as the play asks for it.
pub(crate) fn restoring(results: &Value, final_restart: &str) -> Option<Value> {
    let play = Play::read(results)?;
    let in_vain = !play.away().is_empty() || !play.refused().is_empty();
    let waits = play.has_failed() && !in_vain;
    let stuck = |host: usize| play.raw("works_again", host).has_failed();
    let restart = match final_restart {
        "always" if !in_vain => play.hosts.iter().map(String::as_str).collect(),
        "on_failure" if !in_vain => play.named_hosts(stuck),
        _ => Vec::new(),
    };
    Some(json!({
        "wait": waits,
        "restart": restart,
        "restart_unlisted": waits && final_restart == "on_failure",
    }))
}

/// What is read of the restoring, a line a host; empty where nothing was taken away.
pub(crate) fn restored_lines(results: &Value) -> Value {
    let play = Play::read(results).filter(|play| !play.untouched && !play.scenarios().is_empty());
    let lines = play
        .iter()
        .flat_map(|play| play.each_host().map(|host| play.restored_line(host)));
    lines.collect()
}

impl Play<'_> {
    /// Hosts where the broker was taken away and did not come back: without it no service works again, so none is waited for or
    /// restarted in vain. Scenarios that came to their end have given it back.
    fn away(&self) -> Vec<&str> {
        let is_back = |reply: &Value| reply["unreachable"].is_null() && reply["failed"] == false;
        let is_away = |host: usize| {
            self.has_failed() && self.takes_broker(host) && !is_back(self.raw("broker_back", host))
        };
        self.named_hosts(is_away)
    }

    /// What brokers that are back refuse, as each host found it.
    fn refused(&self) -> Vec<String> {
        if !self.has_failed() {
            return Vec::new();
        }
        let seen = self
            .each_host()
            .map(|host| text(&self.watched(host)["refuses"]));
        let alarms = self.each_host().filter_map(|host| {
            let alarms = said(self.raw("broker_back", host), "alarms");
            (!alarms.is_empty()).then(|| format!("the broker has an alarm: {}", alarms.join(", ")))
        });
        seen.filter(|refuses| !refuses.is_empty())
            .chain(alarms)
            .collect()
    }

    /// The last look of two: after a restart, where there was one.
    pub(in crate::verdict) fn last(&self, [after, before]: [&str; 2], host: usize) -> &Value {
        let after = self.raw(after, host);
        if after.is_skipped() {
            self.raw(before, host)
        } else {
            after
        }
    }

    /// What was not given back on a host, and why. Empty: all of it was, or nothing was taken away.
    pub(in crate::verdict) fn not_restored(&self, host: usize) -> String {
        if self.untouched || self.scenarios().is_empty() {
            return String::new();
        }
        if !self.is_known(host) {
            return "nobody knows whether it is as it was before".to_owned();
        }
        let name = self.name(host);
        let (broker, services) = (
            self.raw("broker_back", host),
            self.raw("services_back", host),
        );
        let (look, hearing) = (self.last(WORKS, host), self.last(LISTED, host));
        if [broker, services, look, hearing]
            .into_iter()
            .any(Replied::is_unreachable)
        {
            return said_of(
                Name::HostUnreachable,
                &format!(
                    "{name} cannot be reached; what was taken away there comes back by itself within {} s",
                    text(&self.results["run"]["restore_after"])
                ),
            );
        }
        let (away, refused) = (self.away(), self.refused());
        let in_vain = !away.is_empty() || !refused.is_empty();
        let mut left = Vec::new();
        if broker.has_failed() {
            left.push(said_of(
                Name::BrokerNotRestored,
                &reason(broker, "no answer"),
            ));
        }
        left.extend(refusing(&said(broker, "alarms"), &refused));
        if services.has_failed() {
            left.push(said_of(
                Name::ServicesNotRestored,
                &reason(services, "no answer"),
            ));
        }
        if !away.is_empty() && !away.contains(&name) {
            left.push(self.broker_elsewhere(&away));
        }
        if !in_vain && !self.proves(look) {
            left.push(said_of(
                Name::ServicesNotRestored,
                &reason(look, "nobody looked"),
            ));
        } else if !in_vain && host == self.api_host() && !self.proves(hearing) {
            let nobody = said_of(
                Name::ServicesNotRestored,
                "Pulp was not asked whom it has heard of",
            );
            left.push(hearing.message(&nobody));
        }
        left.join("; ")
    }

    /// Whether a look found what it looked for. Scenarios that came to their end have proven it themselves.
    fn proves(&self, look: &Value) -> bool {
        !look.has_failed() && (!look.is_skipped() || !self.has_failed())
    }

    fn broker_elsewhere(&self, away: &[&str]) -> String {
        let hosts = away.join(", ");
        let lost = self.named_hosts(|host| self.is_lost(host));
        let why = if away.iter().all(|host| lost.contains(host)) {
            said_of(
                Name::HostUnreachable,
                &format!("{hosts} was lost, and the broker with it"),
            )
        } else {
            said_of(
                Name::BrokerNotRestored,
                &format!("the broker is not back on {hosts}"),
            )
        };
        format!("{why}, so nobody looked whether the services work here")
    }

    /// What was not given back, on all hosts.
    pub(in crate::verdict) fn left(&self) -> String {
        let left = self.each_host().zip(&self.hosts).filter_map(|(at, host)| {
            let left = self.not_restored(at);
            (!left.is_empty()).then(|| format!("{host}: {left}"))
        });
        left.collect::<Vec<_>>().join("; ")
    }

    /// Hosts whose services were restarted in the end.
    pub(in crate::verdict) fn restarted(&self) -> Vec<String> {
        let restarted = |host: usize| !self.raw("restarted", host).is_skipped();
        self.named_hosts(restarted)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// What a host's user reads of the restoring.
    fn restored_line(&self, host: usize) -> String {
        let name = self.name(host);
        let left = self.not_restored(host);
        if !left.is_empty() {
            return format!("NOT RESTORED on {name}: {left}");
        }
        let broker = if self.has_failed() {
            self.raw("broker_back", host)
        } else {
            let scenes = self.raw("seen", host);
            let order = ["reconnect", "connect"].into_iter();
            let mut given_back = order.map(|name| &scenes[name]["up"]);
            given_back
                .find(|reply| reply.is_object())
                .unwrap_or(&Value::Null)
        };
        let running = said(self.deployment(host), "running").join(", ");
        format!(
            "RESTORED on {name}: {}; what ran before runs: {}",
            broker.message("nothing of the broker is away here"),
            if running.is_empty() {
                "nothing of Pulp"
            } else {
                &running
            }
        )
    }
}

/// Whether the services work, and whom Pulp has heard of: after a restart, and before.
pub(in crate::verdict) const WORKS: [&str; 2] = ["works_after_restart", "works_again"];
pub(in crate::verdict) const LISTED: [&str; 2] = ["listed_after_restart", "listed"];

/// What the broker that is back does not do for Pulp.
fn refusing(alarms: &[String], refused: &[String]) -> Option<String> {
    let what = if alarms.is_empty() {
        format!(
            "{}; nobody waited for connections that cannot come",
            refused.first()?
        )
    } else {
        format!(
            "the broker answers, and its alarm stands: {}; nobody who publishes gets on until it ends, see `rabbitmqctl status`",
            alarms.join(", ")
        )
    };
    Some(said_of(Name::BrokerRefuses, &what))
}

/// With the name of its verdict.
fn said_of(name: Name, what: &str) -> String {
    let grade = if name.grade() == Grade::Void {
        "VOID"
    } else {
        "FAILED"
    };
    format!("{grade} {name}: {what}")
}

/// A message without the name of a verdict before it.
fn reason(reply: &Value, none: &str) -> String {
    let msg = reply.message(none);
    let named = msg.split_once(": ").filter(|(before, _)| {
        let words: Vec<&str> = before.split(' ').collect();
        matches!(words[..], [grade, name] if matches!(grade, "VOID" | "FAILED") && Name::of(name).is_some())
    });
    match named {
        Some((_, what)) => what.to_owned(),
        None => msg,
    }
}
