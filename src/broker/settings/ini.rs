//! Pulp 2's `server.conf` by the rules of Python 2.7's `SafeConfigParser`, which is what Pulp reads it with.

use std::collections::BTreeMap;

/// How deep values may stand in values, as `ConfigParser` has it.
const DEEPEST: usize = 10;

type Section = BTreeMap<String, String>;

/// Sections of options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ini {
    sections: BTreeMap<String, Section>,
}

impl Ini {
    /// # Errors
    /// What `SafeConfigParser` raises an exception for; the line is named, and never shown.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut ini = Self::default();
        let (mut section, mut option) = (None::<String>, None::<String>);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            let wrong = |what: &str| format!("line {} {what}", index + 1);
            let is_remark = line.starts_with(['r', 'R'])
                && line
                    .split_whitespace()
                    .next()
                    .is_some_and(|w| w.eq_ignore_ascii_case("rem"));
            if line.trim().is_empty() || line.starts_with(['#', ';']) || is_remark {
                continue;
            }
            let inside = section.as_ref().and_then(|name| ini.sections.get_mut(name));
            match (inside, &option) {
                (Some(own), Some(option)) if line.starts_with(char::is_whitespace) => {
                    let value = own.entry(option.clone()).or_default();
                    value.push('\n');
                    value.push_str(line.trim());
                }
                (inside, _) => {
                    // What follows the bracket counts for nothing.
                    let header = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                    if let Some((name, _)) = header.filter(|(name, _)| !name.is_empty()) {
                        ini.sections.entry(name.to_owned()).or_default();
                        section = Some(name.to_owned());
                        option = None;
                        continue;
                    }
                    let own = inside.ok_or_else(|| wrong("stands before any section"))?;
                    let (name, value) =
                        assignment(line).ok_or_else(|| wrong("is no option and no section"))?;
                    own.insert(name.clone(), value);
                    option = Some(name);
                }
            }
        }
        Ok(ini)
    }

    /// An option's value with what it refers to; none where it is not set or empty.
    pub(super) fn get(&self, section: &str, option: &str) -> Result<Option<String>, String> {
        let value = self.raw(section, option);
        let value = value
            .map(|value| self.interpolated(section, value, 1))
            .transpose();
        value
            .map(|value| value.filter(|value| !value.is_empty()))
            .map_err(|why| format!("[{section}] {option} {why}"))
    }

    /// Whether an option stands there, be it empty.
    pub(super) fn has(&self, section: &str, option: &str) -> bool {
        self.raw(section, option).is_some()
    }

    /// As `getboolean`; not set is no.
    pub(super) fn is_on(&self, section: &str, option: &str) -> Result<bool, String> {
        let value = self.get(section, option)?.unwrap_or_default();
        match value.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Ok(true),
            "" | "0" | "no" | "false" | "off" => Ok(false),
            _ => Err(format!("[{section}] {option} is no boolean")),
        }
    }

    fn raw(&self, section: &str, option: &str) -> Option<&str> {
        let own = self.sections.get(section)?.get(option);
        let found = own.or_else(|| self.sections.get("DEFAULT")?.get(option));
        found.map(String::as_str)
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
            let named = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(")s"));
            let (name, after) = named.ok_or("holds a `%` that is neither `%%` nor `%(name)s`")?;
            let other = self.raw(section, &name.to_lowercase());
            let other = other.ok_or("refers to an option that is not set")?;
            done.push_str(&self.interpolated(section, other, depth + 1)?);
            rest = after;
        }
        done.push_str(rest);
        Ok(done)
    }
}

/// An option in lower case and its value.
fn assignment(line: &str) -> Option<(String, String)> {
    let at = line.find(['=', ':'])?;
    let name = line[..at].trim_end();
    if name.is_empty() || name.starts_with(char::is_whitespace) {
        return None;
    }
    let value = line[at + 1..].trim_start();
    // Only the first semicolon is looked at.
    let end = value
        .find(';')
        .filter(|end| value[..*end].ends_with(char::is_whitespace));
    let value = value[..end.unwrap_or(value.len())].trim();
    let value = if value == "\"\"" { "" } else { value };
    Some((name.to_lowercase(), value.to_owned()))
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
        assert_eq!(get("[tasks]\n# broker_url: amqp://x\n"), Ok(None));
        assert_eq!(get("[tasks]\nbroker_url: \"\"\n"), Ok(None));
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
        let ini = Ini::parse("[tasks]\na: On\nb: maybe\n").unwrap();
        assert_eq!(ini.is_on("tasks", "a"), Ok(true));
        assert_eq!(ini.is_on("tasks", "c"), Ok(false));
        assert!(ini.is_on("tasks", "b").is_err());
    }
}
