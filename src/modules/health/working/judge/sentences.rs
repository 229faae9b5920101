//! The verdicts in words: pure, from what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::{Failure, failure};
use crate::broker::rabbitmqctl::Queue;
use crate::names::option;
use crate::names::verdict::Name;
use crate::pulp::{Task, Worker};

/// The broker's queues by name, or why they cannot be told.
pub(super) type Queues = Result<BTreeMap<String, Queue>, String>;

/// What there is to judge.
pub(super) struct WorkSeen<'a> {
    pub(super) base: &'a str,
    /// How many tasks were sent.
    pub(super) sent: usize,
    /// The workers that ran none of them to its end.
    pub(super) unproven: Vec<&'a str>,
    pub(super) resource_manager: &'a str,
    /// Those that Pulp lists and has heard of lately; `None`: it lists nobody.
    pub(super) alive: Option<Vec<Worker>>,
    /// Our tasks that get on no more.
    pub(super) lying: Vec<Lying>,
    /// How many of our tasks have not had their time yet.
    pub(super) on_the_way: usize,
    /// The time was over before all was sent that may show something.
    pub(super) has_more_to_send: bool,
    /// Our tasks that ended badly.
    pub(super) failed: Vec<Task>,
    /// Tasks of others that have not ended.
    pub(super) others: Vec<Task>,
    pub(super) queues: Queues,
    /// Whether a name is one of a worker.
    pub(super) is_worker: fn(&str) -> bool,
    /// The unit behind a name.
    pub(super) unit: fn(&str) -> String,
}

/// A task of ours that gets on no more.
pub(super) struct Lying {
    pub(super) task: Task,
    pub(super) still: Duration,
    pub(super) queue: Option<String>,
    /// The repository of ours that it locks.
    pub(super) locks: String,
}

/// A schedule that was not sent.
pub(super) struct Late<'a> {
    pub(super) name: &'a str,
    pub(super) schedule: &'a str,
    pub(super) due: SystemTime,
    pub(super) overdue: Duration,
    pub(super) runs: Option<u64>,
}

/// What is wrong with workers and tasks, causes before symptoms.
pub(super) fn of_tasks(seen: &WorkSeen) -> Vec<Failure> {
    let mut found: Vec<Failure> = seen
        .unproven
        .iter()
        .filter(|name| !seen.lives(name))
        .map(|name| seen.missing(name))
        .collect();
    let waiting = seen.lying.iter().find(|lying| lying.task.worker.is_none());
    if let Some(lying) = waiting {
        found.push(seen.unassigned(lying));
    }
    for name in seen.unproven.iter().filter(|name| seen.lives(name)) {
        match seen.lying_at(name) {
            Some(lying) => found.push(seen.held(lying, name)),
            // Nothing can be given to it while the one above is not cured.
            None if waiting.is_some() => {}
            None if seen.is_too_early() => found.push(seen.unseen(name)),
            None => found.push(seen.passed_over(name)),
        }
    }
    for lying in &seen.lying {
        let worker = lying.task.worker.as_deref();
        if let Some(name) = worker.filter(|name| !seen.unproven.contains(name)) {
            found.push(seen.held(lying, name));
        }
    }
    // So old a Pulp names nobody: all that is known is that nothing ran.
    if found.is_empty() && seen.unproven.is_empty() {
        found.extend(seen.failed.first().map(|task| seen.failing(task, "")));
    }
    found
}

/// A scheduler that is well has looked at its list by then, if its Pulp is not older than 2.12.
const PROMPT: Duration = Duration::from_secs(10);

/// The scheduler sent nothing.
pub(super) fn of_scheduler(seen: &WorkSeen, late: &Late) -> Option<Failure> {
    if late.overdue < PROMPT {
        let text = format!(
            "the time was over before `{}` could show that it sends what is due; set a longer `{}`",
            late.name,
            option("timeout")
        );
        return Some(failure::of_listed(None::<Name>, late.name, text));
    }
    let listed = if seen.lives(late.name) {
        "lists it with a fresh heartbeat"
    } else {
        "does not list it"
    };
    let counted = match late.runs {
        Some(0) => ", and Pulp counts no run of it".to_owned(),
        // It was sent, and those who should have taken it are named already.
        Some(_) if !seen.unproven.is_empty() => return None,
        Some(runs) => {
            format!(
                ", although Pulp counts {runs} of it: what was sent was lost on the way to the broker"
            )
        }
        None => String::new(),
    };
    Some(failure::of_listed(
        Name::SchedulerDead,
        late.name,
        format!(
            "`{}` did not send our scheduled sync `{}`, which fell due {} s ago, at {}{counted}; Pulp at \
             `{}` {listed}; queue `celery`{}; no scheduled sync or publish of anybody runs: restart it on its \
             host with `systemctl restart {unit}`, and see `journalctl -u {unit}`",
            late.name,
            late.schedule,
            late.overdue.as_secs(),
            humantime::format_rfc3339_seconds(late.due),
            seen.base,
            seen.state_of("celery"),
            unit = (seen.unit)(late.name),
        ),
    ))
}

impl WorkSeen<'_> {
    fn lives(&self, name: &str) -> bool {
        let alive = self.alive.as_ref();
        alive.is_none_or(|alive| alive.iter().any(|worker| worker.name == name))
    }

    fn heard(&self, name: &str) -> &str {
        let mut alive = self.alive.iter().flatten();
        let worker = alive.find(|worker| worker.name == name);
        worker
            .and_then(|worker| worker.heartbeat.as_deref())
            .unwrap_or("no time that it tells")
    }

    fn lying_at(&self, name: &str) -> Option<&Lying> {
        let mut lying = self.lying.iter();
        lying.find(|lying| lying.task.worker.as_deref() == Some(name))
    }

    /// How many workers live and have no task.
    fn free(&self) -> usize {
        let ours = self.lying.iter().map(|lying| &lying.task);
        let busy: BTreeSet<&str> = ours
            .chain(&self.others)
            .filter_map(|task| task.worker.as_deref())
            .collect();
        let alive = self.alive.iter().flatten().map(|w| w.name.as_str());
        alive
            .filter(|name| (self.is_worker)(name) && !busy.contains(name))
            .count()
    }

    /// What a queue holds, as far as it can be told.
    fn state_of(&self, queue: &str) -> String {
        match &self.queues {
            Err(why) => format!(" (what it holds is not known here: {why})"),
            Ok(queues) => match queues.get(queue) {
                None => " is not there".to_owned(),
                Some(Queue {
                    ready,
                    unacknowledged,
                    consumers,
                }) => format!(
                    " holds {ready} messages that nobody was given and {unacknowledged} that somebody was, \
                     and has {consumers} consumers"
                ),
            },
        }
    }

    fn failure(&self, name: Name, actor: &str, text: &str) -> Failure {
        let unit = (self.unit)(actor);
        let text = format!(
            "{text}; restart it on its host with `systemctl restart {unit}`, which cancels what it was given, \
             and see `journalctl -u {unit}`"
        );
        failure::of_listed(name, actor, text)
    }

    fn missing(&self, name: &str) -> Failure {
        let of_it = |task: &&Task| task.worker.as_deref() == Some(name);
        let canceled = self.failed.iter().find(of_it).map(|task| {
            format!(
                "; task `{}` of ours, which it had been given, is `{}`",
                task.id, task.word
            )
        });
        let queue = format!("{name}.dq2");
        let text = format!(
            "Pulp at `{}` has not heard of `{name}` lately, and gave it no task that it finished{}; queue \
             `{queue}`{}",
            self.base,
            canceled.unwrap_or_default(),
            self.state_of(&queue)
        );
        self.failure(Name::WorkerMissing, name, &text)
    }

    /// No worker was chosen for the task.
    fn unassigned(&self, lying: &Lying) -> Failure {
        let manager = self.resource_manager;
        let Lying {
            task, still, locks, ..
        } = lying;
        let queue = "resource_manager";
        let waits = format!(
            "task `{}` of ours, which locks `{locks}` until it is canceled, waits for {} s without a worker",
            task.id,
            still.as_secs()
        );
        let state = format!("queue `{queue}`{}", self.state_of(queue));
        if !self.lives(manager) {
            let text = format!(
                "Pulp at `{}` has not heard of `{manager}` lately, and {waits}; {state}",
                self.base
            );
            return self.failure(Name::WorkerMissing, manager, &text);
        }
        let heard = self.heard(manager);
        match self.queues.as_ref().ok().and_then(|q| q.get(queue)) {
            Some(Queue {
                ready: 0,
                unacknowledged: 1..,
                ..
            }) if self.free() == 0 => {
                let text = format!(
                    "{waits}: `{manager}` has taken it, and every worker has a task already{}; {state}",
                    self.others_at(None)
                );
                self.failure(Name::TaskStuck, manager, &text)
            }
            Some(Queue {
                ready,
                unacknowledged,
                ..
            }) if ready + unacknowledged > 0 => {
                let text = format!(
                    "Pulp at `{}` heard of `{manager}` at {heard}, but {waits}, and it gives it to nobody although \
                     {} workers have no task: {state}",
                    self.base,
                    self.free()
                );
                self.failure(Name::ConnectedButIdle, manager, &text)
            }
            _ => {
                let text = format!(
                    "{waits}, although Pulp at `{}` heard of `{manager}` at {heard}; {state}",
                    self.base
                );
                let (id, unit) = (&task.id, (self.unit)(manager));
                let cure = format!(
                    "cancel it with `pulp-admin tasks cancel --task-id {id}`, and see `journalctl -u {unit} -u httpd`"
                );
                failure::of_listed(Name::TaskLost, manager, format!("{text}; {cure}"))
            }
        }
    }

    /// The worker was given the task and does not end it.
    fn held(&self, lying: &Lying, name: &str) -> Failure {
        let Lying {
            task,
            still,
            queue,
            locks,
        } = lying;
        let queue = queue.clone().unwrap_or_else(|| format!("{name}.dq2"));
        let begun = task.started_at.is_some() || task.word != "waiting";
        let still = still.as_secs();
        let rest = format!(
            "it locks `{locks}` until it is canceled; queue `{queue}`{}",
            self.state_of(&queue)
        );
        if begun {
            let text = format!(
                "task `{}` of ours is `{}` on `{name}` and has not got on for {still} s; {rest}",
                task.id, task.word
            );
            return self.failure(Name::TaskStuck, name, &text);
        }
        let text = format!(
            "Pulp at `{}` heard of `{name}` at {}, but task `{}` of ours, which it was given {still} s ago, has not \
             begun; {rest}",
            self.base,
            self.heard(name),
            task.id,
        );
        self.failure(Name::ConnectedButIdle, name, &text)
    }

    /// What was sent, or was to be sent, may still show something.
    fn is_too_early(&self) -> bool {
        self.on_the_way > 0 || self.has_more_to_send
    }

    /// Nobody knows whether the worker works: a round is being handed out.
    fn unseen(&self, name: &str) -> Failure {
        let text = format!(
            "the time was over before `{name}` could show that it works: {} of our {} tasks were being handed out; \
             set a longer `{}`",
            self.on_the_way,
            self.sent,
            option("timeout")
        );
        failure::of_listed(None::<Name>, name, text)
    }

    /// The worker was given nothing that is still there.
    fn passed_over(&self, name: &str) -> Failure {
        let of_it = |task: &&Task| task.worker.as_deref() == Some(name);
        if let Some(task) = self.failed.iter().find(of_it) {
            return self.failing(task, name);
        }
        let busy = self.others_at(Some(name));
        let queue = format!("{name}.dq2");
        let text = format!(
            "Pulp at `{}` heard of `{name}` at {}, but gave it none of our {} tasks{busy}; queue `{queue}`{}",
            self.base,
            self.heard(name),
            self.sent,
            self.state_of(&queue)
        );
        let verdict = if busy.is_empty() {
            Name::ConnectedButIdle
        } else {
            Name::TaskStuck
        };
        self.failure(verdict, name, &text)
    }

    fn failing(&self, task: &Task, name: &str) -> Failure {
        let reason = task.error.as_deref().unwrap_or("Pulp gave no reason");
        let text = format!(
            "task `{}` of ours ended as `{}`: {reason}",
            task.id, task.word
        );
        self.failure(Name::HealthFailed, name, &text)
    }

    /// Tasks of others that a worker, or any, holds.
    fn others_at(&self, name: Option<&str>) -> String {
        let holds = |task: &&Task| {
            let worker = task.worker.as_deref();
            worker.is_some() && (name.is_none() || worker == name)
        };
        let held: Vec<_> = self
            .others
            .iter()
            .filter(holds)
            .take(3)
            .map(|task| format!("`{}` ({})", task.id, task.word))
            .collect();
        if held.is_empty() {
            return String::new();
        }
        format!(", while tasks of others are there: {}", held.join(", "))
    }
}

#[cfg(test)]
mod tests;
