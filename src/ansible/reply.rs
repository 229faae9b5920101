//! The reply that goes out: one line of ASCII-only JSON on standard output, once, in one write.
//!
//! ASCII, because Ansible splits the output at every line end that Unicode knows (U+2028 in a string
//! is valid JSON and would break the reply), and because no locale can spoil it. Nothing else may
//! reach standard output or standard error: over ssh both are the same terminal.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::Outcome;

/// What is written to standard output.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer to Ansible.
    Line(Map<String, Value>),
    /// The answer to a person who called the program by hand.
    Text(String),
}

/// Top-level keys that Ansible interprets, overwrites or warns of.
const RESERVED: [&str; 5] = ["attempts", "exception", "finished", "results", "started"];

/// The outcome in Ansible's words.
pub(super) fn of(outcome: Outcome) -> Map<String, Value> {
    let mut warnings = outcome.warnings;
    let mut map = Map::new();
    for (key, value) in outcome.data {
        if key.starts_with(super::OWN_PREFIX) || RESERVED.contains(&key.as_str()) {
            warnings.push(format!(
                "the return value `{key}` is left out because Ansible reserves its name; please report this bug"
            ));
        } else {
            map.insert(key, value);
        }
    }
    map.insert("changed".to_owned(), outcome.changed.into());
    map.insert("failed".to_owned(), outcome.failed.into());
    let unsaid = outcome
        .failed
        .then(|| "failed without saying why; please report this bug".to_owned());
    if let Some(msg) = outcome.msg.or(unsaid) {
        map.insert("msg".to_owned(), msg.into());
    }
    if let Some(diff) = outcome.diff {
        map.insert("diff".to_owned(), diff);
    }
    if !warnings.is_empty() {
        map.insert("warnings".to_owned(), warnings.into());
    }
    map
}

impl Reply {
    /// Writes it, unless another thread has replied already, and gives the exit code that goes with it.
    pub(crate) fn print(&self) -> ExitCode {
        static REPLIED: Mutex<bool> = Mutex::new(false);
        let (text, code) = match self {
            Self::Line(map) => (line(map), exit_code(map)),
            Self::Text(text) => (format!("{text}\n"), ExitCode::SUCCESS),
        };
        // Whoever comes second waits until the first has written, so that the process does not end
        // with half of a line.
        let mut replied = REPLIED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*replied {
            *replied = true;
            // Nobody may be reading any more: the task timed out, the connection was lost. There is
            // nobody to tell either.
            let _ = write_once(text.as_bytes());
        }
        code
    }
}

fn exit_code(map: &Map<String, Value>) -> ExitCode {
    if map.get("failed") == Some(&Value::Bool(true)) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// `io::Stdout` would cut a long line at the size of its buffer.
fn write_once(bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    File::from(stdout).write_all(bytes)
}

fn line(map: &Map<String, Value>) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    // Neither a map of values nor a vector can fail; an empty line would still be told by Ansible.
    let _ = serde::Serialize::serialize(map, &mut serializer);
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if (' '..'\u{7f}').contains(&character) {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_line_is_ascii_and_says_the_same() {
        let text = "a\"b\\c\n\t\u{1}\u{7f}\u{85}\u{2028}\u{2029}\u{1f600}~ ";
        let said = Map::from_iter([("k\u{e9}y".to_owned(), text.into())]);
        let line = line(&said);
        assert!(line.is_ascii());
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("}\n"));
        assert!(
            line.contains(r"\u007f\u0085\u2028\u2029\ud83d\ude00~ "),
            "{line}"
        );
        assert_eq!(
            serde_json::from_str::<Value>(&line).ok(),
            Some(Value::Object(said))
        );
    }

    #[test]
    fn changed_and_failed_are_booleans_whatever_the_module_returns() {
        let outcome = Outcome::default().with("changed", "yes").with("failed", 3);
        let map = of(outcome);
        assert_eq!(map["changed"], json!(false));
        assert_eq!(map["failed"], json!(false));
        assert!(!map.contains_key("msg") && !map.contains_key("warnings"));
    }

    #[test]
    fn a_failure_always_says_something() {
        let outcome = Outcome {
            failed: true,
            ..Outcome::default()
        };
        assert_eq!(
            of(outcome)["msg"],
            "failed without saying why; please report this bug"
        );
    }

    #[test]
    fn reserved_keys_are_left_out_and_told() {
        let outcome = Outcome::default()
            .with("started", 1)
            .with("_ansible_x", 2)
            .with("ok", 3);
        let map = of(outcome);
        assert_eq!(
            map.keys().collect::<Vec<_>>(),
            ["changed", "failed", "ok", "warnings"]
        );
        assert_eq!(map["warnings"].as_array().map(Vec::len), Some(2));
    }
}
