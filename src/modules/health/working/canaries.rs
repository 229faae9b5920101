//! The tasks that are sent: of which repositories, how many at once, and what is done when an answer got
//! lost.

mod rounds;

use anyhow::Result;

use super::{Created, Sent, Status, Task, TaskState, Work, tag};
use crate::host::wait::Deadline;

impl Work {
    pub(super) fn create(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        let created = self.pulp.create_to_publish(id, deadline);
        self.keep(created, id, deadline)
    }

    /// Keeps a repository that exists or may exist. One whose creation was not answered is looked for.
    pub(super) fn keep(&mut self, created: Created, id: &str, deadline: Deadline) -> Result<()> {
        if let Created::No(error) = created {
            return Err(error);
        }
        self.repositories.push(id.to_owned());
        match created {
            Created::Unknown(error) if !matches!(self.pulp.counts(id, deadline), Ok(Some(_))) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// The tasks that we sent.
    pub(super) fn canaries(&self) -> impl Iterator<Item = &Task> {
        let scheduled = tag(&self.scheduled());
        let tasks = self.pulp.tasks.iter();
        tasks.filter(move |task| !task.tags.contains(&scheduled))
    }

    /// Sends the next tasks, if more of them may show more.
    pub(super) fn send_next(&mut self, deadline: Deadline) -> Result<()> {
        let unproven = self.unproven();
        if self.is_proven() {
            return Ok(());
        }
        let scheduled = self.scheduled();
        let ids = self.repositories.iter().filter(|id| **id != scheduled);
        let benches: Vec<rounds::Bench> = ids
            .map(|id| rounds::Bench {
                id,
                held_by: self.holders(id),
            })
            .collect();
        let names = self.status.as_ref().and_then(Status::names);
        let listed = names.unwrap_or_default();
        let Some(round) = rounds::next(&benches, &unproven, &listed, self.rounds) else {
            return Ok(());
        };
        let each = round.each;
        let ids: Vec<String> = round.ids.iter().map(|id| (*id).to_owned()).collect();
        self.rounds += 1;
        for id in ids {
            for _ in 0..each {
                self.publish(&id, deadline)?;
                self.sent += 1;
            }
        }
        Ok(())
    }

    /// The workers of the repository's tasks that have not ended; none: no worker was given it yet.
    fn holders(&self, id: &str) -> Vec<Option<&str>> {
        let tag = tag(id);
        let open = |t: &&Task| t.state == TaskState::Open && t.tags.contains(&tag);
        let tasks = self.pulp.tasks.iter().filter(open);
        tasks.map(|task| task.worker.as_deref()).collect()
    }

    /// Sends one task. When the answer got lost it is looked for before it is sent once more.
    fn publish(&mut self, id: &str, deadline: Deadline) -> Result<()> {
        for is_last in [false, true] {
            let known = self.pulp.tasks.len();
            match self.pulp.begin_publish(id, deadline) {
                Sent::Yes => return Ok(()),
                Sent::No(error) => return Err(error),
                Sent::Unknown(error) => {
                    self.look(deadline)?;
                    if self.pulp.tasks.len() > known {
                        return Ok(());
                    }
                    if is_last {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing more is to be learned of the workers.
    pub(super) fn is_settled(&self, stalled: bool) -> bool {
        let over =
            self.rounds >= rounds::MOST && self.canaries().all(|t| t.state != TaskState::Open);
        self.is_proven() || stalled || over
    }
}
