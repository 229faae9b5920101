//! `state: working`: after an outage each worker runs a task of ours again, and the scheduler sends what
//! is due. A worker that is listed, connected and never runs anything passes every other look.
//!
//! Tasks that reserve different repositories go to different workers, so empty repositories of our own
//! are published, as many at once as there are workers, until each was seen to have run one. Meanwhile
//! a scheduled sync of another one falls due. All of it is deleted again.

mod canaries;
mod judge;
mod leave;
mod scheduler;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::aged::Aged;
use super::{
    CLEAN_UP, Failure, Leftover, PACE, Params, RESOURCE_MANAGER, SCHEDULER, WORKER, failure,
    feed_port, is_alive, is_of_others, leave, left_behind, leftovers, nonce, refuse_missing,
    rounded, seconds_or_none, task, tasked, unit,
};
use crate::ansible::{Call, Outcome};
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::own_name;
use crate::pulp::v2::Pulp2;
use crate::pulp::{Created, Found, Pulp, Sent, Status, Task, TaskState};
use scheduler::Story;

/// How long nothing that we sent may get on before that is a verdict: a worker that waits for its next
/// retry is back after 32 s, and Pulp lists it 6 s later.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often tasks are looked at.
const LOOK: Pace = Pace {
    first: Duration::from_millis(50),
    last: Duration::from_millis(200),
};

/// How often Pulp's status is asked for: each time it connects to the broker.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// A worker that is to run a task of ours.
struct Proof {
    name: String,
    by: Option<By>,
}

/// The task that proved it.
struct By {
    task_id: String,
    /// Pulp's own word for when it ended.
    worked_at: Option<String>,
    /// From the call until we learned of it.
    after: Duration,
}

/// What was done and seen so far.
struct Work {
    pulp: Pulp2,
    begun: Instant,
    /// Our repositories' names begin so.
    name: String,
    feed_host: String,
    feed_port: u16,
    /// Everybody that is to work: workers, the resource manager, the scheduler.
    expected: Vec<String>,
    workers: Vec<Proof>,
    /// Repositories to publish, which exist or may exist.
    repositories: Vec<String>,
    story: Story,
    status: Option<Status>,
    asked_status: Instant,
    /// How many rounds of tasks were sent, and how many tasks.
    rounds: u32,
    sent: usize,
    /// Pulp refused to send a task; what it keeps of those all the same.
    refused: Option<BTreeSet<String>>,
    /// Tasks that an earlier round left and that were canceled before the next.
    canceled: BTreeSet<String>,
    /// When a task of ours was first seen to be where it is.
    since: BTreeMap<String, (u64, Instant)>,
    /// What Pulp last failed to answer, if it did.
    unanswered: Option<anyhow::Error>,
    failures: Vec<Failure>,
    leftovers: Vec<Leftover>,
    /// Who waits until each worker has worked.
    waits: Option<Sender<()>>,
}

/// `waits` is sent to as soon as each worker has worked, and is gone where one does not.
pub(super) fn run(
    call: &Call,
    params: &Params,
    timeout: Duration,
    waits: Option<Sender<()>>,
) -> Result<Outcome> {
    refuse_missing(params, "working")?;
    let ready = seconds_or_none("ready_timeout", params.ready_timeout)?;
    let feed_port = feed_port(params)?;
    let name = own_name(&nonce()?);
    let mut pulp = Pulp::new(params.door()?.marked(&name), params.access.site()?);
    if call.check_mode {
        return Ok(tell::plan(
            &pulp.door.base,
            params.expected.as_deref(),
            timeout,
        ));
    }
    let now = Instant::now();
    let whole = Deadline::after(timeout);
    let kept = CLEAN_UP.min(timeout / 4);
    let proof = whole.at_most(timeout.saturating_sub(kept));
    // Which Pulp it is; what is wrong with it is found below.
    let _ = until("Pulp to answer", proof.at_most(ready), PACE, || {
        Ok(pulp.status(proof).is_ok().then_some(()))
    });
    let ready = ready.saturating_sub(now.elapsed());
    let door = Rc::clone(&pulp.door);
    if let Some(Found::Three(mut three)) = pulp.into_found() {
        let wish = tasked::Wish {
            name,
            expected: params.expected.clone().unwrap_or_default(),
            ready,
            proof,
            kept,
            waits,
        };
        return Ok(tasked::run(&mut three, &door, &wish, now));
    }
    let mut work = Work {
        feed_port,
        waits,
        ..Work::of(params, Pulp2::new(door), name, now)
    };
    if let Err(cause) = work.prove(ready, proof) {
        work.failures.push(failure::of_cause(&cause));
    }
    let left = whole.remaining().max(kept).min(CLEAN_UP);
    leave::nothing(&mut work, Deadline::for_cleanup(left));
    Ok(tell::outcome(&work))
}

impl Work {
    /// Nothing of it is done yet.
    fn of(params: &Params, pulp: Pulp2, name: String, begun: Instant) -> Self {
        Self {
            pulp,
            begun,
            name,
            feed_host: params.feed_host.clone(),
            feed_port: 0,
            expected: params.expected.clone().unwrap_or_default(),
            workers: Vec::new(),
            repositories: Vec::new(),
            story: Story::None("it was not asked for".to_owned()),
            status: None,
            asked_status: begun,
            rounds: 0,
            sent: 0,
            refused: None,
            canceled: BTreeSet::new(),
            since: BTreeMap::new(),
            unanswered: None,
            failures: Vec::new(),
            leftovers: Vec::new(),
            waits: None,
        }
    }

    fn prove(&mut self, ready: Duration, deadline: Deadline) -> Result<()> {
        if !self.await_status(ready, deadline)? {
            return Ok(());
        }
        self.expect_everybody();
        scheduler::begin(self, deadline)?;
        // One for each worker; so old a Pulp lists none, and then any worker has to do.
        for number in 0..self.workers.len().max(1) {
            self.create(&format!("{}-{number}", self.name), deadline)?;
        }
        let mut progress = Progress::new();
        let waited = until("each worker to run a task of ours", deadline, LOOK, || {
            self.unanswered = self.look(deadline).err();
            if self.unanswered.is_none() {
                self.tell_proven();
                self.send_next(deadline)?;
                scheduler::look(self, deadline);
            }
            let stalled = progress.look(self.mark()) >= PATIENCE;
            let is_told = self.refused.is_some() || self.story.is_settled(stalled);
            Ok((self.is_settled(stalled) && is_told).then_some(()))
        });
        match waited {
            Err(error) if !error.is::<TimedOut>() => return Err(error),
            _ => scheduler::close(self),
        }
        judge::all(self);
        Ok(())
    }

    /// A Pulp that could neither run what we send nor delete it again is not asked to.
    fn await_status(&mut self, ready: Duration, deadline: Deadline) -> Result<bool> {
        let mut last: Option<Result<Status>> = None;
        let ready = deadline.at_most(ready);
        let reached = until("Pulp to be ready for tasks", ready, PACE, || {
            // It may take its time: with a frozen broker 4 s.
            let status = self.pulp.status(deadline);
            let ready = status
                .as_ref()
                .is_ok_and(|status| Pulp2::objection(status).is_none());
            last = Some(status);
            Ok(ready.then_some(()))
        });
        let timed_out = match reached {
            Err(error) if !error.is::<TimedOut>() => return Err(error),
            reached => reached.is_err(),
        };
        match last.context("Pulp was not asked")? {
            Err(cause) => self.failures.push(judge::unavailable(&cause)),
            Ok(status) => {
                if timed_out {
                    self.failures.push(judge::refused(
                        &self.pulp.door.base,
                        &status,
                        &self.expected,
                    ));
                }
                self.status = Some(status);
            }
        }
        Ok(self.failures.is_empty())
    }

    /// Without a list of the user's, those that Pulp lists.
    fn expect_everybody(&mut self) {
        if self.expected.is_empty() {
            let names = self.status.as_ref().and_then(Status::names);
            self.expected = names.into_iter().flatten().map(str::to_owned).collect();
        }
        self.expected.sort();
        self.expected.dedup();
        let workers = self.expected.iter().filter(|name| name.starts_with(WORKER));
        self.workers = workers
            .map(|name| Proof {
                name: name.clone(),
                by: None,
            })
            .collect();
    }

    fn look(&mut self, deadline: Deadline) -> Result<()> {
        let ids: Vec<&str> = self.repositories.iter().map(String::as_str).collect();
        self.pulp.look_at_tasks_of(&ids, deadline)?;
        let now = Instant::now();
        for task in &self.pulp.tasks {
            let mark = mark_of(task);
            let since = self.since.entry(task.id.clone()).or_insert((mark, now));
            if since.0 != mark {
                *since = (mark, now);
            }
        }
        let after = self.begun.elapsed();
        for proof in self.workers.iter_mut().filter(|proof| proof.by.is_none()) {
            let ran = |task: &&Task| {
                task.state == TaskState::Done && task.worker.as_deref() == Some(&proof.name)
            };
            proof.by = self.pulp.tasks.iter().find(ran).map(|task| By {
                task_id: task.id.clone(),
                worked_at: task.finished_at.clone(),
                after,
            });
        }
        if !self.unproven().is_empty() || !self.story.is_settled(false) {
            self.refresh_status(deadline)?;
        }
        Ok(())
    }

    fn refresh_status(&mut self, deadline: Deadline) -> Result<()> {
        if self.asked_status.elapsed() >= STATUS_INTERVAL {
            self.asked_status = Instant::now();
            self.status = Some(self.pulp.status(deadline)?);
        }
        Ok(())
    }

    /// Those of which no task was seen to have ended well.
    fn unproven(&self) -> BTreeSet<&str> {
        let unproven = self.workers.iter().filter(|proof| proof.by.is_none());
        unproven.map(|proof| proof.name.as_str()).collect()
    }

    /// Any worker has run a task of ours: all that can be asked where Pulp does not name its workers.
    fn any_ran(&self) -> bool {
        self.pulp.tasks.iter().any(|t| t.state == TaskState::Done)
    }

    fn is_proven(&self) -> bool {
        self.unproven().is_empty() && self.any_ran()
    }

    /// Once, and not where Pulp refused a task.
    fn tell_proven(&mut self) {
        if self.is_proven()
            && self.refused.is_none()
            && let Some(waits) = self.waits.take()
        {
            // Who does not wait any more need not know.
            let _ = waits.send(());
        }
    }

    /// Changes whenever anything that we sent gets on, and when Pulp lists others than before.
    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for task in self.canaries() {
            (task.id.as_str(), mark_of(task)).hash(&mut hasher);
        }
        let mut names = self
            .status
            .as_ref()
            .and_then(Status::names)
            .unwrap_or_default();
        names.sort_unstable();
        names.hash(&mut hasher);
        hasher.finish()
    }

    /// How long a task has been where it is.
    fn still_for(&self, task: &Task) -> Duration {
        let since = self.since.get(&task.id);
        since.map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// A task of ours, and for how long it has been where it is.
    fn age<'a>(&self, task: &'a Task) -> Aged<'a> {
        Aged {
            worker: task.worker.as_deref(),
            is_open: task.state == TaskState::Open,
            still: self.still_for(task),
        }
    }

    /// All tasks of ours so.
    fn aged(&self) -> Vec<Aged<'_>> {
        self.tasks().map(|task| self.age(task)).collect()
    }

    /// The one of this kind that is expected, or is listed where nobody is expected.
    fn named(&self, prefix: &str) -> Option<&str> {
        let found = self.expected.iter().find(|name| name.starts_with(prefix));
        found.map(String::as_str)
    }

    /// The repository that is synced by schedule only.
    fn scheduled(&self) -> String {
        format!("{}-scheduled", self.name)
    }

    fn scheduler(&self) -> Option<&str> {
        self.named(SCHEDULER)
    }

    fn resource_manager(&self) -> &str {
        self.named(RESOURCE_MANAGER).unwrap_or("resource_manager")
    }
}

fn mark_of(task: &Task) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&task.word, &task.worker, task.progress).hash(&mut hasher);
    hasher.finish()
}

/// Since when nothing has changed.
struct Progress {
    mark: u64,
    at: Instant,
}

impl Progress {
    fn new() -> Self {
        Self {
            mark: 0,
            at: Instant::now(),
        }
    }

    fn look(&mut self, mark: u64) -> Duration {
        if mark != self.mark {
            self.mark = mark;
            self.at = Instant::now();
        }
        self.at.elapsed()
    }
}
