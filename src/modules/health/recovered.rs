//! `state: recovered`: after an outage Pulp works, all of it. Each worker and the scheduler work (`working`),
//! Pulp does its job end to end (`healthy`), and it has heard of everybody since the call began (`ready`). One
//! call, because the heartbeats that the last part waits for come while the others work. The first part
//! that fails is the last.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, Value};

use super::{Heartbeats, Params, healthy, refuse_missing, rounded, seconds, working};
use crate::ansible::{Call, Outcome};
use crate::host::wait::Deadline;
use crate::pulp::Pulp;

/// How long Pulp may take to say when it last heard of everybody; where it does not say so, the wait for the
/// heartbeats begins with the last part.
const FIRST_LOOK: Duration = Duration::from_secs(5);

pub(super) fn run(call: &Call, mut params: Params) -> Result<Outcome> {
    refuse_missing(&params, "recovered")?;
    let begun = Instant::now();
    let whole = seconds("timeout", params.timeout)?;
    let ready = seconds("ready_timeout", params.ready_timeout)?;
    let expected = params.expected.clone();
    let mut pulp = Pulp::new(params.door()?, params.access.site()?);
    let mut heartbeats = Heartbeats::of(expected.as_deref());
    if !call.check_mode
        && let Ok(status) = pulp.status(Deadline::after(FIRST_LOOK.min(whole)))
    {
        heartbeats.look(status);
    }
    // Half of the time is kept for what follows.
    params.timeout = left(whole / 2, begun);
    let works = working::run(call, &params)?;
    if works.failed {
        let msg = works.msg.clone();
        return Ok(failed(msg, parts([("working", works)])));
    }
    params.timeout = left(whole, begun);
    let healthy = healthy(call, &params)?;
    if healthy.failed {
        let msg = healthy.msg.as_deref().unwrap_or_default();
        let msg = Some(format!("FAILED health_failed: {msg}"));
        return Ok(failed(
            msg,
            parts([("working", works), ("health", healthy)]),
        ));
    }
    if call.check_mode {
        return Ok(planned(&works, healthy));
    }
    let waited = Instant::now();
    let heard = heartbeats.wait(&mut pulp, ready);
    let msg = healthy.msg.clone();
    let known = parts([("working", works), ("health", healthy)]);
    Ok(match heard {
        Ok(heard) => Outcome {
            msg,
            data: known,
            ..Outcome::default()
        }
        .with("workers", heard.data.get("workers").cloned())
        .with("heard_seconds", rounded(waited.elapsed())),
        Err(cause) => failed(Some(format!("{cause:#}")), known),
    })
}

/// Whole seconds; a part that has less than one gets that.
fn left(whole: Duration, begun: Instant) -> i64 {
    let left = whole.saturating_sub(begun.elapsed()).as_secs().max(1);
    i64::try_from(left).unwrap_or(i64::MAX)
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

/// What each part would have replied by itself.
fn parts<const N: usize>(parts: [(&str, Outcome); N]) -> Map<String, Value> {
    let told = |(name, part): (&str, Outcome)| {
        let mut reply = part.data;
        reply.insert("changed".to_owned(), part.changed.into());
        reply.insert("failed".to_owned(), part.failed.into());
        reply.insert("msg".to_owned(), part.msg.into());
        (name.to_owned(), Value::Object(reply))
    };
    parts.into_iter().map(told).collect()
}
