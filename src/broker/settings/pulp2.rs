//! A Pulp 2's settings: as its Celery application has them, else as its `server.conf` says.

use serde::Deserialize;
use serde_json::Value;

use super::ask::shown;
use super::ini::Ini;
use super::{Generation, Place, SERVER_CONF, Settings, in_brackets, remedy, seeds};
use crate::broker::url;

/// Where kombu goes by default; with TLS too, where the transport is `qpid`.
const PORT: &str = "5672";

/// How gofer reaches the broker where nothing else is said: the same.
const DEFAULT_TRANSPORT: &str = "qpid";

#[derive(Debug, Deserialize)]
struct Told {
    broker: Broker,
    broker_url: Option<String>,
    messaging_url: Option<String>,
    #[serde(default)]
    messaging_transport: Option<String>,
    server_name: Option<String>,
    database: Option<String>,
    seeds: Option<String>,
    worker_timeout: Value,
    secrets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Broker {
    transport: Option<String>,
    host: Option<String>,
    port: Value,
    virtual_host: Option<String>,
    tls: bool,
    several: bool,
}

/// What its Celery application answered.
pub(super) fn of_answer(whom: &str, answer: Value) -> Result<Settings, String> {
    let told = Told::deserialize(answer).map_err(|e| format!("its answer makes no sense: {e}"))?;
    let source = "Pulp's own Celery application".to_owned();
    let broker = match (told.broker.several, told.broker_url) {
        // With all of them, as it is refused.
        (true, Some(url)) => Ok((url, source)),
        _ => place_of(&told.broker).map(|url| (url, source)),
    };
    let transport = Some(transport(told.messaging_transport));
    let messaging_url = told.messaging_url.filter(|url| !url.is_empty());
    Ok(Settings {
        broker,
        messaging_url: messaging_url.map(|url| agents(url, transport.as_deref())),
        transport,
        server_name: told.server_name.filter(|name| !name.is_empty()),
        database: told.database.unwrap_or_default(),
        seeds: seeds(told.seeds.as_deref().unwrap_or_default()),
        worker_timeout: shown(&told.worker_timeout).and_then(|text| text.parse().ok()),
        secrets: told.secrets,
        asked: Ok(format!("asked {whom}")),
        files: vec![SERVER_CONF.to_owned()],
        generation: Some(Generation::Two),
        pulp3: None,
    })
}

fn transport(said: Option<String>) -> String {
    let said = said.filter(|transport| !transport.is_empty());
    said.unwrap_or_else(|| DEFAULT_TRANSPORT.to_owned())
}

fn agents(url: String, transport: Option<&str>) -> String {
    match transport {
        Some(transport) => url::of_transport(&url, transport),
        None => url,
    }
}

/// Without credentials.
fn place_of(broker: &Broker) -> Result<String, String> {
    let transport = broker.transport.as_deref().unwrap_or_default();
    let (plain, secured) = match transport {
        "amqp" | "pyamqp" | "librabbitmq" | "amqps" => ("amqp", "amqps"),
        "qpid" => ("qpid", "qpids"),
        "redis" | "rediss" => ("redis", "rediss"),
        other => {
            return Err(format!(
                "its broker is reached by `{other}`, which is not known here; {}",
                remedy()
            ));
        }
    };
    let host = broker.host.as_deref().unwrap_or("localhost");
    // Of a Unix socket kombu gives all of its URL.
    if host.contains("://") {
        return Ok(host.to_owned());
    }
    let port = shown(&broker.port).unwrap_or_else(|| PORT.to_owned());
    let scheme = if broker.tls { secured } else { plain };
    let virtual_host = broker.virtual_host.as_deref().unwrap_or("/");
    let virtual_host =
        percent_encoding::utf8_percent_encode(virtual_host, percent_encoding::NON_ALPHANUMERIC);
    Ok(format!(
        "{scheme}://{}:{port}/{virtual_host}",
        in_brackets(host)
    ))
}

/// What `server.conf` says, or Pulp's own default where the whole file was read and does not say it.
pub(super) fn of_file(text: &str, why: &str) -> Settings {
    let ini = Ini::parse(text);
    let get = |section, option| ini.as_ref().map_err(Clone::clone)?.get(section, option);
    let known = |section, option| {
        let value = get(section, option).ok().flatten();
        value.filter(|value| !value.is_empty())
    };
    let transport = known("messaging", "transport");
    let secrets = [("database", "password"), ("server", "default_password")];
    Settings {
        broker: ini
            .as_ref()
            .map_err(Clone::clone)
            .and_then(broker)
            .map_err(|why| format!("{SERVER_CONF}: {why}; {}", remedy())),
        messaging_url: known("messaging", "url").map(|url| agents(url, transport.as_deref())),
        transport,
        server_name: known("server", "server_name"),
        database: known("database", "name").unwrap_or_default(),
        seeds: seeds(&known("database", "seeds").unwrap_or_default()),
        worker_timeout: known("tasks", "worker_timeout").and_then(|v| v.parse().ok()),
        secrets: secrets.iter().filter_map(|(s, o)| known(s, o)).collect(),
        asked: Err(format!("read {SERVER_CONF}: {why}")),
        files: vec![SERVER_CONF.to_owned()],
        generation: Some(Generation::Two),
        pulp3: None,
    }
}

/// The broker's URL, and what says so.
fn broker(ini: &Ini) -> Place {
    let url = ini.get("tasks", "broker_url")?.unwrap_or_default();
    if url.is_empty() {
        return Err("[tasks] broker_url is empty".to_owned());
    }
    if !url.is_ascii() {
        return Err("[tasks] broker_url is not ASCII, which kombu does not take".to_owned());
    }
    let source = if ini.has("tasks", "broker_url") {
        format!("{SERVER_CONF} [tasks] broker_url")
    } else {
        format!("Pulp 2's default, because {SERVER_CONF} has no [tasks] broker_url")
    };
    if ini.is_on("tasks", "celery_require_ssl")? {
        return Ok((url::with_tls(&url), source));
    }
    Ok((url, source))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broker(text: &str) -> Place {
        of_file(text, "x").broker
    }

    #[test]
    fn the_tasks_url_is_the_broker_and_its_source_is_named() {
        let text = "[server]\nserver_name: pulp.example.com\n[messaging]\nurl: tcp://a:5672\n\
                    [tasks]\nbroker_url = amqp://u:p@b:5672// ; ours\nworker_timeout: 120\n";
        let settings = of_file(text, "x");
        let (url, source) = settings.broker.unwrap();
        assert_eq!(url, "amqp://u:p@b:5672//");
        assert_eq!(source, "/etc/pulp/server.conf [tasks] broker_url");
        assert_eq!(settings.server_name.as_deref(), Some("pulp.example.com"));
        assert_eq!(settings.messaging_url.as_deref(), Some("qpid://a:5672"));
        assert_eq!(settings.worker_timeout, Some(120));
    }

    #[test]
    fn a_broker_that_is_not_named_is_pulps_default_whatever_messaging_says() {
        for text in ["# all commented out\n", "[messaging]\nurl: ssl://b:5671\n"] {
            let (url, source) = broker(text).unwrap();
            assert_eq!(url, "qpid://localhost/");
            assert!(source.starts_with("Pulp 2's default, because "), "{source}");
        }
        let secured = "[tasks]\ncelery_require_ssl: yes\n";
        assert_eq!(broker(secured).unwrap().0, "qpids://localhost:5672/");
        assert!(broker("broker_url: a\n").unwrap_err().contains("line 1"));
        let why = broker("[tasks]\nbroker_url:\n").unwrap_err();
        assert!(why.contains("set `broker_url`"), "{why}");
    }

    #[test]
    fn tls_is_what_celery_requires() {
        let text = "[tasks]\nbroker_url: qpid://u:p@h/\ncelery_require_ssl: true\n";
        assert_eq!(broker(text).unwrap().0, "qpids://u:p@h:5672/");
        assert!(broker("[tasks]\nbroker_url: amqp://h\ncelery_require_ssl: x\n").is_err());
    }

    #[test]
    fn the_agents_broker_is_what_the_transport_says() {
        for (transport, expected) in [
            ("", "qpids://u:p@h"),
            ("transport: qpid\n", "qpids://u:p@h"),
            ("transport: rabbitmq\n", "amqps://u:p@h"),
        ] {
            let text = format!("[messaging]\nurl: ssl://u:p@h\n{transport}");
            let settings = of_file(&text, "x");
            assert_eq!(settings.messaging_url.as_deref(), Some(expected));
            assert_eq!(settings.by_transport("ssl://u:p@h"), expected);
        }
        let answer = json!({"broker": {"transport": "amqp", "host": "a", "port": 1, "virtual_host": "/", "tls": false, "several": false},
            "messaging_url": "tcp://h", "messaging_transport": "rabbitmq", "worker_timeout": 30, "secrets": []});
        let settings = of_answer("Pulp", answer).unwrap();
        assert_eq!(settings.messaging_url.as_deref(), Some("amqp://h"));
    }

    #[test]
    fn what_kombu_says_is_the_broker() {
        let told = |broker: Value| {
            let answer = json!({"broker": broker, "broker_url": "amqp://a//;amqp://b//", "messaging_url": null,
                "server_name": "h", "database": "d", "seeds": "", "worker_timeout": 30, "secrets": []});
            of_answer("Pulp", answer).unwrap().broker
        };
        let one = |transport, tls| {
            json!({"transport": transport, "host": "::1", "port": 5672,
            "virtual_host": "a/b", "tls": tls, "several": false})
        };
        assert_eq!(
            told(one("amqp", false)).unwrap().0,
            "amqp://[::1]:5672/a%2Fb"
        );
        assert_eq!(
            told(one("qpid", true)).unwrap().0,
            "qpids://[::1]:5672/a%2Fb"
        );
        let mut socket = one("redis", false);
        socket["host"] = "redis+socket:///run/r.sock".into();
        assert_eq!(told(socket).unwrap().0, "redis+socket:///run/r.sock");
        assert!(told(one("SQS", false)).unwrap_err().contains("`SQS`"));
        let mut several = one("amqp", false);
        several["several"] = true.into();
        assert!(told(several).unwrap().0.contains(';'));
    }
}
