//! `state: working` on Pulp 3: after an outage its workers run tasks again. Empty repositories of ours are
//! created and deleted; each deletion is a task. Pulp 3 does not say which worker ran a task, and has no
//! scheduler, so neither is told: only that as many workers as before have said lately that they live, and
//! that all our tasks came to their end.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::aged::LIES;
use super::{Leftover, absent, failure, leave, left_behind, leftovers, rounded, task};
use crate::ansible::Outcome;
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::verdict::Name;
use crate::names::{Failure, Generation, Role};
use crate::pulp::v3::Pulp3;
use crate::pulp::{self, Door, Status, TaskState};

/// How long a task of ours may wait or run before that is a verdict.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long deletions may take once something has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(20);

/// How many tasks are sent for each worker, and at most.
const EACH: usize = 2;
const MOST: usize = 8;

/// How often a Pulp that does not list everybody is asked again; heartbeats come every 10 s.
const PACE: Pace = Pace {
    first: Duration::from_millis(100),
    last: Duration::from_secs(1),
};

/// What is to be proven, and by when.
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) expected: Vec<String>,
    pub(super) ready: Duration,
    pub(super) proof: Deadline,
    /// What is kept for the clean-up.
    pub(super) kept: Duration,
    /// Who waits until the workers have worked.
    pub(super) waits: Option<Sender<()>>,
}

/// What was done and seen so far.
struct Work<'a> {
    pulp: &'a mut Pulp3,
    wish: &'a Wish,
    status: Option<Status>,
    repositories: Vec<String>,
    ran: usize,
    failures: Vec<Failure>,
    leftovers: Vec<Leftover>,
}

pub(super) fn run(pulp: &mut Pulp3, door: &Door, wish: &Wish, begun: Instant) -> Outcome {
    let mut work = Work {
        pulp,
        wish,
        status: None,
        repositories: Vec::new(),
        ran: 0,
        failures: Vec::new(),
        leftovers: Vec::new(),
    };
    if let Err(cause) = work.prove() {
        work.failures.push(failure::of_cause(&cause));
    }
    let mut limit = wish.proof.remaining() + wish.kept;
    if !work.failures.is_empty() {
        limit = limit.min(AFTER_FAILURE);
    } else if let Some(waits) = &wish.waits {
        // Who does not wait any more need not know.
        let _ = waits.send(());
    }
    work.leave_nothing(Deadline::for_cleanup(limit));
    work.outcome(&door.base, begun)
}

impl Work<'_> {
    fn prove(&mut self) -> Result<()> {
        if !self.await_workers()? {
            return Ok(());
        }
        let listed = self.status.as_ref().and_then(Status::names);
        let workers = listed.map_or(1, |names| names.len().max(1));
        let mut sent = Vec::new();
        for number in 0..(workers * EACH).min(MOST) {
            let name = format!("{}-{number}", self.wish.name);
            self.repositories.push(name.clone());
            let href = self.pulp.create_repository(&name, self.wish.proof)?;
            let href = self.pulp.begin_deletion(&name, &href, self.wish.proof)?;
            sent.push((href, name));
        }
        // Whenever one of them gets on, the others have had to wait their turn.
        let mut got_on = Instant::now();
        for (href, name) in &sent {
            let patient = self.wish.proof.at_most(PATIENCE);
            if let Err(cause) = self.pulp.follow(href, "delete repository", name, patient) {
                let failure = self.judge(href, &cause, got_on.elapsed());
                self.failures.push(failure);
                return Ok(());
            }
            self.ran += 1;
            got_on = Instant::now();
        }
        self.find_stuck()
    }

    /// Tasks that the outage has orphaned. They are somebody's: only told, with what Pulp will do.
    fn find_stuck(&mut self) -> Result<()> {
        for stuck in self.pulp.stuck_tasks(self.wish.proof)? {
            let (earliest, latest) = stuck.due;
            let text = format!(
                "task `{}` ({}) is shown as running since {}, and each worker has started after that, so \
                 nobody runs it; it locks {}, and tasks for the same wait for it. Pulp's own clean-up is due \
                 between {} and {}, if no worker is restarted before (it passes over a task whose Redis \
                 worker left with exit code 0); or cancel it: `pulp task cancel --href {0}`",
                stuck.task,
                stuck.kind,
                stuck.started_at,
                match stuck.locks.as_slice() {
                    [] => "nothing of its own".to_owned(),
                    locks => locks.join(", "),
                },
                humantime::format_rfc3339_seconds(earliest),
                humantime::format_rfc3339_seconds(latest),
            );
            self.fail(Name::TaskStuck, &text);
        }
        Ok(())
    }

    /// Waits until Pulp lists as many as are expected; what is wrong when the time is over is a failure.
    fn await_workers(&mut self) -> Result<bool> {
        let mut last: Option<Result<Status>> = None;
        let ready = self.wish.proof.at_most(self.wish.ready);
        let reached = until("Pulp to be ready for tasks", ready, PACE, || {
            let status = self.pulp.status(self.wish.proof);
            let is_ready = |status: &Status| {
                pulp::objection(status).is_none() && absent(status, &self.wish.expected).is_empty()
            };
            let ready = status.as_ref().is_ok_and(is_ready);
            last = Some(status);
            Ok(ready.then_some(()))
        });
        match last {
            Some(Ok(status)) if reached.is_err() => {
                let missing = absent(&status, &self.wish.expected).join(", ");
                let text = pulp::objection(&status).unwrap_or_else(|| {
                    format!(
                        "Pulp lists fewer workers than before ({missing}); see {}",
                        Generation::Three.log_of(Role::Worker)
                    )
                });
                self.fail(Name::WorkerMissing, &text);
                self.status = Some(status);
            }
            Some(Ok(status)) => self.status = Some(status),
            Some(Err(cause)) => {
                self.fail(pulp::verdict_on_api(&cause), &format!("{cause:#}"));
            }
            None => {}
        }
        match reached {
            Err(error) if !error.is::<TimedOut>() => Err(error),
            _ => Ok(self.failures.is_empty() && self.status.is_some()),
        }
    }

    fn fail(&mut self, name: Name, text: &str) {
        self.failures.push(Failure {
            name: Some(name),
            actor: None,
            text: text.to_owned(),
            next_step: None,
        });
    }

    /// What it means that a task of ours did not end well.
    fn judge(&self, href: &str, cause: &anyhow::Error, waited: Duration) -> Failure {
        let task = self.pulp.tasks.iter().find(|task| task.id == href);
        let name = match task {
            // It has not had its time: nobody knows whether it would have got on.
            Some(task) if task.state == TaskState::Open && waited < LIES => None,
            Some(task) if task.state == TaskState::Failed => Some(Name::HealthFailed),
            Some(task) if task.state == TaskState::Open && task.started_at.is_some() => {
                Some(Name::TaskStuck)
            }
            Some(task) if task.state == TaskState::Open => Some(Name::ConnectedButIdle),
            _ => return failure::of_cause(cause),
        };
        Failure {
            name,
            actor: None,
            text: format!("{cause:#}"),
            next_step: None,
        }
    }

    fn leave_nothing(&mut self, deadline: Deadline) {
        if self.repositories.is_empty() {
            return;
        }
        if !self.failures.is_empty() {
            // What cannot be canceled is found again below.
            let _ = self.pulp.cancel(deadline);
        }
        for name in &self.repositories {
            if let Err(cause) = self.pulp.delete_repository(name, deadline) {
                leave(
                    &mut self.leftovers,
                    Generation::Three,
                    "repository",
                    name,
                    &cause,
                );
            }
        }
        if let Err(cause) = self.pulp.forget_tasks(deadline) {
            leave(
                &mut self.leftovers,
                Generation::Three,
                "tasks",
                &self.wish.name,
                &cause,
            );
        }
    }

    fn outcome(&self, base: &str, begun: Instant) -> Outcome {
        let works = self.failures.is_empty() && self.leftovers.is_empty();
        let failures: Vec<_> = self.failures.iter().map(|f| json!(f)).collect();
        let listed = self.status.as_ref().and_then(Status::names);
        Outcome {
            changed: !self.leftovers.is_empty(),
            failed: !works,
            msg: Some(self.message(base)),
            ..Outcome::default()
        }
        .with("pulp_url", base)
        .with(
            "pulp_version",
            self.status.as_ref().and_then(|s| s.version.as_deref()),
        )
        .with("workers", Vec::<Value>::new())
        .with(
            "scheduler",
            json!({"name": null, "fired": false, "due_at": null, "task_id": null, "seconds": null,
                "why_not": "Pulp 3 has no scheduler"}),
        )
        .with("failures", failures)
        .with(
            "tasks",
            self.pulp.tasks.iter().map(task).collect::<Vec<_>>(),
        )
        .with("leftovers", leftovers(&self.leftovers))
        .with("listed", listed)
        .with("duration_seconds", rounded(begun.elapsed()))
    }

    fn message(&self, base: &str) -> String {
        let told: Vec<_> = self.failures.iter().map(failure::told).collect();
        let text = if told.is_empty() {
            let listed = self.status.as_ref().and_then(Status::names);
            format!(
                "WORKING: at `{base}` all {} tasks of ours have run, with {} workers listed (Pulp 3 \
                 does not say which of them ran a task)",
                self.ran,
                listed.map_or(0, |names| names.len()),
            )
        } else {
            told.join("; ")
        };
        format!("{text}{}", left_behind(&self.leftovers))
    }
}
