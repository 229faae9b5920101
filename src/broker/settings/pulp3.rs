//! What Pulp 3's settings say of the database, of Redis, and of which of the two carries the tasks. The
//! defaults are those of pulpcore's `pulpcore/app/settings.py`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Known, Layers, Target, Value};

/// What a user is told to do where nobody can tell.
const REMEDY: &str = "set `pulp_broker_test_broker_url`";

/// A shorter one is worth little, and masking it would spoil every text: installers have used `pulp`.
const SHORTEST_SECRET: usize = 6;

/// Redis, where Pulp up to 3.13 looks for it when it is told nothing.
const OLD_REDIS: &str = "redis://127.0.0.1:6379";

/// A URL without the credentials of a database, and where it is from; or why it cannot be told.
pub(super) type Place = Result<(String, String), String>;

/// What this host tells of a Pulp 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulp3 {
    /// pulpcore's, as in `3.123.1`.
    pub(crate) version: Option<String>,
    /// `CONTENT_ORIGIN`.
    pub(super) origin: Option<String>,
    /// `postgresql` or `redis`; or why it cannot be told.
    pub(crate) carrier: Result<&'static str, String>,
    /// Redis keeps published content for a while.
    pub(crate) caches: Option<bool>,
    pub(super) database: Place,
    pub(super) redis: Place,
    pub(super) database_name: Option<String>,
    /// Host and port, where it is no Unix socket of this host.
    pub(super) database_at: Option<(String, u16)>,
    /// What nobody may read.
    pub(super) secrets: Vec<String>,
}

impl Pulp3 {
    pub(super) fn of(layers: &Layers, version: Option<String>, is_old: bool) -> Self {
        let carrier = carrier(layers, version.as_deref(), is_old);
        let host = text(layers, &["DATABASES", "default", "HOST"]);
        let port = text(layers, &["DATABASES", "default", "PORT"]);
        let database_at = match (&host, &port) {
            (Ok(host), Ok(port)) => at(host.as_deref(), port.as_deref()),
            _ => None,
        };
        let secrets: [&[&str]; 3] = [
            &["SECRET_KEY"],
            &["DATABASES", "default", "PASSWORD"],
            &["REDIS_PASSWORD"],
        ];
        let known = |path: &&[&str]| text(layers, path).ok().flatten();
        Self {
            origin: known(&&["CONTENT_ORIGIN"][..]).filter(|url| url.contains("://")),
            caches: caches(layers),
            database: database(layers),
            redis: redis(
                layers,
                carrier == Ok("redis") && is_before(version.as_deref(), 14),
            ),
            database_name: known(&&["DATABASES", "default", "NAME"][..]),
            database_at,
            secrets: secrets
                .iter()
                .filter_map(known)
                .filter(|secret| secret.len() >= SHORTEST_SECRET)
                .collect(),
            version,
            carrier,
        }
    }

    /// Where that is which is to be taken away.
    pub(super) fn place(&self, target: Target) -> Place {
        match target {
            Target::Database => self.database.clone(),
            Target::Broker => match self.carrier.clone()? {
                "redis" => self.redis.clone(),
                _ => self.database.clone(),
            },
            Target::Cache if self.carrier == Ok("redis") => self.redis.clone(),
            Target::Cache => match self.caches {
                Some(true) => self.redis.clone(),
                Some(false) => Err(
                    "this Pulp has no cache (CACHE_ENABLED is not set); use `pulp_broker_test_target: broker`"
                        .to_owned(),
                ),
                None => Err(format!("CACHE_ENABLED is computed; {REMEDY}")),
            },
        }
    }
}

/// A text or a number; none where it is empty or not set.
fn text(layers: &Layers, path: &[&str]) -> Result<Option<String>, String> {
    match layers.get(path) {
        Known::NotSet | Known::Is(Value::Nothing, _) => Ok(None),
        Known::Is(Value::Text(text) | Value::Number(text), _) => {
            Ok(Some(text.clone()).filter(|text| !text.is_empty()))
        }
        Known::Is(_, source) => Err(format!(
            "{} of {source} is no text; {REMEDY}",
            path.join(".")
        )),
        Known::CannotTell(source) => Err(format!(
            "cannot tell {}: {source} computes it, and settings are read, not run; {REMEDY}",
            path.join(".")
        )),
    }
}

fn source(layers: &Layers, path: &[&str]) -> String {
    match layers.get(path) {
        Known::Is(_, source) if source.starts_with("environment ") => source.to_owned(),
        Known::Is(_, source) => format!("{source} {}", path.join(".")),
        _ => format!("Pulp's default of {}", path.join(".")),
    }
}

fn caches(layers: &Layers) -> Option<bool> {
    match layers.get(&["CACHE_ENABLED"]) {
        Known::NotSet => Some(false),
        Known::Is(value, _) => Some(match value {
            Value::Bool(on) => *on,
            Value::Nothing => false,
            Value::Number(number) => number != "0",
            Value::Text(text) => !text.is_empty(),
            _ => return None,
        }),
        Known::CannotTell(_) => None,
    }
}

fn is_before(version: Option<&str>, minor: u32) -> bool {
    minor_of(version).is_some_and(|own| own < minor)
}

fn minor_of(version: Option<&str>) -> Option<u32> {
    version?.strip_prefix("3.")?.split('.').next()?.parse().ok()
}

/// RQ, and with it Redis, up to 3.13 and by choice in 3.14 and 3.15; since 3.108 by choice again.
fn carrier(layers: &Layers, version: Option<&str>, is_old: bool) -> Result<&'static str, String> {
    let minor = minor_of(version);
    if is_before(version, 14) || (minor.is_none() && is_old) {
        return Ok("redis");
    }
    if matches!(minor, Some(14 | 15)) {
        return match layers.get(&["USE_NEW_WORKER_TYPE"]) {
            Known::Is(Value::Bool(false), _) => Ok("redis"),
            Known::CannotTell(source) => Err(format!(
                "cannot tell USE_NEW_WORKER_TYPE: {source} computes it; {REMEDY}"
            )),
            _ => Ok("postgresql"),
        };
    }
    if is_before(version, 108) {
        return Ok("postgresql");
    }
    let is_redis = text(layers, &["WORKER_TYPE"])?.as_deref() == Some("redis");
    Ok(if is_redis { "redis" } else { "postgresql" })
}

fn at(host: Option<&str>, port: Option<&str>) -> Option<(String, u16)> {
    let host = host
        .filter(|host| !host.starts_with('/'))
        .unwrap_or("localhost");
    Some((host.to_owned(), port.unwrap_or("5432").parse().ok()?))
}

/// As libpq's URL: an empty host, or one that is a path, is a Unix socket.
fn database(layers: &Layers) -> Place {
    let host_at = ["DATABASES", "default", "HOST"];
    let host = text(layers, &host_at)?.unwrap_or_default();
    let port = text(layers, &["DATABASES", "default", "PORT"])?;
    let ssl = text(layers, &["DATABASES", "default", "OPTIONS", "sslmode"])?;
    let mut parameters = Vec::new();
    let port = port.unwrap_or_else(|| "5432".to_owned());
    let authority = if host.is_empty() || host.starts_with('/') {
        if !host.is_empty() {
            parameters.push(format!(
                "host={}",
                utf8_percent_encode(&host, NON_ALPHANUMERIC)
            ));
        }
        parameters.push(format!("port={port}"));
        String::new()
    } else if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    parameters.extend(ssl.map(|mode| format!("sslmode={mode}")));
    let url = format!("postgresql://{authority}/?{}", parameters.join("&"));
    Ok((url, source(layers, &host_at)))
}

/// With the credentials that may stand in it.
fn redis(layers: &Layers, has_default: bool) -> Place {
    if let Some(url) = text(layers, &["REDIS_URL"])? {
        return Ok((url, source(layers, &["REDIS_URL"])));
    }
    let port = text(layers, &["REDIS_PORT"])?.unwrap_or_else(|| "6379".to_owned());
    match text(layers, &["REDIS_HOST"])? {
        Some(host) => Ok((
            format!("redis://{host}:{port}"),
            source(layers, &["REDIS_HOST"]),
        )),
        None if has_default => Ok((OLD_REDIS.to_owned(), "Pulp's default".to_owned())),
        None => Err(format!(
            "neither REDIS_URL nor REDIS_HOST is set in Pulp's settings; {REMEDY}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulp(text: &str, version: &str) -> Pulp3 {
        let mut layers = Layers::default();
        layers.file(text, "/etc/pulp/settings.py");
        Pulp3::of(
            &layers,
            Some(version.to_owned()).filter(|v| !v.is_empty()),
            false,
        )
    }

    const SETTINGS: &str = "CONTENT_ORIGIN = 'https://pulp.example.com'\nSECRET_KEY = 'k'\nDATABASES = {'default': \
        {'HOST': 'db', 'PORT': '6432', 'NAME': 'p', 'PASSWORD': 'hunter2', 'OPTIONS': {'sslmode': 'require'}}}\n\
        REDIS_URL = 'redis://:x@cache:6379/0'\nCACHE_ENABLED = True\n";

    #[test]
    fn what_carries_the_tasks_follows_from_version_and_settings() {
        for (settings, version, expected) in [
            ("", "3.13.0", "redis"),
            ("", "3.14.1", "postgresql"),
            ("USE_NEW_WORKER_TYPE = False\n", "3.15.9", "redis"),
            ("WORKER_TYPE = 'redis'\n", "3.107.1", "postgresql"),
            ("WORKER_TYPE = 'redis'\n", "3.123.1", "redis"),
            ("WORKER_TYPE = 'pulpcore'\n", "3.123.1", "postgresql"),
            ("WORKER_TYPE = 'redis'\n", "", "redis"),
            ("", "", "postgresql"),
        ] {
            assert_eq!(
                pulp(settings, version).carrier,
                Ok(expected),
                "{settings} {version}"
            );
        }
        let computed = pulp("WORKER_TYPE = os.environ['T']\n", "3.123.1").place(Target::Broker);
        assert!(computed.unwrap_err().contains("cannot tell WORKER_TYPE"));
    }

    #[test]
    fn the_databases_url_has_no_credentials() {
        let found = pulp(SETTINGS, "3.123.1");
        let (url, source) = found.place(Target::Broker).unwrap();
        assert_eq!(url, "postgresql://db:6432/?sslmode=require");
        assert_eq!(source, "/etc/pulp/settings.py DATABASES.default.HOST");
        assert!(found.secrets.contains(&"hunter2".to_owned()));
        assert_eq!(found.origin.as_deref(), Some("https://pulp.example.com"));
        let cache = found.place(Target::Cache).unwrap();
        assert_eq!(cache.0, "redis://:x@cache:6379/0");
    }

    #[test]
    fn an_empty_host_or_a_path_is_a_socket() {
        for (host, expected) in [
            ("", "postgresql:///?port=5432"),
            (
                "/run/postgresql",
                "postgresql:///?host=%2Frun%2Fpostgresql&port=5432",
            ),
        ] {
            let text = format!("DATABASES = {{'default': {{'HOST': '{host}'}}}}\n");
            let found = pulp(&text, "3.50.0");
            assert_eq!(found.place(Target::Database).unwrap().0, expected);
            assert_eq!(found.database_at, Some(("localhost".to_owned(), 5432)));
        }
    }

    #[test]
    fn a_cache_that_is_none_is_not_taken_away() {
        let none = pulp("", "3.123.1").place(Target::Cache);
        assert!(none.unwrap_err().contains("no cache"));
        assert_eq!(
            pulp("", "3.10.0").place(Target::Broker).unwrap().0,
            OLD_REDIS
        );
    }
}
