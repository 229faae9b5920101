//! `pulp_health`: Pulp does its job end to end, and nothing of ours is left behind.
//!
//! It walks the list of steps in `pulp::steps`: the first step that fails ends the proof, and the
//! steps that clean up are taken whatever happened. It reports no change, because all that it
//! makes it deletes again; where that fails it says so and names what is left. The states `idle`
//! and `ready` only ask; `recovered` is three of the others in one call.

mod aged;
mod clean;
mod failure;
mod idle;
mod names;
mod params;
mod prove;
mod ready;
mod recovered;
mod settled;
mod tasked;
mod tell;
mod working;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::ansible::{Call, Module, Outcome};
use crate::feed::Feed;
use crate::host::wait::{Deadline, Pace};
use crate::names::{Failure, Generation, own_name};
use crate::pulp::others::{is_of_others, listed, named, task};
use crate::pulp::repodata::Listed;
use crate::pulp::steps::{self, Step, StepKind};
use crate::pulp::{self, Pulp, Task};
use names::{RESOURCE_MANAGER, SCHEDULER, WORKER, absent, host, is_alive, unit};
use params::{HealthState, Params, feed_port, refuse_missing, seconds, seconds_or_none};
use ready::Heartbeats;

/// The module, as the binary lists it.
pub(crate) const MODULE: Module = Module {
    name: "pulp_health",
    spec: &params::SPEC,
    work,
};

/// The most that a clean-up after a failure may take, and is kept for it out of `timeout`.
const CLEAN_UP: Duration = Duration::from_mins(1);

/// How often a Pulp that is not as it should be is asked again.
const PACE: Pace = Pace {
    first: Duration::from_millis(100),
    last: Duration::from_secs(1),
};

/// What the call asks for, checked.
struct Request {
    /// The user's own feed.
    feed: Option<String>,
    feed_host: String,
    feed_port: u16,
    timeout: Duration,
    ready_timeout: Duration,
    require_idle: bool,
}

impl Request {
    fn plan(&self) -> impl Iterator<Item = &'static Step> + use<> {
        steps::plan(self.require_idle, self.feed.is_none())
    }
}

/// A step that was taken.
struct Taken {
    step: &'static Step,
    took: Duration,
    detail: Map<String, Value>,
    error: Option<anyhow::Error>,
}

/// Something of ours that is still there.
struct Leftover {
    generation: Generation,
    kind: &'static str,
    id: String,
    cause: String,
}

/// The package that Pulp published.
struct Published {
    listed: Listed,
    url: String,
    bytes: Vec<u8>,
}

/// What the check has made and learned so far.
struct Check {
    request: Request,
    /// Nobody else's names end so.
    nonce: String,
    /// The id of the repository, and the name of the package in it.
    name: String,
    pulp: Pulp,
    feed: Option<Feed>,
    version: Option<String>,
    /// Tasks of others that kept us from starting.
    busy: Vec<Task>,
    /// The repository is ours, and exists or may exist.
    created: bool,
    /// The packages that Pulp says the repository holds.
    packages: u64,
    published: Option<Published>,
    /// Files and bytes of metadata that only Pulp 3's own clean-up removes.
    remains: Option<(u64, u64)>,
    /// With a feed of the user's: units without a repository, before and after.
    orphans_before: Option<u64>,
    orphans_left: Option<u64>,
    leftovers: Vec<Leftover>,
    taken: Vec<Taken>,
}

fn work(call: &Call) -> Result<Outcome> {
    let params = Params::of(call)?;
    match params.state {
        HealthState::Healthy => healthy(call, &params),
        HealthState::Idle => idle::run(call, &params),
        HealthState::Ready => ready::run(call, &params),
        HealthState::Working => {
            let timeout = seconds("timeout", params.timeout)?;
            working::run(call, &params, timeout, None)
        }
        HealthState::Recovered => recovered::run(call, &params),
    }
}

fn healthy(call: &Call, params: &Params) -> Result<Outcome> {
    refuse_missing(params, "healthy")?;
    let timeout = seconds("timeout", params.timeout)?;
    if call.check_mode {
        return Ok(tell::plan(&request(params, timeout)?, &params.door()?.base));
    }
    check(params, timeout)
}

/// The check itself, within `timeout`.
fn check(params: &Params, timeout: Duration) -> Result<Outcome> {
    let request = request(params, timeout)?;
    let (door, site) = (params.door()?, params.access.site()?);
    let nonce = nonce()?;
    let name = own_name(&nonce);
    let mut check = Check {
        request,
        pulp: Pulp::new(door.marked(&name), site),
        name,
        nonce,
        feed: None,
        version: None,
        busy: Vec::new(),
        created: false,
        packages: 0,
        published: None,
        remains: None,
        orphans_before: None,
        orphans_left: None,
        leftovers: Vec::new(),
        taken: Vec::new(),
    };
    check.run();
    Ok(tell::outcome(&check))
}

/// What can be refused before anything is sent.
fn request(params: &Params, timeout: Duration) -> Result<Request> {
    if let Some(url) = &params.feed {
        pulp::check_feed_url(url)?;
    }
    Ok(Request {
        feed: params.feed.clone(),
        feed_host: params.feed_host.clone(),
        feed_port: feed_port(params)?,
        timeout,
        ready_timeout: seconds_or_none("ready_timeout", params.ready_timeout)?,
        require_idle: params.require_idle,
    })
}

impl Check {
    /// Takes the steps: those that prove until one fails, then those that clean up.
    fn run(&mut self) {
        let whole = Deadline::after(self.request.timeout);
        let kept = CLEAN_UP.min(self.request.timeout / 4);
        let proof = whole.at_most(self.request.timeout.saturating_sub(kept));
        let steps = self.request.plan().filter(|step| !step.cleans_up);
        let mut steps: VecDeque<_> = steps.collect();
        while let Some(mut step) = steps.pop_front() {
            // Pulp 3 distributes what is published.
            if step.kind == StepKind::Distributor && self.pulp.is_three() {
                step = match steps.pop_front() {
                    Some(publish) if publish.kind == StepKind::Publish => {
                        steps.push_front(step);
                        publish
                    }
                    Some(next) => {
                        steps.push_front(next);
                        step
                    }
                    None => step,
                };
            }
            if !self.take(step, |check| prove::step(check, step.kind, proof)) {
                break;
            }
        }
        let left = whole.remaining().max(kept);
        let clean_up = Deadline::for_cleanup(if self.has_failed() {
            left.min(CLEAN_UP)
        } else {
            left
        });
        for step in self.request.plan().filter(|step| step.cleans_up) {
            if clean::is_needed(self, step.kind) {
                self.take(step, |check| clean::step(check, step.kind, clean_up));
            }
        }
    }

    fn take(
        &mut self,
        step: &'static Step,
        act: impl FnOnce(&mut Self) -> Result<Map<String, Value>>,
    ) -> bool {
        let begun = Instant::now();
        let (detail, error) = match act(self) {
            Ok(detail) => (detail, None),
            Err(error) => (Map::new(), Some(error)),
        };
        let ok = error.is_none();
        self.taken.push(Taken {
            step,
            took: begun.elapsed(),
            detail,
            error,
        });
        ok
    }

    fn has_failed(&self) -> bool {
        self.taken.iter().any(|taken| taken.error.is_some())
    }
}

/// Something of ours could not be deleted.
fn leave(
    leftovers: &mut Vec<Leftover>,
    generation: Generation,
    kind: &'static str,
    id: &str,
    cause: &anyhow::Error,
) {
    leftovers.push(Leftover {
        generation,
        kind,
        id: id.to_owned(),
        cause: format!("{cause:#}"),
    });
}

/// What is left behind, in the reply.
fn leftovers(left: &[Leftover]) -> Vec<Value> {
    left.iter()
        .map(|left| {
            json!({
                "kind": left.kind,
                "id": left.id,
                "cause": left.cause,
                "remedy": left.generation.deletion(left.kind, &left.id),
            })
        })
        .collect()
}

/// The same, at the end of a message.
fn left_behind(left: &[Leftover]) -> String {
    let mut text = String::new();
    for left in left {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "; LEFTOVERS: {} `{}` is left behind ({}), {}",
            left.kind,
            left.id,
            left.cause,
            left.generation.deletion(left.kind, &left.id)
        );
    }
    text
}

/// Seconds in the reply, rounded to microseconds; more would be noise.
fn rounded(duration: Duration) -> Value {
    json!((duration.as_secs_f64() * 1e6).round() / 1e6)
}

fn instant(time: SystemTime) -> String {
    humantime::format_rfc3339_nanos(time).to_string()
}

/// Sixteen hexadecimal digits that nobody had before.
fn nonce() -> Result<String> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("failed to read `/dev/urandom`")?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// A step's detail.
fn detail<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
