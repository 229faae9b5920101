//! The only place that waits: with a deadline, an adaptive interval, and an ear for signals.
//!
//! A wait returns the instant its probe says so and never sleeps longer than its pace allows. When
//! time runs out the error names what was waited for and for how long.

pub(crate) mod interrupt;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The instant at which a phase has to be over, and how long it was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    end: Instant,
    limit: Duration,
    /// A clean-up goes on although a signal asked the module to stop.
    heeds_signals: bool,
}

impl Deadline {
    const LONGEST: Duration = Duration::from_hours(24 * 365);

    /// A deadline `limit` from now.
    pub(crate) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            // A limit beyond what the clock can say is none.
            end: now.checked_add(limit).unwrap_or(now + Self::LONGEST),
            limit,
            heeds_signals: true,
        }
    }

    /// The same for a clean-up, which a signal must not cut short.
    pub(crate) fn for_cleanup(limit: Duration) -> Self {
        Self {
            heeds_signals: false,
            ..Self::after(limit)
        }
    }

    /// The earlier of this deadline and one `limit` from now.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        let other = Self::after(limit);
        if other.end < self.end {
            Self {
                heeds_signals: self.heeds_signals,
                ..other
            }
        } else {
            self
        }
    }

    /// What is left; zero when it is over.
    pub(crate) fn remaining(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Fails when a signal asked the module to stop.
    pub(crate) fn check_signals(self, what: &str) -> Result<()> {
        match interrupt::pending() {
            Some(signal) if self.heeds_signals => {
                bail!("interrupted by {signal} while waiting for {what}")
            }
            _ => Ok(()),
        }
    }
}

/// A wait whose deadline came first.
#[derive(Debug)]
pub(crate) struct TimedOut {
    what: String,
    limit: Duration,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.limit.as_secs_f64().round();
        write!(
            f,
            "timed out after {seconds} s while waiting for {}",
            self.what
        )
    }
}

impl std::error::Error for TimedOut {}

/// How often to look: the first interval, doubling up to the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl Pace {
    /// For something that is usually true within milliseconds.
    pub(crate) const QUICK: Self = Self {
        first: Duration::from_millis(5),
        last: Duration::from_millis(50),
    };
}

/// Probes until there is an answer.
///
/// # Errors
/// The probe's own error, at once; a signal; or the deadline, naming `what` was waited for.
pub(crate) fn until<T>(
    what: &str,
    deadline: Deadline,
    pace: Pace,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let mut interval = pace.first;
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        deadline.check_signals(what)?;
        let left = deadline.remaining();
        if left.is_zero() {
            return Err(TimedOut {
                what: what.to_owned(),
                limit: deadline.limit,
            }
            .into());
        }
        pause(interval.min(left), deadline.heeds_signals);
        interval = (interval * 2).min(pace.last);
    }
}

/// Lets time pass in a task that shares its thread with others, which go on meanwhile. Whoever runs them
/// all has the deadline and the ear for signals.
pub(crate) async fn pass(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Sleeps in slices, so that a signal is honoured within a tenth of a second.
fn pause(length: Duration, heeds_signals: bool) {
    let end = Instant::now() + length;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || (heeds_signals && interrupt::pending().is_some()) {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_probe_returns_at_once() {
        let deadline = Deadline::after(Duration::ZERO);
        assert_eq!(
            until("x", deadline, Pace::QUICK, || Ok(Some(7))).ok(),
            Some(7)
        );
    }

    #[test]
    fn an_expired_wait_names_what_and_how_long() {
        let deadline = Deadline::after(Duration::ZERO);
        let error = until("the moon", deadline, Pace::QUICK, || Ok(None::<()>));
        assert_eq!(
            error.map_err(|e| e.to_string()),
            Err("timed out after 0 s while waiting for the moon".to_owned())
        );
    }
}
