//! Where Pulp's own configuration says the broker is. Pulp 2: `/etc/pulp/server.conf`, `[tasks] broker_url`
//! for the workers and `[messaging] url` for the agents, read as Python's `ConfigParser` does; the defaults are
//! those of Pulp's `server/pulp/server/config.py`. Pulp 3: settings in Python and `PULP_*` of its units, read and
//! never executed.

mod dynaconf;
mod found;
mod literal;
mod pulp3;

use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::host::files;
use dynaconf::{Known, Layers};
use literal::{Reader, Value, is_name};
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

/// What Pulp uses when its configuration says nothing of a broker.
const DEFAULT_BROKER_URL: &str = "qpid://localhost/";

/// Pulp's database, when its configuration says nothing of it.
const DEFAULT_DATABASE: &str = "pulp_database";
const DEFAULT_SEEDS: &str = "localhost:27017";

/// `MongoDB`'s port where a seed names none.
const DATABASE_PORT: u16 = 27017;

/// What the configuration says of the broker and of the server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The URL with its credentials: never shown.
    pub(crate) broker_url: String,
    /// Where it was read, such as `/etc/pulp/server.conf [tasks] broker_url`.
    pub(crate) source: String,
    /// `[messaging] url`, which the agents use, with its credentials: never shown.
    pub(crate) messaging_url: Option<String>,
    /// `[server] server_name`: the name under which users reach Pulp.
    pub(crate) server_name: Option<String>,
    /// `[database] name`: which database is this Pulp's.
    pub(crate) database: String,
    /// `[database] seeds`: the hosts and ports of the database, without credentials.
    pub(crate) seeds: Vec<(String, u16)>,
    /// `[tasks] worker_timeout`, in seconds, which Pulp knows from 2.16 on.
    pub(crate) worker_timeout: Option<u32>,
    /// What only a Pulp 3 has.
    pub(crate) pulp3: Option<Pulp3>,
}

/// Whether what is to be taken away only keeps published content; a Redis may carry tasks too.
pub(super) fn caches_only(settings: Option<&Settings>, target: Target) -> bool {
    let pulp3 = settings.and_then(|settings| settings.pulp3.as_ref());
    let carrier = pulp3.and_then(|pulp3| pulp3.carrier.as_ref().ok());
    target == Target::Cache && carrier.is_none_or(|kind| *kind != "redis")
}

impl Settings {
    /// The URL of what is to be taken away, with its credentials, and where it is from.
    ///
    /// # Errors
    /// It is not known, or this Pulp has nothing of the kind.
    pub(crate) fn place(&self, target: Target) -> Result<(String, String)> {
        match (&self.pulp3, target) {
            (Some(pulp3), _) => pulp3.place(target).map_err(|why| {
                anyhow::anyhow!("failed to find what is to be taken away in Pulp's settings: {why}")
            }),
            (None, Target::Broker) => Ok((self.broker_url.clone(), self.source.clone())),
            (None, Target::Database | Target::Cache) => bail!(
                "failed to find what is to be taken away: Pulp 2's database is no broker, and it has no cache; \
                 use `pulp_broker_test_target: broker`"
            ),
        }
    }

    /// What must not be shown of it, beside what stands in URLs.
    pub(crate) fn secrets(&self) -> &[String] {
        self.pulp3.as_ref().map_or(&[], |pulp3| &pulp3.secrets)
    }

    fn of(pulp3: Pulp3) -> Self {
        let (broker_url, source) = pulp3.place(Target::Broker).unwrap_or_default();
        Self {
            broker_url,
            source,
            messaging_url: None,
            server_name: None,
            database: pulp3.database_name.clone().unwrap_or_default(),
            seeds: pulp3.database_at.iter().cloned().collect(),
            worker_timeout: None,
            pulp3: Some(pulp3),
        }
    }

    /// The configuration file that people know.
    pub(crate) fn file(&self) -> &'static str {
        match self.pulp3 {
            Some(_) => found::SETTINGS_PY,
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

/// Reads Pulp's configuration, if this host has one. Where both are here, Pulp 2's counts as long as its
/// services are installed.
///
/// # Errors
/// It is there but cannot be read.
pub(crate) fn read() -> Result<Option<Settings>> {
    let text = files::read_if_present(Path::new(SERVER_CONF))?;
    match text {
        Some(text) if !found::has_replaced_pulp_2() => Ok(Some(parse(&text))),
        _ if found::is_here() => Ok(Some(Settings::of(found::read()?))),
        text => Ok(text.map(|text| parse(&text))),
    }
}

fn parse(text: &str) -> Settings {
    let tasks = option(text, "tasks", "broker_url");
    let messaging = option(text, "messaging", "url");
    let (broker_url, source) = match (tasks, &messaging) {
        (Some(url), _) => (url, format!("{SERVER_CONF} [tasks] broker_url")),
        (None, Some(url)) => (url.clone(), format!("{SERVER_CONF} [messaging] url")),
        (None, None) => (
            DEFAULT_BROKER_URL.to_owned(),
            format!("Pulp's default (nothing in {SERVER_CONF})"),
        ),
    };
    Settings {
        broker_url,
        source,
        messaging_url: messaging,
        server_name: option(text, "server", "server_name"),
        database: option(text, "database", "name").unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
        seeds: seeds(option(text, "database", "seeds").as_deref()),
        worker_timeout: option(text, "tasks", "worker_timeout").and_then(|v| v.parse().ok()),
        pulp3: None,
    }
}

/// The hosts and ports of a list of seeds, as `host:port,host:port`.
fn seeds(text: Option<&str>) -> Vec<(String, u16)> {
    text.unwrap_or(DEFAULT_SEEDS)
        .split(',')
        .map(|seed| seed.rsplit('@').next().unwrap_or_default().trim())
        .filter(|seed| !seed.is_empty())
        .map(|seed| match seed.rsplit_once(':') {
            // An IPv6 address stands in brackets when a port follows.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().unwrap_or(DATABASE_PORT))
            }
            _ => (seed, DATABASE_PORT),
        })
        .map(|(host, port)| (host.trim_matches(['[', ']']).to_owned(), port))
        .collect()
}

/// The value of an option in a section; an empty one counts as not given.
fn option(text: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        let line = line.trim_end();
        if line.starts_with(['#', ';']) || line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = name == section;
        } else if inside {
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            if name.trim().eq_ignore_ascii_case(key) {
                // Python 2's ConfigParser: a semicolon after a blank begins a comment.
                let value = value.split(" ;").next().unwrap_or_default();
                found = Some(value.trim().to_owned());
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_url_is_preferred_and_its_source_is_named() {
        let text = "[server]\nserver_name: pulp.example.com\n# [tasks]\n[messaging]\nurl: tcp://a:5672\n\
                    [tasks]\nbroker_url = amqp://u:p@b:5672// ; ours\n";
        let settings = parse(text);
        assert_eq!(settings.broker_url, "amqp://u:p@b:5672//");
        assert_eq!(settings.source, "/etc/pulp/server.conf [tasks] broker_url");
        assert_eq!(settings.server_name.as_deref(), Some("pulp.example.com"));
    }

    #[test]
    fn the_messaging_url_serves_when_tasks_has_none() {
        let settings = parse("[tasks]\n# broker_url: amqp://x\n[messaging]\nurl: tcp://b:5671\n");
        assert_eq!(settings.broker_url, "tcp://b:5671");
        assert!(settings.source.ends_with("[messaging] url"));
    }

    #[test]
    fn the_database_is_told_without_credentials() {
        let text = "[database]\nname: pulp_stage\nseeds: db1:27018, u:hunter2@db2,[fd00::2]:27019\npassword: x\n";
        let settings = parse(text);
        assert_eq!(settings.database, "pulp_stage");
        let expected = [("db1", 27018), ("db2", 27017), ("fd00::2", 27019)];
        let expected: Vec<_> = expected.map(|(h, p)| (h.to_owned(), p)).into();
        assert_eq!(settings.seeds, expected);
        let settings = parse("");
        assert_eq!(settings.database, "pulp_database");
        assert_eq!(settings.seeds, [("localhost".to_owned(), 27017)]);
    }

    #[test]
    fn the_time_after_which_a_worker_is_missing_is_a_number_or_not_given() {
        let timeout = |text| parse(text).worker_timeout;
        assert_eq!(timeout("[tasks]\nworker_timeout: 120\n"), Some(120));
        assert_eq!(timeout("[tasks]\n# worker_timeout: 30\n"), None);
        assert_eq!(timeout("[tasks]\nworker_timeout: soon\n"), None);
        assert_eq!(timeout("[server]\nworker_timeout: 120\n"), None);
    }

    #[test]
    fn pulps_default_stands_where_nothing_is_said() {
        let settings = parse("# all commented out\n");
        assert_eq!(settings.broker_url, DEFAULT_BROKER_URL);
    }
}
