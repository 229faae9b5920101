//! What `pulp_health` may be asked, and what can be refused before anything is sent.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::ansible::spec::{Default as Preset, Kind as Type, Opt};
use crate::pulp::{self, Access, Door, Site, Wanted};

pub(super) const SPEC: &[Opt] = &[
    Opt::new("pulp_url", Type::Str).required(),
    Opt::new("state", Type::Str)
        .default(Preset::Str("healthy"))
        .choices(&["healthy", "idle", "ready", "working"]),
    Opt::new("username", Type::Str),
    Opt::new("password", Type::Str).secret(),
    Opt::new("user_cert", Type::Path),
    Opt::new("user_key", Type::Path),
    Opt::new("pulp_api", Type::Str)
        .default(Preset::Str("auto"))
        .choices(&["auto", "v2", "v3"]),
    Opt::new("pulp_api_root", Type::Str).default(Preset::Str("/pulp/")),
    Opt::new("domain", Type::Str).default(Preset::Str("default")),
    Opt::new("validate_certs", Type::Bool).default(Preset::Bool(true)),
    Opt::new("ca_path", Type::Path),
    Opt::new("feed", Type::Str),
    Opt::new("feed_host", Type::Str).default(Preset::Str("127.0.0.1")),
    Opt::new("feed_port", Type::Int).default(Preset::Int(0)),
    Opt::new("timeout", Type::Int).default(Preset::Int(300)),
    Opt::new("request_timeout", Type::Int).default(Preset::Int(10)),
    Opt::new("ready_timeout", Type::Int).default(Preset::Int(0)),
    Opt::new("require_idle", Type::Bool).default(Preset::Bool(false)),
    Opt::new("drain", Type::Int).default(Preset::Int(0)),
    Opt::new("accept_task_loss", Type::Bool).default(Preset::Bool(false)),
    Opt::list_of("expected", Type::Str),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Healthy,
    Idle,
    Ready,
    Working,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Api {
    Auto,
    V2,
    V3,
}

#[derive(Deserialize)]
pub(super) struct Params {
    pub(super) pulp_url: String,
    pub(super) state: State,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) user_cert: Option<PathBuf>,
    pub(super) user_key: Option<PathBuf>,
    pulp_api: Api,
    pulp_api_root: String,
    domain: String,
    pub(super) validate_certs: bool,
    pub(super) ca_path: Option<PathBuf>,
    pub(super) feed: Option<String>,
    pub(super) feed_host: String,
    pub(super) feed_port: i64,
    pub(super) timeout: i64,
    pub(super) request_timeout: i64,
    pub(super) ready_timeout: i64,
    pub(super) require_idle: bool,
    pub(super) drain: i64,
    pub(super) accept_task_loss: bool,
    pub(super) expected: Option<Vec<String>>,
}

/// In the words of Ansible's `required_if`.
pub(super) fn refuse_missing(params: &Params, state: &str) -> Result<()> {
    if params.user_cert.is_some() {
        return Ok(());
    }
    let given = [
        ("username", &params.username),
        ("password", &params.password),
    ];
    let missing: Vec<_> = given
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "state is {state} but all of the following are missing: {}",
        missing.join(", ")
    )
}

pub(super) fn seconds(name: &str, value: i64) -> Result<Duration> {
    match u64::try_from(value) {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => bail!("failed to use {name} `{value}`: it is a number of seconds from 1 up"),
    }
}

/// A duration that may be none.
pub(super) fn seconds_or_none(name: &str, value: i64) -> Result<Duration> {
    match value {
        0 => Ok(Duration::ZERO),
        value => seconds(name, value),
    }
}

/// How Pulp is reached. Nothing is sent yet.
pub(super) fn door(params: &Params) -> Result<Door> {
    Door::new(&Access {
        url: &params.pulp_url,
        credentials: params.username.as_deref().zip(params.password.as_deref()),
        certificate: params
            .user_cert
            .as_deref()
            // Pulp 2's log-in gives both in one file.
            .map(|cert| (cert, params.user_key.as_deref().unwrap_or(cert))),
        validate_certs: params.validate_certs,
        ca_path: params.ca_path.as_deref(),
        request_timeout: seconds("request_timeout", params.request_timeout)?,
    })
}

/// Which Pulp is asked, and where its API is.
pub(super) fn site(params: &Params) -> Result<Site> {
    Ok(Site {
        wanted: match params.pulp_api {
            Api::Auto => Wanted::Any,
            Api::V2 => Wanted::Two,
            Api::V3 => Wanted::Three,
        },
        place: pulp::place(&params.pulp_api_root, &params.domain)?,
    })
}

/// The port of a feed of ours; 0 is any.
pub(super) fn feed_port(params: &Params) -> Result<u16> {
    let Ok(port) = u16::try_from(params.feed_port) else {
        bail!(
            "failed to use feed_port `{}`: it is a port from 1 to 65535, or 0 for any",
            params.feed_port
        );
    };
    Ok(port)
}
