//! Nothing of ours stays: the schedule, then tasks that have not ended, then the repositories, all at
//! once. What cannot be deleted is named.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::{LOOK, TimedOut, Work, leave};
use crate::host::wait::{Deadline, until};
use crate::names::{Generation, repository_tag};
use crate::pulp::{Sent, Task, TaskState};

/// How long deletions may take once something has failed: what waits for a worker that does not work
/// waits in vain, and Pulp gives what it had to others after half a minute, which is over by then.
const AFTER_FAILURE: Duration = Duration::from_secs(20);

pub(super) fn nothing(work: &mut Work, deadline: Deadline) {
    if work.repositories.is_empty() {
        return;
    }
    if let Some(key) = work.story.key() {
        // It goes with its repository; this only keeps it from being sent meanwhile.
        let _ = work.pulp.delete_schedule(&work.scheduled(), key, deadline);
    }
    // A worker takes what lies in its queue once it is itself again.
    let _ = work.look(deadline);
    let is_open = |task: &&Task| task.state == TaskState::Open;
    let open = work.pulp.tasks.iter().filter(is_open);
    for id in open.map(|task| task.id.clone()).collect::<Vec<_>>() {
        let _ = work.pulp.cancel_task(&id, deadline);
    }
    let deadline = match work.failures.first() {
        Some(_) => deadline.at_most(AFTER_FAILURE),
        None => deadline,
    };
    let repositories = work.repositories.clone();
    let mut left = BTreeSet::new();
    for id in &repositories {
        match begin(work, id, deadline) {
            Ok(true) => {
                left.insert(id.as_str());
            }
            Ok(false) => {}
            Err(cause) => leave(
                &mut work.leftovers,
                Generation::Two,
                "repository",
                id,
                &cause,
            ),
        }
    }
    let waited = until("our repositories to be deleted", deadline, LOOK, || {
        work.look(deadline)?;
        left.retain(|id| {
            work.deletion(id)
                .is_none_or(|task| task.state == TaskState::Open)
        });
        Ok(left.is_empty().then_some(()))
    });
    for id in &repositories {
        if work.leftovers.iter().any(|known| known.id == *id) {
            continue;
        }
        if let Err(cause) = is_gone(work, id, waited.as_ref().err(), deadline) {
            leave(
                &mut work.leftovers,
                Generation::Two,
                "repository",
                id,
                &cause,
            );
        }
    }
}

/// Whether there is something to wait for.
fn begin(work: &mut Work, id: &str, deadline: Deadline) -> Result<bool> {
    if work.pulp.counts(id, deadline)?.is_none() {
        return Ok(false);
    }
    match work.pulp.begin_deletion(id, deadline) {
        Sent::Yes => Ok(true),
        Sent::No(error) => Err(error),
        Sent::Unknown(error) => {
            // Its answer got lost; it may be on its way all the same.
            work.look(deadline)?;
            if work.deletion(id).is_some() {
                return Ok(true);
            }
            match work.pulp.begin_deletion(id, deadline) {
                Sent::Yes => Ok(true),
                _ => Err(error),
            }
        }
    }
}

fn is_gone(
    work: &Work,
    id: &str,
    waited: Option<&anyhow::Error>,
    deadline: Deadline,
) -> Result<()> {
    if work.pulp.counts(id, deadline)?.is_none() {
        return Ok(());
    }
    let task = work.deletion(id);
    Err(match (task, waited) {
        (Some(task), Some(error)) if error.is::<TimedOut>() => anyhow!(
            "task `{}`, which deletes it, is still `{}`{}: {error}",
            task.id,
            task.word,
            task.worker
                .as_deref()
                .map_or(String::new(), |worker| format!(" at `{worker}`"))
        ),
        (Some(task), _) => anyhow!(
            "task `{}`, which was to delete it, ended as `{}`{}",
            task.id,
            task.word,
            task.error
                .as_deref()
                .map_or(String::new(), |why| format!(": {why}"))
        ),
        (None, _) => anyhow!("no task of its deletion is to be seen"),
    })
}

impl Work {
    /// The task that deletes a repository.
    fn deletion(&self, id: &str) -> Option<&Task> {
        let tag = repository_tag(id);
        let deletes = |task: &&Task| {
            task.tags.contains(&tag) && task.tags.iter().any(|t| t == "pulp:action:delete")
        };
        self.pulp.tasks.iter().rfind(deletes)
    }
}
