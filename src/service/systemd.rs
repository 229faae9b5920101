//! systemd, through `systemctl`: one `show` for many units, one verb for a set of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Unit, Verb, full_name};
use crate::host::process;
use crate::host::processes::{self, Process};
use crate::names::{WORKER_PREFIX, WORKERS, is_template};

/// How long systemd may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Where worker units are found; Pulp writes them into the first.
const UNIT_DIRS: &[&str] = &[
    "/run/systemd/system",
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,MainPID,Type,\
    ExecMainCode,ExecMainStatus,NRestarts,ActiveEnterTimestampMonotonic,Restart";

/// Whether systemd is this host's service manager, by systemd's own rule (`sd_booted(3)`).
pub(crate) fn is_manager() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Looks at the named units. `pulp_workers` stands for every worker's own unit as well, unless workers
/// are named: Pulp leaves the unit files of workers that it no longer uses. Units that do not exist
/// come back with `found` false.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn observe(names: &[String]) -> Result<Vec<Unit>> {
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
pub(super) fn unit_files(prefix: &str) -> BTreeSet<String> {
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
pub(super) fn show(units: &[&str], properties: &str) -> Result<String> {
    let mut argv = vec!["systemctl", "show", properties, "--"];
    argv.extend(units);
    let enabled = instances(units.iter().copied());
    argv.extend(enabled.iter().map(String::as_str));
    process::run_ok(&argv, ANSWER_LIMIT)
}

/// Those of the units that a boot starts, or that others start.
///
/// # Errors
/// systemd does not answer.
pub(super) fn enabled(units: &[String]) -> Result<BTreeSet<String>> {
    let names: Vec<&str> = units.iter().map(String::as_str).collect();
    let text = show(&names, "--property=Id,UnitFileState")?;
    Ok(text.split("\n\n").filter_map(is_enabled).collect())
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

/// Applies a verb to all units in one call and waits until systemd is done.
///
/// # Errors
/// systemd refuses, or is not done within `limit`; its own words are in the error.
pub(crate) fn apply(verb: Verb, units: &[String], limit: Duration) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    let mut argv = vec!["systemctl", verb.word(), "--"];
    argv.extend(units.iter().map(String::as_str));
    process::run_ok(&argv, limit).map(drop)
}

/// SIGKILL to every process of a unit, as far as it has any.
fn kill_all(unit: &str) {
    let argv = ["systemctl", "kill", "--signal=SIGKILL", "--", unit];
    let _ = process::run(&argv, ANSWER_LIMIT);
}

/// Asks systemd to begin without waiting for the end.
///
/// # Errors
/// systemd refuses.
pub(crate) fn begin(verb: Verb, unit: &str) -> Result<()> {
    process::run_ok(
        &["systemctl", "--no-block", verb.word(), "--", unit],
        ANSWER_LIMIT,
    )
    .map(drop)
}

/// Whether systemd says that a unit is active or on its way there.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn is_active(unit: &str) -> Result<bool> {
    let state = process::run(&["systemctl", "is-active", "--", unit], ANSWER_LIMIT)?;
    Ok(matches!(
        state.text.trim(),
        "active" | "activating" | "reloading"
    ))
}

/// Runs a command of the shell as a transient service of its own after `delay`, and again a second
/// after each of its ends until its timer is stopped, whatever becomes of this process. The clock that
/// counts is the monotonic one. `name` is the unit's name without suffix.
///
/// # Errors
/// systemd refuses, or does not show the timer as waiting.
pub(crate) fn schedule(name: &str, delay: Duration, command: &str) -> Result<()> {
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
            command,
        ],
        ANSWER_LIMIT,
    )?;
    if !is_active(&timer)? {
        bail!("failed to arm `{timer}`: expected it to be active, but systemd says that it is not");
    }
    Ok(())
}

/// Stops what [`schedule`] has set. What has fired is gone already, and its script does nothing once the
/// record is another's: there is nothing to do about a failure here.
pub(crate) fn unschedule(name: &str) {
    let units = [format!("{name}.timer"), format!("{name}.service")];
    // Its shell alone would be stopped, and what it waits for would keep the unit in sight.
    kill_all(&units[1]);
    let _ = apply(Verb::Stop, &units, ANSWER_LIMIT);
    let _ = apply(Verb::ResetFailed, &units[1..], ANSWER_LIMIT);
}

/// Runs a command as a transient service, as a scheduled one would be, and does not wait for it.
///
/// # Errors
/// systemd refuses.
pub(crate) fn run_apart(name: &str, command: &[&str]) -> Result<()> {
    let unit = format!("--unit={name}");
    let mut argv = vec!["systemd-run", &unit];
    argv.extend(command);
    process::run_ok(&argv, ANSWER_LIMIT).map(drop)
}

/// The processes of a unit.
///
/// # Errors
/// systemd does not answer, or `/proc` cannot be read.
pub(crate) fn processes_of(unit: &str) -> Result<Vec<Process>> {
    match property(unit, "ControlGroup")?.as_str() {
        "" | "/" => Ok(Vec::new()),
        group => processes::in_group(group),
    }
}

/// How long the unit's last start took; zero when it has not been started since the boot.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn last_start(unit: &str) -> Result<Duration> {
    let micros = |name: &str| -> Result<u64> { Ok(property(unit, name)?.parse().unwrap_or(0)) };
    let begun = micros("InactiveExitTimestampMonotonic")?;
    let done = micros("ActiveEnterTimestampMonotonic")?;
    Ok(Duration::from_micros(done.saturating_sub(begun)))
}

/// The time after which systemd kills the unit when it does not report; none when it does not have to.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn watchdog(unit: &str) -> Result<Option<String>> {
    let value = property(unit, "WatchdogUSec")?;
    Ok((!matches!(value.as_str(), "" | "0" | "infinity")).then_some(value))
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
