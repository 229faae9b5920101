//! What the steps of the play replied on all its hosts, as the play hands it over, and what that says before anything is judged: why the
//! scenarios did not come to their end (`cause`), and what is not as it was before (`restored`).

mod cause;
mod restored;
mod run;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::results::{ModuleReply, Replied, flag, list, text, texts};

use restored::{LISTED, WORKS};
pub(crate) use restored::{restored_lines, restoring};
pub(super) use run::run;

/// A run as the play knows it. `replies` has each host's, by the step.
pub(super) struct Play<'a> {
    results: &'a Value,
    pub(super) hosts: Vec<String>,
    /// Set-up ended the run.
    pub(super) untouched: bool,
}

impl<'a> Play<'a> {
    /// None: these are no replies of a play, as those of a run that was recorded by an earlier version.
    pub(super) fn read(results: &'a Value) -> Option<Self> {
        results["replies"].as_object()?;
        Some(Self {
            results,
            hosts: texts(&results["run"]["hosts"]),
            untouched: flag(&results["run"]["untouched"]) == Some(true),
        })
    }

    /// What a host replied to a step, as Ansible registered it; null where it did not come to that.
    pub(super) fn raw(&self, step: &str, host: usize) -> &'a Value {
        &self.of(host)[step]
    }

    fn of(&self, host: usize) -> &'a Value {
        let name = self.hosts.get(host).map(String::as_str);
        &self.results["replies"][name.unwrap_or_default()]
    }

    /// Whether the play kept anything of a host.
    fn is_known(&self, host: usize) -> bool {
        self.of(host)
            .as_object()
            .is_some_and(|replies| !replies.is_empty())
    }

    /// None also where the step was skipped.
    pub(super) fn reply(&self, step: &str, host: usize) -> Option<ModuleReply> {
        ModuleReply::read(self.raw(step, host))
    }

    /// What was found on a host.
    pub(super) fn deployment(&self, host: usize) -> &'a Value {
        &self.raw("facts", host)["ansible_facts"]["pulp_deployment"]
    }

    /// Who speaks to Pulp's API, or would.
    pub(super) fn api_host(&self) -> usize {
        self.named("api_host").unwrap_or_default()
    }

    /// The host that asks: its own cause comes before that of another.
    fn speaker(&self) -> usize {
        self.named("speaker").unwrap_or_default()
    }

    fn named(&self, key: &str) -> Option<usize> {
        let name = text(&self.results["run"][key]);
        self.hosts.iter().position(|host| *host == name)
    }

    /// The scenarios that were to be run.
    pub(super) fn chosen(&self) -> Vec<String> {
        texts(&self.results["run"]["scenarios"])
    }

    /// Those of them that take the broker away.
    pub(super) fn scenarios(&self) -> Vec<String> {
        let mut chosen = self.chosen();
        chosen.retain(|scenario| scenario != "health");
        chosen
    }

    pub(super) fn name(&self, host: usize) -> &str {
        self.hosts.get(host).map(String::as_str).unwrap_or_default()
    }

    /// After how many seconds everything comes back by itself.
    pub(super) fn restore_after(&self) -> String {
        text(&self.results["run"]["restore_after"])
    }

    /// The playbook that gives everything back.
    pub(super) fn heal(&self) -> String {
        text(&self.results["run"]["heal"])
    }

    /// Whether a host said what is there.
    pub(super) fn answered(&self, host: usize) -> bool {
        self.deployment(host).is_object() && !self.raw("facts", host).has_failed()
    }

    /// The first host that serves Pulp's API.
    pub(super) fn serves_api(&self) -> Option<usize> {
        self.each_host()
            .find(|host| self.deployment(*host)["api"] == true)
    }

    /// Where the broker is taken away.
    pub(super) fn broker_hosts(&self) -> Vec<&str> {
        self.named_hosts(|host| self.takes_broker(host))
    }

    pub(super) fn each_host(&self) -> std::ops::Range<usize> {
        0..self.hosts.len()
    }

    fn named_hosts(&self, of: impl Fn(usize) -> bool) -> Vec<&str> {
        let found = self.each_host().filter(|host| of(*host));
        found
            .filter_map(|host| Some(self.hosts.get(host)?.as_str()))
            .collect()
    }

    /// Whether a host could not be reached: at the first look, or when everything was given back.
    fn is_lost(&self, host: usize) -> bool {
        let step = if self.untouched {
            "facts"
        } else {
            "services_back"
        };
        self.raw(step, host).is_unreachable()
    }

    fn takes_broker(&self, host: usize) -> bool {
        let role = &self.deployment(host)["preflight"]["outage"]["role"];
        role.as_str() == Some("local")
    }

    /// The reply to the last observation of a host.
    fn watched(&self, host: usize) -> &'a Value {
        let scenes = self.raw("seen", host);
        let order = ["reconnect", "connect"].into_iter();
        let mut watched = order.map(|name| &scenes[name]["watch"]);
        watched
            .find(|reply| reply.is_object())
            .unwrap_or(&Value::Null)
    }
}

/// The texts of a reply's key.
fn said(reply: &Value, key: &str) -> Vec<String> {
    list(&reply[key]).iter().map(text).collect()
}
