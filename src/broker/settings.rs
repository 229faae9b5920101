//! Where Pulp's own configuration says the broker is: `/etc/pulp/server.conf`, `[tasks] broker_url`
//! for the workers and `[messaging] url` for the agents. Read as Python's `ConfigParser` does, which
//! is what Pulp 2 uses; the defaults are those of Pulp's `server/pulp/server/config.py`.

use std::path::Path;

use anyhow::Result;

use crate::host::files;

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
}

/// Reads Pulp's configuration, if this host has one.
///
/// # Errors
/// It is there but cannot be read.
pub(crate) fn read() -> Result<Option<Settings>> {
    let text = files::read_if_present(Path::new(SERVER_CONF))?;
    Ok(text.map(|text| parse(&text)))
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
    fn pulps_default_stands_where_nothing_is_said() {
        let settings = parse("# all commented out\n");
        assert_eq!(settings.broker_url, DEFAULT_BROKER_URL);
    }
}
