//! Processes as the kernel shows them: each known by its number and its start, so that a number that
//! was given away again is not taken for the same process.

use anyhow::{Context as _, Result};
use procfs::process::{Process as Entry, Stat};
use serde::{Deserialize, Serialize};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Clock ticks from the boot to its start; see proc(5).
    pub(crate) start: u64,
    /// The name of its program, as the kernel has it.
    pub(crate) name: String,
}

/// What has become of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessState {
    Runs,
    /// By SIGSTOP or its like.
    Stopped,
    /// No such process, or a zombie.
    Gone,
}

impl Process {
    fn of(stat: Stat) -> Self {
        Self {
            pid: stat.pid,
            start: stat.starttime,
            name: stat.comm,
        }
    }

    /// What has become of it by now.
    pub(crate) fn state(&self) -> ProcessState {
        let stat = Entry::new(self.pid).and_then(|entry| entry.stat());
        match stat {
            Ok(stat) if stat.starttime == self.start => state_of(stat.state),
            _ => ProcessState::Gone,
        }
    }
}

/// Every process whose control group is this one or below it: `group` is the path that systemd calls
/// `ControlGroup`. A path that merely ends alike is another's: a container may run the same unit.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn in_group(group: &str) -> Result<Vec<Process>> {
    let all = procfs::process::all_processes().context("failed to list `/proc`")?;
    Ok(all
        .flatten()
        .filter(|entry| {
            entry
                .cgroups()
                .is_ok_and(|groups| groups.0.iter().any(|g| is_below(&g.pathname, group)))
        })
        .filter_map(|entry| entry.stat().ok())
        .filter(|stat| state_of(stat.state) != ProcessState::Gone)
        .map(Process::of)
        .collect())
}

/// A process and every process below it.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn below(pid: i32) -> Result<Vec<Process>> {
    let all = procfs::process::all_processes().context("failed to list `/proc`")?;
    let stats: Vec<Stat> = all
        .flatten()
        .filter_map(|entry| entry.stat().ok())
        .filter(|stat| state_of(stat.state) != ProcessState::Gone)
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(stats.iter().filter(|s| s.ppid == parent).map(|s| s.pid));
        next += 1;
    }
    Ok(stats
        .into_iter()
        .filter(|stat| family.contains(&stat.pid))
        .map(Process::of)
        .collect())
}

/// The processes that were started with this word among their arguments, and the arguments.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn started_with(word: &str) -> Result<Vec<(Process, Vec<String>)>> {
    let all = procfs::process::all_processes().context("failed to list `/proc`")?;
    Ok(all
        .flatten()
        .filter_map(|entry| Some((entry.cmdline().ok()?, entry.stat().ok()?)))
        .filter(|(arguments, _)| arguments.iter().any(|a| a == word))
        .map(|(arguments, stat)| (Process::of(stat), arguments))
        .collect())
}

/// Whether there is a process of this number, a zombie included: one system call.
pub(crate) fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// What a process does at this moment, for a person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProcessRow {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// A letter of proc(5).
    pub(crate) state: char,
    /// The name of its program, as the kernel has it.
    pub(crate) name: String,
    pub(crate) threads: i64,
    pub(crate) resident_kib: u64,
    /// Seconds from the boot to its start.
    pub(crate) started: f64,
    /// The function of the kernel in which it waits, where that may be known.
    pub(crate) waits_in: Option<String>,
}

/// What is out of the ordinary in what a process does, as `ps` writes it; empty where nothing is.
pub(crate) fn odd_state(pid: u32) -> &'static str {
    let row = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(row);
    match row.map(|row| row.state) {
        Some('T') => "T (stopped)",
        Some('t') => "t (traced)",
        Some('D') => "D (waits for a disk)",
        _ => "",
    }
}

/// The process of this number; none when it is gone.
pub(crate) fn row(pid: i32) -> Option<ProcessRow> {
    let stat = Entry::new(pid).and_then(|entry| entry.stat()).ok()?;
    let place = std::fs::read_to_string(format!("/proc/{pid}/wchan")).ok();
    #[allow(
        clippy::cast_precision_loss,
        reason = "ticks since the boot do not reach 2^52"
    )]
    let started = stat.starttime as f64 / procfs::ticks_per_second() as f64;
    Some(ProcessRow {
        pid,
        parent: stat.ppid,
        state: stat.state,
        threads: stat.num_threads,
        resident_kib: stat.rss * procfs::page_size() / 1024,
        started,
        waits_in: place.filter(|place| !matches!(place.trim(), "" | "0")),
        name: stat.comm,
    })
}

/// Whether a process exists and is no zombie.
pub(crate) fn runs(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .and_then(|pid| Entry::new(pid).ok()?.stat().ok())
        .is_some_and(|stat| state_of(stat.state) != ProcessState::Gone)
}

fn is_below(path: &str, group: &str) -> bool {
    path.strip_prefix(group)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The letters are those of proc(5).
fn state_of(letter: char) -> ProcessState {
    match letter {
        'T' | 't' => ProcessState::Stopped,
        'Z' | 'X' | 'x' => ProcessState::Gone,
        _ => ProcessState::Runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_under_the_same_number_is_not_the_same() {
        let me = Entry::myself().and_then(|entry| entry.stat()).unwrap();
        let mut process = Process::of(me);
        assert_eq!(process.state(), ProcessState::Runs);
        process.start += 1;
        assert_eq!(process.state(), ProcessState::Gone);
    }

    #[test]
    fn a_family_is_a_process_and_its_children() {
        let me = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("9.75")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let family: Vec<i32> = below(me).unwrap().iter().map(|p| p.pid).collect();
        assert!(family.contains(&me) && family.contains(&pid));
        let seen = row(pid).unwrap();
        assert_eq!((seen.parent, seen.threads), (me, 1));
        assert!(!below(pid).unwrap().iter().any(|p| p.pid == me));
        assert!(runs(child.id()) && exists(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!runs(child.id()) && !exists(child.id()));
    }

    #[test]
    fn a_containers_unit_of_the_same_name_is_not_in_the_group() {
        let group = "/system.slice/rabbitmq-server.service";
        assert!(is_below(group, group));
        assert!(is_below(
            "/system.slice/rabbitmq-server.service/child",
            group
        ));
        assert!(!is_below(&format!("/machine.slice/x{group}"), group));
        assert!(!is_below("/system.slice/rabbitmq-server.services", group));
    }
}
