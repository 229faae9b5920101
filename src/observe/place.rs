//! Where the observer's things are on this host: one observer at a time, known by the lock that it holds
//! for as long as it lives. Nobody else may read what it saw.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::host::files;
use crate::timeline;

/// The directory; EL6 has no `/run`.
const PLACES: [(&str, &str); 2] = [
    ("/run", timeline::DIR),
    ("/var/run", "/var/run/pulp_broker_watch"),
];

/// What is known of an observer from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) run_id: String,
    pub(crate) pid: u32,
    /// It lives: the lock is held.
    #[serde(skip)]
    pub(crate) alive: bool,
}

/// Where everything is, with the lock held.
#[derive(Debug)]
pub(super) struct LockedPaths {
    pub(super) paths: Paths,
    _lock: File,
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Paths(pub(super) PathBuf);

impl Paths {
    pub(super) fn here() -> Self {
        let found = PLACES.iter().find(|(above, _)| Path::new(above).is_dir());
        Self(PathBuf::from(found.unwrap_or(&PLACES[0]).1))
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// Is there when everything has been looked at once.
    pub(super) fn ready(&self) -> PathBuf {
        self.0.join("ready")
    }

    /// What the API said in sum.
    pub(super) fn api(&self) -> PathBuf {
        self.0.join("api.json")
    }

    /// A file for each module of the run that is at work, or was.
    pub(super) fn modules(&self) -> PathBuf {
        self.0.join("modules")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    fn owner(&self) -> PathBuf {
        self.0.join("observer.json")
    }
}

impl LockedPaths {
    /// Takes it, for as long as this process lives.
    pub(super) fn take(run_id: &str) -> Result<Self> {
        let paths = Paths::here();
        let path = paths.lock();
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .with_context(|| format!("failed to lock `{}`", path.display()))?;
        let standing = Standing {
            run_id: run_id.to_owned(),
            pid: std::process::id(),
            alive: true,
        };
        files::replace(&paths.owner(), 0o600, &serde_json::to_string(&standing)?)?;
        Ok(Self { paths, _lock: lock })
    }

    /// Somebody took it away: the undo, or whoever collects.
    pub(super) fn is_gone(&self) -> bool {
        !self.paths.owner().exists()
    }

    /// Everything has been looked at once. Where this cannot be written, whoever waits says so.
    pub(super) fn show_ready(&self) {
        let _ = files::replace(&self.paths.ready(), 0o600, "");
    }

    /// What is read at the collection; a failure costs only that.
    pub(super) fn keep(&self, told: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(told) {
            let _ = files::replace(&self.paths.api(), 0o600, &text);
        }
    }
}

/// The observer of this host, if there is one, or was one that nobody has collected.
///
/// # Errors
/// What it left cannot be read.
pub(crate) fn standing() -> Result<Option<Standing>> {
    let paths = Paths::here();
    let Some(text) = files::read_if_present(&paths.owner())? else {
        return Ok(None);
    };
    let Ok(standing) = serde_json::from_str::<Standing>(&text) else {
        bail!(
            "failed to read `{}`: it is not what an observer writes; remove `{}` if no observer runs",
            paths.owner().display(),
            paths.0.display()
        );
    };
    Ok(Some(Standing {
        alive: is_locked(&paths.lock())?,
        ..standing
    }))
}

fn is_locked(path: &Path) -> Result<bool> {
    let file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file.with_context(|| format!("failed to read `{}`", path.display()))?,
    };
    Ok(flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!is_locked(&path).unwrap());
        let held = File::create(&path).unwrap();
        assert!(!is_locked(&path).unwrap());
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(is_locked(&path).unwrap());
        drop(held);
        assert!(!is_locked(&path).unwrap());
    }
}
