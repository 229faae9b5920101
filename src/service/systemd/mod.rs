//! systemd, through `systemctl`: one `show` for many units, one verb for a set of them.

mod journal;
mod script;
mod setup;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use super::{
    Alarm, Command, KeepDown, LogLine, Manager, Restart, RestartScript, Unit, Verb, full_name,
};
use crate::host::process;
use crate::host::processes::{self, Process};
use crate::host::wait::Deadline;
use crate::names::{WORKER_PREFIX, WORKERS, is_template};
pub(crate) use setup::Setup;

/// How long systemd may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// How long systemd may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Where units stand, the one that counts first. Pulp 2 writes its workers' into the second.
pub(crate) const UNIT_DIRS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The last of a unit's drop-ins counts, and they are read in the order of their names; systemd.unit(5).
const DROP_IN: &str = "zzzz-pulp_broker.conf";

/// A path that is never there.
const NEVER: &str = "/run/pulp_broker/may-start";

const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,MainPID,Type,\
    ExecMainCode,ExecMainStatus,NRestarts,ActiveEnterTimestampMonotonic,Restart";

/// systemd, through `systemctl`.
#[derive(Debug)]
pub(crate) struct Systemd;

impl Manager for Systemd {
    fn word(&self) -> &'static str {
        "systemd"
    }

    fn description(&self) -> String {
        let said = process::run_ok(&["systemctl", "--version"], VERSION_LIMIT).unwrap_or_default();
        // `systemd 252 (252.39-1~deb12u1)`
        let words: Vec<&str> = said.split_whitespace().take(2).collect();
        match words[..] {
            ["systemd", version] => format!("systemd {version}"),
            _ => "systemd".to_owned(),
        }
    }

    fn tools(&self) -> &'static [&'static str] {
        &["systemd-run", "systemctl"]
    }

    fn list(&self) -> &'static str {
        "systemctl list-unit-files"
    }

    fn log_of(&self, unit: &str) -> String {
        format!("`journalctl -u {unit}`")
    }

    fn commands(&self, verb: Verb, units: &[String]) -> Vec<Command> {
        let mut command = ["systemctl", verb.word(), "--"].map(str::to_owned).to_vec();
        command.extend_from_slice(units);
        vec![command]
    }

    fn signal(&self, signal: &str, unit: &str, _: &[String]) -> Command {
        let signal = format!("--signal={signal}");
        ["systemctl", "kill", &signal, "--", unit]
            .map(str::to_owned)
            .to_vec()
    }

    fn keep_down(&self, unit: &str) -> Option<KeepDown> {
        Some(KeepDown {
            folder: format!("/run/systemd/system/{unit}.d"),
            name: DROP_IN,
            text: format!("[Unit]\nConditionPathExists={NEVER}\n[Service]\nRestart=no\n"),
            reload: ["systemctl", "daemon-reload"].map(str::to_owned).into(),
        })
    }

    fn has_groups(&self) -> bool {
        true
    }

    fn names_failed(&self) -> bool {
        true
    }

    fn observe(&self, names: &[String]) -> Result<Vec<Unit>> {
        let mut wanted: Vec<String> = names.iter().map(|n| full_name(n)).collect();
        let names_workers = wanted.iter().any(|n| n.starts_with(WORKER_PREFIX));
        if wanted.iter().any(|n| n == WORKERS) && !names_workers {
            wanted.extend(unit_files(WORKER_PREFIX));
            // Also workers whose unit file is gone while they run.
            wanted.push(format!("{WORKER_PREFIX}*"));
        }
        wanted.extend(instances(wanted.iter().map(String::as_str)));
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut argv = vec!["systemctl", "show", PROPERTIES, "--"];
        argv.extend(wanted.iter().map(String::as_str));
        let text = process::run_ok(&argv, ANSWER_LIMIT)?;
        Ok(parse(&text, processes::runs))
    }

    fn installed(&self) -> BTreeSet<String> {
        unit_files("")
    }

    fn definition(&self, unit: &str) -> Option<String> {
        definition_in(UNIT_DIRS, unit)
    }

    fn enabled(&self, units: &[String]) -> Result<BTreeSet<String>> {
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        let text = show(&names, "--property=Id,UnitFileState")?;
        Ok(text.split("\n\n").filter_map(is_enabled).collect())
    }

    fn setups(&self, units: &[&str]) -> Result<Vec<Setup>> {
        Ok(setup::all(&show(units, setup::PROPERTIES)?, units))
    }

    fn apply(&self, verb: Verb, units: &[String], limit: Duration) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        let mut argv = vec!["systemctl", verb.word(), "--"];
        argv.extend(units.iter().map(String::as_str));
        process::run_ok(&argv, limit).map(drop)
    }

    fn begin(&self, verb: Verb, unit: &str) -> Result<()> {
        process::run_ok(
            &["systemctl", "--no-block", verb.word(), "--", unit],
            ANSWER_LIMIT,
        )
        .map(drop)
    }

    fn is_active(&self, unit: &str) -> Result<bool> {
        let state = process::run(&["systemctl", "is-active", "--", unit], ANSWER_LIMIT)?;
        Ok(matches!(
            state.text.trim(),
            "active" | "activating" | "reloading"
        ))
    }

    fn processes_of(&self, unit: &str) -> Result<Vec<Process>> {
        match property(unit, "ControlGroup")?.as_str() {
            "" | "/" => Ok(Vec::new()),
            group => processes::in_group(group),
        }
    }

    fn owner_of(&self, _: i32, _: &[Unit]) -> Result<Option<String>> {
        Ok(None)
    }

    fn last_start(&self, unit: &str) -> Result<Duration> {
        let micros = |name: &str| -> Result<u64> { Ok(property(unit, name)?.parse().unwrap_or(0)) };
        let begun = micros("InactiveExitTimestampMonotonic")?;
        let done = micros("ActiveEnterTimestampMonotonic")?;
        Ok(Duration::from_micros(done.saturating_sub(begun)))
    }

    fn watchdog(&self, unit: &str) -> Result<Option<String>> {
        let value = property(unit, "WatchdogUSec")?;
        Ok((!matches!(value.as_str(), "" | "0" | "infinity")).then_some(value))
    }

    fn newest(&self, units: &[&Unit]) -> Result<Vec<LogLine>> {
        let names: Vec<&str> = units.iter().map(|u| u.name.as_str()).collect();
        journal::newest(&names)
    }

    fn lines_since(&self, units: &[&str], instant: SystemTime) -> Result<Vec<LogLine>> {
        journal::since(units, instant)
    }

    fn log(&self, unit: &str, since_us: u64) -> Result<String> {
        journal::text(unit, since_us)
    }

    /// As a transient service of its own after `delay`, and again a second after each of its ends until its timer is stopped,
    /// whatever becomes of this process. The clock that counts is the monotonic one.
    fn set_alarm(&self, alarm: &Alarm, delay: Duration) -> Result<()> {
        let name = &alarm.name;
        let timer = format!("{name}.timer");
        process::run_ok(
            &[
                "systemd-run",
                &format!("--unit={name}"),
                &format!("--on-active={}ms", delay.as_millis()),
                "--on-unit-inactive=1s",
                "--timer-property=AccuracySec=100ms",
                // Killed, it runs again at once and not when the last of its commands has ended.
                "--property=KillMode=process",
                "--description=pulp_broker: gives back what a broker test took away",
                "/bin/sh",
                "-c",
                &alarm.command,
            ],
            ANSWER_LIMIT,
        )?;
        if !self.is_active(&timer)? {
            bail!(
                "failed to arm `{timer}`: expected it to be active, but systemd says that it is not"
            );
        }
        Ok(())
    }

    /// It was asked when it was set.
    fn prove_alarm(&self, _: &Alarm, _: Deadline) -> Result<()> {
        Ok(())
    }

    fn alarm_fires(&self, alarm: &Alarm) -> Result<bool> {
        self.is_active(&format!("{}.service", alarm.name))
    }

    fn fire_alarm(&self, alarm: &Alarm) -> Result<()> {
        self.begin(Verb::Start, &format!("{}.service", alarm.name))
    }

    /// What has fired is gone already, and its script does nothing once the record is another's: there is nothing to do about a
    /// failure here.
    fn end_alarm(&self, alarm: &Alarm) {
        let units = [
            format!("{}.timer", alarm.name),
            format!("{}.service", alarm.name),
        ];
        // Its shell alone would be stopped, and what it waits for would keep the unit in sight.
        kill_all(&units[1]);
        let _ = self.apply(Verb::Stop, &units, ANSWER_LIMIT);
        let _ = self.apply(Verb::ResetFailed, &units[1..], ANSWER_LIMIT);
    }

    fn end_alarm_in_shell(&self, name: &str) -> String {
        format!(" && systemctl stop {name}.timer")
    }

    fn run_apart(&self, name: &str, command: &[&str]) -> Result<()> {
        let unit = format!("--unit={name}");
        let mut argv = vec!["systemd-run", &unit];
        argv.extend(command);
        process::run_ok(&argv, ANSWER_LIMIT).map(drop)
    }

    fn forget(&self, name: &str) {
        let _ = self.apply(
            Verb::ResetFailed,
            &[format!("{name}.service")],
            ANSWER_LIMIT,
        );
    }

    fn restart_script(&self, restart: &Restart<'_>) -> RestartScript {
        script::restart(restart)
    }
}

/// Whether systemd is this host's service manager, by systemd's own rule (`sd_booted(3)`).
pub(super) fn is_manager() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn definition_in(folders: &[&str], unit: &str) -> Option<String> {
    // A link that enables an instance leads to its template.
    let template = unit.split_once('@');
    let template = template.map(|(name, _)| format!("{name}@.service"));
    let names = [Some(unit.to_owned()), template];
    let mut paths = names
        .iter()
        .flatten()
        .flat_map(|name| folders.iter().map(move |dir| Path::new(dir).join(name)));
    paths.find_map(|path| std::fs::read_to_string(path).ok())
}

/// The instances of the templates among these. To systemd a pattern stands for what is in its memory: not for what is stopped.
fn instances<'a>(units: impl Iterator<Item = &'a str>) -> Vec<String> {
    let of = |unit: &str| {
        let template = unit.trim_end_matches("*.service").to_owned();
        let files = unit_files(&template).into_iter();
        files.filter(move |name| name.len() > template.len() + ".service".len())
    };
    units
        .filter(|unit| is_template(unit))
        .flat_map(of)
        .collect()
}

/// The units whose names begin so: their files, and the links that enable them.
fn unit_files(prefix: &str) -> BTreeSet<String> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    };
    let mut found = BTreeSet::new();
    for dir in UNIT_DIRS.iter().map(Path::new) {
        for name in names(dir) {
            if Path::new(&name).extension() == Some("wants".as_ref()) {
                found.extend(names(&dir.join(name)));
            } else {
                found.insert(name);
            }
        }
    }
    found.retain(|name| name.starts_with(prefix) && name.ends_with(".service"));
    found
}

/// What systemd knows of units, a block of text each.
///
/// # Errors
/// systemd does not answer.
fn show(units: &[&str], properties: &str) -> Result<String> {
    let mut argv = vec!["systemctl", "show", properties, "--"];
    argv.extend(units);
    let enabled = instances(units.iter().copied());
    argv.extend(enabled.iter().map(String::as_str));
    process::run_ok(&argv, ANSWER_LIMIT)
}

/// The unit's name if it is.
fn is_enabled(block: &str) -> Option<String> {
    let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key));
    let state = value("UnitFileState=")?;
    let is_off = matches!(state, "" | "disabled" | "masked" | "masked-runtime" | "bad");
    value("Id=").filter(|_| !is_off).map(str::to_owned)
}

/// Reads the blocks that `systemctl show` prints, one a unit, each unit once.
fn parse(text: &str, runs: impl Fn(u32) -> bool) -> Vec<Unit> {
    let mut seen = BTreeSet::new();
    text.split("\n\n")
        .filter_map(|block| parse_block(block, &runs))
        .filter(|unit| seen.insert(unit.name.clone()))
        .collect()
}

fn parse_block(block: &str, runs: &impl Fn(u32) -> bool) -> Option<Unit> {
    let value = |key: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .unwrap_or_default()
    };
    let name = value("Id");
    if name.is_empty() {
        return None;
    }
    let main_pid = value("MainPID").parse().unwrap_or(0);
    Some(Unit {
        name: name.to_owned(),
        active_state: value("ActiveState").to_owned(),
        sub_state: value("SubState").to_owned(),
        main_pid,
        running: runs(main_pid),
        umbrella: value("Type") == "oneshot",
        found: value("LoadState") == "loaded" || main_pid != 0,
        last_exit: last_exit(value("ExecMainCode"), value("ExecMainStatus")),
        // Unknown before systemd 235.
        restarts: value("NRestarts").parse().unwrap_or(0),
        restart: value("Restart").to_owned(),
        active_since_us: value("ActiveEnterTimestampMonotonic").parse().unwrap_or(0),
    })
}

/// The codes are the kernel's `CLD_*` of `sigaction(2)`.
fn last_exit(code: &str, status: &str) -> String {
    match code {
        "1" => format!("exited with status {status}"),
        "2" => format!("was killed by signal {status}"),
        "3" => format!("was killed by signal {status} and dumped core"),
        _ => String::new(),
    }
}

/// SIGKILL to every process of a unit, as far as it has any.
fn kill_all(unit: &str) {
    let argv = ["systemctl", "kill", "--signal=SIGKILL", "--", unit];
    let _ = process::run(&argv, ANSWER_LIMIT);
}

fn property(unit: &str, name: &str) -> Result<String> {
    let argv = [
        "systemctl",
        "show",
        &format!("--property={name}"),
        "--",
        unit,
    ];
    let text = process::run_ok(&argv, ANSWER_LIMIT)?;
    let value = text.trim().split_once('=').map_or("", |(_, value)| value);
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "Type=simple\nMainPID=41\nExecMainCode=0\nExecMainStatus=0\nId=httpd.service\n\
        LoadState=loaded\nActiveState=active\nSubState=running\nActiveEnterTimestampMonotonic=5\n\n\
        Type=oneshot\nMainPID=0\nExecMainCode=1\nExecMainStatus=0\nId=pulp_workers.service\n\
        LoadState=loaded\nActiveState=active\nSubState=exited\nActiveEnterTimestampMonotonic=6\n\n\
        Type=simple\nMainPID=0\nExecMainCode=1\nExecMainStatus=1\nId=pulp_worker-0.service\n\
        LoadState=loaded\nActiveState=failed\nSubState=failed\nActiveEnterTimestampMonotonic=7\n\n\
        MainPID=0\nId=nonsuch.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n";

    #[test]
    fn an_instance_is_started_as_its_template_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mq@.service"), "[Service]\n").unwrap();
        let folders = [folder.path().to_str().unwrap()];
        let found = definition_in(&folders, "mq@pulp.service");
        assert_eq!(found.as_deref(), Some("[Service]\n"));
        assert_eq!(definition_in(&folders, "other.service"), None);
    }

    #[test]
    fn a_service_runs_only_with_its_main_process() {
        let units = parse(SHOWN, |pid| pid == 41);
        assert!(units[0].is_up());
        let without_process = parse(SHOWN, |_| false);
        assert!(!without_process[0].is_up());
    }

    #[test]
    fn an_umbrella_is_told_from_a_service() {
        let units = parse(SHOWN, |_| true);
        assert!(units[1].umbrella && units[1].is_up());
        assert!(!units[2].umbrella);
    }

    #[test]
    fn a_dead_worker_says_how_it_ended() {
        let units = parse(SHOWN, |_| false);
        assert_eq!(units[2].last_exit, "exited with status 1");
        assert!(units[2].is_down());
    }

    #[test]
    fn a_unit_that_does_not_exist_is_not_found() {
        let units = parse(SHOWN, |_| false);
        assert!(!units[3].found);
    }

    #[test]
    fn a_unit_named_twice_is_seen_once() {
        let twice = format!("{SHOWN}\n{SHOWN}");
        assert_eq!(parse(&twice, |_| true).len(), 4);
    }

    #[test]
    fn a_unit_is_enabled_where_a_boot_or_another_unit_starts_it() {
        for (state, expected) in [
            ("enabled", true),
            ("enabled-runtime", true),
            ("static", true),
            ("disabled", false),
            ("masked", false),
            ("", false),
        ] {
            let block = format!("Id=a.service\nUnitFileState={state}");
            assert_eq!(is_enabled(&block).is_some(), expected, "{state}");
        }
    }
}
