//! Tasks that are sent without being followed: several at once, each of its own repository, so that they
//! go to different workers. Whatever carries our repositories' tags is ours, also what was dispatched by
//! a request whose answer got lost.

use anyhow::Result;

use super::{Pulp2, ask, task, tasks};
use crate::host::wait::Deadline;
use crate::pulp::{Created, Sent, Task};

impl Pulp2 {
    /// Creates an empty repository that can be published.
    pub(crate) fn create_to_publish(&self, id: &str, deadline: Deadline) -> Created {
        let tls = self.door.base.starts_with("https://");
        self.created(&ask::create_to_publish(id, tls), id, deadline)
    }

    /// Asks for a publication, and waits for no more than the answer.
    pub(crate) fn begin_publish(&mut self, id: &str, deadline: Deadline) -> Sent {
        self.begin(
            &ask::publish_in_full(id),
            "publish repository",
            id,
            deadline,
        )
    }

    /// Asks for the deletion of a repository, and waits for no more than the answer.
    pub(crate) fn begin_deletion(&mut self, id: &str, deadline: Deadline) -> Sent {
        self.begin(
            &ask::delete_repository(id),
            "delete repository",
            id,
            deadline,
        )
    }

    fn begin(&mut self, ask: &super::Ask, verb: &str, id: &str, deadline: Deadline) -> Sent {
        let answer = match self.door.call(ask, deadline) {
            Ok(answer) => answer,
            Err(error) => return Sent::Unknown(error),
        };
        match answer.status {
            202 => Sent::Yes,
            400..=500 => Sent::No(self.refusal(&answer, verb, id, deadline)),
            _ => Sent::Unknown(self.refusal(&answer, verb, id, deadline)),
        }
    }

    /// Looks at every task of these repositories, and remembers it.
    pub(crate) fn look_at_tasks_of(&mut self, ids: &[&str], deadline: Deadline) -> Result<()> {
        let ask = ask::tasks_of_any(ids);
        let answer = self.expect(&ask, &[200], "list the tasks of", "Pulp", deadline)?;
        for task in tasks(&answer)? {
            self.remember(task);
        }
        Ok(())
    }

    /// One task by its own answer, which tells more than a list.
    pub(crate) fn task(&self, id: &str, deadline: Deadline) -> Result<Task> {
        let answer = self.expect(&ask::read_task(id), &[200], "read task", id, deadline)?;
        task::parse(&answer)
    }

    /// Cancels a task.
    pub(crate) fn cancel_task(&self, id: &str, deadline: Deadline) -> Result<()> {
        self.expect(
            &ask::cancel_task(id),
            &[200, 404],
            "cancel task",
            id,
            deadline,
        )
        .map(drop)
    }
}
