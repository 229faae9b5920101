//! `pulp_health`: Pulp does its job end to end, and nothing of ours is left behind.
//!
//! It walks the list of steps in `pulp::steps`: the first step that fails ends the proof, and the
//! steps that clean up are taken whatever happened. It reports no change, because all that it
//! makes it deletes again; where that fails it says so and names what is left.

mod clean;
mod prove;
mod tell;

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ansible::spec::{Default as Preset, Kind as Type, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::feed::Feed;
use crate::host::wait::Deadline;
use crate::pulp::repodata::Listed;
use crate::pulp::steps::{self, Step};
use crate::pulp::v2::{Pulp2, Task};
use crate::pulp::{self, Access, Door};

/// The module, as the binary lists it.
pub(crate) const MODULE: Module = Module {
    name: "pulp_health",
    spec: SPEC,
    work,
};

const SPEC: &[Opt] = &[
    Opt::new("pulp_url", Type::Str).required(),
    Opt::new("username", Type::Str).required(),
    Opt::new("password", Type::Str).required().secret(),
    Opt::new("validate_certs", Type::Bool).default(Preset::Bool(true)),
    Opt::new("ca_path", Type::Path),
    Opt::new("feed", Type::Str),
    Opt::new("feed_host", Type::Str).default(Preset::Str("127.0.0.1")),
    Opt::new("feed_port", Type::Int).default(Preset::Int(0)),
    Opt::new("timeout", Type::Int).default(Preset::Int(300)),
    Opt::new("request_timeout", Type::Int).default(Preset::Int(10)),
    Opt::new("ready_timeout", Type::Int).default(Preset::Int(0)),
    Opt::new("require_idle", Type::Bool).default(Preset::Bool(false)),
];

/// The most that a clean-up after a failure may take, and is kept for it out of `timeout`.
const CLEAN_UP: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct Params {
    pulp_url: String,
    username: String,
    password: String,
    validate_certs: bool,
    ca_path: Option<PathBuf>,
    feed: Option<String>,
    feed_host: String,
    feed_port: i64,
    timeout: i64,
    request_timeout: i64,
    ready_timeout: i64,
    require_idle: bool,
}

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
    pulp: Pulp2,
    feed: Option<Feed>,
    version: Option<String>,
    /// Tasks of others that kept us from starting.
    busy: Vec<Task>,
    /// The repository is ours, and exists or may exist.
    created: bool,
    /// The packages that Pulp says the repository holds.
    packages: u64,
    published: Option<Published>,
    /// With a feed of the user's: units without a repository, before and after.
    orphans_before: Option<u64>,
    orphans_left: Option<u64>,
    leftovers: Vec<Leftover>,
    taken: Vec<Taken>,
}

fn work(call: &Call) -> Result<Outcome> {
    let params: Params = serde_json::from_value(Value::Object(call.params.clone()))
        .context("failed to read the options")?;
    let (request, door) = check(&params)?;
    if call.check_mode {
        return Ok(tell::plan(&request, &door.base));
    }
    let nonce = nonce()?;
    let mut check = Check {
        request,
        name: format!("pulp-broker-test-{nonce}"),
        nonce,
        pulp: Pulp2::new(door),
        feed: None,
        version: None,
        busy: Vec::new(),
        created: false,
        packages: 0,
        published: None,
        orphans_before: None,
        orphans_left: None,
        leftovers: Vec::new(),
        taken: Vec::new(),
    };
    check.run();
    Ok(tell::outcome(&check))
}

/// Everything that can be refused before anything is sent.
fn check(params: &Params) -> Result<(Request, Door)> {
    let seconds = |name: &str, value: i64| match u64::try_from(value) {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => bail!("failed to use {name} `{value}`: it is a number of seconds from 1 up"),
    };
    let Ok(feed_port) = u16::try_from(params.feed_port) else {
        bail!(
            "failed to use feed_port `{}`: it is a port from 1 to 65535, or 0 for any",
            params.feed_port
        );
    };
    if let Some(url) = &params.feed {
        pulp::check_feed_url(url)?;
    }
    let door = Door::new(&Access {
        url: &params.pulp_url,
        username: &params.username,
        password: &params.password,
        validate_certs: params.validate_certs,
        ca_path: params.ca_path.as_deref(),
        request_timeout: seconds("request_timeout", params.request_timeout)?,
    })?;
    let request = Request {
        feed: params.feed.clone(),
        feed_host: params.feed_host.clone(),
        feed_port,
        timeout: seconds("timeout", params.timeout)?,
        ready_timeout: match params.ready_timeout {
            0 => Duration::ZERO,
            value => seconds("ready_timeout", value)?,
        },
        require_idle: params.require_idle,
    };
    Ok((request, door))
}

impl Check {
    /// Takes the steps: those that prove until one fails, then those that clean up.
    fn run(&mut self) {
        let whole = Deadline::after(self.request.timeout);
        let kept = CLEAN_UP.min(self.request.timeout / 4);
        let proof = whole.at_most(self.request.timeout.saturating_sub(kept));
        for step in self.request.plan().filter(|step| !step.cleans_up) {
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
