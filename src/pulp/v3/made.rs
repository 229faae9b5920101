//! What the check makes in Pulp 3: remote, repository, version, publication, distribution.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Pulp3, ask};
use crate::host::wait::Deadline;
use crate::pulp::{Created, address};

impl Pulp3 {
    /// Creates a remote for `feed` and a repository, both of this name.
    pub(in crate::pulp) fn create(
        &mut self,
        name: &str,
        feed: &str,
        deadline: Deadline,
    ) -> Created {
        let remote = ask::remote(name, feed);
        self.made.remote = match self.make(ask::REMOTES, remote, "create remote", name, deadline) {
            Ok(href) => Some(href),
            Err((refused, error)) => {
                return if refused {
                    Created::No(error)
                } else {
                    Created::Unknown(error)
                };
            }
        };
        // The remote is there, and has to go again.
        match self.create_repository(name, deadline) {
            Ok(_) => Created::Yes,
            Err(error) => Created::Unknown(error),
        }
    }

    /// Creates an empty repository.
    pub(crate) fn create_repository(&mut self, name: &str, deadline: Deadline) -> Result<String> {
        let body = ask::repository(name);
        let made = self.make(ask::REPOSITORIES, body, "create repository", name, deadline);
        let href = made.map_err(|(_, error)| error)?;
        self.made.repository = Some(href.clone());
        Ok(href)
    }

    /// Makes an object and returns its reference; else whether it was refused, and why.
    fn make(
        &mut self,
        what: &str,
        body: Value,
        verb: &str,
        name: &str,
        deadline: Deadline,
    ) -> Result<String, (bool, anyhow::Error)> {
        let ask = ask::post(&self.path(what), body);
        let answer = match self.call(&ask, deadline) {
            Ok(answer) => answer,
            Err(lost) => match self.find(what, name, deadline) {
                Ok(Some(href)) => return Ok(href),
                Ok(None) => self.call(&ask, deadline).map_err(|error| (false, error))?,
                Err(_) => return Err((false, lost)),
            },
        };
        if answer.status != 201 {
            let error = self.refusal(&answer, verb, name);
            return Err(((400..500).contains(&answer.status), error));
        }
        let body = answer.json().map_err(|error| (false, error))?;
        ask::href(&body["pulp_href"], &self.api)
            .with_context(|| format!("failed to {verb} `{name}`: the answer names no object"))
            .map_err(|error| (false, error))
    }

    /// The object of exactly this name, which is ours because the name is.
    pub(super) fn find(
        &mut self,
        what: &str,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<String>> {
        let listed = self.list(what, &format!("&name={name}"), deadline)?;
        let found = listed.iter().find(|object| object["name"] == name);
        Ok(found.and_then(|object| ask::href(&object["pulp_href"], &self.api)))
    }

    /// Syncs, and returns how many packages that added, where it is known.
    pub(in crate::pulp) fn sync(&mut self, name: &str, deadline: Deadline) -> Result<Option<u64>> {
        let (Some(repository), Some(remote)) = (&self.made.repository, &self.made.remote) else {
            bail!("failed to sync repository `{name}`: it was not created");
        };
        let body = json!({"remote": remote, "mirror": false});
        let ask = ask::post(&format!("{repository}sync/"), body);
        let task = self.perform(&ask, "sync repository", name, deadline)?;
        let made = task.made.iter().find(|href| href.contains("/versions/"));
        self.made.version = made.and_then(|href| ask::href(&json!(href), &self.api));
        // With nothing new there is no version.
        Ok(self.made.version.is_none().then_some(0))
    }

    /// How many units of each type the repository's last version holds; `None` if it does not exist.
    pub(in crate::pulp) fn counts(
        &mut self,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<Value>> {
        let Some(version) = self.made.version.clone() else {
            let found = self.find(ask::REPOSITORIES, name, deadline)?;
            return Ok(found.map(|_| json!({})));
        };
        let ask = ask::get(&version);
        let answer = self.expect(&ask, &[200, 404], "read repository", name, deadline)?;
        if answer.status == 404 {
            return Ok(None);
        }
        let body = answer.json()?;
        let present = body["content_summary"]["present"].as_object();
        let counts = present.into_iter().flatten().map(|(kind, counted)| {
            let kind = match kind.as_str() {
                "rpm.package" => "rpm",
                other => other,
            };
            (kind.to_owned(), counted["count"].clone())
        });
        Ok(Some(Value::Object(counts.collect())))
    }

    /// Publishes the version that was synced.
    pub(in crate::pulp) fn publish(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        let Some(version) = &self.made.version else {
            bail!("failed to publish repository `{name}`: it was not synced");
        };
        let body = json!({"repository_version": version});
        let ask = ask::post(&self.path(ask::PUBLICATIONS), body);
        let task = self.perform(&ask, "publish repository", name, deadline)?;
        let made = task.made.first();
        self.made.publication = made.and_then(|href| ask::href(&json!(href), &self.api));
        match &self.made.publication {
            Some(_) => Ok(()),
            None => bail!("failed to publish repository `{name}`: its task made no publication"),
        }
    }

    /// Distributes the publication below its name, and learns where that is.
    pub(in crate::pulp) fn distribute(&mut self, name: &str, deadline: Deadline) -> Result<()> {
        let Some(publication) = &self.made.publication else {
            bail!("failed to distribute repository `{name}`: it was not published");
        };
        let body = ask::distribution(name, publication);
        let ask = ask::post(&self.path(ask::DISTRIBUTIONS), body);
        let verb = "distribute repository";
        let task = self.perform(&ask, verb, name, deadline)?;
        let made = task.made.first();
        let Some(href) = made.and_then(|href| ask::href(&json!(href), &self.api)) else {
            bail!("failed to {verb} `{name}`: its task made no distribution");
        };
        let ask = ask::get(&href);
        let answer = self.expect(&ask, &[200], "read distribution", name, deadline)?;
        let body = answer.json()?;
        let Some(base) = body["base_url"].as_str() else {
            bail!("failed to {verb} `{name}`: the distribution names no base_url");
        };
        // Without CONTENT_ORIGIN it is a path on the server that answers us.
        let here = format!("{}/", self.door.base);
        let base = format!("{}/", base.trim_end_matches('/'));
        self.made.base_url = Some(address::resolve(&here, &base)?);
        Ok(())
    }

    /// Where it is published.
    pub(in crate::pulp) fn published(&self) -> Option<&str> {
        self.made.base_url.as_deref()
    }
}
