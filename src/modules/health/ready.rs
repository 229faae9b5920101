//! `state: ready`: Pulp lists those who do its work, and each has said that it lives since this call
//! began. Two answers of Pulp are compared, so it does not matter whose clock is right. It needs no
//! password.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::{PACE, Params, RESOURCE_MANAGER, SCHEDULER, WORKER, failure, host, seconds, unit};
use crate::ansible::{Call, Outcome};
use crate::host::wait::{Deadline, TimedOut, until};
use crate::names::verdict::Name;
use crate::names::{Actor, VerdictError};
use crate::pulp::{self, Pulp, Status, Worker};

/// What the names of those begin with that every Pulp 2 needs.
const NEEDED: &[&str] = &[RESOURCE_MANAGER, SCHEDULER, WORKER];

pub(super) fn run(call: &Call, params: &Params) -> Result<Outcome> {
    let limit = seconds("ready_timeout", params.ready_timeout)?;
    let mut pulp = Pulp::new(params.door()?, params.access.site()?);
    if call.check_mode {
        let msg = format!(
            "would wait up to {} s until Pulp at `{}` lists its workers; nothing was sent",
            limit.as_secs(),
            pulp.door.base
        );
        return Ok(Outcome {
            msg: Some(msg),
            ..Outcome::default()
        }
        .with("pulp_url", pulp.door.base.as_str()));
    }
    Heartbeats::of(params.expected.as_deref()).wait(&mut pulp, limit)
}

fn reply(pulp: &Pulp, watch: &Heartbeats) -> Outcome {
    let names = watch.last.as_ref().and_then(Status::names);
    let names = names.unwrap_or_default();
    let version = watch.last.as_ref().and_then(|s| s.version.as_deref());
    Outcome {
        msg: Some(format!(
            "READY: Pulp at `{}` has just heard of {}",
            pulp.door.base,
            if names.is_empty() {
                "nobody, because so old a Pulp lists no workers".to_owned()
            } else {
                watch.wanted().join(", ")
            }
        )),
        ..Outcome::default()
    }
    .with("pulp_url", pulp.door.base.as_str())
    .with("pulp_version", version)
    .with("workers", names)
}

/// What Pulp said at first and what it says now.
pub(super) struct Heartbeats<'a> {
    expected: Option<&'a [String]>,
    /// Heartbeats of the first answer.
    first: Option<BTreeMap<String, Option<String>>>,
    last: Option<Status>,
}

impl<'a> Heartbeats<'a> {
    pub(super) fn of(expected: Option<&'a [String]>) -> Self {
        Self {
            expected,
            first: None,
            last: None,
        }
    }

    /// Has the first answer, unless there is one or Pulp does not give any in time.
    pub(super) fn begin(&mut self, pulp: &mut Pulp, limit: Duration) {
        if self.first.is_none()
            && let Ok(status) = pulp.status(Deadline::after(limit))
        {
            self.look(status);
        }
    }

    /// Asks until everybody was heard of since the first answer.
    pub(super) fn wait(mut self, pulp: &mut Pulp, limit: Duration) -> Result<Outcome> {
        let deadline = Deadline::after(limit);
        let mut unanswered = None;
        let reached = until("Pulp to list its workers", deadline, PACE, || {
            match pulp.status(deadline) {
                Ok(status) => {
                    unanswered = None;
                    Ok(self.look(status).then_some(()))
                }
                // A web server that was just started, or has lost its broker, may need a moment.
                Err(cause) => {
                    unanswered = Some(cause);
                    Ok(None)
                }
            }
        });
        match reached {
            Ok(()) => Ok(reply(pulp, &self)),
            Err(error) if error.is::<TimedOut>() => {
                let base = &pulp.door.base;
                Err(match unanswered {
                    Some(cause) => error.context(VerdictError::new(
                        pulp::verdict_on_api(&cause),
                        format!("{cause:#}"),
                    )),
                    None => error.context(self.verdict(base, limit.as_secs())),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes an answer; whether all is well by now.
    pub(super) fn look(&mut self, status: Status) -> bool {
        if self.first.is_none() {
            let listed = status.workers.iter().flatten();
            self.first = Some(
                listed
                    .map(|worker| (worker.name.clone(), worker.heartbeat.clone()))
                    .collect(),
            );
        }
        let objected = pulp::objection(&status).is_some();
        let tells = status.workers.is_some();
        self.last = Some(status);
        !objected && (!tells || (self.silent().is_empty() && self.absent_kinds().is_empty()))
    }

    /// Everybody who has to be heard of.
    fn wanted(&self) -> Vec<&str> {
        match self.expected {
            Some(expected) => expected.iter().map(String::as_str).collect(),
            None => self
                .first
                .iter()
                .flatten()
                .map(|(n, _)| n.as_str())
                .collect(),
        }
    }

    fn listed(&self, name: &str) -> Option<&Worker> {
        let mut workers = self.last.iter().flat_map(|s| s.workers.iter().flatten());
        workers.find(|worker| worker.name == name)
    }

    fn is_three(&self) -> bool {
        self.last.as_ref().is_some_and(|s| s.three.is_some())
    }

    /// Who is wanted and was not heard of since the first answer.
    fn silent(&self) -> Vec<&str> {
        let is_heard = |name: &str| {
            let Some(now) = self.listed(name) else {
                return false;
            };
            let before = self.first.as_ref().and_then(|first| first.get(name));
            before.is_none_or(|before| *before != now.heartbeat || before.is_none())
        };
        let mut wanted = self.wanted();
        if self.expected.is_some() && self.is_three() {
            // A worker that was started again has another name, at the same host.
            let listed = self.last.as_ref().and_then(Status::names);
            let mut heard: Vec<_> = listed.unwrap_or_default();
            heard.retain(|name| is_heard(name));
            wanted.retain(|name| {
                let same = heard.iter().position(|other| host(other) == host(name));
                same.map(|index| heard.swap_remove(index)).is_none()
            });
        } else {
            wanted.retain(|name| !is_heard(name));
        }
        wanted
    }

    /// Where nobody is named: of each kind there must be one.
    fn absent_kinds(&self) -> Vec<&'static str> {
        if self.expected.is_some() || self.is_three() {
            return Vec::new();
        }
        let names = self.last.as_ref().and_then(Status::names);
        let names = names.unwrap_or_default();
        let is_absent = |kind: &&&str| !names.iter().any(|name| name.starts_with(**kind));
        NEEDED.iter().filter(is_absent).copied().collect()
    }

    /// What is wrong when the time is over.
    fn verdict(&self, base: &str, seconds: u64) -> VerdictError {
        let mut missing = self.silent();
        missing.extend(self.absent_kinds());
        if missing.is_empty() {
            let objection = self.last.as_ref().and_then(pulp::objection);
            let text = format!("failed to use `{base}`: {}", objection.unwrap_or_default());
            if self
                .last
                .as_ref()
                .is_some_and(|s| s.database == Some(false))
            {
                let failure = failure::of_database(text.clone());
                return VerdictError::new(Name::DatabaseUnavailable, text).with(failure);
            }
            let missing = self.last.as_ref().and_then(pulp::missing);
            return failure::error(Name::NotRecovered, &text, missing);
        }
        let only_scheduler = missing.iter().all(|name| name.starts_with(SCHEDULER));
        let verdict = if only_scheduler {
            Name::SchedulerDead
        } else {
            Name::WorkerMissing
        };
        let told: Vec<_> = missing
            .iter()
            .map(|name| match self.listed(name) {
                None => format!("`{name}` is not listed"),
                Some(Worker { heartbeat, .. }) => format!(
                    "`{name}` was last heard of at {}",
                    heartbeat.as_deref().unwrap_or("no time")
                ),
            })
            .collect();
        let text = format!(
            "Pulp at `{base}` should list each with a heartbeat of the last \
             {seconds} s, but {}; see `journalctl -u {}` on its host",
            told.join(", "),
            missing.first().map_or(String::new(), |name| unit(name))
        );
        failure::error(verdict, &text, missing.into_iter().map(Actor::listed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RM: &str = "resource_manager@h";
    const BEAT: &str = "scheduler@h";
    const W0: &str = "reserved_resource_worker-0@h";

    fn status(workers: &[(&str, &str)]) -> Status {
        Status {
            version: None,
            database: Some(true),
            messaging: Some(true),
            workers: Some(
                workers
                    .iter()
                    .map(|(name, heartbeat)| Worker {
                        name: (*name).to_owned(),
                        heartbeat: Some((*heartbeat).to_owned()),
                    })
                    .collect(),
            ),
            at: None,
            three: None,
        }
    }

    #[test]
    fn a_heartbeat_of_before_is_none() {
        let expected = [RM.to_owned(), W0.to_owned()];
        let mut watch = Heartbeats::of(Some(&expected));
        assert!(!watch.look(status(&[(RM, "1"), (W0, "1")])));
        assert!(!watch.look(status(&[(RM, "2"), (W0, "1")])));
        assert_eq!(watch.silent(), [W0]);
        assert!(watch.look(status(&[(RM, "2"), (W0, "2")])));
    }

    #[test]
    fn one_that_appears_was_heard_of() {
        let expected = [W0.to_owned()];
        let mut watch = Heartbeats::of(Some(&expected));
        assert!(!watch.look(status(&[(RM, "1")])));
        assert!(watch.look(status(&[(RM, "1"), (W0, "1")])));
    }

    #[test]
    fn nobody_named_means_one_of_each_kind() {
        let mut watch = Heartbeats::of(None);
        assert!(!watch.look(status(&[(RM, "1"), (W0, "1")])));
        assert!(!watch.look(status(&[(RM, "2"), (W0, "2")])));
        assert!(watch.look(status(&[(RM, "2"), (W0, "2"), (BEAT, "1")])));
    }

    #[test]
    fn what_is_missing_is_named_with_its_unit() {
        let expected = [BEAT.to_owned()];
        let mut watch = Heartbeats::of(Some(&expected));
        watch.look(status(&[(RM, "1"), (W0, "1"), (BEAT, "11:00")]));
        let verdict = watch.verdict("https://p", 45).to_string();
        assert!(verdict.starts_with("FAILED scheduler_dead: "), "{verdict}");
        for word in [
            "`scheduler@h` was last heard of at 11:00",
            "pulp_celerybeat",
        ] {
            assert!(verdict.contains(word), "{verdict}");
        }
        let expected = [BEAT.to_owned(), W0.to_owned()];
        let mut watch = Heartbeats::of(Some(&expected));
        watch.look(status(&[(RM, "1"), (BEAT, "11:00")]));
        let verdict = watch.verdict("https://p", 45).to_string();
        assert!(verdict.starts_with("FAILED worker_missing: "), "{verdict}");
    }

    #[test]
    fn a_pulp_that_lists_nobody_is_believed() {
        let mut watch = Heartbeats::of(None);
        assert!(watch.look(Status {
            workers: None,
            ..status(&[])
        }));
    }
}
