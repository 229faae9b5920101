//! What was taken away, as it is recorded before that is done.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::methods::{COMMAND_LIMIT, Command, Method};
use crate::host::process;
use crate::host::processes::Process;

/// What was done to a broker on this host, and how it is taken back. It is recorded before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) method: Method,
    /// The unit that has to run again; none where only packets are cut.
    pub(crate) unit: Option<String>,
    /// Where it listened; of a broker at a Unix socket the socket, else the port.
    pub(crate) port: Option<u16>,
    pub(crate) socket: Option<PathBuf>,
    /// What it said when it was asked just before.
    pub(crate) control: String,
    /// When: milliseconds since 1970.
    #[serde(default)]
    pub(crate) at_ms: u64,
    /// The processes that it had.
    pub(crate) processes: Vec<Process>,
    /// See [`super::methods::Pair`].
    pub(crate) undo: Vec<Command>,
    pub(crate) left: Vec<Command>,
    pub(crate) rules: Vec<Command>,
    /// What the rules said once they were made.
    pub(crate) rules_said: Vec<String>,
    /// How much earlier than promised the undo begins, so that it has started by then.
    pub(crate) lead: Duration,
}

impl Taken {
    /// How long ago it was taken away; none where nobody noted that.
    pub(crate) fn age(&self) -> Option<Duration> {
        let at = UNIX_EPOCH + Duration::from_millis(self.at_ms);
        let age = SystemTime::now().duration_since(at).ok();
        age.filter(|_| self.at_ms != 0)
    }

    /// The command that still finds something of the injection, if one does.
    ///
    /// # Errors
    /// A command cannot be run.
    pub(crate) fn left(&self) -> Result<Option<String>> {
        for command in &self.left {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            if process::run(&words, COMMAND_LIMIT)?.code == 0 {
                return Ok(Some(words.join(" ")));
            }
        }
        Ok(None)
    }
}
