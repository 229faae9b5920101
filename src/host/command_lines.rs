//! The processes of this host and what programs they are, by what the kernel and their command lines
//! say.

use anyhow::{Context as _, Result};
use procfs::process::{Process, all_processes};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) pid: i32,
    /// The kernel's name for it, cut at 15 bytes.
    pub(crate) name: String,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
}

/// Every process that is there; what ends meanwhile is left out.
///
/// # Errors
/// `/proc` cannot be listed.
pub(crate) fn all() -> Result<Vec<Program>> {
    Ok(all_processes()
        .context("failed to list `/proc`")?
        .flatten()
        .filter_map(|process| read(&process))
        .collect())
}

/// One process, if it is there.
pub(crate) fn of(pid: i32) -> Option<Program> {
    read(&Process::new(pid).ok()?)
}

/// The names of the program that a process runs: its file's, which nobody forges, and the kernel's for it.
pub(crate) fn names_of(pid: i32) -> Vec<String> {
    let Ok(process) = Process::new(pid) else {
        return Vec::new();
    };
    let file = process.exe().ok().and_then(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        // Of one that was updated meanwhile.
        Some(name.trim_end_matches(" (deleted)").to_owned())
    });
    let name = process.stat().ok().map(|stat| stat.comm);
    let mut names: Vec<String> = file.into_iter().chain(name).collect();
    names.dedup();
    names
}

fn read(process: &Process) -> Option<Program> {
    Some(Program {
        pid: process.pid,
        name: process.stat().ok()?.comm,
        arguments: process.cmdline().unwrap_or_default(),
    })
}

/// Whether a process lives in another world than this one: a container has process numbers of its own.
pub(crate) fn in_container(pid: i32) -> bool {
    let world = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/pid")).ok();
    match (world(&pid.to_string()), world("self")) {
        (Some(theirs), Some(ours)) => theirs != ours,
        _ => false,
    }
}

impl Program {
    /// The name of the program that runs, without its folder: of a script its own, not its interpreter's.
    pub(crate) fn program(&self) -> &str {
        // What sets its own title, as Redis does, has it all in the first argument.
        let mut words = self.arguments.iter().flat_map(|a| a.split_whitespace());
        let first = file_name(words.next().unwrap_or_default());
        if !INTERPRETERS.iter().any(|i| first.starts_with(i)) {
            return first;
        }
        words
            .find(|word| !word.starts_with('-'))
            .map_or(first, file_name)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What the names of programs that run scripts begin with.
const INTERPRETERS: &[&str] = &["python", "perl", "ruby"];

#[cfg(test)]
mod tests {
    use super::*;

    fn program(arguments: &[&str]) -> Program {
        Program {
            pid: 7,
            name: "x".to_owned(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        }
    }

    #[test]
    fn a_script_is_called_by_its_own_name() {
        let script = [
            "/usr/bin/python3",
            "-s",
            "/usr/bin/patroni",
            "/etc/patroni.yml",
        ];
        assert_eq!(program(&script).program(), "patroni");
        assert_eq!(program(&["python3", "-m", "patroni"]).program(), "patroni");
        assert_eq!(
            program(&["/usr/sbin/keepalived", "-D"]).program(),
            "keepalived"
        );
        assert_eq!(
            program(&["redis-server *:26379 [sentinel]"]).program(),
            "redis-server"
        );
        assert_eq!(program(&[]).program(), "");
    }

    #[test]
    fn this_process_is_among_all_and_in_no_container_of_its_own() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(all().unwrap().iter().any(|p| p.pid == me));
        assert!(!in_container(me));
    }

    #[test]
    fn a_program_is_known_by_its_file() {
        let me = i32::try_from(std::process::id()).unwrap();
        let file = std::env::current_exe().unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(names_of(me).first().map(String::as_str), Some(name));
        assert!(names_of(i32::MAX).is_empty());
    }
}
