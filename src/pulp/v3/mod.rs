//! Pulp 3: one function for each thing the health check asks of it, by the same names as of Pulp 2.
//!
//! Pulp 3 knows things by addresses (`pulp_href`). Those of ours are found by our names, which nobody else
//! has, so that what a lost answer left unknown can still be deleted. An address that an answer names is used
//! only below the API's own root, on the server that was asked.

mod ask;
mod fault;
mod reach;
mod status;
mod task;

use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Ask, Created, Door, Status, Task, TaskState, Worker, remember};
use crate::host::wait::Deadline;

/// Pulp 3 behind its door.
#[derive(Debug)]
pub(crate) struct Pulp3 {
    pub(crate) door: Rc<Door>,
    /// Every task that we started, as it was seen last.
    pub(crate) tasks: Vec<Task>,
    /// Where the API begins, such as `/pulp/api/v3/`.
    root: String,
    /// What the repository held after its last sync.
    version: Option<String>,
    /// Where it is served.
    served: Option<String>,
}

/// What is made for a check, in the order in which it can be deleted again. A publication goes with its
/// repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Distribution,
    Repository,
    Remote,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Distribution, Self::Repository, Self::Remote];

    fn path(self) -> &'static str {
        match self {
            Self::Distribution => "distributions/rpm/rpm/",
            Self::Repository => "repositories/rpm/rpm/",
            Self::Remote => "remotes/rpm/rpm/",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Distribution => "distribution",
            Self::Repository => "repository",
            Self::Remote => "remote",
        }
    }
}

impl Pulp3 {
    pub(crate) fn new(door: Rc<Door>, root: String) -> Self {
        Self {
            door,
            tasks: Vec::new(),
            root,
            version: None,
            served: None,
        }
    }

    /// What Pulp says about itself.
    pub(crate) fn status(&self, deadline: Deadline) -> Result<Status> {
        status::parse(&self.door.call(&ask::status(&self.root), deadline)?)
    }

    /// Whether its API is what answers: a status, or that there can be none while the database is away.
    pub(crate) fn is_there(&self, deadline: Deadline) -> bool {
        let answer = self.door.call(&ask::status(&self.root), deadline);
        answer.is_ok_and(|answer| answer.status == 500 || status::is_pulp(&answer))
    }

    /// How a person deletes what is left behind.
    pub(crate) fn remedy(kind: &str, id: &str) -> String {
        match kind {
            "repository" => format!(
                "delete it with `pulp rpm distribution destroy --name {id}`, `pulp rpm repository destroy --name {id}` \
                 and `pulp rpm remote destroy --name {id}`, as far as they exist"
            ),
            _ => format!(
                "find its href by its name {id} with `pulp rpm content list --name {id}` and delete it with \
                 `pulp orphan cleanup --content-hrefs '[\"HREF\"]' --protection-time 0`"
            ),
        }
    }

    /// Every task that has not ended.
    pub(crate) fn open_tasks(&self, deadline: Deadline) -> Result<Vec<Task>> {
        let mut found: Vec<Task> = Vec::new();
        loop {
            let ask = ask::open_tasks(&self.root, found.len());
            let answer = self.expect(&ask, &[200], "list the tasks of", "Pulp", deadline)?;
            let page = reach::listed(&answer)?;
            let is_last = page.len() < ask::PAGE;
            found.extend(page.iter().filter_map(task::from_value));
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Creates a repository that syncs RPM packages from `feed`.
    pub(crate) fn create(&self, name: &str, feed: &str, deadline: Deadline) -> Created {
        if let Err(cause) = self.log_in(deadline) {
            return Created::No(cause);
        }
        let ask = ask::create_remote(&self.root, name, feed);
        let remote = match self.created(&ask, Kind::Remote, name, deadline) {
            Ok(href) => href,
            Err(other) => return other,
        };
        let ask = ask::create_repository(&self.root, name, &remote);
        match self.created(&ask, Kind::Repository, name, deadline) {
            Ok(_) => Created::Yes,
            // The remote is there by now.
            Err(Created::No(cause)) => Created::Unknown(cause),
            Err(other) => other,
        }
    }

    fn created(
        &self,
        ask: &Ask,
        kind: Kind,
        name: &str,
        deadline: Deadline,
    ) -> Result<String, Created> {
        let answer = self.door.call(ask, deadline).map_err(Created::Unknown)?;
        let verb = format!("create {}", kind.word());
        match answer.status {
            201 => answer
                .json()
                .and_then(|body| self.href(&body["pulp_href"]))
                .map_err(Created::Unknown),
            400..=499 => Err(Created::No(self.refusal(&answer, &verb, name))),
            _ => Err(Created::Unknown(self.refusal(&answer, &verb, name))),
        }
    }

    /// Starts a sync and follows it to its end; how many packages it added.
    pub(crate) fn sync(&mut self, name: &str, deadline: Deadline) -> Result<Option<u64>> {
        let repository = self.find(Kind::Repository, name, deadline)?;
        let repository = repository
            .with_context(|| format!("failed to sync repository `{name}`: it is gone"))?;
        let done = self.perform(&ask::sync(&repository), "sync repository", name, deadline)?;
        let Some(version) = done.created.first() else {
            return Ok(Some(0));
        };
        let version = self.checked(version)?;
        let told = self.summary(&version, name, deadline)?;
        self.version = Some(version);
        Ok(Some(packages_of(&told["added"])))
    }

    /// How many units of each type a repository holds; `None` if it does not exist.
    pub(crate) fn counts(&self, name: &str, deadline: Deadline) -> Result<Option<Value>> {
        let Some(repository) = self.find(Kind::Repository, name, deadline)? else {
            return Ok(None);
        };
        let version = if let Some(version) = &self.version {
            version.clone()
        } else {
            let answer = self.expect(
                &ask::read(&repository),
                &[200],
                "read repository",
                name,
                deadline,
            )?;
            self.href(&answer.json()?["latest_version_href"])?
        };
        let present = &self.summary(&version, name, deadline)?["present"];
        Ok(Some(serde_json::json!({"rpm": packages_of(present)})))
    }

    fn summary(&self, version: &str, name: &str, deadline: Deadline) -> Result<Value> {
        let answer = self.expect(
            &ask::read(version),
            &[200],
            "read the version of repository",
            name,
            deadline,
        )?;
        Ok(answer.json()?["content_summary"].clone())
    }

    /// Adds a distribution that serves the repository under its own name.
    pub(crate) fn distribute(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        let repository = self
            .find(Kind::Repository, name, deadline)?
            .unwrap_or_default();
        let ask = ask::create_distribution(&self.root, name, &repository);
        let done = self.perform(&ask, "distribute repository", name, deadline)?;
        let distribution = done.created.first().map(|href| self.checked(href));
        let distribution = distribution.transpose()?.with_context(|| {
            format!(
                "failed to distribute repository `{name}`: its task ended well and made nothing"
            )
        })?;
        let answer = self.expect(
            &ask::read(&distribution),
            &[200],
            "read distribution",
            name,
            deadline,
        )?;
        let told = answer.json()?;
        let url = told["base_url"].as_str().unwrap_or_default();
        // Without CONTENT_ORIGIN it is a path of the server that was asked.
        self.served = Some(super::below(&format!("{}/", self.door.base), url)?);
        Ok(())
    }

    /// Publishes a repository.
    pub(crate) fn publish(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        let repository = self
            .find(Kind::Repository, name, deadline)?
            .unwrap_or_default();
        let ask = ask::publish(&self.root, &repository);
        self.perform(&ask, "publish repository", name, deadline)?;
        Ok(())
    }

    /// Where a repository is published.
    pub(crate) fn published(&self) -> String {
        self.served.clone().unwrap_or_default()
    }

    /// Deletes a repository and all that was made for it; `false` if there was none.
    pub(crate) fn delete_repository(&mut self, name: &str, deadline: Deadline) -> Result<bool> {
        let mut existed = false;
        for kind in Kind::ALL {
            let Some(href) = self.find(kind, name, deadline)? else {
                continue;
            };
            existed |= kind == Kind::Repository;
            let verb = format!("delete {}", kind.word());
            self.perform(&ask::delete(&href), &verb, name, deadline)?;
            if self.find(kind, name, deadline)?.is_some() {
                bail!("failed to {verb} `{name}`: its task ended well, but it is still there");
            }
        }
        Ok(existed)
    }

    /// The packages with this name and checksum, which carry our nonce.
    pub(crate) fn packages(
        &self,
        name: &str,
        sha256: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>> {
        let ask = ask::packages(&self.root, name, sha256);
        let answer = self.expect(&ask, &[200], "look for package", name, deadline)?;
        let ours = |package: &&Value| package["name"] == name && package["sha256"] == sha256;
        let found = reach::listed(&answer)?;
        found
            .iter()
            .filter(ours)
            .map(|package| self.href(&package["pulp_href"]))
            .collect()
    }

    /// Deletes this package and nothing else, and makes sure that it is gone.
    pub(crate) fn delete_package(&mut self, href: &str, deadline: Deadline) -> Result<()> {
        let ask = ask::clean_up(&self.root, href);
        self.perform(&ask, "delete package", href, deadline)?;
        let gone = self.expect(
            &ask::read(href),
            &[200, 404],
            "read package",
            href,
            deadline,
        )?;
        if gone.status == 200 {
            bail!("failed to delete package `{href}`: its task ended well, but it is still there");
        }
        Ok(())
    }

    /// Cancels every task of the repository that has not ended, those included whose dispatch we were never
    /// told of, and returns how many they were.
    pub(crate) fn cancel(&mut self, name: &str, deadline: Deadline) -> Result<usize> {
        if let Some(repository) = self.find(Kind::Repository, name, deadline)? {
            let ask = ask::tasks_of(&self.root, &repository);
            let answer =
                self.expect(&ask, &[200], "list the tasks of repository", name, deadline)?;
            for task in reach::listed(&answer)?.iter().filter_map(task::from_value) {
                remember(&mut self.tasks, task);
            }
        }
        let open = self
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Open);
        let open: Vec<String> = open.map(|task| task.id.clone()).collect();
        for href in &open {
            let href = self.checked(href)?;
            // 409: it has ended meanwhile.
            self.expect(
                &ask::cancel_task(&href),
                &[200, 404, 409],
                "cancel task",
                &href,
                deadline,
            )?;
            let answer =
                self.expect(&ask::read(&href), &[200, 404], "read task", &href, deadline)?;
            if let Some(task) = task::from_value(&answer.json().unwrap_or_default()) {
                remember(&mut self.tasks, task);
            }
        }
        Ok(open.len())
    }

    /// Deletes the rows of our tasks, which Pulp would keep for a month. Nothing depends on them.
    pub(crate) fn forget_tasks(&self, deadline: Deadline) {
        let ended = self
            .tasks
            .iter()
            .filter(|task| task.state != TaskState::Open);
        for task in ended {
            if let Ok(href) = self.checked(&task.id) {
                let _ = self.door.call(&ask::delete(&href), deadline);
            }
        }
    }
}

/// How many packages are in a part of a version's summary.
fn packages_of(summary: &Value) -> u64 {
    summary["rpm.package"]["count"].as_u64().unwrap_or_default()
}
