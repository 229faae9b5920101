//! Pulp 2: one function for each thing the health check asks of it.
//!
//! Requests are made and answers are read by pure functions; here they meet the door.

mod ask;
mod canary;
mod fault;
mod history;
mod orphan;
pub(crate) mod schedule;
mod status;
mod task;

use std::rc::Rc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Answer, Ask, Created, Door, Orphan, Status, Task, TaskState, Trouble, follow};
use crate::host::wait::Deadline;
use crate::names::Actor;

/// Why no worker may have begun a task.
const UNBEGUN: &str = "the workers may be busy with other tasks, or pulp_resource_manager, a worker or the \
     broker is not there";

/// Where Pulp 2 says it; no credentials are needed for that.
pub(crate) const STATUS_PATH: &str = "/pulp/api/v2/status/";

/// Asks for it.
pub(super) fn ask_status() -> Ask {
    ask::status()
}

/// What an answer says about Pulp.
///
/// # Errors
/// It is no Pulp 2's.
pub(crate) fn read_status(answer: &Answer) -> Result<Status> {
    status::parse(answer)
}

/// Pulp 2 behind its door.
#[derive(Debug)]
pub(crate) struct Pulp2 {
    pub(crate) door: Rc<Door>,
    /// Every task that we started, as it was seen last.
    pub(crate) tasks: Vec<Task>,
}

impl Pulp2 {
    pub(crate) fn new(door: impl Into<Rc<Door>>) -> Self {
        Self {
            door: door.into(),
            tasks: Vec::new(),
        }
    }

    /// What Pulp says about itself. Something that is no Pulp 2 is an error.
    pub(crate) fn status(&self, deadline: Deadline) -> Result<Status> {
        let answer = self.door.call(&ask::status(), deadline)?;
        status::parse(&answer)
    }

    /// Why a check would neither work nor be able to clean up after itself.
    pub(crate) fn objection(status: &Status) -> Option<String> {
        status::objection(status)
    }

    pub(super) fn missing(status: &Status) -> Vec<Actor> {
        status::missing(status)
    }

    /// Every task that has not ended.
    pub(crate) fn open_tasks(&self, deadline: Deadline) -> Result<Vec<Task>> {
        let answer = self.expect(
            &ask::open_tasks(),
            &[200],
            "list the tasks of",
            "Pulp",
            deadline,
        )?;
        tasks(&answer)
    }

    /// Creates a repository that syncs RPM packages from `feed`.
    pub(crate) fn create(&self, id: &str, feed: &str, deadline: Deadline) -> Created {
        self.created(&ask::create(id, feed), id, deadline)
    }

    fn created(&self, ask: &Ask, id: &str, deadline: Deadline) -> Created {
        let answer = match self.door.call(ask, deadline) {
            Ok(answer) => answer,
            Err(error) => return Created::Unknown(error),
        };
        let refusal = || self.refusal(&answer, "create repository", id, deadline);
        match answer.status {
            201 => Created::Yes,
            400..=499 => Created::No(refusal()),
            _ => Created::Unknown(refusal()),
        }
    }

    /// Starts a sync and follows it, and all that it starts, to the end.
    pub(crate) fn sync(&mut self, id: &str, deadline: Deadline) -> Result<Option<u64>> {
        let done = self.perform(&ask::sync(id), "sync repository", id, deadline)?;
        Ok(done.first().and_then(|task| task.added))
    }

    /// How many units of each type a repository holds; `None` if it does not exist.
    pub(crate) fn counts(&self, id: &str, deadline: Deadline) -> Result<Option<Value>> {
        let ask = ask::read_repository(id);
        let answer = self.expect(&ask, &[200, 404], "read repository", id, deadline)?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(answer.json()?["content_unit_counts"].clone()))
    }

    /// Adds a distributor that serves the repository under its own id, by `pulp_url`'s scheme.
    pub(crate) fn add_distributor(&self, id: &str, deadline: Deadline) -> Result<()> {
        let tls = self.door.base.starts_with("https://");
        let ask = ask::add_distributor(id, tls);
        self.expect(
            &ask,
            &[201],
            "add a distributor to repository",
            id,
            deadline,
        )
        .map(|_| ())
    }

    /// Publishes a repository through its distributor.
    pub(crate) fn publish(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        self.perform(&ask::publish(id), "publish repository", id, deadline)
            .map(|_| ())
    }

    /// Where a repository is published.
    pub(crate) fn published(&self, id: &str) -> String {
        format!("{}/pulp/repos/{id}/", self.door.base)
    }

    /// Deletes a repository; `false` if there was none.
    pub(crate) fn delete_repository(&mut self, id: &str, deadline: Deadline) -> Result<bool> {
        if self.counts(id, deadline)?.is_none() {
            return Ok(false);
        }
        self.perform(
            &ask::delete_repository(id),
            "delete repository",
            id,
            deadline,
        )?;
        if self.counts(id, deadline)?.is_some() {
            bail!("failed to delete repository `{id}`: its task ended well, but it is still there");
        }
        Ok(true)
    }

    /// How many units of any type belong to no repository.
    pub(crate) fn orphan_count(&self, deadline: Deadline) -> Result<u64> {
        let ask = ask::orphans();
        let answer = self.expect(&ask, &[200], "count the orphans of", "Pulp", deadline)?;
        let body = answer.json()?;
        let kinds = body.as_object().into_iter().flatten();
        Ok(kinds.filter_map(|(_, kind)| kind["count"].as_u64()).sum())
    }

    /// Finds the one orphaned package with this name and checksum.
    pub(crate) fn find_orphan(
        &self,
        name: &str,
        sha256: &str,
        deadline: Deadline,
    ) -> Result<Option<Orphan>> {
        let ask = ask::orphaned_packages();
        let answer = self.expect(&ask, &[200], "list the orphans of", "Pulp", deadline)?;
        orphan::find(&answer.json()?, name, sha256)
    }

    /// Deletes one orphaned package and makes sure that it is gone.
    pub(crate) fn delete_orphan(&mut self, orphan: &Orphan, deadline: Deadline) -> Result<()> {
        let id = &orphan.id;
        self.perform(&ask::delete_orphan(id), "delete package", id, deadline)?;
        let ask = ask::read_orphan(id);
        let gone = self.expect(&ask, &[200, 404], "read package", id, deadline)?;
        if gone.status == 200 {
            bail!("failed to delete package `{id}`: its task ended well, but it is still there");
        }
        Ok(())
    }

    /// Cancels every task of the repository that has not ended, those included whose dispatch
    /// we were never told of, and returns how many they were.
    pub(crate) fn cancel(&mut self, id: &str, deadline: Deadline) -> Result<usize> {
        let ask = ask::tasks_of(id);
        let answer = self.expect(&ask, &[200], "list the tasks of repository", id, deadline)?;
        for task in tasks(&answer)? {
            self.remember(task);
        }
        let open: Vec<_> = self
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Open)
            .map(|task| task.id.clone())
            .collect();
        for id in &open {
            let (cancel, read) = (ask::cancel_task(id), ask::read_task(id));
            self.expect(&cancel, &[200, 404], "cancel task", id, deadline)?;
            let answer = self.expect(&read, &[200, 404], "read task", id, deadline)?;
            if answer.status == 200 {
                self.remember(task::parse(&answer)?);
            }
        }
        Ok(open.len())
    }

    /// Starts what `ask` asks for, and follows every task of it to the end.
    fn perform(
        &mut self,
        ask: &Ask,
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> Result<Vec<Task>> {
        let answer = self.expect(ask, &[202], verb, object, deadline)?;
        let mut waiting = task::ids(&answer.json()?["spawned_tasks"]);
        if waiting.is_empty() {
            bail!(
                "failed to {verb} `{object}`: the answer of {} {} names no task",
                answer.method,
                answer.url
            );
        }
        let mut done: Vec<Task> = Vec::new();
        while !waiting.is_empty() {
            let id = waiting.remove(0);
            if done.iter().any(|task| task.id == id) {
                continue;
            }
            let task = self
                .follow(&id, deadline)
                .with_context(|| format!("failed to {verb} `{object}`"))?;
            waiting.extend(task.spawned.iter().cloned());
            done.push(task);
        }
        Ok(done)
    }

    /// Looks at a task until it has ended well.
    fn follow(&mut self, id: &str, deadline: Deadline) -> Result<Task> {
        let ask = ask::read_task(id);
        follow::to_its_end(id, deadline, UNBEGUN, || {
            let answer = self.expect(&ask, &[200], "read task", id, deadline)?;
            let task = task::parse(&answer)?;
            self.remember(task.clone());
            Ok(task)
        })
    }

    /// Keeps what is known of a task of ours.
    fn remember(&mut self, mut task: Task) {
        task.known_at = (task.state != TaskState::Open).then(SystemTime::now);
        match self.tasks.iter_mut().find(|known| known.id == task.id) {
            Some(known) => {
                task.known_at = known.known_at.or(task.known_at);
                *known = task;
            }
            None => self.tasks.push(task),
        }
    }

    fn expect(
        &self,
        ask: &Ask,
        statuses: &[u16],
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> Result<Answer> {
        let answer = self.door.call(ask, deadline)?;
        if statuses.contains(&answer.status) {
            return Ok(answer);
        }
        Err(self.refusal(&answer, verb, object, deadline))
    }

    /// The error for an answer that was not hoped for. When Pulp could not dispatch, its status
    /// tells why.
    fn refusal(
        &self,
        answer: &Answer,
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> anyhow::Error {
        let mut cause = fault::explain(answer, &self.door.username);
        if fault::is_undispatched(answer) {
            let connected = match self.status(deadline).map(|status| status.messaging) {
                Ok(Some(connected)) => connected.to_string(),
                _ => "unknown".to_owned(),
            };
            cause = format!(
                "Pulp could not dispatch; messaging_connection.connected={connected}; is the \
                 broker running? ({cause})"
            );
        }
        Trouble::Refused(format!("failed to {verb} `{object}`: {cause}")).into()
    }
}

fn tasks(answer: &Answer) -> Result<Vec<Task>> {
    match answer.json()? {
        Value::Array(list) => Ok(list.iter().filter_map(task::from_value).collect()),
        _ => bail!(
            "failed to read the answer of `{}`: it is no list",
            answer.url
        ),
    }
}
