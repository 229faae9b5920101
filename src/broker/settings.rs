//! Where Pulp's own settings say the broker is. Pulp itself is asked: its interpreter computes them, as its
//! user and with its environment. Where a Pulp 2 cannot be asked, its `server.conf` is read. Nothing is guessed:
//! what cannot be told names the variable that answers instead.

mod ask;
mod server_conf;
pub(crate) mod stamps;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::ansible::secrets;
use crate::names::verdict_of;
use crate::names::{Generation, all_units, option};
use crate::service;
use crate::timeline::Retry;

/// What of Pulp's is taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    /// What carries its tasks.
    #[default]
    Broker,
    /// Pulp 3's PostgreSQL, whatever carries the tasks.
    Database,
    /// Pulp 3's Redis, where it keeps published content.
    Cache,
}

impl Target {
    /// The names that users write.
    pub(crate) const NAMES: &[&str] = &["broker", "database", "cache"];
}

/// Pulp 2's configuration file.
pub(crate) const SERVER_CONF: &str = "/etc/pulp/server.conf";

/// Pulp 3's, as its installers name it.
const SETTINGS_PY: &str = "/etc/pulp/settings.py";

/// A URL and where it is from; or why it cannot be told.
type Place = Result<(String, String), String>;

/// What Pulp's settings say, as far as it is known: what `ask.py` answers, or `server.conf` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Whose settings they are; none where nobody says which of two is meant.
    #[serde(skip)]
    pub(crate) generation: Option<Generation>,
    /// Whom of Pulp was asked, and as which user; or why nobody was, and what was done instead.
    #[serde(skip)]
    pub(crate) asked: String,
    /// Of a Pulp 2 its broker, of a Pulp 3 its database and its Redis. A URL may hold credentials: never shown.
    places: BTreeMap<Target, Place>,
    /// Where users reach Pulp, as far as it is configured.
    pub(crate) url: Option<String>,
    /// Which database is this Pulp's; empty where that is not known.
    pub(crate) database: String,
    /// The hosts and ports of the database.
    pub(crate) seeds: Vec<(String, u16)>,
    /// The files that people write them in, as far as they are known.
    pub(crate) files: Vec<String>,
    /// What nobody may read, beside what stands in URLs.
    secrets: Vec<String>,
    /// `[messaging] url` of a Pulp 2, which the agents use. With its credentials: never shown.
    messaging_url: Option<String>,
    /// `[messaging] transport` of a Pulp 2.
    transport: Option<String>,
    /// `[tasks] worker_timeout` of a Pulp 2, in seconds, which it knows from 2.16 on.
    pub(crate) worker_timeout: Option<u32>,
    /// How a Pulp 2's services try to connect again, as its Celery application says.
    pub(crate) retry: Option<Retry>,
    /// pulpcore's, as in `3.123.1`.
    pub(crate) version: Option<String>,
    /// `WORKER_TYPE` of a Pulp 3.
    worker_type: Option<String>,
    /// `USE_NEW_WORKER_TYPE` of a Pulp 3.
    new_worker_type: Option<bool>,
    /// Redis keeps a Pulp 3's published content for a while.
    pub(crate) caches: Option<bool>,
    /// `API_ROOT` of a Pulp 3.
    pub(crate) api_root: Option<String>,
    /// `DOMAIN_ENABLED` of a Pulp 3.
    pub(crate) domains: Option<bool>,
    /// Databases beside the one that is taken away, by their names in Pulp 3's settings.
    pub(crate) other_databases: Vec<String>,
}

impl Settings {
    /// Nothing of them is known.
    fn unknown(generation: Option<Generation>, why: String) -> Self {
        Self {
            generation,
            asked: why,
            ..Self::default()
        }
    }

    /// The URL of what is to be taken away, and where it is from. It may hold credentials: never shown.
    ///
    /// # Errors
    /// `VOID broker_uncertain`: it cannot be told. Or this Pulp has nothing of the kind.
    pub(crate) fn place(&self, target: Target) -> Result<(String, String)> {
        let is_2 = self.generation == Some(Generation::Two);
        let has_no_cache = self.caches == Some(false) && self.carrier() == Ok("postgresql");
        if is_2 && target != Target::Broker {
            bail!(
                "failed to find what is to be taken away: Pulp 2's database is no broker, and it has no cache; \
                 use `{}: broker`",
                option("target")
            );
        }
        if target == Target::Cache && has_no_cache {
            bail!(
                "failed to find what is to be taken away in Pulp's settings: this Pulp has no cache \
                 (CACHE_ENABLED is not set); use `{}: broker`",
                option("target")
            );
        }
        let place = match target {
            Target::Broker if !is_2 => self.carrier().map(|carrier| match carrier {
                "redis" => Target::Cache,
                _ => Target::Database,
            }),
            other => Ok(other),
        };
        let unknown = || Err(self.asked.clone());
        let place = place.and_then(|at| self.places.get(&at).cloned().unwrap_or_else(unknown));
        place.map_err(|why| {
            anyhow!(verdict_of!(
                BrokerUncertain,
                "failed to find what is to be taken away in Pulp's settings: {why}; set `{}`",
                option("broker_url")
            ))
        })
    }

    /// What carries a Pulp 3's tasks; or why it cannot be told. RQ, and with it Redis, up to 3.13 and by choice in 3.14 and
    /// 3.15; since 3.108 by choice again. pulpcore has the settings that it knows.
    pub(crate) fn carrier(&self) -> Result<&'static str, String> {
        let version = self.version.as_deref().ok_or_else(|| self.asked.clone())?;
        let minor = version.strip_prefix("3.").and_then(|v| v.split('.').next());
        let minor: Option<u32> = minor.and_then(|minor| minor.parse().ok());
        match (self.worker_type.as_deref(), self.new_worker_type, minor) {
            (Some("redis"), _, Some(108..) | None)
            | (_, Some(false), Some(14 | 15))
            | (_, _, Some(..14)) => Ok("redis"),
            (None, _, None) => Err(format!("pulpcore {version} is not known here")),
            _ => Ok("postgresql"),
        }
    }

    /// What is taken away when this is wanted: a Redis that keeps content may carry the tasks too.
    pub(crate) fn effective(&self, target: Target) -> Target {
        match target {
            Target::Cache if self.carrier() == Ok("redis") => Target::Broker,
            other => other,
        }
    }

    /// `[messaging] url` as one that says its protocol. With its credentials: never shown.
    pub(crate) fn agents_url(&self) -> Option<String> {
        Some(self.by_transport(self.messaging_url.as_ref()?))
    }

    /// The URL of an agent's kind, `tcp://` or `ssl://`, as one that says its protocol.
    pub(super) fn by_transport(&self, url: &str) -> String {
        match &self.transport {
            Some(transport) => super::url::of_transport(url, transport),
            None => url.to_owned(),
        }
    }

    /// Has what must not be shown of it masked, beside what stands in URLs.
    pub(crate) fn mask(&self) {
        for secret in &self.secrets {
            secrets::add(secret);
        }
    }

    /// The configuration file that people know.
    pub(crate) fn file(&self) -> &'static str {
        file_of(self.generation.unwrap_or(Generation::Three))
    }
}

/// The configuration file of a Pulp that people know.
pub(crate) fn file_of(generation: Generation) -> &'static str {
    match generation {
        Generation::Two => SERVER_CONF,
        Generation::Three => SETTINGS_PY,
    }
}

/// Asks this host's Pulp for its settings, if there is one and it may be asked. Where a Pulp 2 and a Pulp 3 are here and
/// `chosen` says nothing, it is the only one that runs.
pub(crate) fn read(may_ask: bool, chosen: Option<Generation>) -> Option<Settings> {
    let has_file = Path::new(SERVER_CONF).exists();
    let has_units = |generation: Generation| {
        let mut prefixes = generation.prefixes();
        prefixes.any(|prefix| !service::unit_files(prefix).is_empty())
    };
    let has_3 = has_units(Generation::Three);
    // The file may be what a Pulp 2 has left behind.
    let has_2 = has_file && (!has_3 || has_units(Generation::Two));
    let has_3 = has_3 || !has_file && Path::new(SETTINGS_PY).exists();
    let which = match chosen {
        None if has_2 && has_3 => only_one_that_runs(),
        None if has_3 => Some(Generation::Three),
        None => Some(Generation::Two),
        chosen => chosen,
    };
    let found = |generation| match ask(generation, may_ask) {
        Ok(settings) => settings,
        Err(why) if generation == Generation::Two => of_file(&why),
        Err(why) => Settings::unknown(Some(generation), why),
    };
    match which {
        Some(Generation::Two) if !has_file => None,
        Some(Generation::Three) if !has_3 => None,
        Some(generation) => Some(found(generation)),
        None => Some(Settings::unknown(
            None,
            format!(
                "a Pulp 2 and a Pulp 3 are on this host; set `{}` to 2 or 3",
                option("pulp")
            ),
        )),
    }
}

/// A Pulp 2's by its file, which does not name its broker where the environment of its services does.
fn of_file(why_not_asked: &str) -> Settings {
    let mut settings = server_conf::read(why_not_asked);
    if let Some(unit) = ask::unit_that_names_broker() {
        let why = format!(
            "{unit} has a variable CELERY_BROKER_..., which Celery takes before {SERVER_CONF}"
        );
        settings.places.insert(Target::Broker, Err(why));
    }
    settings
}

/// Of a Pulp 2 and a Pulp 3 on one host the one of which something runs, if nothing of the other does.
fn only_one_that_runs() -> Option<Generation> {
    let units = service::observe(&all_units()).unwrap_or_default();
    let runs = |generation: Generation| {
        let is_own = |name: &str| Generation::of_unit(name) == Some(generation);
        units.iter().any(|u| u.running && is_own(&u.name))
    };
    match (runs(Generation::Two), runs(Generation::Three)) {
        (true, false) => Some(Generation::Two),
        (false, true) => Some(Generation::Three),
        _ => None,
    }
}

/// What Pulp itself answers; or why it does not.
fn ask(generation: Generation, may_ask: bool) -> Result<Settings, String> {
    if !may_ask {
        return Err(format!(
            "Pulp was not asked, because `{}` is false",
            option("ask_pulp")
        ));
    }
    let (whom, answer) = ask::ask(generation)?;
    let settings = Settings::deserialize(answer);
    let settings = settings.map_err(|e| format!("the answer of {whom} makes no sense: {e}"))?;
    Ok(Settings {
        generation: Some(generation),
        asked: format!("asked {whom}{}", settings.retry.map_or("".into(), in_words)),
        ..settings
    })
}

/// What of the tries is not as Celery has it by itself.
fn in_words(retry: Retry) -> Cow<'static, str> {
    match retry {
        _ if retry == Retry::default() => "".into(),
        Retry { retries: false, .. } => {
            "; its services do not try to connect again (`broker_connection_retry`)".into()
        }
        Retry { most: None, .. } => {
            "; its services try to connect again without end (`broker_connection_max_retries`)"
                .into()
        }
        Retry {
            most: Some(most), ..
        } => format!(
            "; its services try to connect again {most} times (`broker_connection_max_retries`)"
        )
        .into(),
    }
}

/// Has what this host's Pulp keeps secret masked from here on, where its words are about to be shown. A Pulp 2 has it in its file; a Pulp 3 is
/// asked once more, because what it answered before was kept nowhere.
pub(crate) fn mask_secrets(may_ask: bool) {
    for generation in [Generation::Two, Generation::Three] {
        let may_ask = may_ask && generation == Generation::Three;
        if let Some(settings) = read(may_ask, Some(generation)) {
            settings.mask();
        }
    }
}

/// Pulp 2's virtual host, from its file alone: only what RabbitMQ is asked for is chosen by it.
pub(crate) fn virtual_host_of_file() -> Option<String> {
    Some(super::url::virtual_host(&url_of_file()?))
}

/// The broker's URL in Pulp 2's file. It may hold credentials: never shown.
pub(super) fn url_of_file() -> Option<String> {
    let settings = server_conf::read("");
    settings.mask();
    let (url, _) = settings.place(Target::Broker).ok()?;
    Some(url)
}

#[cfg(test)]
mod tests;
