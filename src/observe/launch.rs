//! The observer as whoever wants it sees it: it is started, ended, and what it saw is collected.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Order, Paths, Standing, standing};
use crate::host::wait::{Deadline, Pace, until};
use crate::host::{files, process};
use crate::timeline::{self, Timeline};

/// Looking at everything once takes this long at the most: the API may take ten seconds alone.
const FIRST_LOOK: Duration = Duration::from_secs(40);

/// How long an observer that is asked to end may take.
const LAST_LINE: Duration = Duration::from_secs(5);

/// Starts an observer and waits until it has looked at everything once. What an earlier one left is
/// removed.
///
/// # Errors
/// It does not begin; its own words are in the error.
pub(crate) fn launch(order: &Order) -> Result<Standing> {
    remove()?;
    let paths = Paths::here();
    files::private_dir(&paths.0)?;
    let child = process::start_self_detached(&[timeline::OBSERVE], &serde_json::to_string(order)?)?;
    let ready = paths.ready();
    let begun = until(
        "the observer to look at everything once",
        Deadline::after(FIRST_LOOK),
        Pace::QUICK,
        || {
            // In this order: it may end after it was ready.
            let ended = child.has_ended();
            if ready.exists() {
                return Ok(Some(()));
            }
            if ended {
                let why = read().ok().flatten();
                let why = why
                    .as_ref()
                    .and_then(Timeline::end)
                    .unwrap_or("it left no word");
                bail!("failed to start the observer: {why}");
            }
            Ok(None)
        },
    );
    let standing = standing()?;
    if let (Err(_), Some(standing)) = (&begun, &standing) {
        end(standing)?;
    }
    begun?;
    standing.context("failed to start the observer: it is gone")
}

/// What was seen so far; none when not even a beginning is there.
///
/// # Errors
/// The journal cannot be read.
pub(crate) fn read() -> Result<Option<Timeline>> {
    let text = files::read_if_present(&Paths::here().journal())?;
    Ok(text.as_deref().and_then(Timeline::parse))
}

/// What the API said in sum: `null` when it was not asked.
pub(crate) fn api() -> Value {
    let text = files::read_if_present(&Paths::here().api());
    let text = text.ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Has the observer end, and waits until it has.
///
/// # Errors
/// It cannot be ended.
pub(crate) fn end(observer: &Standing) -> Result<()> {
    for signal in [Signal::TERM, Signal::KILL] {
        if !standing()?.is_some_and(|s| s.alive) {
            return Ok(());
        }
        // Its number is its own for as long as it holds the lock.
        if let Some(pid) = i32::try_from(observer.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
        let gone = until(
            "the observer to end",
            Deadline::for_cleanup(LAST_LINE),
            Pace::QUICK,
            || {
                let alive = standing()?.is_some_and(|s| s.alive);
                Ok((!alive).then_some(()))
            },
        );
        if gone.is_ok() {
            return Ok(());
        }
    }
    bail!(
        "failed to end the observer: process {} does not go",
        observer.pid
    )
}

/// Removes everything of it.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn remove() -> Result<()> {
    let dir = Paths::here().0;
    files::remove_dir(&dir, &dir.with_extension("gone"))
}
