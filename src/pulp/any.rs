//! A Pulp, whichever it is: the health check asks for the same things of each. Which one answers is found out
//! when it is first asked for its status.

use std::rc::Rc;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Created, Door, Orphan, Pulp2, Pulp3, Status, Task};
use crate::host::wait::Deadline;

/// Where Pulp 3's API begins, unless its `API_ROOT` was changed.
const ROOT: &str = "/pulp/api/v3/";

#[derive(Debug)]
pub(crate) enum Pulp {
    Two(Pulp2),
    Three(Pulp3),
}

impl Pulp {
    /// Until it has answered it is taken for a Pulp 2.
    pub(crate) fn new(door: Door) -> Self {
        Self::Two(Pulp2::new(Rc::new(door)))
    }

    pub(crate) fn door(&self) -> &Door {
        match self {
            Self::Two(pulp) => &pulp.door,
            Self::Three(pulp) => &pulp.door,
        }
    }

    /// Every task that we started, as it was seen last.
    pub(crate) fn tasks(&self) -> &[Task] {
        match self {
            Self::Two(pulp) => &pulp.tasks,
            Self::Three(pulp) => &pulp.tasks,
        }
    }

    /// What Pulp says about itself.
    ///
    /// # Errors
    /// It does not answer, or something else does.
    pub(crate) fn status(&mut self, deadline: Deadline) -> Result<Status> {
        let pulp = match self {
            Self::Three(pulp) => return pulp.status(deadline),
            Self::Two(pulp) => pulp,
        };
        let no_pulp2 = match pulp.status(deadline) {
            Ok(status) => return Ok(status),
            Err(error) => error,
        };
        let three = Pulp3::new(Rc::clone(&pulp.door), ROOT.to_owned());
        if !three.is_there(deadline) {
            return Err(no_pulp2);
        }
        let status = three.status(deadline);
        *self = Self::Three(three);
        status
    }

    /// How a person deletes what is left behind: by its kind and name.
    pub(crate) fn remedy(&self) -> fn(&str, &str) -> String {
        match self {
            Self::Two(_) => Pulp2::remedy,
            Self::Three(_) => Pulp3::remedy,
        }
    }

    pub(crate) fn open_tasks(&self, deadline: Deadline) -> Result<Vec<Task>> {
        match self {
            Self::Two(pulp) => pulp.open_tasks(deadline),
            Self::Three(pulp) => pulp.open_tasks(deadline),
        }
    }

    pub(crate) fn create(&self, name: &str, feed: &str, deadline: Deadline) -> Created {
        match self {
            Self::Two(pulp) => pulp.create(name, feed, deadline),
            Self::Three(pulp) => pulp.create(name, feed, deadline),
        }
    }

    pub(crate) fn sync(&mut self, name: &str, deadline: Deadline) -> Result<Option<u64>> {
        match self {
            Self::Two(pulp) => pulp.sync(name, deadline),
            Self::Three(pulp) => pulp.sync(name, deadline),
        }
    }

    pub(crate) fn counts(&self, name: &str, deadline: Deadline) -> Result<Option<Value>> {
        match self {
            Self::Two(pulp) => pulp.counts(name, deadline),
            Self::Three(pulp) => pulp.counts(name, deadline),
        }
    }

    /// How many syncs of a repository have ended, where Pulp tells that.
    pub(crate) fn syncs_ended(&self, name: &str, deadline: Deadline) -> Result<usize> {
        match self {
            Self::Two(pulp) => pulp.syncs_ended(name, deadline),
            Self::Three(_) => bail!("Pulp 3 keeps no history of syncs"),
        }
    }

    /// Sees to it that what is published is served.
    pub(crate) fn distribute(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        match self {
            Self::Two(pulp) => pulp.add_distributor(name, deadline),
            Self::Three(pulp) => pulp.distribute(name, deadline),
        }
    }

    pub(crate) fn publish(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        match self {
            Self::Two(pulp) => pulp.publish(name, deadline),
            Self::Three(pulp) => pulp.publish(name, deadline),
        }
    }

    pub(crate) fn published(&self, name: &str) -> String {
        match self {
            Self::Two(pulp) => pulp.published(name),
            Self::Three(pulp) => pulp.published(),
        }
    }

    pub(crate) fn delete_repository(&mut self, name: &str, deadline: Deadline) -> Result<bool> {
        match self {
            Self::Two(pulp) => pulp.delete_repository(name, deadline),
            Self::Three(pulp) => pulp.delete_repository(name, deadline),
        }
    }

    /// How many units of any type belong to no repository, where Pulp tells that.
    pub(crate) fn orphan_count(&self, deadline: Deadline) -> Result<u64> {
        match self {
            Self::Two(pulp) => pulp.orphan_count(deadline),
            Self::Three(_) => bail!("Pulp 3 does not count its orphans"),
        }
    }

    /// Our package, if it is still there and no repository holds it.
    pub(crate) fn find_orphan(
        &self,
        name: &str,
        sha256: &str,
        deadline: Deadline,
    ) -> Result<Option<Orphan>> {
        match self {
            Self::Two(pulp) => pulp.find_orphan(name, sha256, deadline),
            Self::Three(pulp) => {
                let found = pulp.packages(name, sha256, deadline)?;
                Ok(found.into_iter().next().map(|id| Orphan { id }))
            }
        }
    }

    pub(crate) fn delete_orphan(&mut self, orphan: &Orphan, deadline: Deadline) -> Result<()> {
        match self {
            Self::Two(pulp) => pulp.delete_orphan(orphan, deadline),
            Self::Three(pulp) => pulp.delete_package(&orphan.id, deadline),
        }
    }

    pub(crate) fn cancel(&mut self, name: &str, deadline: Deadline) -> Result<usize> {
        match self {
            Self::Two(pulp) => pulp.cancel(name, deadline),
            Self::Three(pulp) => pulp.cancel(name, deadline),
        }
    }

    /// Leaves no record of our tasks where Pulp lets us delete it.
    pub(crate) fn forget_tasks(&self, deadline: Deadline) {
        if let Self::Three(pulp) = self {
            pulp.forget_tasks(deadline);
        }
    }
}
