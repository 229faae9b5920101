//! The order that keeps the promise, for whatever is taken away: a look at the tasks of others, the undo armed, a last look, the act
//! and its proof. Where anything of it fails, all that was taken is given back at once.

use std::time::Duration;

use anyhow::Result;

use super::undo::{self, Record, Taking};
use crate::host::wait::Deadline;
use crate::pulp::others::{Look, Refusal};

/// What is about to be done, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) run_id: &'a str,
    /// In what time the undo gives everything back.
    pub(crate) restore_after: Duration,
    /// When looking has to be over.
    pub(crate) deadline: Deadline,
    /// How long giving back may take.
    pub(crate) timeout: Duration,
}

/// The undo stands, and nobody's task is in the way.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) record: Record,
    /// How long before the act the last look began; none: nobody looked.
    pub(crate) looked: Option<Duration>,
    timeout: Duration,
}

/// Nothing was taken away.
#[derive(Debug)]
pub(crate) struct Untaken {
    pub(crate) refusal: Refusal,
    /// What became of the undo; none: it was not armed.
    pub(crate) undo: Option<&'static str>,
}

impl Guard<'_> {
    /// Arms the undo between two looks at the tasks of others. `is_back` says whether the broker is there, in case it was armed in vain.
    ///
    /// # Errors
    /// It cannot be armed; nothing may then be taken.
    pub(crate) fn arm(
        &self,
        mut look: Option<Look>,
        taking: Taking<'_>,
        is_back: impl FnOnce(&Record) -> Result<bool>,
    ) -> Result<Result<Armed, Untaken>> {
        if let Some(Err(refusal)) = look.as_mut().map(|look| look.prepare(self.deadline)) {
            let undo = None;
            return Ok(Err(Untaken { refusal, undo }));
        }
        let armed = self.arm_anew(taking)?;
        // As late as can be: nothing comes between this and the first act.
        let patience = armed.record.patience(self.restore_after);
        let deadline = self.deadline.at_most(patience);
        match look.map(|look| look.now(deadline)).transpose() {
            Ok(looked) => Ok(Ok(Armed { looked, ..armed })),
            Err(refusal) => {
                let undo = Some(undo::settle(&armed.record, is_back(&armed.record)?)?);
                Ok(Err(Untaken { refusal, undo }))
            }
        }
    }

    /// Arms the undo without a look at the tasks of others, where the outage has begun already.
    ///
    /// # Errors
    /// It cannot be armed.
    pub(crate) fn arm_anew(&self, taking: Taking<'_>) -> Result<Armed> {
        Ok(Armed {
            record: undo::arm(self.run_id, taking, self.restore_after)?,
            looked: None,
            timeout: self.timeout,
        })
    }
}

impl Armed {
    /// Takes, proves and holds.
    ///
    /// # Errors
    /// Any of it failed, or was interrupted; what became of what was taken is said beside that.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Record) -> Result<T>) -> Result<T> {
        act(&mut self.record).map_err(|error| undo::give_back(&error, &self.record, self.timeout))
    }
}
