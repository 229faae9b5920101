//! What the broker writes to a file of its own: there RabbitMQ says whom it cut off and why, and nothing of
//! it is in the journal.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::broker::Broker;

/// Where packages have it write, by the kind of broker.
const FOLDERS: &[(&str, &str)] = &[
    ("rabbitmq", "/var/log/rabbitmq"),
    ("redis", "/var/log/redis"),
    ("postgresql", "/var/log/postgresql"),
];

/// How much of its end is read.
const TAIL: u64 = 256 * 1024;

/// The end of the log that was written last; none where this host has none.
pub(super) fn newest(broker: &Broker) -> Option<Result<String>> {
    let (_, folder) = FOLDERS.iter().find(|(kind, _)| *kind == broker.kind)?;
    let path = newest_in(Path::new(folder))?;
    Some(end(&path).with_context(|| format!("failed to read `{}`", path.display())))
}

fn newest_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .max_by_key(|path| {
            let written = path.metadata().and_then(|about| about.modified());
            written.unwrap_or(SystemTime::UNIX_EPOCH)
        })
}

fn end(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(format!(
        "{}\n{}",
        path.display(),
        String::from_utf8_lossy(&bytes)
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_end_of_the_log_that_was_written_last_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest_in(folder.path()), None);
        assert_eq!(newest_in(&folder.path().join("none")), None);
        let old = folder.path().join("old.log");
        let new = folder.path().join("new.log");
        fs::write(&old, "old").unwrap();
        fs::write(&new, format!("{}last", "x".repeat(300_000))).unwrap();
        fs::write(folder.path().join("other.gz"), "packed").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        fs::File::options()
            .append(true)
            .open(&old)
            .and_then(|file| file.set_modified(long_ago))
            .unwrap();
        assert_eq!(newest_in(folder.path()).as_deref(), Some(new.as_path()));
        let text = end(&new).unwrap();
        assert!(
            text.ends_with("xlast") && text.len() < 263_000,
            "{}",
            text.len()
        );
    }
}
