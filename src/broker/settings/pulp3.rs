//! A Pulp 3's settings as its own interpreter told them: the database, Redis, and which of the two carries the
//! tasks.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::ask::{Part, shown};
use super::{Place, Target, in_brackets, remedy};

/// What this host tells of a Pulp 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulp3 {
    /// pulpcore's, as in `3.123.1`.
    pub(crate) version: Option<String>,
    /// `CONTENT_ORIGIN`.
    pub(super) origin: Option<String>,
    /// `API_ROOT`.
    pub(crate) api_root: Option<String>,
    /// `DOMAIN_ENABLED`.
    pub(crate) domains: Option<bool>,
    /// `postgresql` or `redis`; or why it cannot be told.
    pub(crate) carrier: Result<&'static str, String>,
    /// Redis keeps published content for a while.
    pub(crate) caches: Option<bool>,
    pub(super) database: Place,
    pub(super) redis: Place,
    pub(super) database_name: Option<String>,
    /// Host and port, where it is no Unix socket of this host.
    pub(super) database_at: Option<(String, u16)>,
    /// Databases beside the one that is taken away, by their names in Pulp's settings.
    pub(crate) other_databases: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Told {
    settings: Chosen,
    version: Option<String>,
    database: Part<Database>,
    redis: Part<Option<Redis>>,
    other_databases: Vec<String>,
    #[serde(flatten)]
    beside: Beside,
}

/// What was answered besides.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Beside {
    /// What nobody may read.
    pub(super) secrets: Vec<String>,
    /// The files that Dynaconf was told to read.
    pub(super) files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Chosen {
    content_origin: Value,
    api_root: Value,
    domain_enabled: Value,
    cache_enabled: Value,
    worker_type: Value,
    use_new_worker_type: Value,
}

/// As libpq decides it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Database {
    host: Value,
    hostaddr: Value,
    port: Value,
    sslmode: Value,
    dbname: Value,
}

/// As redis-py decides it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Redis {
    tls: bool,
    host: Value,
    port: Value,
    path: Value,
}

/// What was answered.
pub(super) fn of_answer(answer: Value) -> Result<(Pulp3, Beside), String> {
    let told = Told::deserialize(answer).map_err(|e| format!("its answer makes no sense: {e}"))?;
    let chosen = &told.settings;
    let database = match &told.database {
        Part::Is(database) => Ok(database),
        Part::Cannot { cannot } => Err(format!("{cannot}; {}", remedy())),
    };
    let redis = match told.redis {
        Part::Is(Some(redis)) => self::redis(&redis),
        Part::Is(None) => Err(format!("Pulp uses no Redis; {}", remedy())),
        Part::Cannot { cannot } => Err(format!("{cannot}; {}", remedy())),
    };
    let pulp3 = Pulp3 {
        origin: shown(&chosen.content_origin).filter(|url| url.contains("://")),
        api_root: shown(&chosen.api_root),
        domains: chosen.domain_enabled.as_bool(),
        carrier: carrier(chosen, told.version.as_deref()),
        caches: truth(&chosen.cache_enabled),
        database_name: database.clone().ok().and_then(|d| shown(&d.dbname)),
        database_at: database.clone().ok().and_then(at),
        database: database.and_then(self::database),
        redis,
        version: told.version,
        other_databases: told.other_databases,
    };
    Ok((pulp3, told.beside))
}

impl Pulp3 {
    /// One of which nothing is known.
    pub(super) fn unknown(why: &str) -> Self {
        let why = format!("{why}; {}", remedy());
        Self {
            version: None,
            origin: None,
            api_root: None,
            domains: None,
            carrier: Err(why.clone()),
            caches: None,
            database: Err(why.clone()),
            redis: Err(why),
            database_name: None,
            database_at: None,
            other_databases: Vec::new(),
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
            Target::Cache => self.redis.clone(),
        }
    }

    /// Redis neither keeps content nor carries tasks.
    pub(super) fn has_no_cache(&self) -> bool {
        self.caches == Some(false) && self.carrier == Ok("postgresql")
    }
}

/// As Python takes a value for true or not; none where it is of another kind.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Null => Some(false),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => Some(!text.is_empty()),
        _ => None,
    }
}

/// RQ, and with it Redis, up to 3.13 and by choice in 3.14 and 3.15; since 3.108 by choice again. pulpcore has
/// the settings that it knows.
fn carrier(chosen: &Chosen, version: Option<&str>) -> Result<&'static str, String> {
    let minor = version.and_then(|v| v.strip_prefix("3.")?.split('.').next()?.parse::<u32>().ok());
    match (&chosen.worker_type, &chosen.use_new_worker_type, minor) {
        (Value::String(kind), ..) if kind == "redis" && minor.is_none_or(|m| m >= 108) => {
            Ok("redis")
        }
        (_, Value::Bool(false), Some(14 | 15)) => Ok("redis"),
        (.., Some(minor)) if minor < 14 => Ok("redis"),
        (.., Some(_)) | (Value::String(_), ..) => Ok("postgresql"),
        _ => Err(format!("Pulp did not tell its version; {}", remedy())),
    }
}

/// Host and port; none for a Unix socket.
fn at(database: &Database) -> Option<(String, u16)> {
    let host = shown(&database.hostaddr).or_else(|| shown(&database.host));
    let host = host.filter(|host| !host.starts_with(['/', '@']))?;
    Some((host, shown(&database.port)?.parse().ok()?))
}

/// As libpq's URL, without credentials: a host that is a path is a Unix socket.
fn database(database: &Database) -> Place {
    let host = shown(&database.hostaddr).or_else(|| shown(&database.host));
    let (Some(host), Some(port)) = (host, shown(&database.port)) else {
        return Err(format!("libpq names no host or port; {}", remedy()));
    };
    if host.starts_with('@') {
        return Err(format!(
            "its database is at an abstract Unix socket; {}",
            remedy()
        ));
    }
    let mut parameters = Vec::new();
    let authority = if host.starts_with('/') && !host.contains(',') {
        parameters.push(format!(
            "host={}",
            utf8_percent_encode(&host, NON_ALPHANUMERIC)
        ));
        parameters.push(format!("port={port}"));
        String::new()
    } else {
        format!("{}:{port}", in_brackets(&host))
    };
    parameters.extend(shown(&database.sslmode).map(|mode| format!("sslmode={mode}")));
    let url = format!("postgresql://{authority}/?{}", parameters.join("&"));
    Ok((url, "Pulp's own settings: DATABASES".to_owned()))
}

/// Without credentials.
fn redis(redis: &Redis) -> Place {
    let source = "Pulp's own settings: REDIS".to_owned();
    if let Some(path) = shown(&redis.path) {
        return Ok((format!("redis+socket://{path}"), source));
    }
    let (Some(host), Some(port)) = (shown(&redis.host), shown(&redis.port)) else {
        return Err(format!("redis-py names no host or port; {}", remedy()));
    };
    let scheme = if redis.tls { "rediss" } else { "redis" };
    Ok((format!("{scheme}://{}:{port}/", in_brackets(&host)), source))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "settings": {"CONTENT_ORIGIN": "https://pulp.example.com", "API_ROOT": "/pulp/", "DOMAIN_ENABLED": false,
                "CACHE_ENABLED": true, "WORKER_TYPE": "pulpcore", "USE_NEW_WORKER_TYPE": null},
            "version": "3.123.1",
            "database": {"host": "db", "hostaddr": null, "port": 6432, "sslmode": "require", "dbname": "p"},
            "redis": {"tls": false, "host": "cache", "port": 6379, "path": null},
            "other_databases": ["replica"],
            "secrets": ["hunter2"],
            "files": [],
        })
    }

    fn pulp(change: impl Fn(&mut Value)) -> Pulp3 {
        let mut answer = answer();
        change(&mut answer);
        of_answer(answer).unwrap().0
    }

    #[test]
    fn what_carries_the_tasks_follows_from_version_and_settings() {
        for (kind, new, version, expected) in [
            (Value::Null, Value::Null, "3.13.0", "redis"),
            (Value::Null, json!(true), "3.14.1", "postgresql"),
            (Value::Null, json!(false), "3.15.9", "redis"),
            (json!("redis"), Value::Null, "3.107.1", "postgresql"),
            (json!("redis"), Value::Null, "3.123.1", "redis"),
            (json!("pulpcore"), Value::Null, "3.123.1", "postgresql"),
        ] {
            let found = pulp(|answer| {
                answer["settings"]["WORKER_TYPE"] = kind.clone();
                answer["settings"]["USE_NEW_WORKER_TYPE"] = new.clone();
                answer["version"] = version.into();
            });
            assert_eq!(found.carrier, Ok(expected), "{kind} {version}");
        }
        let unknown = pulp(|answer| {
            answer["version"] = Value::Null;
            answer["settings"]["WORKER_TYPE"] = Value::Null;
        });
        assert!(
            unknown
                .place(Target::Broker)
                .unwrap_err()
                .contains("version")
        );
    }

    #[test]
    fn the_database_is_where_libpq_goes() {
        let url = |host: Value, addr: Value, port: Value| {
            let found = pulp(|answer| {
                answer["database"]["host"] = host.clone();
                answer["database"]["hostaddr"] = addr.clone();
                answer["database"]["port"] = port.clone();
                answer["database"]["sslmode"] = Value::Null;
            });
            found.place(Target::Database).map(|(url, _)| url)
        };
        let none = || Value::Null;
        assert_eq!(
            url("db".into(), none(), 6432.into()).unwrap(),
            "postgresql://db:6432/?"
        );
        assert_eq!(
            url("::1".into(), none(), "5".into()).unwrap(),
            "postgresql://[::1]:5/?"
        );
        assert_eq!(
            url("db".into(), "10.0.0.1".into(), 5.into()).unwrap(),
            "postgresql://10.0.0.1:5/?"
        );
        let socket = url("/run/postgresql".into(), none(), 5432.into()).unwrap();
        assert_eq!(socket, "postgresql:///?host=%2Frun%2Fpostgresql&port=5432");
        assert!(url("@abstract".into(), none(), 5432.into()).is_err());
        assert!(url(none(), none(), none()).is_err());
    }

    #[test]
    fn what_one_part_cannot_tell_leaves_the_other() {
        let found =
            pulp(|answer| answer["database"] = json!({"cannot": "KeyError in /etc/x.py, line 3"}));
        let why = found.place(Target::Broker).unwrap_err();
        assert_eq!(why, "KeyError in /etc/x.py, line 3; set `broker_url`");
        assert_eq!(found.place(Target::Cache).unwrap().0, "redis://cache:6379/");
        let none = pulp(|answer| answer["settings"]["CACHE_ENABLED"] = false.into());
        assert!(none.has_no_cache());
        let unknown = Pulp3::unknown("nobody was asked");
        for target in [Target::Broker, Target::Database, Target::Cache] {
            let why = unknown.place(target).unwrap_err();
            assert_eq!(why, "nobody was asked; set `broker_url`");
        }
    }

    #[test]
    fn redis_is_where_its_client_goes() {
        let url =
            |given: Value| pulp(|answer| answer["redis"] = given.clone()).place(Target::Cache);
        let given = json!({"tls": true, "host": "::1", "port": 6380, "path": null});
        assert_eq!(url(given).unwrap().0, "rediss://[::1]:6380/");
        let given = json!({"tls": false, "host": null, "port": null, "path": "/run/redis.sock"});
        assert_eq!(url(given).unwrap().0, "redis+socket:///run/redis.sock");
        assert!(url(Value::Null).unwrap_err().contains("no Redis"));
    }
}
