//! What the check deletes in Pulp 3: exactly what is ours, found by our name where its reference is not
//! known, and looked for once more afterwards.

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Pulp3, ask, task};
use crate::host::wait::Deadline;
use crate::pulp::{Orphan, Task, TaskState};

impl Pulp3 {
    /// Deletes distribution, publication, repository and remote of this name, all at once; `false` if
    /// there was nothing.
    pub(in crate::pulp) fn delete_all(&mut self, name: &str, deadline: Deadline) -> Result<bool> {
        let mut begun = Vec::new();
        // Without its distribution nobody reads what the others are made of.
        for what in [ask::DISTRIBUTIONS, ask::REPOSITORIES, ask::REMOTES] {
            let Some(href) = self.find(what, name, deadline)? else {
                continue;
            };
            if what == ask::REPOSITORIES {
                self.delete_publication(name, deadline)?;
            }
            let object = format!("{what}{name}");
            let task = self.start(&ask::delete(&href), "delete", &object, deadline)?;
            begun.push((task, object));
        }
        for (task, object) in &begun {
            self.follow(task, "delete", object, deadline)?;
        }
        for what in [ask::DISTRIBUTIONS, ask::REPOSITORIES, ask::REMOTES] {
            if !begun.is_empty() && self.find(what, name, deadline)?.is_some() {
                bail!(
                    "failed to delete `{what}{name}`: its task ended well, but it is still there"
                );
            }
        }
        Ok(!begun.is_empty())
    }

    /// Asks for the deletion of a repository, and waits for no more than the answer.
    pub(crate) fn begin_deletion(
        &mut self,
        name: &str,
        href: &str,
        deadline: Deadline,
    ) -> Result<String> {
        self.start(&ask::delete(href), "delete repository", name, deadline)
    }

    /// Deletes a repository that has neither remote nor distribution, if it is there.
    pub(crate) fn delete_repository(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        if let Some(href) = self.find(ask::REPOSITORIES, name, deadline)? {
            self.perform(&ask::delete(&href), "delete repository", name, deadline)?;
        }
        Ok(())
    }

    /// A publication whose reference we were not told goes with its repository.
    fn delete_publication(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        if let Some(href) = self.made.publication.take() {
            let ask = ask::delete(&href);
            self.expect(&ask, &[204, 404], "delete publication of", name, deadline)?;
        }
        Ok(())
    }

    /// How many packages belong to no repository.
    pub(in crate::pulp) fn orphan_count(&mut self, deadline: Deadline) -> Result<u64> {
        let path = self.path(&format!("{}?orphaned_for=0&limit=1", ask::PACKAGES));
        let answer = self.expect(
            &ask::get(&path),
            &[200],
            "count the orphans of",
            "Pulp",
            deadline,
        )?;
        match answer.json()?["count"].as_u64() {
            Some(count) => Ok(count),
            None => bail!(
                "failed to read the answer of `{}`: it counts nothing",
                answer.url
            ),
        }
    }

    /// Finds the package with this name, which carries our nonce, and this checksum.
    pub(in crate::pulp) fn find_package(
        &mut self,
        name: &str,
        sha256: &str,
        deadline: Deadline,
    ) -> Result<Option<Orphan>> {
        let listed = self.list(ask::PACKAGES, &format!("&name={name}"), deadline)?;
        let ours = |unit: &&Value| {
            let sum = unit["sha256"].as_str().or(unit["pkgId"].as_str());
            unit["name"] == name && sum == Some(sha256)
        };
        let Some(unit) = listed.iter().find(ours) else {
            return Ok(None);
        };
        match ask::href(&unit["pulp_href"], &self.api) {
            Some(id) => Ok(Some(Orphan { id })),
            None => bail!("failed to delete package `{name}`: Pulp lists it without a usable href"),
        }
    }

    /// Cleans up one package and what it is made of, and makes sure that it is gone. Meanwhile the rows of the tasks before it
    /// are deleted.
    pub(in crate::pulp) fn delete_package(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        let ask = ask::post(&self.path("orphans/cleanup/"), ask::cleanup(id));
        let task = self.start(&ask, "delete package", id, deadline)?;
        // What cannot be deleted now is told when it is tried for the last time.
        let _ = self.forget(|task| task.state != TaskState::Open, deadline);
        self.follow(&task, "delete package", id, deadline)?;
        let gone = self.expect(&ask::get(id), &[200, 404], "read package", id, deadline)?;
        if gone.status == 200 {
            bail!("failed to delete package `{id}`: its task ended well, but it is still there");
        }
        Ok(())
    }

    /// Cancels every task of ours that has not ended, those included whose start we were never told of,
    /// and returns how many they were.
    pub(crate) fn cancel(&mut self, deadline: Deadline) -> Result<usize> {
        self.look_at_own_tasks(deadline)?;
        let open = self
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Open);
        let open: Vec<_> = open.map(|task| task.id.clone()).collect();
        for id in &open {
            let Some(href) = ask::href(&Value::String(id.clone()), &self.api) else {
                continue;
            };
            // One that has ended meanwhile is a 409.
            let cancel = ask::cancel(&href);
            self.expect(&cancel, &[200, 404, 409], "cancel task", &href, deadline)?;
            let answer =
                self.expect(&ask::get(&href), &[200, 404], "read task", &href, deadline)?;
            if let Some(task) = task::from_value(&answer.json()?) {
                self.remember(task);
            }
        }
        Ok(open.len())
    }

    /// Deletes the rows of our tasks, which have ended, and returns how many they were.
    pub(crate) fn forget_tasks(&mut self, deadline: Deadline) -> Result<usize> {
        let _ = self.look_at_own_tasks(deadline);
        self.forget(|_| true, deadline)?;
        Ok(self.forgotten.len())
    }

    /// The same of some of those that are known.
    fn forget(&mut self, which: impl Fn(&Task) -> bool, deadline: Deadline) -> Result<()> {
        let chosen = self.tasks.iter().filter(|task| which(task));
        let ids: Vec<_> = chosen.map(|task| task.id.clone()).collect();
        for id in ids {
            let href = ask::href(&Value::String(id), &self.api);
            if let Some(href) = href.filter(|href| !self.forgotten.contains(href)) {
                let ask = ask::delete(&href);
                let verb = "delete the record of task";
                self.expect(&ask, &[204, 404], verb, &href, deadline)?;
                self.forgotten.insert(href);
            }
        }
        Ok(())
    }
}
