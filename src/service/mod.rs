//! Services of this host: which there are, whether each really runs, and how a set of them is
//! brought into a state. A service runs when its main process does; a unit that merely says
//! "active" proves nothing.

mod manager;
pub(crate) mod plan;
mod systemd;
mod sysv;
mod unit;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::host::processes::Process;

pub(crate) use manager::{Command, Manager, manager, require};
pub(crate) use systemd::{Setup, Systemd, UNIT_DIRS};
#[cfg(test)]
pub(crate) use sysv::Sysv;
pub(crate) use unit::{LogLine, Unit};

/// What a service manager is asked to do with a set of units; the words are systemd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    ResetFailed,
}

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::ResetFailed => "reset-failed",
        }
    }
}

/// A unit's full name: `httpd` is short for `httpd.service`.
pub(crate) fn full_name(name: &str) -> String {
    const SUFFIXES: &[&str] = &[".service", ".socket", ".target", ".timer"];
    if SUFFIXES.iter().any(|s| name.ends_with(s)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// A unit's name as people say it: `httpd` of `httpd.service`.
pub(crate) fn short_name(name: &str) -> &str {
    name.trim_end_matches(".service")
}

/// How a person does this to a unit of this host.
pub(crate) fn command(verb: Verb, unit: &str) -> String {
    shown(verb, &[unit.to_owned()]).join(" && ")
}

/// How a person sees which units there are on this host.
pub(crate) fn list() -> &'static str {
    or_systemd().list()
}

/// How a person sees what a unit of this host has said.
pub(crate) fn log_of(unit: &str) -> String {
    or_systemd().log_of(unit)
}

/// The calls of the service manager that apply a verb to units, as a person would write them.
pub(crate) fn shown(verb: Verb, units: &[String]) -> Vec<String> {
    let commands = or_systemd().commands(verb, units);
    let words = |command: Command| {
        let words: Vec<String> = command.into_iter().filter(|word| word != "--").collect();
        words.join(" ")
    };
    commands.into_iter().map(words).collect()
}

/// Where nothing is known to run this host's services, a person is told of systemd.
fn or_systemd() -> &'static dyn Manager {
    manager().unwrap_or(&Systemd)
}

/// See [`Manager::observe`].
///
/// # Errors
/// The service manager does not answer, or there is none.
pub(crate) fn observe(names: &[String]) -> Result<Vec<Unit>> {
    require()?.observe(names)
}

/// See [`Manager::newest`].
///
/// # Errors
/// There is nowhere to read it.
pub(crate) fn newest(units: &[&Unit]) -> Result<Vec<LogLine>> {
    match units {
        [] => Ok(Vec::new()),
        units => require()?.newest(units),
    }
}

/// See [`Manager::lines_since`].
///
/// # Errors
/// There is nowhere to read it.
pub(crate) fn lines_since(units: &[&str], instant: SystemTime) -> Result<Vec<LogLine>> {
    match units {
        [] => Ok(Vec::new()),
        units => require()?.lines_since(units, instant),
    }
}

/// See [`Manager::processes_of`].
///
/// # Errors
/// They cannot be told.
pub(crate) fn processes_of(unit: &str) -> Result<Vec<Process>> {
    require()?.processes_of(unit)
}

/// See [`Manager::last_start`].
///
/// # Errors
/// The service manager does not answer.
pub(crate) fn last_start(unit: &str) -> Result<Duration> {
    require()?.last_start(unit)
}

/// The units of this host whose names begin so, by their files.
pub(crate) fn unit_files(prefix: &str) -> BTreeSet<String> {
    let mut found = or_systemd().installed();
    found.retain(|name| name.starts_with(prefix));
    found
}

/// A command of the shell that runs later by itself, whatever becomes of this process, and again until
/// it is no longer wanted.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    /// No other has this name. What it runs has it among its arguments.
    pub(crate) name: String,
    pub(crate) command: String,
    /// The file that the command runs.
    pub(crate) script: String,
    /// A command of the shell that succeeds as long as the alarm is wanted.
    pub(crate) wanted: String,
    /// Where something of ours has to watch the time, it writes here each second that it does.
    pub(crate) heartbeat: String,
}

/// The drop-in by which a unit is neither started nor restarted, and what makes it count.
#[derive(Debug)]
pub(crate) struct KeepDown {
    pub(crate) folder: String,
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) reload: Command,
}

impl KeepDown {
    /// Where it has to stand.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}

/// What a shell is to start, and see running.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Restart<'a> {
    /// The broker's unit.
    pub(crate) broker: Option<&'a str>,
    /// Commands of the shell, each of which succeeds if something listens where the broker did.
    pub(crate) listens: &'a [String],
    pub(crate) services: &'a [String],
    /// How long one attempt waits for the broker.
    pub(crate) seconds: u32,
    /// The file that is there when `/run` was made for the test.
    pub(crate) made_run: &'a str,
}

/// The same as parts of a script: lines of the shell.
#[derive(Debug)]
pub(crate) struct RestartScript {
    /// The programs that are needed.
    pub(crate) tools: &'static str,
    /// Functions, if any.
    pub(crate) preamble: String,
    /// Starts the broker's unit.
    pub(crate) broker: Vec<String>,
    /// Starts the services and sees whether all of them run.
    pub(crate) services: Vec<String>,
    /// Ends the timer `$mine`, if something has to.
    pub(crate) end: &'static str,
}
