//! How Pulp 3 is asked: what an answer must be, which addresses of it are used, and how a task is followed.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Kind, Pulp3, ask, fault, task};
use crate::host::wait::Deadline;
use crate::pulp::{Answer, Ask, Task, Trouble, remember, to_its_end};

impl Pulp3 {
    /// The address of the thing of ours that has this name.
    pub(super) fn find(
        &self,
        kind: Kind,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<String>> {
        let ask = ask::named(&self.root, kind, name);
        let answer = self.expect(
            &ask,
            &[200],
            &format!("look for {}", kind.word()),
            name,
            deadline,
        )?;
        let found = listed(&answer)?;
        let ours = found.iter().find(|thing| thing["name"] == name);
        ours.map(|thing| self.href(&thing["pulp_href"])).transpose()
    }

    /// Starts what `ask` asks for, and follows its task to the end.
    pub(super) fn perform(
        &mut self,
        ask: &Ask,
        verb: &str,
        object: &str,
        deadline: Deadline,
    ) -> Result<Task> {
        let answer = self.expect(ask, &[202], verb, object, deadline)?;
        let href = self.href(&answer.json()?["task"])?;
        let read = ask::read(&href);
        to_its_end(&href, deadline, || {
            let answer = self.expect(&read, &[200], "read task", &href, deadline)?;
            let task = task::from_value(&answer.json()?).with_context(|| {
                format!(
                    "failed to read the answer of `{}`: it describes no task",
                    answer.url
                )
            })?;
            remember(&mut self.tasks, task.clone());
            Ok(task)
        })
        .with_context(|| format!("failed to {verb} `{object}`"))
    }

    pub(super) fn log_in(&self, deadline: Deadline) -> Result<()> {
        self.door.log_in(&ask::log_in(&self.root), deadline)
    }

    pub(super) fn expect(
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
        Err(self.refusal(&answer, verb, object))
    }

    pub(super) fn refusal(&self, answer: &Answer, verb: &str, object: &str) -> anyhow::Error {
        let cause = fault::explain(answer, &self.door.username);
        Trouble::Refused(format!("failed to {verb} `{object}`: {cause}")).into()
    }

    pub(super) fn href(&self, value: &Value) -> Result<String> {
        self.checked(value.as_str().unwrap_or_default())
    }

    /// An address that an answer named, if it is one of this API.
    pub(super) fn checked(&self, href: &str) -> Result<String> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/');
        if href.starts_with(&self.root) && href.bytes().all(is_plain) {
            return Ok(href.to_owned());
        }
        bail!(
            "failed to use `{href}`, which Pulp named: expected an address below `{}`",
            self.root
        )
    }
}

pub(super) fn listed(answer: &Answer) -> Result<Vec<Value>> {
    match answer.json()?["results"].take() {
        Value::Array(list) => Ok(list),
        _ => bail!(
            "failed to read the answer of `{}`: it is no list",
            answer.url
        ),
    }
}
