//! What `pulp_health` may be asked, and what can be refused before anything is sent.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::settled::Service;
use crate::ansible::Call;
use crate::ansible::spec::{Default as Preset, Kind as Type, Opt};
use crate::modules::{RUN_ID, typed};
use crate::names::option;
pub(super) use crate::pulp::options::seconds;
use crate::pulp::options::{ACCEPT_TASK_LOSS, PULP_URL, with_options};
use crate::pulp::{Door, Options};
use crate::timeline::Retry;

pub(super) const SPEC: [Opt; 29] = with_options(&[
    PULP_URL.required(),
    Opt::new("state", Type::Str)
        .default(Preset::Str("healthy"))
        .choices(&["healthy", "idle", "ready", "working", "recovered"]),
    Opt::new("feed", Type::Str),
    Opt::new("feed_host", Type::Str).default(Preset::Str("127.0.0.1")),
    Opt::new("feed_port", Type::Int).default(Preset::Int(0)),
    Opt::new("timeout", Type::Int).default(Preset::Int(300)),
    Opt::new("ready_timeout", Type::Int).default(Preset::Int(0)),
    Opt::new("require_idle", Type::Bool).default(Preset::Bool(false)),
    Opt::new("drain", Type::Int).default(Preset::Int(0)),
    ACCEPT_TASK_LOSS,
    Opt::list_of("expected", Type::Str),
    Opt::new("hold", Type::Int),
    Opt::new("broker_start", Type::Float),
    Opt::new("worker_timeout", Type::Int),
    Opt::new("retry", Type::Dict),
    Opt::new("recovery_timeout", Type::Int),
    Opt::list_of("actors", Type::Dict),
    RUN_ID,
]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum HealthState {
    Healthy,
    Idle,
    Ready,
    Working,
    Recovered,
}

#[derive(Deserialize)]
pub(super) struct Params {
    pub(super) pulp_url: String,
    pub(super) state: HealthState,
    pub(super) feed: Option<String>,
    pub(super) feed_host: String,
    pub(super) feed_port: i64,
    pub(super) timeout: i64,
    pub(super) ready_timeout: i64,
    pub(super) require_idle: bool,
    pub(super) drain: i64,
    pub(super) accept_task_loss: bool,
    pub(super) expected: Option<Vec<String>>,
    pub(super) hold: Option<i64>,
    pub(super) broker_start: Option<f64>,
    pub(super) worker_timeout: Option<i64>,
    pub(super) retry: Option<Retry>,
    pub(super) recovery_timeout: Option<i64>,
    pub(super) actors: Option<Vec<Service>>,
    /// How Pulp is reached.
    #[serde(skip)]
    pub(super) access: Options,
}

impl Params {
    pub(super) fn of(call: &Call) -> Result<Self> {
        Ok(Self {
            access: typed(call)?,
            ..typed(call)?
        })
    }

    /// How Pulp is reached. Nothing is sent yet.
    pub(super) fn door(&self) -> Result<Door> {
        self.access.door(&self.pulp_url)
    }
}

/// In the words of Ansible's `required_if`.
pub(super) fn refuse_missing(params: &Params, state: &str) -> Result<()> {
    if params.access.user_cert.is_some() {
        return Ok(());
    }
    let given = [
        ("username", &params.access.username),
        ("password", &params.access.password),
    ];
    let missing: Vec<_> = given
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| option(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "state is {state} but all of the following are missing: {}",
        missing.join(", ")
    )
}

/// A duration that may be none.
pub(super) fn seconds_or_none(name: &str, value: i64) -> Result<Duration> {
    match value {
        0 => Ok(Duration::ZERO),
        value => seconds(name, value),
    }
}

/// The port of a feed of ours; 0 is any.
pub(super) fn feed_port(params: &Params) -> Result<u16> {
    let Ok(port) = u16::try_from(params.feed_port) else {
        bail!(
            "failed to use {} `{}`: it is a port from 1 to 65535, or 0 for any",
            option("feed_port"),
            params.feed_port
        );
    };
    Ok(port)
}
