//! What Pulp is told to have said or done, whichever Pulp it is: its status, its tasks, and what became
//! of a wish.

use std::time::SystemTime;

/// What Pulp says about itself.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) version: Option<String>,
    pub(crate) database: Option<bool>,
    pub(crate) messaging: Option<bool>,
    /// `None`: it says nothing of them, as before 2.6.
    pub(crate) workers: Option<Vec<Worker>>,
    /// The server's clock when it said so.
    pub(crate) at: Option<SystemTime>,
    /// `None`: it is a Pulp 2.
    pub(crate) three: Option<Version3>,
}

/// What only Pulp 3 says of itself.
#[derive(Debug)]
pub(crate) struct Version3 {
    pub(crate) has_rpm: bool,
    /// Those who serve content; `None`: it says nothing of them.
    pub(crate) content: Option<Vec<Worker>>,
    pub(crate) has_domains: bool,
}

impl Status {
    /// The names of those that Pulp lists.
    pub(crate) fn names(&self) -> Option<Vec<&str>> {
        let workers = self.workers.as_ref()?;
        Some(workers.iter().map(|worker| worker.name.as_str()).collect())
    }
}

/// A worker, the resource manager or the scheduler, as Pulp lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    /// Such as `reserved_resource_worker-0@pulp.example.com`.
    pub(crate) name: String,
    /// When it last said that it lives, in Pulp's own words.
    pub(crate) heartbeat: Option<String>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TaskState {
    #[default]
    Open,
    Done,
    Failed,
}

/// A task as Pulp described it last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: TaskState,
    /// The state in Pulp's own word.
    pub(crate) word: String,
    pub(crate) worker: Option<String>,
    /// The queue that the worker takes it from; only a task's own answer names it.
    pub(crate) queue: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) added: Option<u64>,
    pub(crate) spawned: Vec<String>,
    pub(crate) tags: Vec<String>,
    /// What it has made, by reference; Pulp 3 says so.
    pub(crate) made: Vec<String>,
    /// What the request that started it was marked with; Pulp 3 keeps that.
    pub(crate) mark: Option<String>,
    /// Another number means that the task has got on.
    pub(crate) progress: u64,
    /// When we learned of its end.
    pub(crate) known_at: Option<SystemTime>,
}

/// What became of the wish for a repository.
#[derive(Debug)]
pub(crate) enum Created {
    Yes,
    /// Pulp refused; a repository of that name, if there is one, is somebody else's.
    No(anyhow::Error),
    /// The answer got lost, or is none; it may exist.
    Unknown(anyhow::Error),
}

/// A package that belongs to no repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Orphan {
    pub(crate) id: String,
}

/// What became of a request that starts a task.
#[derive(Debug)]
pub(crate) enum Sent {
    Yes,
    /// Pulp refused.
    No(anyhow::Error),
    /// The answer got lost, or is none: the task may exist, and is to be looked for before it is sent again.
    Unknown(anyhow::Error),
}
