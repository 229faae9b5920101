//! Pulp's consumers, each worker and the resource manager: whether they have met an absent broker, by
//! their own words in the log; and whether they have come back: each holds an established
//! connection, and still the same one 5 s later (RabbitMQ costs one or two further losses right after
//! the first reconnect).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::Broker;
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::host::{processes, sockets};
use crate::names::verdict::Name;
use crate::names::{self, Generation, VerdictError};
use crate::service::{self, LogLine, Unit};
use crate::timeline::celery;

/// How long a connection must stand to count.
const STANDING: Duration = Duration::from_secs(5);

/// How often the service manager is asked; in between, the main processes it named are looked for.
const UNITS_INTERVAL: Duration = Duration::from_secs(1);

/// How often processes and sockets are looked at.
const PACE: Pace = Pace {
    first: Duration::from_millis(50),
    last: Duration::from_millis(250),
};

/// How often the log is read.
const LOG_PACE: Pace = Pace {
    first: Duration::from_millis(250),
    last: Duration::from_secs(1),
};

/// Which services, and connected to what.
#[derive(Debug)]
pub(crate) struct Expectation<'a> {
    pub(crate) names: &'a [String],
    /// The main process that a service had before the outage: it is to have it still.
    pub(crate) main_pids: &'a BTreeMap<String, u32>,
    pub(crate) broker: &'a Broker,
}

/// One consumer that is connected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ConnectedUnit {
    pub(crate) name: String,
    pub(crate) main_pid: u32,
    /// Seconds from the call until the connection that then stood was first seen.
    pub(crate) connected_after_seconds: f64,
}

/// Waits until every service runs and every consumer is connected.
///
/// # Errors
/// `FAILED service_exited` as soon as a service's main process is gone, `FAILED not_recovered` when
/// the deadline finds a consumer without a standing connection; both name it.
pub(crate) fn wait_connected(
    expected: &Expectation<'_>,
    deadline: Deadline,
) -> Result<Vec<ConnectedUnit>> {
    let begin = Instant::now();
    let mut ages = Ages::default();
    let mut seen = service::observe(expected.names)?;
    let mut seen_at = begin;
    refuse_exited(&seen, expected.main_pids)?;
    let what = format!(
        "a standing connection to the broker at {}",
        expected.broker.endpoint
    );
    let reached = until(&what, deadline, PACE, || {
        if seen_at.elapsed() >= UNITS_INTERVAL || seen.iter().any(has_gone) {
            seen = service::observe(expected.names)?;
            seen_at = Instant::now();
            refuse_exited(&seen, expected.main_pids)?;
        }
        ages.look(&seen, expected.broker, Instant::now())?;
        let connected = ages.actors(&seen, begin);
        let consumers = seen.iter().filter(|u| uses(u, expected.broker)).count();
        Ok((connected.len() == consumers).then_some(connected))
    });
    reached.map_err(|error| {
        if error.is::<TimedOut>() {
            error.context(not_recovered(&ages, &seen, expected.broker, begin))
        } else {
            error
        }
    })
}

/// Waits until every consumer has said, since it was started, that it could not reach the broker, or shows it: it asks for a
/// connection and is not answered. One of Pulp 3 may exit instead. Returns their names.
///
/// # Errors
/// `FAILED service_exited` as soon as a service's main process is gone; at the deadline `VOID
/// not_exercised`, with the consumers that said nothing.
pub(crate) fn wait_met(
    names: &[String],
    main_pids: &BTreeMap<String, u32>,
    broker: Option<&Broker>,
    deadline: Deadline,
) -> Result<Vec<String>> {
    let mut shown = BTreeSet::new();
    let mut silent = Vec::new();
    let reached = until(
        "every consumer to meet the absent broker",
        deadline,
        LOG_PACE,
        || {
            let seen = service::observe(names)?;
            refuse_exited(&seen, main_pids)?;
            let consumers: Vec<&Unit> = seen
                .iter()
                .filter(|u| broker.map_or(u.consumes(), |broker| uses(u, broker)))
                .collect();
            shown.extend(shows_met(&consumers, main_pids, broker)?);
            let mut met = said_met(&consumers)?;
            met.extend(shown.iter().cloned());
            silent = consumers
                .iter()
                .filter(|u| !met.contains(&u.name))
                .map(|u| u.name.clone())
                .collect();
            Ok(silent.is_empty().then(|| met.into_iter().collect()))
        },
    );
    reached.map_err(|error| {
        if !error.is::<TimedOut>() {
            return error;
        }
        let message = format!(
            "{}: expected the log to say that the broker could not be reached, but saw \
             nothing of it; see {}",
            silent.join(", "),
            service::log_of(silent.first().map_or("", String::as_str))
        );
        let actors = silent.iter().map(|unit| {
            let text = format!("the log of {unit} does not show that it met the absent broker");
            (names::Actor::of_unit(unit), text)
        });
        error.context(VerdictError::of(Name::NotExercised, message, actors))
    })
}

/// It is to hold a standing connection to it.
fn uses(unit: &Unit, broker: &Broker) -> bool {
    unit.consumes() && !broker.caches_only
}

/// The consumers that show it without a word: whose tries nobody answers (kombu's Qpid transport logs nothing for 130 s). Of Pulp 3
/// also those that have exited, or hold a connection to a broker that is away.
fn shows_met(
    consumers: &[&Unit],
    before: &BTreeMap<String, u32>,
    broker: Option<&Broker>,
) -> Result<BTreeSet<String>> {
    let of_3 = |u: &Unit| Generation::of_unit(&u.name) == Some(Generation::Three);
    let pids: Vec<u32> = consumers.iter().map(|u| u.main_pid).collect();
    let (waiting, unanswered) = match broker {
        Some(broker) if !pids.is_empty() => (
            sockets::reaching(&pids, broker.addresses())?,
            sockets::unanswered(&pids, broker.addresses())?,
        ),
        _ => Default::default(),
    };
    let has_exited = |u: &Unit| before.get(&u.name).is_some_and(|pid| *pid != u.main_pid);
    let shows = |u: &Unit| {
        unanswered.contains(&u.main_pid)
            || of_3(u) && (has_exited(u) || waiting.contains(&u.main_pid))
    };
    Ok(consumers
        .iter()
        .filter(|u| shows(u))
        .map(|u| u.name.clone())
        .collect())
}

/// The consumers that have said so since they were started.
fn said_met(consumers: &[&Unit]) -> Result<BTreeSet<String>> {
    let lines = service::newest(consumers)?;
    Ok(consumers
        .iter()
        .filter(|unit| lines.iter().any(|line| tells_of_outage(unit, line)))
        .map(|unit| unit.name.clone())
        .collect())
}

fn tells_of_outage(unit: &Unit, line: &LogLine) -> bool {
    line.unit == unit.name
        && line.at_us >= unit.active_since_us
        && celery::tells_of_outage(&line.message)
}

/// The main process that was named is there no more.
fn has_gone(unit: &Unit) -> bool {
    unit.main_pid != 0 && !processes::runs(unit.main_pid)
}

/// A service without main process is no service, whatever its unit says, and one with another main
/// process than before has exited and was started again.
fn refuse_exited(units: &[Unit], before: &BTreeMap<String, u32>) -> Result<()> {
    let exited: Vec<(&str, String)> = units
        .iter()
        .filter(|u| !u.umbrella)
        .filter_map(|u| Some((u.name.as_str(), exit_of(u, before.get(&u.name).copied())?)))
        .collect();
    let Some((first, _)) = exited.first() else {
        return Ok(());
    };
    let named: Vec<String> = exited
        .iter()
        .map(|(name, how)| format!("{name} {how}"))
        .collect();
    let message = format!(
        "{}; a service of Pulp must not exit because its broker is away, it must \
         wait and retry; see {}",
        named.join("; "),
        service::log_of(first)
    );
    let actors = exited
        .iter()
        .map(|(name, _)| names::Actor::of_unit(name))
        .zip(named);
    Err(VerdictError::of(Name::ServiceExited, message, actors).into())
}

/// How a service exited, if it did. One that its supervisor is about to start is given the time, unless
/// it is known that it ran.
fn exit_of(unit: &Unit, before: Option<u32>) -> Option<String> {
    let how = || match unit.last_exit.as_str() {
        "" => "does not run".to_owned(),
        how => how.to_owned(),
    };
    if Generation::may_exit(&unit.name) {
        let told = || {
            format!(
                "{} and is not started again (Restart={})",
                how(),
                unit.restart
            )
        };
        return unit.is_down().then(told);
    }
    match before {
        Some(pid) if unit.running && unit.main_pid != pid => Some(format!(
            "exited and was started again (its main process was {pid} and is {})",
            unit.main_pid
        )),
        Some(_) if !unit.running => Some(how()),
        None if !unit.running && unit.active_state != "activating" => Some(how()),
        _ => None,
    }
}

fn not_recovered(ages: &Ages, units: &[Unit], broker: &Broker, begin: Instant) -> VerdictError {
    let connected: Vec<String> = ages
        .actors(units, begin)
        .into_iter()
        .map(|a| a.name)
        .collect();
    let late: Vec<&Unit> = units
        .iter()
        .filter(|u| u.consumes() && !connected.contains(&u.name))
        .collect();
    let named: Vec<String> = late
        .iter()
        .map(|u| format!("{} (main process {})", u.name, u.main_pid))
        .collect();
    let message = format!(
        "{}: expected a standing connection to the broker at {}, which is back, but \
         saw none in {} s, although the main process runs; see {}",
        named.join(", "),
        broker.endpoint,
        begin.elapsed().as_secs(),
        service::log_of(late.first().map_or("", |u| u.name.as_str()))
    );
    let actors = late.iter().map(|u| names::Actor::of_unit(&u.name));
    VerdictError::of(Name::NotRecovered, message, actors.zip(named))
}

/// Since when each connection of each process has been seen without a break.
#[derive(Debug, Default)]
struct Ages(BTreeMap<(u32, u64), (Instant, Instant)>);

impl Ages {
    fn look(&mut self, units: &[Unit], broker: &Broker, now: Instant) -> Result<()> {
        let pids: Vec<u32> = units
            .iter()
            .filter(|u| u.consumes() && u.running)
            .map(|u| u.main_pid)
            .collect();
        for (pid, inodes) in sockets::connections(&pids, broker.addresses())? {
            for inode in inodes {
                self.note(pid, inode, now);
            }
        }
        self.0.retain(|_, (_, last)| *last == now);
        Ok(())
    }

    fn note(&mut self, pid: u32, inode: u64, now: Instant) {
        self.0.entry((pid, inode)).or_insert((now, now)).1 = now;
    }

    /// The consumers with a connection that has stood long enough.
    fn actors(&self, units: &[Unit], begin: Instant) -> Vec<ConnectedUnit> {
        units
            .iter()
            .filter(|u| u.consumes())
            .filter_map(|unit| {
                let first = self.standing_since(unit.main_pid)?;
                let after = first.saturating_duration_since(begin).as_secs_f64();
                Some(ConnectedUnit {
                    name: unit.name.clone(),
                    main_pid: unit.main_pid,
                    connected_after_seconds: (after * 1000.0).round() / 1000.0,
                })
            })
            .collect()
    }

    fn standing_since(&self, pid: u32) -> Option<Instant> {
        self.0
            .iter()
            .filter(|((owner, _), (first, last))| *owner == pid && *last - *first >= STANDING)
            .map(|(_, (first, _))| *first)
            .min()
    }
}

#[cfg(test)]
mod tests;
