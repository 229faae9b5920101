//! Whichever Pulp answers: the steps of the health check, which Pulp 2 and Pulp 3 each take in their way.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use super::{Answer, ApiPlace, Created, Door, Orphan, Pulp2, Pulp3, Status, Task, v2, v3};
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::{Actor, Generation, option};

/// For how long Pulp may say that it is cut off before that is believed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which API to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiChoice {
    /// The one that answers.
    Any,
    Two,
    Three,
}

/// Where Pulp is to be found, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) wanted: ApiChoice,
    pub(crate) place: ApiPlace,
}

/// The Pulp that was found.
#[derive(Debug)]
pub(crate) enum Found {
    Two(Pulp2),
    Three(Box<Pulp3>),
}

/// A Pulp of which not yet everything is known.
#[derive(Debug)]
pub(crate) struct Pulp {
    pub(crate) door: Rc<Door>,
    site: Site,
    found: Option<Found>,
}

/// Why a check would neither work nor be able to clean up after itself.
pub(crate) fn objection(status: &Status) -> Option<String> {
    match &status.three {
        Some(three) => v3::objection(status, three),
        None => Pulp2::objection(status),
    }
}

/// Whom such an objection is about, where it is about a service that Pulp does not list at all.
pub(crate) fn missing(status: &Status) -> Option<Actor> {
    match &status.three {
        Some(_) => None,
        None => Pulp2::missing(status).into_iter().next(),
    }
}

impl Pulp {
    pub(crate) fn new(door: Door, site: Site) -> Self {
        Self {
            door: Rc::new(door),
            site,
            found: None,
        }
    }

    /// The same; and again for a few seconds while Pulp says that it is cut off from its database or its broker. It looks itself, for
    /// some seconds at the most, which on a busy host may be too short.
    pub(crate) fn patient_status(&mut self, deadline: Deadline) -> Result<Status> {
        let mut last = None;
        let patience = deadline.at_most(PATIENCE);
        let waited = until("Pulp to be connected", patience, Pace::QUICK, || {
            let status = self.status(deadline)?;
            let is_cut_off = [status.database, status.messaging].contains(&Some(false));
            last = Some(status);
            Ok((!is_cut_off).then_some(()))
        });
        match (waited, last) {
            (Err(error), _) if !error.is::<TimedOut>() => Err(error),
            (_, Some(status)) => Ok(status),
            (waited, None) => Err(waited
                .err()
                .unwrap_or_else(|| anyhow!("failed to ask Pulp"))),
        }
    }

    /// What Pulp says about itself. The first answer tells which Pulp it is.
    pub(crate) fn status(&mut self, deadline: Deadline) -> Result<Status> {
        let mut told = None;
        if self.found.is_none() {
            let (found, status) = self.find(deadline)?;
            self.found = Some(found);
            told = status;
        }
        match (self.found()?, told) {
            (Found::Two(_), Some(status)) => Ok(status),
            (Found::Two(pulp), None) => pulp.status(deadline),
            (Found::Three(pulp), Some(status)) => pulp.checked(status),
            (Found::Three(pulp), None) => pulp.status(deadline),
        }
    }

    /// Ends Pulp 3's session, if there is one; then each request carries the password.
    pub(super) fn log_out(&self, deadline: Deadline) {
        if let Some(Found::Three(pulp)) = &self.found {
            pulp.log_out(deadline);
        }
    }

    /// The Pulp that was found.
    pub(crate) fn into_found(self) -> Option<Found> {
        self.found
    }

    pub(crate) fn is_three(&self) -> bool {
        matches!(self.found, Some(Found::Three(_)))
    }

    /// Which of both this is, as far as it was asked.
    pub(crate) fn generation(&self) -> Generation {
        if self.is_three() {
            Generation::Three
        } else {
            Generation::Two
        }
    }

    /// Which Pulp answers, and what it said where that had to be asked.
    fn find(&self, deadline: Deadline) -> Result<(Found, Option<Status>)> {
        let two = || Found::Two(Pulp2::new(Rc::clone(&self.door)));
        let three = || {
            let pulp = Pulp3::new(Rc::clone(&self.door), self.site.place.clone());
            Found::Three(Box::new(pulp))
        };
        match self.site.wanted {
            ApiChoice::Two => return Ok((two(), None)),
            ApiChoice::Three => return Ok((three(), None)),
            ApiChoice::Any => {}
        }
        let first = self.door.call(&v2::ask_status(), deadline)?;
        let no_two = match v2::read_status(&first) {
            Ok(status) => return Ok((two(), Some(status))),
            Err(no_two) => no_two,
        };
        let second = self.door.call(&self.site.place.status(), deadline)?;
        match v3::read_status(&second) {
            Ok(status) => Ok((three(), Some(status))),
            Err(_) if is_broken_three(&first, &second) => Ok((three(), None)),
            Err(_) => Err(no_two),
        }
    }

    fn found(&mut self) -> Result<&mut Found> {
        self.found
            .as_mut()
            .context("Pulp was not asked for its status")
    }

    /// Every task that we started, as it was seen last.
    pub(crate) fn tasks(&self) -> &[Task] {
        match &self.found {
            Some(Found::Two(pulp)) => &pulp.tasks,
            Some(Found::Three(pulp)) => &pulp.tasks,
            None => &[],
        }
    }

    /// How many syncs of a repository have ended; Pulp 3 keeps no history of them.
    pub(crate) fn syncs_ended(&self, id: &str, deadline: Deadline) -> Result<Option<usize>> {
        match &self.found {
            Some(Found::Two(pulp)) => pulp.syncs_ended(id, deadline).map(Some),
            Some(Found::Three(_)) | None => Ok(None),
        }
    }

    /// Every task that has not ended.
    pub(crate) fn open_tasks(&mut self, deadline: Deadline) -> Result<Vec<Task>> {
        match self.found()? {
            Found::Two(pulp) => pulp.open_tasks(deadline),
            Found::Three(pulp) => pulp.open_tasks(deadline),
        }
    }

    /// Creates a repository that syncs RPM packages from `feed`, and with Pulp 3 its remote.
    pub(crate) fn create(&mut self, id: &str, feed: &str, deadline: Deadline) -> Created {
        match self.found() {
            Ok(Found::Two(pulp)) => pulp.create(id, feed, deadline),
            Ok(Found::Three(pulp)) => pulp.create(id, feed, deadline),
            Err(error) => Created::No(error),
        }
    }

    /// Syncs it and returns how many packages that added, where Pulp says so.
    pub(crate) fn sync(&mut self, id: &str, deadline: Deadline) -> Result<Option<u64>> {
        match self.found()? {
            Found::Two(pulp) => pulp.sync(id, deadline),
            Found::Three(pulp) => pulp.sync(id, deadline),
        }
    }

    /// How many units of each type it holds; `None` if it does not exist.
    pub(crate) fn counts(&mut self, id: &str, deadline: Deadline) -> Result<Option<Value>> {
        match self.found()? {
            Found::Two(pulp) => pulp.counts(id, deadline),
            Found::Three(pulp) => pulp.counts(id, deadline),
        }
    }

    /// Has it served: by a distributor, or by a distribution of what was published.
    pub(crate) fn distribute(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        match self.found()? {
            Found::Two(pulp) => pulp.add_distributor(id, deadline),
            Found::Three(pulp) => pulp.distribute(id, deadline),
        }
    }

    pub(crate) fn publish(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        match self.found()? {
            Found::Two(pulp) => pulp.publish(id, deadline),
            Found::Three(pulp) => pulp.publish(id, deadline),
        }
    }

    /// Where it is published.
    pub(crate) fn published(&self, id: &str) -> Result<String> {
        let base = match &self.found {
            Some(Found::Two(pulp)) => Some(pulp.published(id)),
            Some(Found::Three(pulp)) => pulp.published().map(str::to_owned),
            None => None,
        };
        base.with_context(|| format!("failed to find repository `{id}`: it is not published"))
    }

    /// Deletes it and what serves it; `false` if there was nothing.
    pub(crate) fn delete(&mut self, id: &str, deadline: Deadline) -> Result<bool> {
        match self.found()? {
            Found::Two(pulp) => pulp.delete_repository(id, deadline),
            Found::Three(pulp) => pulp.delete_all(id, deadline),
        }
    }

    /// How many units belong to no repository.
    pub(crate) fn orphan_count(&mut self, deadline: Deadline) -> Result<u64> {
        match self.found()? {
            Found::Two(pulp) => pulp.orphan_count(deadline),
            Found::Three(pulp) => pulp.orphan_count(deadline),
        }
    }

    /// The one package with this name and checksum, once no repository holds it.
    pub(crate) fn find_orphan(
        &mut self,
        name: &str,
        sha256: &str,
        deadline: Deadline,
    ) -> Result<Option<Orphan>> {
        match self.found()? {
            Found::Two(pulp) => pulp.find_orphan(name, sha256, deadline),
            Found::Three(pulp) => pulp.find_package(name, sha256, deadline),
        }
    }

    /// Deletes exactly this package.
    pub(crate) fn delete_orphan(&mut self, orphan: &Orphan, deadline: Deadline) -> Result<()> {
        match self.found()? {
            Found::Two(pulp) => pulp.delete_orphan(orphan, deadline),
            Found::Three(pulp) => pulp.delete_package(&orphan.id, deadline),
        }
    }

    /// Cancels what is ours and has not ended, and returns how much that was.
    pub(crate) fn cancel(&mut self, id: &str, deadline: Deadline) -> Result<usize> {
        match self.found()? {
            Found::Two(pulp) => pulp.cancel(id, deadline),
            Found::Three(pulp) => pulp.cancel(deadline),
        }
    }

    /// Deletes Pulp 3's records of our tasks; Pulp 2 deletes its own by and by.
    pub(crate) fn forget_tasks(&mut self, deadline: Deadline) -> Result<usize> {
        match self.found()? {
            Found::Two(_) => Ok(0),
            Found::Three(pulp) => pulp.forget_tasks(deadline),
        }
    }

    /// Where Pulp 3 was told that content is, which may not be where this host finds it.
    pub(crate) fn explain_content(&self, cause: anyhow::Error) -> anyhow::Error {
        if self.is_three() {
            return cause.context(
                "failed to fetch what Pulp 3 published; the host in this address is CONTENT_ORIGIN \
                 of Pulp's settings: it has to resolve and answer from here, and the web server \
                 has to hand /pulp/content/ to pulpcore-content",
            );
        }
        cause
    }
}

/// A server that knows no Pulp 2 and fails as only Pulp 3 does.
fn is_broken_three(two: &Answer, three: &Answer) -> bool {
    two.status == 404 && three.status >= 500
}

/// Where Pulp 2 and Pulp 3 say what they are; no credentials are needed for that.
///
/// # Errors
/// The API's root makes no sense.
pub(crate) fn status_paths(api_root: &str) -> Result<[String; 2]> {
    let three = place(api_root, "default")?.status();
    Ok([v2::STATUS_PATH.to_owned(), three.path])
}

/// Checks where the API is said to be.
pub(crate) fn place(root: &str, domain: &str) -> Result<ApiPlace> {
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
    };
    if !root.starts_with('/') || !root.ends_with('/') || !plain(root) || root.contains("//") {
        bail!(
            "failed to use {} `{root}`: it is a path with a slash at both ends, such as \
             /pulp/, API_ROOT in Pulp's settings",
            option("pulp_api_root")
        );
    }
    if domain.is_empty() || !plain(domain) || domain.contains('/') {
        bail!(
            "failed to use {} `{domain}`: it is a name, such as default",
            option("domain")
        );
    }
    Ok(ApiPlace {
        root: root.to_owned(),
        domain: domain.to_owned(),
    })
}
