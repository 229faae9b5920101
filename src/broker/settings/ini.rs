//! Pulp 2's `server.conf` by the rules of Python 2.7's `SafeConfigParser`, which Pulp fills with its own defaults before it
//! reads the file. `scripts/server-conf-forms` asks that, and `tests/server_conf.rs` holds this program against its answers.

use std::collections::BTreeMap;

/// How deep values may stand in values, as `ConfigParser` has it.
const DEEPEST: usize = 10;

/// Pulp's own values of what is read here and no secret, and of what a broker's URL may refer to. They stand in each section by
/// themselves, so `[DEFAULT]` of the file does not replace them. (Up to 2.5 the broker's URL had the user `guest` too.)
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("database", "name", "pulp_database"),
    ("database", "seeds", "localhost:27017"),
    ("messaging", "transport", "qpid"),
    ("messaging", "url", "tcp://localhost:5672"),
    ("tasks", "broker_url", "qpid://localhost/"),
    ("tasks", "cacert", "/etc/pki/pulp/qpid/ca.crt"),
    ("tasks", "celery_require_ssl", "false"),
    ("tasks", "certfile", "/etc/pki/pulp/qpid/client.crt"),
    ("tasks", "keyfile", "/etc/pki/pulp/qpid/client.crt"),
    ("tasks", "login_method", ""),
];

/// The options of a file, by section and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ini {
    options: BTreeMap<(String, String), String>,
}

impl Ini {
    /// # Errors
    /// What `SafeConfigParser` raises an exception for; the line is named, and never shown.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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
    pub(super) fn get(&self, section: &str, option: &str) -> Result<Option<String>, String> {
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
    pub(super) fn has(&self, section: &str, option: &str) -> bool {
        let key = (section.to_owned(), option.to_owned());
        self.options.contains_key(&key)
    }

    /// As `getboolean`.
    pub(super) fn is_on(&self, section: &str, option: &str) -> Result<bool, String> {
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
}
