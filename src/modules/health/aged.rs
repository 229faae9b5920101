//! Which tasks of ours have had their time: before that they are no evidence. A task that was sent just now is none, nor
//! one that waits its turn behind others that get on.

use std::time::Duration;

/// For how long whoever has a task of ours must not have got on with any before that is held against him.
pub(super) const LIES: Duration = Duration::from_secs(10);

/// A task of ours, and for how long it has been where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aged<'a> {
    /// None: the resource manager has not given it to a worker yet.
    pub(super) worker: Option<&'a str>,
    pub(super) is_open: bool,
    pub(super) still: Duration,
}

impl Aged<'_> {
    /// It has not ended, and of all our tasks none got on lately that its worker has. A worker and the resource manager do one
    /// thing after the other; what the resource manager did last is not told, so any task that got on speaks for it.
    pub(super) fn has_had_time(&self, all: &[Self]) -> bool {
        let is_kin = |other: &&Self| self.worker.is_none() || other.worker == self.worker;
        let mut kin = all.iter().filter(is_kin);
        self.is_open && self.still >= LIES && kin.all(|other| other.still >= LIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(worker: Option<&str>, is_open: bool, still: u64) -> Aged<'_> {
        Aged {
            worker,
            is_open,
            still: Duration::from_secs(still),
        }
    }

    #[test]
    fn a_task_that_was_sent_just_now_has_had_no_time() {
        for worker in [None, Some("w0")] {
            assert!(!aged(worker, true, 9).has_had_time(&[]));
            assert!(aged(worker, true, 10).has_had_time(&[]));
            assert!(!aged(worker, false, 99).has_had_time(&[]));
        }
    }

    #[test]
    fn a_task_waits_its_turn_while_others_of_the_same_get_on() {
        let waits = aged(Some("w0"), true, 40);
        assert!(!waits.has_had_time(&[waits, aged(Some("w0"), false, 3)]));
        assert!(waits.has_had_time(&[waits, aged(Some("w1"), false, 3)]));
        let unassigned = aged(None, true, 40);
        for worker in [None, Some("w1")] {
            assert!(!unassigned.has_had_time(&[unassigned, aged(worker, true, 3)]));
        }
    }
}
