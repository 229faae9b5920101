//! Whether the run that wants the observation still lives, as far as this host can tell. Each of its modules leaves the number
//! of its process beside the journal; while one is at work, and for a while after, somebody will come for what was seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Paths, standing};
use crate::host::files;

/// Says to the observer of this run, if there is one, that this process works for the run. Where it cannot be said, the
/// observer ends earlier than it need.
pub(crate) fn attend(run_id: &str) {
    let observed = standing().ok().flatten();
    if observed.is_some_and(|observer| observer.run_id == run_id) {
        let modules = Paths::here().modules();
        let me = modules.join(std::process::id().to_string());
        let _ = files::private_dir(&modules).and_then(|()| Ok(fs::write(me, "")?));
    }
}

/// How long an observer waits for the next module of its run.
#[derive(Debug)]
pub(super) struct Lease {
    modules: PathBuf,
    /// For ever, if nothing is said.
    lasts: Option<Duration>,
    /// When a module was last seen at work.
    attended: Instant,
}

impl Lease {
    pub(super) fn new(modules: PathBuf, lasts: Option<Duration>) -> Self {
        Self {
            modules,
            lasts,
            attended: Instant::now(),
        }
    }

    /// Looks; says why the observation is over if it is.
    pub(super) fn is_over(&mut self) -> Option<String> {
        let lasts = self.lasts?;
        if is_at_work(&self.modules, Path::new("/proc")) {
            self.attended = Instant::now();
        }
        let over = self.attended.elapsed() >= lasts;
        over.then(|| {
            format!(
                "no module of its run was at work here for {} s",
                lasts.as_secs()
            )
        })
    }
}

/// Whether one of those who have said so is still there; what the others left is removed.
fn is_at_work(modules: &Path, processes: &Path) -> bool {
    let said = fs::read_dir(modules).into_iter().flatten().flatten();
    let (there, gone): (Vec<_>, Vec<_>) =
        said.partition(|module| processes.join(module.file_name()).exists());
    for module in gone {
        let _ = fs::remove_file(module.path());
    }
    !there.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_is_at_work_no_more_and_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (modules, processes) = (folder.path().join("modules"), folder.path().join("proc"));
        assert!(!is_at_work(&modules, &processes), "nobody has said so");
        fs::create_dir(&modules).unwrap();
        fs::create_dir_all(processes.join("7")).unwrap();
        fs::write(modules.join("7"), "").unwrap();
        fs::write(modules.join("8"), "").unwrap();
        assert!(is_at_work(&modules, &processes));
        assert!(!modules.join("8").exists());
        fs::remove_dir(processes.join("7")).unwrap();
        assert!(!is_at_work(&modules, &processes));
        assert!(!modules.join("7").exists());
    }

    #[test]
    fn a_lease_is_over_when_nobody_works_and_never_where_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let of = |lasts| Lease::new(folder.path().to_owned(), lasts);
        assert_eq!(of(None).is_over(), None);
        assert_eq!(of(Some(Duration::from_mins(1))).is_over(), None);
        assert_eq!(
            of(Some(Duration::ZERO)).is_over().as_deref(),
            Some("no module of its run was at work here for 0 s")
        );
    }
}
