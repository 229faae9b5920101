//! `partition`: packets to and from the broker are dropped without a word, as by a broken network. What
//! is connected stays so until its own timers run out.

use anyhow::Result;

use super::{OutageTarget, Pair, Verdict, cut};

pub(super) fn plan(target: &OutageTarget<'_>) -> Result<Pair> {
    cut(target, Verdict::Drop)
}
