//! Pulp 2's `server.conf`, where Pulp itself cannot be asked: by the rules of Python 2.7's `SafeConfigParser`, which Pulp fills
//! with its own defaults before it reads the file. `scripts/server-conf-forms` asks that, and `tests/server_conf.rs` holds this
//! program against its answers.

use std::collections::BTreeMap;

use super::{Place, SERVER_CONF, Settings, Target};
use crate::broker::url;
use crate::names::Generation;

/// How deep values may stand in values, as `ConfigParser` has it.
const DEEPEST: usize = 10;

/// Pulp's own values of what counts here though nobody set it, and of what a broker's URL may refer to. They stand in each section
/// by themselves, so `[DEFAULT]` of the file does not replace them. (Up to 2.5 the broker's URL had the user `guest` too.)
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("database", "name", "pulp_database"),
    ("database", "seeds", "localhost:27017"),
    ("messaging", "transport", "qpid"),
    ("tasks", "broker_url", "qpid://localhost/"),
    ("tasks", "cacert", "/etc/pki/pulp/qpid/ca.crt"),
    ("tasks", "celery_require_ssl", "false"),
    ("tasks", "certfile", "/etc/pki/pulp/qpid/client.crt"),
    ("tasks", "keyfile", "/etc/pki/pulp/qpid/client.crt"),
    ("tasks", "login_method", ""),
];

/// `MongoDB`'s port where a seed names none.
const DATABASE_PORT: u16 = 27017;

/// What the file says, or Pulp's own default where the whole file was read and does not say it.
pub(super) fn read(why_not_asked: &str) -> Settings {
    // It may be in any encoding: what is no UTF-8 counts only in comments.
    let bytes = std::fs::read(SERVER_CONF).map_err(|cause| cause.to_string());
    let ini = bytes.and_then(|bytes| Ini::parse(&String::from_utf8_lossy(&bytes)));
    settings(&ini, why_not_asked)
}

fn settings(ini: &Result<Ini, String>, why_not_asked: &str) -> Settings {
    let known = |section, option| {
        let value = ini.as_ref().ok()?.get(section, option).ok()??;
        Some(value).filter(|value| !value.is_empty())
    };
    let broker = ini.as_ref().map_err(Clone::clone).and_then(broker);
    let broker = broker.map_err(|why| format!("{SERVER_CONF}: {why}"));
    let secrets = [("database", "password"), ("server", "default_password")];
    Settings {
        generation: Some(Generation::Two),
        asked: format!("read {SERVER_CONF}: {why_not_asked}"),
        places: BTreeMap::from([(Target::Broker, broker)]),
        messaging_url: known("messaging", "url"),
        transport: known("messaging", "transport"),
        url: known("server", "server_name").map(|name| format!("https://{name}")),
        database: known("database", "name").unwrap_or_default(),
        seeds: seeds(&known("database", "seeds").unwrap_or_default()),
        worker_timeout: known("tasks", "worker_timeout").and_then(|v| v.parse().ok()),
        secrets: secrets.iter().filter_map(|(s, o)| known(s, o)).collect(),
        files: vec![SERVER_CONF.to_owned()],
        ..Settings::default()
    }
}

/// The broker's URL, and what says so.
fn broker(ini: &Ini) -> Place {
    let url = ini.get("tasks", "broker_url")?.unwrap_or_default();
    if url.is_empty() {
        return Err("[tasks] broker_url is empty".to_owned());
    }
    if !url.is_ascii() {
        return Err("[tasks] broker_url is not ASCII, which kombu 4 does not take".to_owned());
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

/// The options of a file, by section and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ini {
    options: BTreeMap<(String, String), String>,
}

impl Ini {
    /// # Errors
    /// What `SafeConfigParser` raises an exception for; the line is named, and never shown.
    fn parse(text: &str) -> Result<Self, String> {
        let mut ini = Self::default();
        let (mut section, mut last) = (None, None::<(String, String)>);
        for (index, line) in text.split('\n').enumerate() {
            let wrong = |what: &str| format!("line {} {what}", index + 1);
            if is_remark(line) {
                continue;
            }
            if let (Some(option), true) = (&last, line.starts_with(is_blank)) {
                let value: &mut String = ini.options.entry(option.clone()).or_default();
                value.push('\n');
                value.push_str(line.trim_matches(is_blank));
                continue;
            }
            // What follows the bracket counts for nothing.
            let header = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            if let Some((name, _)) = header.filter(|(name, _)| !name.is_empty()) {
                (section, last) = (Some(name.to_owned()), None);
                continue;
            }
            let own = section
                .clone()
                .ok_or_else(|| wrong("stands before any section"))?;
            let (name, value) =
                assignment(line).ok_or_else(|| wrong("is no option and no section"))?;
            ini.options.insert((own.clone(), name.clone()), value);
            last = Some((own, name));
        }
        Ok(ini)
    }

    /// An option's value with what it refers to, or Pulp's own; none where neither is there.
    fn get(&self, section: &str, option: &str) -> Result<Option<String>, String> {
        let Some(value) = self.own(section, option) else {
            return Ok(None);
        };
        let value = self.interpolated(section, value, 1);
        match value {
            Ok(value) if value.contains(char::REPLACEMENT_CHARACTER) => {
                Err(format!("[{section}] {option} is no UTF-8"))
            }
            Ok(value) => Ok(Some(value)),
            Err(why) => Err(format!("[{section}] {option} {why}")),
        }
    }

    /// Whether the file itself has an option, be it empty.
    fn has(&self, section: &str, option: &str) -> bool {
        let key = (section.to_owned(), option.to_owned());
        self.options.contains_key(&key)
    }

    /// As `getboolean`.
    fn is_on(&self, section: &str, option: &str) -> Result<bool, String> {
        let value = self.get(section, option)?.unwrap_or_default();
        match value.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Ok(true),
            "0" | "no" | "false" | "off" => Ok(false),
            _ => Err(format!("[{section}] {option} is no boolean")),
        }
    }

    fn own(&self, section: &str, option: &str) -> Option<&str> {
        let key = (section.to_owned(), option.to_owned());
        let pulps = || {
            let mut defaults = DEFAULTS.iter();
            let found = defaults.find(|(of, name, _)| (*of, *name) == (section, option));
            found.map(|(_, _, value)| *value)
        };
        self.options.get(&key).map(String::as_str).or_else(pulps)
    }

    fn interpolated(&self, section: &str, value: &str, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("refers to itself".to_owned());
        }
        let (mut done, mut rest) = (String::new(), value);
        while let Some((before, after)) = rest.split_once('%') {
            done.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                done.push('%');
                rest = after;
                continue;
            }
            let inside = after.strip_prefix('(').and_then(|at| at.split_once(')'));
            let named = inside.and_then(|(name, after)| Some((name, after.strip_prefix('s')?)));
            let (name, after) = named.ok_or("holds a `%` that is neither `%%` nor `%(name)s`")?;
            let name = name.to_ascii_lowercase();
            let other = self
                .own(section, &name)
                .or_else(|| self.own("DEFAULT", &name));
            let other = other.ok_or("refers to an option that is not set")?;
            done.push_str(&self.interpolated(section, other, depth + 1)?);
            rest = after;
        }
        done.push_str(rest);
        Ok(done)
    }
}

/// As Python 2 takes a byte.
fn is_blank(letter: char) -> bool {
    letter.is_ascii_whitespace() || letter == '\x0b'
}

/// A comment, or nothing.
fn is_remark(line: &str) -> bool {
    let word = line.split(is_blank).next().unwrap_or_default();
    word.eq_ignore_ascii_case("rem")
        || line.starts_with(['#', ';'])
        || line.trim_matches(is_blank).is_empty()
}

/// An option in lower case and its value.
fn assignment(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(['=', ':'])?;
    if name.is_empty() || name.starts_with(is_blank) {
        return None;
    }
    let value = value.trim_start_matches(is_blank);
    // Only the first semicolon is looked at. Before the first letter Python finds the last one.
    let is_comment = |end: &usize| {
        let before = value[..*end].chars().next_back();
        before.or(value.chars().next_back()).is_some_and(is_blank)
    };
    let end = value.find(';').filter(is_comment);
    let value = value[..end.unwrap_or(value.len())].trim_matches(is_blank);
    let value = if value == "\"\"" { "" } else { value };
    let name = name.trim_end_matches(is_blank).to_ascii_lowercase();
    Some((name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str) -> Result<Option<String>, String> {
        Ini::parse(text)?.get("tasks", "broker_url")
    }

    /// Each was read by Python 2.7's own `SafeConfigParser`, or is an exception there.
    #[test]
    fn values_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("[tasks]\nbroker_url: amqp://u:p@h//\n", "amqp://u:p@h//"),
            (
                "[tasks] # ours\nBroker_URL = amqp://h// ; ours\n",
                "amqp://h//",
            ),
            ("[tasks]\nbroker_url=amqp://u:a;b@h//\n", "amqp://u:a;b@h//"),
            (
                "[tasks]\nbroker_url=amqp://u:50%%@h//\n",
                "amqp://u:50%@h//",
            ),
            (
                "[tasks]\nhost=h\nbroker_url=amqp://%(host)s//\n",
                "amqp://h//",
            ),
            (
                "[DEFAULT]\nhost=d\n[tasks]\nbroker_url=amqp://%(HOST)s//\n",
                "amqp://d//",
            ),
            ("[tasks]\nbroker_url:\n  amqp://h//\n", "\namqp://h//"),
            (
                "[tasks]\nbroker_url: a\n[server]\nx: y\n[tasks]\nbroker_url: b\n",
                "b",
            ),
            ("[tasks]\nREM broker_url: a\nbroker_url: b\n", "b"),
        ] {
            assert_eq!(get(text), Ok(Some(expected.to_owned())), "{text}");
        }
        let default = Ok(Some("qpid://localhost/".to_owned()));
        assert_eq!(get("[tasks]\n# broker_url: amqp://x\n"), default);
        assert_eq!(get("[DEFAULT]\nbroker_url: amqp://x\n"), default);
        assert_eq!(get("[tasks]\nbroker_url: \"\"\n"), Ok(Some(String::new())));
    }

    #[test]
    fn what_is_an_exception_there_cannot_be_told_here() {
        for (text, expected) in [
            (
                "\u{feff}[tasks]\nbroker_url: a\n",
                "line 1 stands before any section",
            ),
            (
                "[tasks]\nbroker_url\n",
                "line 2 is no option and no section",
            ),
            (
                "[tasks]\nbroker_url: 50%\n",
                "[tasks] broker_url holds a `%`",
            ),
            (
                "[tasks]\nbroker_url: %(x)s\n",
                "[tasks] broker_url refers to an option",
            ),
            ("[tasks]\nbroker_url: %(broker_url)s\n", "refers to itself"),
        ] {
            let why = get(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
        let ini = Ini::parse("[tasks]\na: On\nb: maybe\nc:\n").unwrap();
        assert_eq!(ini.is_on("tasks", "a"), Ok(true));
        assert_eq!(ini.is_on("tasks", "celery_require_ssl"), Ok(false));
        assert!(ini.is_on("tasks", "b").is_err() && ini.is_on("tasks", "c").is_err());
    }

    fn of(text: &str) -> Settings {
        settings(&Ini::parse(text), "x")
    }

    fn broker(text: &str) -> Place {
        of(text).places[&Target::Broker].clone()
    }

    #[test]
    fn the_database_is_told_where_pymongo_takes_it() {
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
    fn the_tasks_url_is_the_broker_and_its_source_is_named() {
        let text = "[server]\nserver_name: pulp.example.com\n[messaging]\nurl: tcp://a:5672\n\
                    [tasks]\nbroker_url = amqp://u:p@b:5672// ; ours\nworker_timeout: 120\n";
        let (url, source) = broker(text).unwrap();
        assert_eq!(url, "amqp://u:p@b:5672//");
        assert_eq!(source, "/etc/pulp/server.conf [tasks] broker_url");
        let settings = of(text);
        assert_eq!(settings.url.as_deref(), Some("https://pulp.example.com"));
        assert_eq!(settings.agents_url().as_deref(), Some("qpid://a:5672"));
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
        let why = of("[tasks]\nbroker_url:\n").place(Target::Broker);
        let why = why.unwrap_err().to_string();
        assert!(
            why.starts_with("VOID broker_uncertain: ") && why.contains("set `broker_url`"),
            "{why}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_has_no_default() {
        let settings = settings(&Err("Is a directory (os error 21)".to_owned()), "x");
        let why = settings.places[&Target::Broker].clone().unwrap_err();
        assert_eq!(why, "/etc/pulp/server.conf: Is a directory (os error 21)");
        assert!(settings.database.is_empty() && settings.seeds.is_empty());
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
            let settings = of(&format!("[messaging]\nurl: ssl://u:p@h\n{transport}"));
            assert_eq!(settings.agents_url().as_deref(), Some(expected));
            assert_eq!(settings.by_transport("ssl://u:p@h"), expected);
        }
    }
}
