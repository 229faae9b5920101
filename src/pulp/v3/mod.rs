//! Pulp 3: one function for each thing the health check asks of it.
//!
//! Every request carries our mark, which Pulp keeps with each task that it starts, and everything we make
//! carries our name: so what became of a request whose answer got lost is looked up, and not guessed.

mod ask;
mod clean;
mod fault;
mod made;
mod status;
mod stuck;
mod task;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Answer, Ask, Door, Status, Task, TaskState, Trouble, Version3, follow};
use crate::host::wait::Deadline;
use crate::names::{Generation, Role, is_own_name, option, repository_tag};
use fault::broken;

/// How many objects of a list are asked for at once, and how many such pages there may be.
const PAGE: usize = 100;
const PAGES: usize = 100;

/// Why no worker may have begun a task.
fn unbegun() -> String {
    let log = Generation::Three.log_of(Role::Worker);
    format!("the workers may be busy with other tasks, or none of them runs; see {log}")
}

/// Where Pulp 3's API is, below `pulp_url`.
#[derive(Debug, Clone)]
pub(crate) struct ApiPlace {
    /// With a slash at both ends, such as `/pulp/`.
    pub(crate) root: String,
    pub(crate) domain: String,
}

impl ApiPlace {
    /// Where all but the status is.
    fn api(&self) -> String {
        match self.domain.as_str() {
            "default" => format!("{}api/v3/", self.root),
            domain => format!("{}{domain}/api/v3/", self.root),
        }
    }

    /// Every domain's status is that of the server; no credentials are needed for it.
    pub(super) fn status(&self) -> Ask {
        ask::get(&format!("{}api/v3/status/", self.root))
    }
}

/// What we have made, by reference.
#[derive(Debug, Default)]
struct Made {
    remote: Option<String>,
    repository: Option<String>,
    version: Option<String>,
    publication: Option<String>,
    base_url: Option<String>,
}

/// What an answer to `GET status/` says.
///
/// # Errors
/// It is no Pulp 3's.
pub(super) fn read_status(answer: &Answer) -> Result<Status> {
    status::parse(answer)
}

/// Why a check would neither work nor be able to clean up after itself.
pub(super) fn objection(status: &Status, three: &Version3) -> Option<String> {
    status::objection(status, three)
}

/// Pulp 3 behind its door.
#[derive(Debug)]
pub(crate) struct Pulp3 {
    door: Rc<Door>,
    place: ApiPlace,
    api: String,
    asked_log_in: bool,
    /// Every task that we started, as it was seen last.
    pub(crate) tasks: Vec<Task>,
    made: Made,
    /// Tasks whose rows we have deleted.
    forgotten: BTreeSet<String>,
}

impl Drop for Pulp3 {
    fn drop(&mut self) {
        let limit = std::time::Duration::from_secs(2);
        self.log_out(Deadline::for_cleanup(limit));
    }
}

impl Pulp3 {
    pub(super) fn new(door: Rc<Door>, place: ApiPlace) -> Self {
        Self {
            door,
            api: place.api(),
            place,
            asked_log_in: false,
            tasks: Vec::new(),
            made: Made::default(),
            forgotten: BTreeSet::new(),
        }
    }

    pub(super) fn log_out(&self, deadline: Deadline) {
        self.door.log_out(&self.ask_log_in("DELETE"), deadline);
    }

    /// What Pulp says about itself.
    pub(crate) fn status(&self, deadline: Deadline) -> Result<Status> {
        let status = status::parse(&self.door.call(&self.place.status(), deadline)?)?;
        self.checked(status)
    }

    /// The same, unless what we are to use is not there.
    pub(super) fn checked(&self, status: Status) -> Result<Status> {
        let has_domains = status.three.as_ref().is_some_and(|three| three.has_domains);
        if self.place.domain != "default" && !has_domains {
            bail!(
                "failed to use {domain} `{}`: this Pulp has no domains (domain_enabled=false); \
                 leave `{domain}` out",
                self.place.domain,
                domain = option("domain")
            );
        }
        Ok(status)
    }

    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.api)
    }

    fn ask_log_in(&self, method: &'static str) -> Ask {
        Ask {
            method,
            ..ask::get(&self.path("login/"))
        }
    }

    /// The only way to Pulp's API but for its status.
    fn call(&mut self, ask: &Ask, deadline: Deadline) -> Result<Answer> {
        if !self.asked_log_in {
            self.door.log_in(&self.ask_log_in("POST"), deadline)?;
            self.asked_log_in = true;
        }
        self.door.call(ask, deadline)
    }

    fn expect(
        &mut self,
        ask: &Ask,
        statuses: &[u16],
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> Result<Answer> {
        let answer = self.call(ask, deadline)?;
        if statuses.contains(&answer.status) {
            return Ok(answer);
        }
        Err(self.refusal(&answer, verb, object))
    }

    fn refusal(&self, answer: &Answer, verb: &str, object: &str) -> anyhow::Error {
        let cause = fault::explain(answer, &self.door.username, &self.place.domain);
        Trouble::Refused(format!("failed to {verb} `{object}`: {cause}")).into()
    }

    /// Every object of a list. Its own link to the next page may lead anywhere, so it is not followed.
    fn list(&mut self, what: &str, query: &str, deadline: Deadline) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        for page in 0..PAGES {
            let offset = page * PAGE;
            let path = self.path(&format!("{what}?limit={PAGE}&offset={offset}{query}"));
            let answer = self.expect(&ask::get(&path), &[200], "list", what, deadline)?;
            let mut body = answer.json()?;
            let Value::Array(results) = body["results"].take() else {
                bail!(
                    "failed to read the answer of `{}`: it is no list",
                    answer.url
                );
            };
            found.extend(results);
            if body["next"].is_null() {
                return Ok(found);
            }
        }
        bail!(
            "failed to list `{what}`: there are more than {}",
            PAGE * PAGES
        )
    }

    /// Every task that has not ended. One of a health check is named as a Pulp 2 would tag it.
    pub(super) fn open_tasks(&mut self, deadline: Deadline) -> Result<Vec<Task>> {
        let open = "&state__in=waiting,running,canceling";
        let listed = self.list("tasks/", open, deadline)?;
        let mut tasks: Vec<_> = listed.iter().filter_map(task::from_value).collect();
        for task in &mut tasks {
            let ours = task.mark.as_ref().filter(|mark| is_own_name(mark));
            match ours {
                Some(mark) => task.tags = vec![repository_tag(mark)],
                None => task.tags.insert(0, task.kind.clone()),
            }
        }
        tasks.retain(|task| task.state == TaskState::Open);
        Ok(tasks)
    }

    /// Looks at every task that a request of ours has started.
    fn look_at_own_tasks(&mut self, deadline: Deadline) -> Result<()> {
        let Some(mark) = self.door.mark.clone() else {
            return Ok(());
        };
        let listed = self.list("tasks/", &format!("&logging_cid={mark}"), deadline)?;
        for task in listed.iter().filter_map(task::from_value) {
            // An old Pulp ignores what it does not know.
            if task.mark.as_deref() == Some(&mark) {
                self.remember(task);
            }
        }
        Ok(())
    }

    /// Starts a task and returns its reference. When the answer got lost it is looked for before it is
    /// asked for once more.
    fn start(&mut self, ask: &Ask, verb: &str, object: &str, deadline: Deadline) -> Result<String> {
        let answer = match self.call(ask, deadline) {
            Ok(answer) => answer,
            Err(lost) => {
                let known: Vec<_> = self.tasks.iter().map(|task| task.id.clone()).collect();
                self.look_at_own_tasks(deadline).map_err(|_| lost)?;
                let new = self.tasks.iter().find(|task| !known.contains(&task.id));
                if let Some(task) = new {
                    return Ok(task.id.clone());
                }
                self.call(ask, deadline)?
            }
        };
        if answer.status != 202 {
            return Err(self.refusal(&answer, verb, object));
        }
        match ask::href(&answer.json()?["task"], &self.api) {
            Some(href) => Ok(href),
            None => bail!(
                "failed to {verb} `{object}`: the answer of {} {} names no task",
                answer.method,
                answer.url
            ),
        }
    }

    /// Follows a task, and what it starts, to the end.
    pub(crate) fn follow(
        &mut self,
        href: &str,
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> Result<Task> {
        let ask = ask::get(href);
        let task = follow::to_its_end(ask::key(href), deadline, &unbegun(), || {
            let answer = self.expect(&ask, &[200], "read task", href, deadline)?;
            let Some(task) = task::from_value(&answer.json()?) else {
                bail!(
                    "failed to read the answer of `{}`: it describes no task",
                    answer.url
                );
            };
            self.remember(task.clone());
            Ok(task)
        });
        task.with_context(|| format!("failed to {verb} `{object}`"))
    }

    fn perform(&mut self, ask: &Ask, verb: &str, object: &str, deadline: Deadline) -> Result<Task> {
        let href = self.start(ask, verb, object, deadline)?;
        self.follow(&href, verb, object, deadline)
    }

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
}
