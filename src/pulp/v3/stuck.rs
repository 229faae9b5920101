//! Tasks of a worker that is no more. Pulp 3 shows them as running, and what they lock stays locked, until
//! its own clean-up, which knows the workers that are missing, fails them.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::Value;

use super::{Pulp3, ask, task};
use crate::host::wait::Deadline;
use crate::pulp::{Task, TaskState};

/// A worker cleans up at each 100th of its heartbeats, one each 10 s, and begins to count at a random
/// one (pulpcore's `app_worker_cleanup`).
const EARLIEST: Duration = Duration::from_secs(100);
const LATEST: Duration = Duration::from_secs(1000);

/// What is locked by more than one, and by everybody.
const SHARED: &str = "shared:";

/// One task that nobody runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) task: String,
    pub(crate) kind: String,
    pub(crate) started_at: String,
    /// What it keeps from others, by name where Pulp tells one.
    pub(crate) locks: Vec<String>,
    /// When Pulp's own clean-up is due, at the earliest and at the latest.
    pub(crate) due: (SystemTime, SystemTime),
}

impl Pulp3 {
    /// The tasks that are shown as running, though all workers have started after them.
    ///
    /// # Errors
    /// Pulp does not list its tasks or its workers.
    pub(crate) fn stuck_tasks(&mut self, deadline: Deadline) -> Result<Vec<Stuck>> {
        let open = self.list("tasks/", "&state__in=running,canceling", deadline)?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let workers = self.list("workers/", "&online=true", deadline)?;
        let Some(oldest) = oldest(&workers) else {
            return Ok(Vec::new());
        };
        let tasks = open.iter().filter_map(task::from_value);
        let stuck = tasks.filter(|task| is_stuck(task, oldest));
        Ok(stuck
            .map(|task| self.told(task, oldest, deadline))
            .collect())
    }

    fn told(&mut self, task: Task, oldest: SystemTime, deadline: Deadline) -> Stuck {
        let mut locks = Vec::new();
        for lock in task.tags.iter().filter(|tag| !tag.starts_with(SHARED)) {
            locks.push(self.name_of(lock, deadline).unwrap_or_else(|| lock.clone()));
        }
        Stuck {
            task: task.id,
            kind: task.kind,
            started_at: task.started_at.unwrap_or_default(),
            locks,
            due: (oldest + EARLIEST, oldest + LATEST),
        }
    }

    /// A repository's name, by its resource name (`prn:`) or, before there were any, its reference.
    fn name_of(&mut self, lock: &str, deadline: Deadline) -> Option<String> {
        let is_repository = lock.contains("rpmrepository:") || lock.contains("/repositories/");
        let id = lock.trim_end_matches('/').rsplit(['/', ':']).next()?;
        if !is_repository || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return None;
        }
        let path = self.path(&format!("{}{id}/", ask::REPOSITORIES));
        let answer = self.call(&ask::get(&path), deadline).ok()?;
        let name = answer.json().ok()?["name"].as_str()?.to_owned();
        Some(format!("repository `{name}`"))
    }
}

/// When the worker that has run longest has started.
fn oldest(workers: &[Value]) -> Option<SystemTime> {
    let created = |worker: &Value| instant(worker["pulp_created"].as_str()?);
    workers.iter().filter_map(created).min()
}

fn is_stuck(task: &Task, oldest: SystemTime) -> bool {
    let started = task.started_at.as_deref().and_then(instant);
    task.state == TaskState::Open && started.is_some_and(|started| started < oldest)
}

fn instant(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_that_began_before_every_worker_is_nobodys() {
        let workers = [
            json!({"pulp_created": "2026-11-24T12:00:30.5Z"}),
            json!({"pulp_created": "2026-11-24T12:00:20.5Z"}),
        ];
        let since = oldest(&workers).unwrap();
        let running = |started: Option<&str>| Task {
            state: TaskState::Open,
            started_at: started.map(str::to_owned),
            ..Task::default()
        };
        assert!(is_stuck(&running(Some("2026-11-24T12:00:20.4Z")), since));
        assert!(!is_stuck(&running(Some("2026-11-24T12:00:20.6Z")), since));
        assert!(!is_stuck(&running(None), since), "it waits");
        assert_eq!(oldest(&[]), None, "nobody could run it anyway");
    }
}
