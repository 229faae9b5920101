//! The outage `stop`: the broker's unit is stopped in order, and started again. Each half proves
//! itself with the same probe.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use super::{Answer, Broker};
use crate::host::wait::{Deadline, Pace, until};
use crate::service::{Verb, systemd};

/// How often an absent broker is asked; far shorter than any reconnect of a client.
const HOLD_INTERVAL: Pace = Pace {
    first: Duration::from_millis(200),
    last: Duration::from_millis(200),
};

/// The longest time between two probes: in more than that a broker could come and go unseen, and a
/// client with it.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// How often a starting broker is asked.
const UP_PACE: Pace = Pace {
    first: Duration::from_millis(20),
    last: Duration::from_millis(80),
};

/// How often systemd is asked whether a starting broker's unit has failed.
const UNIT_INTERVAL: Duration = Duration::from_secs(1);

/// What was seen while the broker was held away.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Held {
    /// How long it was watched, in seconds.
    pub(crate) watched_seconds: f64,
    /// How often it was asked; it never answered.
    pub(crate) probes: u32,
    /// The longest time between two of these, in seconds: what was not watched.
    pub(crate) longest_gap_seconds: f64,
}

/// Stops the broker's unit.
///
/// # Errors
/// systemd refuses or is not done in time.
pub(crate) fn inject(unit: &str, deadline: Deadline) -> Result<()> {
    systemd::apply(Verb::Stop, &[unit.to_owned()], deadline.remaining())
}

/// Waits until nothing listens and the protocol is not answered.
///
/// # Errors
/// It still answers, or something still listens, at the deadline.
pub(crate) fn prove_down(broker: &Broker, deadline: Deadline) -> Result<()> {
    let what = format!("the broker at {} to be gone", broker.endpoint);
    let absent = until(&what, deadline, Pace::QUICK, || {
        let gone = !matches!(broker.ask(), Answer::Answers(_)) && !broker.endpoint.listening()?;
        Ok(gone.then_some(()))
    });
    absent
        .map_err(|e| e.context("VOID outage_not_proven: the broker was stopped but is still there"))
}

/// Asks through the whole time and fails as soon as it answers.
///
/// # Errors
/// The broker answers or listens, and who it is; nobody watched for too long; or a signal.
pub(crate) fn hold(broker: &Broker, length: Duration) -> Result<Held> {
    let begin = Instant::now();
    let mut last = begin;
    let mut held = Held::default();
    let mut longest = Duration::ZERO;
    let end = Deadline::after(length + super::PROBE_LIMIT * 2);
    until("the end of the outage", end, HOLD_INTERVAL, || {
        let answer = broker.ask();
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
        held.probes += 1;
        let back = matches!(answer, Answer::Answers(_));
        if back || broker.endpoint.listening()? {
            bail!(interrupted(broker, now - begin));
        }
        if longest > LONGEST_GAP {
            bail!(
                "VOID outage_not_proven: nobody watched the broker for {:.1} s of the outage, more than the \
                 {} s allowed; the host was too busy or asleep: run the test again",
                longest.as_secs_f64(),
                LONGEST_GAP.as_secs()
            );
        }
        Ok((now - begin >= length).then_some(()))
    })?;
    held.watched_seconds = seconds(last - begin);
    held.longest_gap_seconds = seconds(longest);
    Ok(held)
}

fn interrupted(broker: &Broker, after: Duration) -> String {
    let who = match broker.endpoint.listener() {
        Ok(Some(l)) => format!(
            "process {} of {} listens there",
            l.pid,
            l.unit.as_deref().unwrap_or("no unit")
        ),
        _ => "it is gone again".to_owned(),
    };
    format!(
        "VOID outage_interrupted: the broker at {} was back {:.1} s into the outage ({who}); find what \
         started it (a package manager, puppet, a watchdog, the undo) and run the test again",
        broker.endpoint,
        after.as_secs_f64()
    )
}

/// Starts the broker's unit, if the broker does not answer, and waits until it does. Returns how
/// long that took; nothing when it answered already.
///
/// # Errors
/// The unit fails, or the broker does not answer by the deadline.
pub(crate) fn heal(broker: &Broker, unit: &str, deadline: Deadline) -> Result<Option<Duration>> {
    if let Answer::Answers(_) = broker.ask() {
        return Ok(None);
    }
    let begin = Instant::now();
    // A unit that is not failed has nothing to reset; some versions of systemd call that an error.
    let _ = systemd::apply(Verb::ResetFailed, &[unit.to_owned()], deadline.remaining());
    systemd::begin(Verb::Start, unit)?;
    let mut unit_asked = begin;
    let what = format!(
        "the broker at {} ({unit}) to answer its protocol",
        broker.endpoint
    );
    until(&what, deadline, UP_PACE, || {
        if let Answer::Answers(_) = broker.ask() {
            return Ok(Some(()));
        }
        if unit_asked.elapsed() >= UNIT_INTERVAL {
            unit_asked = Instant::now();
            refuse_failed(unit)?;
        }
        Ok(None)
    })
    .map_err(|e| e.context(format!("last answer: {}", broker.ask())))?;
    Ok(Some(begin.elapsed()))
}

fn refuse_failed(unit: &str) -> Result<()> {
    let seen = systemd::observe(&[unit.to_owned()])?;
    if let Some(failed) = seen.iter().find(|u| u.active_state == "failed") {
        bail!(
            "failed to start `{unit}`: its main process {}; see `journalctl -u {unit}`",
            failed.last_exit
        );
    }
    Ok(())
}

/// Seconds for people: to the millisecond.
fn seconds(length: Duration) -> f64 {
    (length.as_secs_f64() * 1000.0).round() / 1000.0
}
