//! What runs the services of a host, as one trait: nobody outside of this room asks which one it is.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use super::systemd::Systemd;
use super::sysv::Sysv;
use super::{Alarm, KeepDown, LogLine, Restart, RestartScript, Setup, Unit, Verb};
use crate::host::processes::Process;
use crate::host::wait::Deadline;

/// A program and its arguments.
pub(crate) type Command = Vec<String>;

/// A service manager. Each question fails where the manager does not answer.
pub(crate) trait Manager: Debug + Sync {
    /// As facts name it.
    fn word(&self) -> &'static str;

    /// As a person names it, with its version where it has one.
    fn description(&self) -> String;

    /// The programs that an undo needs.
    fn tools(&self) -> &'static [&'static str];

    /// How a person sees which units there are.
    fn list(&self) -> &'static str;

    /// How a person sees what a unit has said.
    fn log_of(&self, unit: &str) -> String;

    /// The commands that apply a verb to units.
    fn commands(&self, verb: Verb, units: &[String]) -> Vec<Command>;

    /// What sends a signal, such as `SIGSTOP`, to all of a unit's processes.
    fn signal(&self, signal: &str, unit: &str, pids: &[String]) -> Command;

    /// The drop-in that forbids a unit each start and restart until the next boot; none where nothing starts by itself.
    fn keep_down(&self, unit: &str) -> Option<KeepDown>;

    /// Whether the kernel's control groups say which unit a process belongs to.
    fn has_groups(&self) -> bool;

    /// Whether it says by itself which unit did not start.
    fn names_failed(&self) -> bool;

    /// Looks at the named units. `pulp_workers` stands for every worker's own unit as well, unless workers
    /// are named: Pulp leaves the unit files of workers that it no longer uses. Units that do not exist
    /// come back with `found` false.
    fn observe(&self, names: &[String]) -> Result<Vec<Unit>>;

    /// The units of this host that have a file or a script.
    fn installed(&self) -> BTreeSet<String>;

    /// What says how a unit is started.
    fn definition(&self, unit: &str) -> Option<String>;

    /// Those of the units that a boot starts, or that others start; where nothing tells that, all.
    fn enabled(&self, units: &[String]) -> Result<BTreeSet<String>>;

    /// How those of the units would be started that are there, where that can be told.
    fn setups(&self, units: &[&str]) -> Result<Vec<Setup>>;

    /// Applies a verb to all units and waits until that is done; its own words are in the error.
    fn apply(&self, verb: Verb, units: &[String], limit: Duration) -> Result<()>;

    /// Begins a verb without waiting for its end.
    fn begin(&self, verb: Verb, unit: &str) -> Result<()>;

    /// Whether a unit is active or on its way there.
    fn is_active(&self, unit: &str) -> Result<bool>;

    /// The processes of a unit.
    fn processes_of(&self, unit: &str) -> Result<Vec<Process>>;

    /// Which of the units a process belongs to, where control groups do not tell.
    fn owner_of(&self, pid: i32, units: &[Unit]) -> Result<Option<String>>;

    /// How long the unit's last start took; zero where that is not recorded.
    fn last_start(&self, unit: &str) -> Result<Duration>;

    /// The time after which the unit is killed when it does not report; none when it does not have to.
    fn watchdog(&self, unit: &str) -> Result<Option<String>>;

    /// What the units said of late.
    fn newest(&self, units: &[&Unit]) -> Result<Vec<LogLine>>;

    /// What the units said since an instant of this boot, and when. Syslog's files do not tell the instants well
    /// enough: from them come all lines of main processes that run, not dated.
    fn lines_since(&self, units: &[&str], instant: SystemTime) -> Result<Vec<LogLine>>;

    /// What a unit said since an instant of the monotonic clock, in microseconds, for a person; where lines
    /// tell no such instant, all that is read.
    fn log(&self, unit: &str, since_us: u64) -> Result<String>;

    /// Sets an alarm.
    fn set_alarm(&self, alarm: &Alarm, delay: Duration) -> Result<()>;

    /// Makes sure that an alarm waits, now that it is wanted.
    fn prove_alarm(&self, alarm: &Alarm, deadline: Deadline) -> Result<()>;

    /// Whether an alarm's command runs.
    fn alarm_fires(&self, alarm: &Alarm) -> Result<bool>;

    /// Runs an alarm's command now.
    fn fire_alarm(&self, alarm: &Alarm) -> Result<()>;

    /// Ends an alarm and what it runs. One that has fired is gone already: a failure is none.
    fn end_alarm(&self, alarm: &Alarm);

    /// What a shell runs, after others, to end the alarm of that name; empty where it ends by itself.
    fn end_alarm_in_shell(&self, name: &str) -> String;

    /// Runs a command as an alarm's would be run, and does not wait for it. `name` says what it is.
    fn run_apart(&self, name: &str, command: &[&str]) -> Result<()>;

    /// Removes what one that has failed leaves behind.
    fn forget(&self, name: &str);

    /// How a shell starts a broker and services, and sees that they run.
    fn restart_script(&self, restart: &Restart<'_>) -> RestartScript;
}

/// What runs this host's services, if it is something that is known.
pub(crate) fn manager() -> Option<&'static dyn Manager> {
    if super::systemd::is_manager() {
        Some(&Systemd)
    } else if super::sysv::is_manager() {
        Some(&Sysv)
    } else {
        None
    }
}

/// The same, where nothing can be done without.
///
/// # Errors
/// There is neither systemd nor an init with scripts.
pub(crate) fn require() -> Result<&'static dyn Manager> {
    manager().context(
        "failed to control services: expected systemd as this host's service manager, or init scripts and \
         `service`; a container has neither",
    )
}
