//! Why the scenarios did not come to their end: the first cause, of the host that asks or of another.

use serde_json::Value;

use super::{Play, said};
use crate::names::verdict::{Grade, Name};
use crate::verdict::results::{Replied, ReportedFailure, failures, text};

/// The first cause; without a text the scenarios came to their end.
#[derive(Debug, Default)]
pub(in crate::verdict) struct Cause {
    pub(in crate::verdict) text: String,
    /// The same as the play fails with it, beside a page that shows more.
    pub(in crate::verdict) said: String,
    pub(in crate::verdict) host: String,
    /// Who it is about.
    pub(in crate::verdict) failures: Vec<ReportedFailure>,
    /// The user asks for what cannot be.
    pub(in crate::verdict) is_wish: bool,
}

impl Play<'_> {
    /// Whether a host left set-up or the scenarios before their end. Ansible takes all of them along.
    pub(super) fn has_failed(&self) -> bool {
        let failed = |host| self.raw("failed", host).as_object();
        self.each_host()
            .any(|host| failed(host).is_some_and(|failed| !failed.is_empty()))
    }

    pub(in crate::verdict) fn cause(&self) -> Cause {
        if !self.has_failed() {
            return Cause::default();
        }
        let causes = self
            .each_host()
            .map(|host| (host, of(self.raw("failed", host))));
        let first = causes.clone().find(|(_, text)| !text.is_empty());
        let own = causes
            .into_iter()
            .find(|(host, text)| *host == self.speaker() && !text.is_empty());
        let of_host = |host: usize| self.hosts.get(host).cloned().unwrap_or_default();
        let why = match (own, &first) {
            (Some((_, own)), _) => own,
            (None, Some((host, text))) => format!("{}: {text}", of_host(*host)),
            (None, None) => self.lost(),
        };
        let about = first.as_ref().map_or(self.speaker(), |(host, _)| *host);
        let said = self.of_the_check(why);
        let why = without_more(&said);
        // What set-up says without a name is that a wish cannot be.
        let is_wish = self.untouched && crate::verdict::cause::findings(&why, &[]).is_empty();
        Cause {
            said,
            is_wish,
            text: if is_wish {
                format!("VOID {}: {why}", Name::Unsupported)
            } else {
                why
            },
            host: match self.refused_on() {
                Some(host) => host,
                None => first.map(|(host, _)| of_host(host)).unwrap_or_default(),
            },
            failures: self.failures(about),
        }
    }

    /// All hosts leave set-up with what is in the way on one.
    fn refused_on(&self) -> Option<String> {
        let host = text(&self.results["before"]["host"]);
        (self.untouched && !host.is_empty()).then_some(host)
    }

    /// Ansible has no cause for a host that was lost.
    fn lost(&self) -> String {
        let lost = self.named_hosts(|host| self.is_lost(host)).join(", ");
        let lost = if lost.is_empty() { "a host" } else { &lost };
        format!(
            "VOID {}: {lost} was lost during the test (its task says UNREACHABLE)",
            Name::HostUnreachable
        )
    }

    /// What the checks before the run say is a verdict, also where it does not name one.
    fn of_the_check(&self, why: String) -> String {
        if !self.untouched || !crate::verdict::cause::findings(&why, &[]).is_empty() {
            return why;
        }
        let replies = ["idle", "health"]
            .into_iter()
            .filter_map(|step| self.reply(step, self.api_host()));
        let unfit = replies
            .into_iter()
            .find(|reply| !reply.msg.is_empty() && why.contains(&reply.msg));
        match unfit {
            Some(reply) => {
                let void = Name::of(&reply.void).filter(|name| name.grade() == Grade::Void);
                format!("VOID {}: {why}", void.unwrap_or(Name::UnhealthyBefore))
            }
            None => why,
        }
    }

    fn failures(&self, host: usize) -> Vec<ReportedFailure> {
        let mut found = failures(&self.raw("failed", host)["result"]["failures"]);
        if self.untouched {
            for step in ["idle", "health"] {
                found.extend(failures(&self.raw(step, self.api_host())["failures"]));
            }
        }
        found
    }
}

/// What a host's task failed of. Empty: the host itself did not fail.
fn of(failed: &Value) -> String {
    let result = &failed["result"];
    if !result.is_object() {
        return String::new();
    }
    let wrong = said(result, "argument_errors");
    if !wrong.is_empty() {
        return wrong.join("; ");
    }
    let task = Some(text(&failed["task"])).filter(|task| !task.is_empty());
    let task = task.as_deref().unwrap_or("?");
    result.message(&format!("the task \"{task}\" failed"))
}

/// Without `; 2 more above`, where all of it is told.
fn without_more(why: &str) -> String {
    let Some((before, after)) = why.split_once(" more above") else {
        return why.to_owned();
    };
    match before.rsplit_once("; ") {
        Some((before, count)) if count.chars().all(|c| c.is_ascii_digit()) => {
            format!("{before}{after}")
        }
        _ => why.to_owned(),
    }
}
