//! How a user says how Pulp is reached: the same options, with the same words, for each module that asks it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::{Access, ApiChoice, Door, Site, TlsMinimum, place};
use crate::ansible::spec::{Default as Preset, Kind, Opt};

/// Where Pulp is; some need not ask it.
pub(crate) const PULP_URL: Opt = Opt::new("pulp_url", Kind::Str);

/// Whether tasks of others may be lost.
pub(crate) const ACCEPT_TASK_LOSS: Opt =
    Opt::new("accept_task_loss", Kind::Bool).default(Preset::Bool(false));

/// The oldest version of TLS that may be spoken.
pub(crate) const TLS_MINIMUM: Opt = Opt::new("tls_minimum", Kind::Str)
    .default(Preset::Str("1.2"))
    .choices(&["1.0", "1.2"]);

/// All else.
pub(crate) const OPTIONS: [Opt; 11] = [
    Opt::new("username", Kind::Str),
    Opt::new("password", Kind::Str).secret(),
    Opt::new("user_cert", Kind::Path),
    Opt::new("user_key", Kind::Path),
    Opt::new("pulp_api", Kind::Str)
        .default(Preset::Str("auto"))
        .choices(&["auto", "v2", "v3"]),
    Opt::new("pulp_api_root", Kind::Str).default(Preset::Str("/pulp/")),
    Opt::new("domain", Kind::Str).default(Preset::Str("default")),
    Opt::new("validate_certs", Kind::Bool).default(Preset::Bool(true)),
    Opt::new("ca_path", Kind::Path),
    TLS_MINIMUM,
    Opt::new("request_timeout", Kind::Int).default(Preset::Int(10)),
];

/// A module's own options, then those above.
pub(crate) const fn with_options<const ALL: usize>(own: &[Opt]) -> [Opt; ALL] {
    assert!(own.len() + OPTIONS.len() == ALL, "the number of options");
    let mut all = [PULP_URL; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < own.len() {
            own[at]
        } else {
            OPTIONS[at - own.len()]
        };
        at += 1;
    }
    all
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Api {
    #[default]
    Auto,
    V2,
    V3,
}

/// What the user said.
#[derive(Default, Deserialize)]
pub(crate) struct Options {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) user_cert: Option<PathBuf>,
    user_key: Option<PathBuf>,
    pulp_api: Api,
    pulp_api_root: String,
    domain: String,
    validate_certs: bool,
    ca_path: Option<PathBuf>,
    tls_minimum: TlsMinimum,
    request_timeout: i64,
}

impl Options {
    /// How Pulp is reached. Nothing is sent yet.
    pub(crate) fn door(&self, url: &str) -> Result<Door> {
        Door::new(&Access {
            url,
            credentials: self.username.as_deref().zip(self.password.as_deref()),
            certificate: self
                .user_cert
                .as_deref()
                // Pulp 2's log-in gives both in one file.
                .map(|cert| (cert, self.user_key.as_deref().unwrap_or(cert))),
            validate_certs: self.validate_certs,
            ca_path: self.ca_path.as_deref(),
            tls_minimum: self.tls_minimum,
            is_pulp_3: matches!(self.pulp_api, Api::V3),
            request_timeout: seconds("request_timeout", self.request_timeout)?,
        })
    }

    /// Which Pulp is asked, and where its API is.
    pub(crate) fn site(&self) -> Result<Site> {
        Ok(Site {
            wanted: match self.pulp_api {
                Api::Auto => ApiChoice::Any,
                Api::V2 => ApiChoice::Two,
                Api::V3 => ApiChoice::Three,
            },
            place: place(&self.pulp_api_root, &self.domain)?,
        })
    }
}

/// A duration that cannot be none.
pub(crate) fn seconds(name: &str, value: i64) -> Result<Duration> {
    match u64::try_from(value) {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => bail!("failed to use {name} `{value}`: it is a number of seconds from 1 up"),
    }
}
