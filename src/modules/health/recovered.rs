//! `state: recovered`: after an outage Pulp works, all of it. Each worker and the scheduler work (`working`),
//! Pulp does its job end to end (`healthy`), and it has heard of everybody since the call began (`ready`). One
//! call, because none waits for another without need: the check begins when each worker has worked and each
//! connection has stood, while the scheduler's turn comes and all is deleted; heartbeats come meanwhile.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};

use super::{Heartbeats, Params, check, healthy, refuse_missing, rounded, seconds, working};
use crate::ansible::{Call, Outcome};
use crate::host::wait::Deadline;
use crate::modules::watch::{self, Until};
use crate::names::VerdictError;
use crate::names::verdict::Name;
use crate::pulp::Pulp;

/// How long Pulp may take to say when it last heard of everybody, each time that it is asked; where it does
/// not say so, the wait for the heartbeats begins with the last part.
const FIRST_LOOK: Duration = Duration::from_secs(5);

pub(super) fn run(call: &Call, params: &Params) -> Result<Outcome> {
    refuse_missing(params, "recovered")?;
    let whole = seconds("timeout", params.timeout)?;
    let ready = seconds("ready_timeout", params.ready_timeout)?;
    let recovery = params
        .recovery_timeout
        .map(|s| seconds("recovery_timeout", s));
    let stands = recovery.transpose()?.map(Deadline::after);
    let mut pulp = Pulp::new(params.door()?, params.access.site()?);
    let mut heartbeats = Heartbeats::of(params.expected.as_deref());
    if call.check_mode {
        let works = working::run(call, params, whole / 2, None)?;
        return Ok(planned(&works, healthy(call, params)?));
    }
    heartbeats.begin(&mut pulp, FIRST_LOOK.min(whole));
    if let Some(deadline) = stands {
        recover(Until::Connected, deadline)?;
        // A web server that waits for the broker, too, may not have answered before.
        heartbeats.begin(&mut pulp, FIRST_LOOK.min(whole));
    }
    let begun = Instant::now();
    // Half of the time is kept for what follows.
    let half = left(whole / 2, begun);
    let (works, checked) = side_by_side(call, params, half, stands, || left(whole, begun));
    let works = works?;
    let checked = match (checked, stands) {
        // A worker that has lost its connection again cannot work.
        (Ok(None), Some(deadline)) => recover(Until::Recovered, deadline).map(|()| None),
        (checked, _) => checked,
    };
    let checked = match checked {
        Ok(checked) => checked,
        Err(cause) => {
            let known = parts([("working", Some(works))]);
            let outcome = failed(Some(format!("{cause:#}")), known);
            return Ok(outcome.with("failures", json!(VerdictError::failures(&cause))));
        }
    };
    let (healthy, failure) = judged(&works, checked.as_ref());
    let failures = works.data.get("failures").cloned();
    let known = parts([("working", Some(works)), ("health", checked)]);
    if failure.is_some() {
        return Ok(failed(failure, known).with("failures", failures));
    }
    let waited = Instant::now();
    Ok(match heartbeats.wait(&mut pulp, ready) {
        Ok(heard) => Outcome {
            msg: healthy,
            data: known,
            ..Outcome::default()
        }
        .with("workers", heard.data.get("workers").cloned())
        .with("recoveries", stands.and_then(|_| watch::recoveries()))
        .with("heard_seconds", rounded(waited.elapsed())),
        Err(cause) => {
            let outcome = failed(Some(format!("{cause:#}")), known);
            outcome.with("failures", json!(VerdictError::failures(&cause)))
        }
    })
}

/// What the health check says, and why Pulp does not work, if it does not.
fn judged(works: &Outcome, check: Option<&Outcome>) -> (Option<String>, Option<String>) {
    let says = check.and_then(|check| check.msg.clone());
    let failure = if works.failed {
        works.msg.clone()
    } else if check.is_none_or(|check| check.failed) {
        let says = says.as_deref().unwrap_or_default();
        Some(VerdictError::new(Name::HealthFailed, says).to_string())
    } else {
        None
    };
    (says, failure)
}

/// What became of the workers and the scheduler, and of the health check, which is none where a worker does
/// not work.
fn side_by_side(
    call: &Call,
    params: &Params,
    timeout: Duration,
    stands: Option<Deadline>,
    left: impl Fn() -> Duration + Send,
) -> (Result<Outcome>, Result<Option<Outcome>>) {
    if params.feed.is_none() && params.feed_port != 0 {
        return one_by_one(call, params, timeout, stands, left);
    }
    thread::scope(|scope| {
        let (waits, proven) = channel();
        let checks = scope.spawn(move || check_then(params, &proven, stands, left));
        let works = working::run(call, params, timeout, Some(waits));
        let checked = checks.join();
        let lost = || anyhow!("failed to wait for the health check: its thread ended early");
        (works, checked.unwrap_or_else(|_| Err(lost())))
    })
}

/// The same where only one of both can have the port that the user has opened for the feed.
fn one_by_one(
    call: &Call,
    params: &Params,
    timeout: Duration,
    stands: Option<Deadline>,
    left: impl Fn() -> Duration,
) -> (Result<Outcome>, Result<Option<Outcome>>) {
    let works = working::run(call, params, timeout, None);
    let checked = match &works {
        Ok(works) if !works.failed => stands
            .map_or(Ok(()), |deadline| recover(Until::Recovered, deadline))
            .and_then(|()| check(params, left()).map(Some)),
        _ => Ok(None),
    };
    (works, checked)
}

/// The health check, once each worker has worked and each connection has stood.
fn check_then(
    params: &Params,
    proven: &Receiver<()>,
    stands: Option<Deadline>,
    left: impl Fn() -> Duration,
) -> Result<Option<Outcome>> {
    // A task of which a new connection is lost may run twice, and the check holds that against Pulp.
    if proven.recv().is_err() {
        return Ok(None);
    }
    stands.map_or(Ok(()), |deadline| recover(Until::Recovered, deadline))?;
    check(params, left()).map(Some)
}

/// Waits until the observer of this host has seen that of each service.
fn recover(until: Until, deadline: Deadline) -> Result<()> {
    watch::wait_recovered(&BTreeMap::new(), until, deadline)
}

/// Whole seconds; a part that has less than one gets that.
fn left(whole: Duration, begun: Instant) -> Duration {
    let left = whole.saturating_sub(begun.elapsed()).as_secs().max(1);
    Duration::from_secs(left)
}

fn planned(works: &Outcome, healthy: Outcome) -> Outcome {
    let told = [works, &healthy].map(|part| part.msg.clone().unwrap_or_default());
    Outcome {
        msg: Some(told.join("; then ")),
        data: healthy.data,
        ..Outcome::default()
    }
}

fn failed(msg: Option<String>, data: Map<String, Value>) -> Outcome {
    let is_left = |part: &Value| part["changed"] == true;
    Outcome {
        changed: data.values().any(is_left),
        failed: true,
        msg,
        data,
        ..Outcome::default()
    }
}

/// What each part that was reached would have replied by itself.
fn parts<const N: usize>(parts: [(&str, Option<Outcome>); N]) -> Map<String, Value> {
    let told = |(name, part): (&str, Option<Outcome>)| {
        let part = part?;
        let mut reply = part.data;
        reply.insert("changed".to_owned(), part.changed.into());
        reply.insert("failed".to_owned(), part.failed.into());
        reply.insert("msg".to_owned(), part.msg.into());
        Some((name.to_owned(), Value::Object(reply)))
    };
    parts.into_iter().filter_map(told).collect()
}
