//! The tasks that are sent: of which repositories, how many at once, and what is done when an answer got
//! lost.

pub(super) mod rounds;

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Created, Sent, Status, Task, TaskState, Work, failure};
use crate::host::wait::Deadline;
use crate::names::repository_tag;

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
        let scheduled = repository_tag(&self.scheduled());
        self.tasks()
            .filter(move |task| !task.tags.contains(&scheduled))
    }

    /// All of ours, but for those that Pulp refused to send and those that we canceled ourselves.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        let is_refused = |task: &&Task| self.refused.iter().any(|ids| ids.contains(&task.id));
        let is_canceled =
            |task: &&Task| task.state != TaskState::Open && self.canceled.contains(&task.id);
        let tasks = self.pulp.tasks.iter();
        tasks.filter(move |t| !is_refused(t) && !is_canceled(t))
    }

    /// Sends the next tasks, if more of them may show more.
    pub(super) fn send_next(&mut self, deadline: Deadline) -> Result<()> {
        if self.is_proven() || self.refused.is_some() {
            return Ok(());
        }
        let round = match self.next_step() {
            None => return Ok(()),
            Some(rounds::NextStep::Send(round)) => round,
            Some(rounds::NextStep::Cancel(left)) => {
                let left: Vec<String> = left.into_iter().map(str::to_owned).collect();
                for id in left {
                    // One that cannot be canceled is left where it is, and its repository with it.
                    let _ = self.pulp.cancel_task(&id, deadline);
                    self.canceled.insert(id);
                }
                return Ok(());
            }
        };
        let each = round.each;
        let ids: Vec<String> = round.ids.iter().map(|id| (*id).to_owned()).collect();
        self.rounds += 1;
        for id in ids {
            let before = self.sent;
            for _ in 0..each {
                if let Err(cause) = self.publish(&id, deadline) {
                    return self.stop_sending(&cause, &id, self.sent - before, deadline);
                }
                self.sent += 1;
            }
        }
        Ok(())
    }

    /// What is to be done next that more may be seen.
    fn next_step(&self) -> Option<rounds::NextStep<'_>> {
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
        rounds::next(&benches, &self.unproven(), &listed, self.rounds)
    }

    /// More was to be sent.
    pub(super) fn has_more_to_send(&self) -> bool {
        self.refused.is_none() && self.next_step().is_some()
    }

    /// Nothing more is sent. What was sent before may tell more, and worse; what Pulp keeps of a task that it
    /// refused to send, after as many of the same repository as it has just sent, tells of nobody.
    fn stop_sending(
        &mut self,
        cause: &anyhow::Error,
        id: &str,
        before: usize,
        deadline: Deadline,
    ) -> Result<()> {
        self.failures.push(failure::of_cause(cause));
        let known: BTreeSet<String> = self.pulp.tasks.iter().map(|t| t.id.clone()).collect();
        self.look(deadline)?;
        let tag = repository_tag(id);
        let new = |task: &&Task| task.tags.contains(&tag) && !known.contains(&task.id);
        let refused = self.pulp.tasks.iter().filter(new).skip(before);
        self.refused = Some(refused.map(|task| task.id.clone()).collect());
        Ok(())
    }

    /// The repository's tasks that have not ended.
    fn holders(&self, id: &str) -> Vec<rounds::HeldTask<'_>> {
        let tag = repository_tag(id);
        let aged = self.aged();
        let open = |t: &&Task| t.state == TaskState::Open && t.tags.contains(&tag);
        let tasks = self.pulp.tasks.iter().filter(open);
        tasks
            .map(|task| rounds::HeldTask {
                task: &task.id,
                worker: task.worker.as_deref(),
                lies: !self.canceled.contains(&task.id) && self.age(task).has_had_time(&aged),
            })
            .collect()
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
        let none = self.refused.is_some() && self.canaries().next().is_none();
        self.is_proven() || stalled || over || none
    }
}
