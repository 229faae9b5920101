//! What is wrong when nothing more gets on: for each worker that was not seen to work, and for the
//! scheduler, what Pulp says of it, where our task lies, and what to do.

#[cfg(test)]
mod orders;
mod sentences;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::{Failure, Story, WORKER, Work, failure, is_alive, is_of_others, unit};
use crate::broker::{self, rabbitmqctl};
use crate::host::wait::Deadline;
use crate::names::verdict::Name;
use crate::names::{Actor, repository_tag};
use crate::pulp::v2::Pulp2;
use crate::pulp::{self, Status, Task, TaskState};
use sentences::{Lying, Queues, WorkSeen};

/// How long Pulp may take to tell the details.
const DETAILS: Duration = Duration::from_secs(10);

/// Pulp does not answer.
pub(super) fn unavailable(cause: &anyhow::Error) -> Failure {
    failure::of_listed(pulp::verdict_on_api(cause), "", format!("{cause:#}"))
}

/// A Pulp that could neither run a task nor delete anything again.
pub(super) fn refused(base: &str, status: &Status, expected: &[String]) -> Failure {
    let why = Pulp2::objection(status).unwrap_or_default();
    let connected = status.database != Some(false) && status.messaging != Some(false);
    let text = format!("failed to use `{base}`: {why}");
    if status.database == Some(false) {
        return failure::of_database(text);
    }
    if !connected {
        return failure::of_listed(Name::NotRecovered, "", text);
    }
    let missing = pulp::missing(status);
    let by_name = missing.as_ref().and_then(|missing| {
        let mut same = expected.iter().map(|name| Actor::listed(name));
        same.find(|actor| actor.role == missing.role)
    });
    Failure {
        name: Some(Name::WorkerMissing),
        actor: by_name.or(missing),
        text,
        next_step: None,
    }
}

/// Finds what is wrong, if anything is.
pub(super) fn all(work: &mut Work) {
    if let Some(cause) = work.unanswered.take() {
        work.failures.push(unavailable(&cause));
        return;
    }
    let is_open = |state| state == TaskState::Open;
    let is_late = matches!(work.story, Story::Late(_));
    let lies = work.tasks().any(|task| is_open(task.state));
    if work.is_proven() && !is_late && !lies {
        return;
    }
    let deadline = Deadline::for_cleanup(DETAILS);
    look_once_more(work, deadline);
    // Who was sent nothing is not held to have done nothing.
    let unproven = match work.refused {
        Some(_) => BTreeSet::new(),
        None => work.unproven(),
    };
    let (lying, on_the_way) = open(work, deadline);
    let mut others = work.pulp.open_tasks(deadline).unwrap_or_default();
    others.retain(is_of_others);
    let now = work.status.as_ref().and_then(|s| s.at);
    let now = now.unwrap_or_else(SystemTime::now);
    let listed = work.status.as_ref().and_then(|s| s.workers.as_deref());
    let seen = WorkSeen {
        base: &work.pulp.door.base,
        sent: work.sent,
        unproven: unproven.iter().copied().collect(),
        resource_manager: work.resource_manager(),
        is_worker: |name| name.starts_with(WORKER),
        alive: listed.map(|workers| {
            let alive = workers.iter().filter(|worker| is_alive(worker, now));
            alive.cloned().collect()
        }),
        lying,
        on_the_way,
        has_more_to_send: work.has_more_to_send(),
        failed: work
            .tasks()
            .filter(|task| task.state == TaskState::Failed)
            .cloned()
            .collect(),
        others,
        queues: queues(),
        unit,
    };
    let mut found = sentences::of_tasks(&seen);
    if let (Story::Late(due), Some(name)) = (&work.story, work.scheduler()) {
        let late = sentences::Late {
            name,
            schedule: &due.key,
            due: due.at,
            overdue: due.overdue(),
            runs: due.runs,
        };
        found.extend(sentences::of_scheduler(&seen, &late));
    }
    work.failures.append(&mut found);
}

/// What was sent last has not been seen yet. What was seen before serves if Pulp does not answer now.
fn look_once_more(work: &mut Work, deadline: Deadline) {
    if work.look(deadline).is_ok() {
        work.tell_proven();
    }
    if let Ok(status) = work.pulp.status(deadline) {
        work.status = Some(status);
    }
}

/// Our tasks that have not ended: those that get on no more, and how many have not had their time.
fn open(work: &Work, deadline: Deadline) -> (Vec<Lying>, usize) {
    let aged = work.aged();
    let open: Vec<&Task> = work
        .tasks()
        .filter(|task| task.state == TaskState::Open)
        .collect();
    let (lying, fresh): (Vec<&Task>, Vec<&Task>) = open
        .into_iter()
        .partition(|task| work.age(task).has_had_time(&aged));
    let lying = lying
        .into_iter()
        .map(|task| Lying {
            // Only a task's own answer names its queue.
            queue: work
                .pulp
                .task(&task.id, deadline)
                .ok()
                .and_then(|t| t.queue),
            task: task.clone(),
            still: work.still_for(task),
            locks: work
                .repositories
                .iter()
                .find(|id| task.tags.contains(&repository_tag(id)))
                .cloned()
                .unwrap_or_default(),
        })
        .collect();
    (lying, fresh.len())
}

/// What the broker's own queues hold, where it can be asked from here: only RabbitMQ, and only if it is Pulp's.
fn queues() -> Queues {
    broker::require_rabbitmq()?;
    rabbitmqctl::queues(&broker::pulps_virtual_host()).map_err(|cause| format!("{cause:#}"))
}
