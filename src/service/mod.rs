//! Services of this host: which there are, whether each really runs, and how a set of them is
//! brought into a state. A service runs when its main process does; a unit that merely says
//! "active" proves nothing.

mod journal;
pub(crate) mod plan;
mod setup;
mod systemd;
pub(crate) mod sysv;
mod unit;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::host::processes::Process;
use crate::host::wait::Deadline;

pub(crate) use setup::Setup;
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

/// What runs this host's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Systemd,
    /// Init scripts and pid files.
    Sysv,
}

impl Manager {
    /// As facts name it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Sysv => "sysv",
        }
    }
}

/// What runs this host's services, if it is something that is known.
pub(crate) fn manager() -> Option<Manager> {
    if systemd::is_manager() {
        Some(Manager::Systemd)
    } else if sysv::is_manager() {
        Some(Manager::Sysv)
    } else {
        None
    }
}

/// The same, where nothing can be done without.
///
/// # Errors
/// There is neither systemd nor an init with scripts.
pub(crate) fn require() -> Result<Manager> {
    manager().context(
        "failed to control services: expected systemd as this host's service manager, or init scripts and \
         `service`; a container has neither",
    )
}

/// How a person does this to a unit of this host.
pub(crate) fn command(verb: Verb, unit: &str) -> String {
    shown(verb, &[unit.to_owned()]).join(" && ")
}

/// How a person sees which units there are on this host.
pub(crate) fn list() -> &'static str {
    match manager() {
        Some(Manager::Sysv) => "ls /etc/init.d",
        _ => "systemctl list-unit-files",
    }
}

/// How a person sees what a unit of this host has said.
pub(crate) fn log_of(unit: &str) -> String {
    match manager() {
        Some(Manager::Sysv) => "/var/log/messages (or /var/log/syslog)".to_owned(),
        _ => format!("`journalctl -u {unit}`"),
    }
}

/// The calls of the service manager that apply a verb to units, as a person would write them.
pub(crate) fn shown(verb: Verb, units: &[String]) -> Vec<String> {
    match manager() {
        Some(Manager::Sysv) => sysv::commands(verb, units)
            .iter()
            .map(|command| command.join(" "))
            .collect(),
        _ => vec![format!("systemctl {} {}", verb.word(), units.join(" "))],
    }
}

/// Looks at the named units. `pulp_workers` stands for every worker's own unit as well, unless workers
/// are named. Units that do not exist come back with `found` false.
///
/// # Errors
/// The service manager does not answer, or there is none.
pub(crate) fn observe(names: &[String]) -> Result<Vec<Unit>> {
    match require()? {
        Manager::Systemd => systemd::observe(names),
        Manager::Sysv => sysv::observe(names),
    }
}

/// The units of systemd whose names begin so: their files, and the instances that are enabled.
pub(crate) fn unit_files(prefix: &str) -> std::collections::BTreeSet<String> {
    systemd::unit_files(prefix)
}

/// Those of the units that a boot starts, or that others start; where nothing tells that, all.
///
/// # Errors
/// The service manager does not answer.
pub(crate) fn enabled(units: &[String]) -> Result<std::collections::BTreeSet<String>> {
    match require()? {
        Manager::Systemd => systemd::enabled(units),
        Manager::Sysv => Ok(units.iter().cloned().collect()),
    }
}

/// How systemd would start those of the units that are there.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn setups(units: &[&str]) -> Result<Vec<Setup>> {
    let text = systemd::show(units, setup::PROPERTIES)?;
    Ok(setup::all(&text, units))
}

/// Applies a verb to all units and waits until that is done.
///
/// # Errors
/// The service manager refuses, or is not done within `limit`; its own words are in the error.
pub(crate) fn apply(verb: Verb, units: &[String], limit: Duration) -> Result<()> {
    match require()? {
        Manager::Systemd => systemd::apply(verb, units, limit),
        Manager::Sysv => sysv::apply(verb, units, limit),
    }
}

/// Begins a verb without waiting for its end.
///
/// # Errors
/// The service manager refuses.
pub(crate) fn begin(verb: Verb, unit: &str) -> Result<()> {
    match require()? {
        Manager::Systemd => systemd::begin(verb, unit),
        Manager::Sysv => sysv::begin(verb, unit),
    }
}

/// Whether a unit is active or on its way there.
///
/// # Errors
/// The service manager does not answer.
pub(crate) fn is_active(unit: &str) -> Result<bool> {
    match require()? {
        Manager::Systemd => systemd::is_active(unit),
        Manager::Sysv => sysv::is_active(unit),
    }
}

/// The processes of a unit.
///
/// # Errors
/// They cannot be told.
pub(crate) fn processes_of(unit: &str) -> Result<Vec<Process>> {
    match require()? {
        Manager::Systemd => systemd::processes_of(unit),
        Manager::Sysv => sysv::processes_of(unit),
    }
}

/// Which of the units a process belongs to, where the kernel's control groups do not tell.
///
/// # Errors
/// It cannot be told.
pub(crate) fn owner_of(pid: i32, units: &[Unit]) -> Result<Option<String>> {
    match manager() {
        Some(Manager::Sysv) => sysv::owner_of(pid, units),
        _ => Ok(None),
    }
}

/// How long the unit's last start took; zero where that is not recorded.
///
/// # Errors
/// The service manager does not answer.
pub(crate) fn last_start(unit: &str) -> Result<Duration> {
    match require()? {
        Manager::Systemd => systemd::last_start(unit),
        Manager::Sysv => Ok(Duration::ZERO),
    }
}

/// The time after which the unit is killed when it does not report; none when it does not have to.
///
/// # Errors
/// The service manager does not answer.
pub(crate) fn watchdog(unit: &str) -> Result<Option<String>> {
    match require()? {
        Manager::Systemd => systemd::watchdog(unit),
        Manager::Sysv => Ok(None),
    }
}

/// What the units said of late.
///
/// # Errors
/// There is nowhere to read it.
pub(crate) fn newest(units: &[&Unit]) -> Result<Vec<LogLine>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    match require()? {
        Manager::Systemd => {
            let names: Vec<&str> = units.iter().map(|u| u.name.as_str()).collect();
            journal::newest(&names)
        }
        Manager::Sysv => sysv::newest(units),
    }
}

/// What the units said since an instant of this boot, and when. Syslog's files do not tell the instants well
/// enough: from them come all lines of main processes that run, not dated.
///
/// # Errors
/// There is nowhere to read it.
pub(crate) fn lines_since(units: &[&str], instant: SystemTime) -> Result<Vec<LogLine>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    match require()? {
        Manager::Systemd => journal::since(units, instant),
        Manager::Sysv => {
            let names: Vec<String> = units.iter().map(|&unit| unit.to_owned()).collect();
            let units = sysv::observe(&names)?;
            sysv::newest(&units.iter().collect::<Vec<_>>())
        }
    }
}

/// What a unit said since an instant of the monotonic clock, in microseconds, for a person; where lines
/// tell no such instant, all that is read.
///
/// # Errors
/// There is nowhere to read it.
pub(crate) fn log(unit: &str, since_us: u64) -> Result<String> {
    match require()? {
        Manager::Systemd => journal::text(unit, since_us),
        Manager::Sysv => {
            let units = sysv::observe(&[unit.to_owned()])?;
            let lines = sysv::newest(&units.iter().collect::<Vec<_>>())?;
            let lines: Vec<String> = lines.into_iter().map(|line| line.message).collect();
            Ok(lines.join("\n"))
        }
    }
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

impl Alarm {
    /// Sets it.
    ///
    /// # Errors
    /// It cannot be set, or does not show that it was.
    pub(crate) fn set(&self, delay: Duration) -> Result<()> {
        match require()? {
            Manager::Systemd => systemd::schedule(&self.name, delay, &self.command),
            Manager::Sysv => sysv::schedule(self, delay),
        }
    }

    /// Makes sure that it waits, now that it is wanted.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn prove(&self, deadline: Deadline) -> Result<()> {
        match require()? {
            // It was asked when it was set.
            Manager::Systemd => Ok(()),
            Manager::Sysv => sysv::wait_armed(self, deadline),
        }
    }

    /// Whether its command runs.
    ///
    /// # Errors
    /// That cannot be told.
    pub(crate) fn fires(&self) -> Result<bool> {
        match require()? {
            Manager::Systemd => systemd::is_active(&format!("{}.service", self.name)),
            Manager::Sysv => sysv::fires(self),
        }
    }

    /// Runs its command now.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn fire(&self) -> Result<()> {
        match require()? {
            Manager::Systemd => systemd::begin(Verb::Start, &format!("{}.service", self.name)),
            Manager::Sysv => sysv::detach(&["/bin/sh", "-c", &self.command, "sh", &self.name]),
        }
    }

    /// Ends it and what it runs. One that has fired is gone already: a failure is none.
    pub(crate) fn end(&self) {
        match manager() {
            Some(Manager::Systemd) => systemd::unschedule(&self.name),
            Some(Manager::Sysv) => sysv::unschedule(self),
            None => {}
        }
    }

    /// Runs a command as its own would be run, and does not wait for it. `name` says what it is.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn run_apart(name: &str, command: &[&str]) -> Result<()> {
        match require()? {
            Manager::Systemd => systemd::run_apart(name, command),
            Manager::Sysv => sysv::detach(command),
        }
    }

    /// Removes what one that has failed leaves behind.
    pub(crate) fn forget(name: &str) {
        if manager() == Some(Manager::Systemd) {
            let _ = systemd::apply(
                Verb::ResetFailed,
                &[format!("{name}.service")],
                Duration::from_secs(20),
            );
        }
    }
}
