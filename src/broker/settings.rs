//! Where Pulp's own settings say the broker is. Pulp itself is asked: its interpreter computes them, as its
//! user and with its environment. Where a Pulp 2 cannot be asked, its `server.conf` is read. Nothing is guessed:
//! what cannot be told names the variable that answers instead.

mod ask;
mod ini;
mod pulp2;
mod pulp3;
pub(crate) mod stamps;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ansible::secrets;
use crate::names::Generation;
use crate::names::option;
use crate::service::{self, PULP, WORKERS};
use ask::Asked;
pub(crate) use pulp3::Pulp3;

/// What of Pulp's is taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// `MongoDB`'s port where a seed names none.
const DATABASE_PORT: u16 = 27017;

/// What a user is told to do where nobody can tell.
fn remedy() -> String {
    format!("set `{}`", option("broker_url"))
}

/// A URL and where it is from; or why it cannot be told.
pub(crate) type Place = Result<(String, String), String>;

/// What the configuration says of the broker and of the server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Of a Pulp 2. It may hold credentials: never shown.
    broker: Place,
    /// `[messaging] url`, which the agents use, as a URL that says its protocol. With its credentials: never shown.
    pub(crate) messaging_url: Option<String>,
    /// `[messaging] transport` of a Pulp 2.
    transport: Option<String>,
    /// `[server] server_name`: the name under which users reach Pulp.
    pub(crate) server_name: Option<String>,
    /// Which database is this Pulp's; empty where that is not known.
    pub(crate) database: String,
    /// The hosts and ports of the database, without credentials.
    pub(crate) seeds: Vec<(String, u16)>,
    /// `[tasks] worker_timeout`, in seconds, which Pulp knows from 2.16 on.
    pub(crate) worker_timeout: Option<u32>,
    /// What nobody may read.
    secrets: Vec<String>,
    /// Whom of Pulp was asked, and as which user; or why nobody was, and what was done instead.
    pub(crate) asked: Result<String, String>,
    /// The files that people write them in, as far as they are known.
    pub(crate) files: Vec<String>,
    /// Whose settings they are; none where nobody says which of two is meant.
    pub(crate) generation: Option<Generation>,
    /// What only a Pulp 3 has.
    pub(crate) pulp3: Option<Pulp3>,
}

impl Settings {
    /// The URL of what is to be taken away, and where it is from. It may hold credentials: never shown.
    ///
    /// # Errors
    /// `VOID broker_uncertain`: it cannot be told. Or this Pulp has nothing of the kind.
    pub(crate) fn place(&self, target: Target) -> Result<(String, String)> {
        let place = match (&self.pulp3, target) {
            (Some(pulp3), Target::Cache) if pulp3.has_no_cache() => bail!(
                "failed to find what is to be taken away in Pulp's settings: this Pulp has no cache \
                 (CACHE_ENABLED is not set); use `{}: broker`",
                option("target")
            ),
            (Some(pulp3), _) => pulp3.place(target),
            (None, Target::Broker) => self.broker.clone(),
            (None, Target::Database | Target::Cache) => bail!(
                "failed to find what is to be taken away: Pulp 2's database is no broker, and it has no cache; \
                 use `{}: broker`",
                option("target")
            ),
        };
        place.map_err(|why| {
            anyhow::anyhow!(
                "VOID broker_uncertain: failed to find what is to be taken away in Pulp's settings: {why}"
            )
        })
    }

    /// The URL of an agent's kind, `tcp://` or `ssl://`, as one that says its protocol.
    pub(super) fn by_transport(&self, url: &str) -> String {
        match &self.transport {
            Some(transport) => super::url::of_transport(url, transport),
            None => url.to_owned(),
        }
    }

    /// What is taken away when this is wanted: a Redis that keeps content may carry the tasks too.
    pub(crate) fn effective(&self, target: Target) -> Target {
        let pulp3 = self.pulp3.as_ref();
        match target {
            Target::Cache if pulp3.is_some_and(|p| p.carrier == Ok("redis")) => Target::Broker,
            other => other,
        }
    }

    /// Has what must not be shown of it masked, beside what stands in URLs.
    pub(crate) fn mask(&self) {
        for secret in &self.secrets {
            secrets::add(secret);
        }
    }

    /// Of a Pulp 2 and a Pulp 3 on one host, while nobody says which is meant.
    fn of_two() -> Self {
        let why = format!(
            "a Pulp 2 and a Pulp 3 are on this host; set `{}` to 2 or 3",
            option("pulp")
        );
        Self {
            broker: Err(why.clone()),
            generation: None,
            ..Self::of_pulp3(Pulp3::unknown(&why), pulp3::Beside::default(), Err(why))
        }
    }

    fn of_pulp3(pulp3: Pulp3, beside: pulp3::Beside, asked: Result<String, String>) -> Self {
        Self {
            broker: pulp3.place(Target::Broker),
            messaging_url: None,
            transport: None,
            server_name: None,
            database: pulp3.database_name.clone().unwrap_or_default(),
            seeds: pulp3.database_at.iter().cloned().collect(),
            worker_timeout: None,
            secrets: beside.secrets,
            files: beside.files,
            asked,
            generation: Some(Generation::Three),
            pulp3: Some(pulp3),
        }
    }

    /// The configuration file that people know.
    pub(crate) fn file(&self) -> &'static str {
        match self.pulp3 {
            Some(_) => SETTINGS_PY,
            None => SERVER_CONF,
        }
    }

    /// The URL under which users reach Pulp, as far as it is configured.
    pub(crate) fn url(&self) -> Option<String> {
        let origin = self.pulp3.as_ref().and_then(|pulp3| pulp3.origin.clone());
        let named = |name: &String| format!("https://{name}");
        origin.or_else(|| self.server_name.as_ref().map(named))
    }
}

/// Asks this host's Pulp for its settings, if there is one and it may be asked. Where a Pulp 2 and a Pulp 3 are here and
/// `chosen` says nothing, it is the only one that runs.
///
/// # Errors
/// Pulp 2's file is there and cannot be read.
pub(crate) fn read(may_ask: bool, chosen: Option<Generation>) -> Result<Option<Settings>> {
    let text = server_conf()?;
    let has_3 = !service::unit_files(Generation::Three.prefix()).is_empty();
    let has_2 =
        text.is_some() && (!has_3 || !service::unit_files(service::short_name(WORKERS)).is_empty());
    let has_3 = has_3 || text.is_none() && Path::new(SETTINGS_PY).exists();
    let which = match chosen {
        None if has_2 && has_3 => match only_one_that_runs() {
            Some(generation) => generation,
            None => return Ok(Some(Settings::of_two())),
        },
        Some(Generation::Three) if has_3 => Generation::Three,
        Some(Generation::Two) if text.is_some() => Generation::Two,
        Some(_) => return Ok(None),
        None if has_3 && !has_2 => Generation::Three,
        None => Generation::Two,
    };
    Ok(match (which, text) {
        (Generation::Two, Some(text)) => Some(of_pulp_2(&text, may_ask)),
        (Generation::Two, None) => None,
        (Generation::Three, _) => Some(of_pulp_3(may_ask)),
    })
}

/// Pulp 2's file. It may be in any encoding: of what is no UTF-8 only comments count.
fn server_conf() -> Result<Option<String>> {
    match std::fs::read(SERVER_CONF) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("failed to read `{SERVER_CONF}`")),
    }
}

/// Of a Pulp 2 and a Pulp 3 on one host the one of which something runs, if nothing of the other does.
fn only_one_that_runs() -> Option<Generation> {
    let names: Vec<String> = PULP.iter().map(|name| (*name).to_owned()).collect();
    let units = service::observe(&names).unwrap_or_default();
    let runs = |generation: Generation| {
        let mut own = units
            .iter()
            .filter(|u| u.name.starts_with(generation.prefix()));
        own.any(|u| u.running)
    };
    match (runs(Generation::Two), runs(Generation::Three)) {
        (true, false) => Some(Generation::Two),
        (false, true) => Some(Generation::Three),
        _ => None,
    }
}

/// Has what this host's Pulp keeps secret masked from here on, where its words are about to be shown. A Pulp 2 has it in its file; a Pulp 3 is
/// asked once more, because what it answered before was kept nowhere.
pub(crate) fn mask_secrets(may_ask: bool) {
    for generation in [Generation::Two, Generation::Three] {
        let may_ask = may_ask && generation == Generation::Three;
        if let Some(settings) = read(may_ask, Some(generation)).ok().flatten() {
            settings.mask();
        }
    }
}

/// Pulp 2's virtual host, from its file alone: only what RabbitMQ is asked for is chosen by it.
pub(crate) fn virtual_host_of_file() -> Option<String> {
    let text = server_conf().ok()??;
    let (url, _) = pulp2::of_file(&text, "").broker.ok()?;
    Some(super::url::virtual_host(&url))
}

/// Whom was asked, and the answer; or why there is none.
fn asked(generation: Generation, may_ask: bool) -> Result<(String, Value), String> {
    if !may_ask {
        return Err(format!(
            "Pulp was not asked, because `{}` is false",
            option("ask_pulp")
        ));
    }
    let Asked { whom, answer } = ask::ask(generation);
    match answer {
        Ok(answer) => Ok((whom, answer)),
        Err(why) => Err(format!("failed to ask {whom}: {why}")),
    }
}

fn of_pulp_2(text: &str, may_ask: bool) -> Settings {
    let found = asked(Generation::Two, may_ask);
    let found = found.and_then(|(whom, answer)| pulp2::of_answer(&whom, answer));
    found.unwrap_or_else(|why| pulp2::of_file(text, &why))
}

fn of_pulp_3(may_ask: bool) -> Settings {
    let found = asked(Generation::Three, may_ask);
    let found = found.and_then(|(whom, answer)| Ok((whom, pulp3::of_answer(answer)?)));
    match found {
        Ok((whom, (pulp3, beside))) => {
            Settings::of_pulp3(pulp3, beside, Ok(format!("asked {whom}")))
        }
        Err(why) => Settings::of_pulp3(Pulp3::unknown(&why), pulp3::Beside::default(), Err(why)),
    }
}

/// The hosts and ports of a list of seeds, as pymongo reads `host:port,host:port`; none where it raises an exception.
fn seeds(text: &str) -> Vec<(String, u16)> {
    let seed = |seed: &str| {
        let seed = seed.trim();
        let (host, port) = match (seed.strip_prefix('['), seed.split_once(':')) {
            (Some(inside), _) => inside.split_once(']')?,
            (None, Some((host, _))) => (host, &seed[host.len()..]),
            (None, None) => (seed, ""),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => DATABASE_PORT,
            digits => digits?.parse().ok().filter(|port| *port > 0)?,
        };
        // A path is a Unix socket.
        let is_host = !host.is_empty() && !host.contains('/');
        is_host.then(|| (host.to_lowercase(), port))
    };
    let found: Option<Vec<_>> = text.split(',').map(seed).collect();
    found.unwrap_or_default()
}

/// A host as it stands in a URL.
fn in_brackets(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_told_without_credentials() {
        let found = seeds("db1:27018, DB2,[fd00::2]:27019");
        let expected = [("db1", 27018), ("db2", 27017), ("fd00::2", 27019)];
        assert_eq!(found, expected.map(|(h, p)| (h.to_owned(), p)));
        for text in [
            "",
            "db1,",
            "db1:x",
            "db1:0",
            "::1",
            "u:hunter2@db2",
            "/run/m.sock",
        ] {
            assert_eq!(seeds(text), [], "{text}");
        }
    }

    #[test]
    fn a_pulp_of_which_nothing_is_known_is_uncertain_whatever_is_wanted() {
        let settings = Settings::of_pulp3(
            Pulp3::unknown("x"),
            pulp3::Beside::default(),
            Err(String::new()),
        );
        for target in [Target::Broker, Target::Database, Target::Cache] {
            let error = settings.place(target).unwrap_err().to_string();
            assert!(error.starts_with("VOID broker_uncertain: "), "{error}");
            assert!(error.contains("set `broker_url`"), "{error}");
        }
    }
}
