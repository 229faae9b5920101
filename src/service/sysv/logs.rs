//! What services wrote to the log files of syslog, where there is no journal. Pulp 2 logs under one
//! name for all its processes; who wrote a line is told by the process id that syslog (`pulp[41]:`) or
//! Pulp itself (`(41-52736)`, in messages of several lines) put into it. A line without one is nobody's.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Where syslog writes what a daemon says: EL, Debian.
pub(super) const FILES: &[&str] = &[
    "/var/log/messages",
    "/var/log/syslog",
    "/var/log/daemon.log",
];

/// Where Celery writes, if Pulp does not send it to syslog.
const PULP_DIR: &str = "/var/log/pulp";

/// How much of a file is read: its end.
const TAIL_BYTES: u64 = 2 * 1024 * 1024;

/// The ends of all log files that there are.
pub(super) fn tails() -> Vec<String> {
    let celery = std::fs::read_dir(PULP_DIR)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    FILES
        .iter()
        .map(PathBuf::from)
        .chain(celery)
        .filter_map(|path| tail(&path))
        .collect()
}

fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a line is of the process.
pub(super) fn is_by(line: &str, pid: u32) -> bool {
    line.contains(&format!("[{pid}]:")) || line.contains(&format!("({pid}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_process_whose_number_it_carries() {
        let pulp =
            "Nov 23 15:36:52 h pulp: celery:ERROR: (354-52736) consumer: Cannot connect to amqp";
        assert!(is_by(pulp, 354));
        assert!(!is_by(pulp, 35) && !is_by(pulp, 54));
        assert!(is_by(
            "Nov 23 15:36:52 h pulp[354]: celery:ERROR: lost",
            354
        ));
        assert!(!is_by("Nov 23 15:36:52 h pulp: celery:ERROR: lost", 354));
    }
}
