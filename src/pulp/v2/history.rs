//! What Pulp remembers of the syncs of a repository: one entry for each that ran to its end, also for one
//! that two workers ran, which the task itself does not tell.

use anyhow::{Result, bail};

use super::{Pulp2, ask};
use crate::host::wait::Deadline;

impl Pulp2 {
    /// How many syncs of a repository have ended.
    ///
    /// # Errors
    /// Pulp does not tell.
    pub(crate) fn syncs_ended(&self, id: &str, deadline: Deadline) -> Result<usize> {
        let ask = ask::sync_history(id);
        let answer = self.expect(
            &ask,
            &[200],
            "read the sync history of repository",
            id,
            deadline,
        )?;
        match answer.json()?.as_array() {
            Some(entries) => Ok(entries.len()),
            None => {
                bail!("failed to read the sync history of repository `{id}`: expected a list")
            }
        }
    }
}
