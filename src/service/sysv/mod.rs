//! Hosts without systemd, such as EL6: init scripts through `service`, and pid files. Inside the
//! program a service keeps its unit's name (`httpd.service`); the script's name is what runs. Pulp's
//! workers have no scripts of their own: each is seen by its pid file and reached by `pulp_workers`.

mod act;
mod alarm;
mod logs;
mod pid_file;
mod script;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use procfs::process::Process as Entry;

use super::{
    Alarm, Command, KeepDown, LogLine, Manager, Restart, RestartScript, Setup, Unit, Verb,
    full_name,
};
use crate::host::processes::{self, Process};
use crate::host::wait::Deadline;
use crate::host::{files, process, programs};
use crate::names::verdict_of;
use crate::names::{WORKER_PREFIX, WORKERS};
use pid_file::{NODE, PULP_DIR, PidFileSeen, PidFiles};

use pid_file::script_name;

/// Where init scripts are.
const SCRIPT_DIRS: &[&str] = &["/etc/init.d", "/etc/rc.d/init.d"];

/// Where Pulp's number of workers is set.
const WORKERS_DEFAULTS: &str = "/etc/default/pulp_workers";

/// How long a script may take to tell its service's status, and `sh` to start something.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Starts a command in a session of its own, where the end of this process, of its ssh session and of
/// Ansible does not reach it.
const DETACHED: &str = "cd / && setsid \"$@\" </dev/null >/dev/null 2>&1 &";

/// Init scripts, through `service`.
#[derive(Debug)]
pub(crate) struct Sysv;

impl Manager for Sysv {
    fn word(&self) -> &'static str {
        "sysv"
    }

    fn description(&self) -> String {
        "init scripts (no systemd)".to_owned()
    }

    fn tools(&self) -> &'static [&'static str] {
        &["service", "setsid"]
    }

    fn list(&self) -> &'static str {
        "ls /etc/init.d"
    }

    fn log_of(&self, _: &str) -> String {
        "/var/log/messages (or /var/log/syslog)".to_owned()
    }

    fn commands(&self, verb: Verb, units: &[String]) -> Vec<Command> {
        act::commands(verb, units)
    }

    fn signal(&self, signal: &str, _: &str, pids: &[String]) -> Command {
        let signal = signal.trim_start_matches("SIG");
        let kill = format!("kill -s {signal} {}", pids.join(" "));
        ["sh", "-c", &kill].map(str::to_owned).to_vec()
    }

    fn keep_down(&self, _: &str) -> Option<KeepDown> {
        None
    }

    fn has_groups(&self) -> bool {
        false
    }

    fn names_failed(&self) -> bool {
        false
    }

    fn observe(&self, names: &[String]) -> Result<Vec<Unit>> {
        let mut wanted: Vec<String> = names.iter().map(|n| full_name(n)).collect();
        let names_workers = wanted.iter().any(|n| n.starts_with(WORKER_PREFIX));
        if wanted.iter().any(|n| n == WORKERS) && !names_workers {
            wanted.extend(workers()?);
        }
        let mut seen = BTreeSet::new();
        wanted
            .iter()
            .filter(|name| seen.insert(name.as_str()))
            .map(|name| look(name))
            .collect()
    }

    fn installed(&self) -> BTreeSet<String> {
        let entries = SCRIPT_DIRS
            .iter()
            .filter_map(|dir| std::fs::read_dir(dir).ok());
        let names = entries.flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.map(|name| full_name(&name)).collect()
    }

    /// An init script is known by its name: what it runs may stand anywhere in it.
    fn definition(&self, _: &str) -> Option<String> {
        None
    }

    fn enabled(&self, units: &[String]) -> Result<BTreeSet<String>> {
        Ok(units.iter().cloned().collect())
    }

    fn setups(&self, _: &[&str]) -> Result<Vec<Setup>> {
        Ok(Vec::new())
    }

    fn apply(&self, verb: Verb, units: &[String], limit: Duration) -> Result<()> {
        act::apply(self, verb, units, limit)
    }

    fn begin(&self, verb: Verb, unit: &str) -> Result<()> {
        for command in act::commands(verb, &[unit.to_owned()]) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            detach(&words)?;
        }
        Ok(())
    }

    fn is_active(&self, unit: &str) -> Result<bool> {
        let seen = self.observe(&[unit.to_owned()])?;
        Ok(seen.iter().any(Unit::is_up) || !processes::started_with(script_name(unit))?.is_empty())
    }

    fn processes_of(&self, unit: &str) -> Result<Vec<Process>> {
        let seen = self.observe(&[unit.to_owned()])?;
        match seen.first().map(|u| i32::try_from(u.main_pid)) {
            Some(Ok(pid)) if pid > 0 => processes::below(pid),
            _ => Ok(Vec::new()),
        }
    }

    fn owner_of(&self, pid: i32, units: &[Unit]) -> Result<Option<String>> {
        for unit in units.iter().filter(|u| u.main_pid != 0) {
            let main = i32::try_from(unit.main_pid)?;
            if processes::below(main)?.iter().any(|p| p.pid == pid) {
                return Ok(Some(unit.name.clone()));
            }
        }
        Ok(None)
    }

    fn last_start(&self, _: &str) -> Result<Duration> {
        Ok(Duration::ZERO)
    }

    fn watchdog(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn newest(&self, units: &[&Unit]) -> Result<Vec<LogLine>> {
        let tails = logs::tails();
        if tails.is_empty() {
            bail!(verdict_of!(
                NotExercised,
                "none of {} can be read, so nothing says what Pulp's services met; let syslog \
                 write one of them",
                logs::FILES.join(", ")
            ));
        }
        let mut lines = Vec::new();
        for unit in units.iter().filter(|u| u.main_pid != 0) {
            let own = tails
                .iter()
                .flat_map(|tail| tail.lines())
                .filter(|line| logs::is_by(line, unit.main_pid));
            lines.extend(own.map(|line| LogLine {
                unit: unit.name.clone(),
                message: line.to_owned(),
                at_us: unit.active_since_us,
                dated: false,
            }));
        }
        Ok(lines)
    }

    fn lines_since(&self, units: &[&str], _: SystemTime) -> Result<Vec<LogLine>> {
        let names: Vec<String> = units.iter().map(|&unit| unit.to_owned()).collect();
        let units = self.observe(&names)?;
        self.newest(&units.iter().collect::<Vec<_>>())
    }

    fn log(&self, unit: &str, _: u64) -> Result<String> {
        let lines = self.lines_since(&[unit], UNIX_EPOCH)?;
        let lines: Vec<String> = lines.into_iter().map(|line| line.message).collect();
        Ok(lines.join("\n"))
    }

    fn set_alarm(&self, alarm: &Alarm, delay: Duration) -> Result<()> {
        alarm::schedule(alarm, delay)
    }

    fn prove_alarm(&self, alarm: &Alarm, deadline: Deadline) -> Result<()> {
        alarm::wait_armed(alarm, deadline)
    }

    fn alarm_fires(&self, alarm: &Alarm) -> Result<bool> {
        alarm::fires(alarm)
    }

    fn fire_alarm(&self, alarm: &Alarm) -> Result<()> {
        detach(&["/bin/sh", "-c", &alarm.command, "sh", &alarm.name])
    }

    fn end_alarm(&self, alarm: &Alarm) {
        alarm::unschedule(alarm);
    }

    /// Its watcher sees by itself that it is wanted no more.
    fn end_alarm_in_shell(&self, _: &str) -> String {
        String::new()
    }

    fn run_apart(&self, _: &str, command: &[&str]) -> Result<()> {
        detach(command)
    }

    fn forget(&self, _: &str) {}

    fn restart_script(&self, restart: &Restart<'_>) -> RestartScript {
        script::restart(restart)
    }
}

/// Whether init scripts are how this host runs its services: there are some, `service` runs them, and
/// the first process is an init; in many a container it is not.
pub(super) fn is_manager() -> bool {
    // Not by its `comm` file, which EL6's kernel may lack.
    let first = Entry::new(1).and_then(|first| first.stat());
    first.is_ok_and(|stat| stat.comm == "init")
        && SCRIPT_DIRS.iter().any(|dir| Path::new(dir).is_dir())
        && programs::find("service").is_some()
}

fn look(name: &str) -> Result<Unit> {
    let text = script_text(script_name(name));
    let Some(text) = text else {
        return Ok(unit(name, false, Main::Down));
    };
    if name == WORKERS {
        return umbrella();
    }
    let found = match name.strip_prefix(WORKER_PREFIX) {
        // Whether or not it was ever started: the script starts so many.
        Some(number) => {
            let number: Option<u32> = number.trim_end_matches(".service").parse().ok();
            let place = pid_file::place(name, "");
            number.is_some_and(|n| n < concurrency()) || Path::new(&place.paths[0]).exists()
        }
        None => true,
    };
    Ok(unit(name, found, main_of(name, &text)?))
}

/// `pulp_workers` has no process: it does its work if any worker runs.
fn umbrella() -> Result<Unit> {
    let mut up = false;
    for worker in workers()? {
        up = up || matches!(main_of(&worker, "")?, Main::Runs(_));
    }
    let state = if up { "active" } else { "inactive" };
    Ok(Unit {
        active_state: state.to_owned(),
        sub_state: "exited".to_owned(),
        umbrella: true,
        ..unit(WORKERS, true, Main::Down)
    })
}

/// The workers that the script starts, and those that run beyond them.
fn workers() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    if let Some(count) = configured() {
        all.extend((0..count).map(|n| format!("{WORKER_PREFIX}{n}.service")));
    }
    let Ok(dir) = std::fs::read_dir(PULP_DIR) else {
        return Ok(all);
    };
    for entry in dir.flatten() {
        let file = entry.file_name();
        let number = file
            .to_str()
            .and_then(|f| f.strip_prefix(NODE)?.strip_suffix(".pid"));
        if let Some(number) = number {
            let name = format!("{WORKER_PREFIX}{number}.service");
            if matches!(main_of(&name, "")?, Main::Runs(_)) {
                all.insert(name);
            }
        }
    }
    Ok(all)
}

fn configured() -> Option<u32> {
    let text = files::read_if_present(Path::new(WORKERS_DEFAULTS)).ok()??;
    pid_file::concurrency(&text)
}

/// How many workers Pulp starts: as configured, else one a processor.
fn concurrency() -> u32 {
    let processors =
        || std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    configured().unwrap_or_else(processors)
}

/// The main process of a service, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Main {
    Runs(u32),
    /// Its script says that it runs, and does not say as which process.
    Said,
    /// Its pid file is left, its process is not.
    Stale(u32),
    Down,
}

fn main_of(name: &str, script: &str) -> Result<Main> {
    let PidFiles { paths, certain } = pid_file::place(name, script);
    for path in paths {
        let path = Path::new(&path);
        let Some(text) = files::read_if_present(path)? else {
            continue;
        };
        let Some(pid) = pid_file::number(&text) else {
            continue;
        };
        let written = std::fs::metadata(path)
            .and_then(|m| m.modified())
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .map_or(u64::MAX, |at| at.as_secs());
        let it =
            processes::runs(pid) && seen(pid).is_some_and(|s| pid_file::is_of(name, &s, written));
        return Ok(if it {
            Main::Runs(pid)
        } else {
            Main::Stale(pid)
        });
    }
    if certain {
        return Ok(Main::Down);
    }
    let status = process::run(&["service", script_name(name), "status"], ANSWER_LIMIT)?;
    // The exit codes of LSB: 0 runs, 3 does not; 1 and 2 are dead with a file left.
    Ok(
        match (status.code, pid_file::number_in_status(&status.text)) {
            (0, Some(pid)) if processes::runs(pid) => Main::Runs(pid),
            (0, _) => Main::Said,
            _ => Main::Down,
        },
    )
}

fn seen(pid: u32) -> Option<PidFileSeen> {
    let entry = Entry::new(i32::try_from(pid).ok()?).ok()?;
    let stat = entry.stat().ok()?;
    let line = entry.cmdline().unwrap_or_default().join(" ");
    let boot = procfs::boot_time_secs().ok()?;
    Some(PidFileSeen {
        text: format!("{} {line}", stat.comm),
        started: boot + stat.starttime / procfs::ticks_per_second(),
    })
}

/// A function of the shell: whether the process that the file `$1` names runs and says `$2` of itself.
const ALIVE: &str = "alive() {\n\
    \x20   pid=$(cat \"$1\" 2>/dev/null) && [ -n \"$pid\" ] &&\n\
    \x20       grep -qs '^State:[[:space:]]*[^ZXx[:space:]]' \"/proc/$pid/status\" &&\n\
    \x20       tr '\\000' ' ' <\"/proc/$pid/cmdline\" | grep -q -e \"$2\"\n\
    }";

/// A command of the shell that succeeds if the service runs; it needs [`ALIVE`].
fn check(unit: &str) -> String {
    let script = script_name(unit);
    let PidFiles { paths, certain } =
        pid_file::place(unit, &script_text(script).unwrap_or_default());
    let there = paths
        .iter()
        .filter(|path| certain || Path::new(path).exists());
    let word = pid_file::pattern(unit);
    let tests: Vec<String> = there
        .map(|path| format!("alive {} {}", process::quoted(path), process::quoted(&word)))
        .collect();
    if tests.is_empty() {
        return format!("service {} status >/dev/null 2>&1", process::quoted(script));
    }
    format!("{{ {}; }}", tests.join(" || "))
}

/// When a process was started, in microseconds since the boot.
fn since_us(pid: u32) -> u64 {
    i32::try_from(pid)
        .ok()
        .and_then(|pid| Entry::new(pid).ok()?.stat().ok())
        .map_or(0, |stat| {
            stat.starttime * 1_000_000 / procfs::ticks_per_second()
        })
}

fn unit(name: &str, found: bool, main: Main) -> Unit {
    let (active_state, sub_state, main_pid, last_exit) = match main {
        Main::Runs(pid) => ("active", "running", pid, String::new()),
        Main::Said => ("active", "running", 0, String::new()),
        // Not `failed`: a script that is only starting finds the old file too.
        Main::Stale(pid) => {
            let exit = format!("is gone (it was {pid}, as its pid file still says)");
            ("inactive", "dead", 0, exit)
        }
        Main::Down => ("inactive", "dead", 0, String::new()),
    };
    Unit {
        name: name.to_owned(),
        active_state: active_state.to_owned(),
        sub_state: sub_state.to_owned(),
        main_pid,
        running: active_state == "active",
        umbrella: false,
        found,
        last_exit,
        restarts: 0,
        restart: String::new(),
        active_since_us: since_us(main_pid),
    }
}

fn script_text(name: &str) -> Option<String> {
    SCRIPT_DIRS.iter().find_map(|dir| {
        let bytes = std::fs::read(Path::new(dir).join(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// Runs a command that outlives this process, its terminal and whoever started it.
///
/// # Errors
/// There is no `setsid`, or the shell cannot be started.
fn detach(command: &[&str]) -> Result<()> {
    if programs::find("setsid").is_none() {
        bail!("failed to find `setsid`, which lets a command outlive this one; install util-linux");
    }
    let mut argv = vec!["/bin/sh", "-c", DETACHED, "sh"];
    argv.extend(command);
    process::run_ok(&argv, ANSWER_LIMIT).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_whose_pid_file_is_left_does_not_run_and_has_not_failed_for_good() {
        let stale = unit("httpd.service", true, Main::Stale(41));
        assert!(stale.is_down() && !stale.is_up());
        assert_eq!(stale.active_state, "inactive");
        assert!(unit("httpd.service", true, Main::Runs(1)).is_up());
    }
}
