//! Files of ours on this host: written whole or not at all, and readable by nobody else.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Makes a directory that only its owner may enter; its parent must exist.
///
/// # Errors
/// It cannot be made, or what is there cannot be made private.
pub(crate) fn private_dir(path: &Path) -> Result<()> {
    let shown = path.display();
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(e).with_context(|| format!("failed to make the directory `{shown}`"))
        }
        _ => std::fs::set_permissions(path, Permissions::from_mode(0o700))
            .with_context(|| format!("failed to make the directory `{shown}` private")),
    }
}

/// Writes a file under a temporary name, brings it to the disk, and renames it into place.
///
/// # Errors
/// Any of these steps fails; the file that was there before is then untouched.
pub(crate) fn replace(path: &Path, mode: u32, text: &str) -> Result<()> {
    // Nobody else writes under this name.
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |p| File::open(p)?.sync_all())
    };
    write()
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// Writes a file that must not be there yet. Of two that try at the same time one succeeds.
///
/// # Errors
/// It cannot be written; [`std::io::ErrorKind::AlreadyExists`] is at the bottom when it is there.
pub(crate) fn claim(path: &Path, mode: u32, text: &str) -> Result<()> {
    let own = path.with_extension(std::process::id().to_string());
    replace(&own, mode, text)?;
    let claimed = std::fs::hard_link(&own, path);
    let _ = std::fs::remove_file(&own);
    claimed.with_context(|| format!("failed to write `{}`", path.display()))
}

/// Writes a file that others read, with the directory it stands in, as systemd's drop-ins are.
///
/// # Errors
/// It cannot be written.
pub(crate) fn drop_in(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("failed to make the directory `{}`", dir.display()))?;
    }
    replace(path, 0o644, text)
}

/// Removes a directory of ours so that at no time a half of it can be seen: it gets another name first.
///
/// # Errors
/// It cannot be renamed or removed.
pub(crate) fn remove_dir(path: &Path, aside: &Path) -> Result<()> {
    match std::fs::rename(path, aside) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed.with_context(|| format!("failed to remove `{}`", path.display()))?,
    }
    std::fs::remove_dir_all(aside)
        .with_context(|| format!("failed to remove `{}`", aside.display()))
}

/// The text of a file, or nothing if there is no such file.
///
/// # Errors
/// It is there but cannot be read.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("failed to read `{}`", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_private_and_leaves_no_temporary_name() {
        let dir = std::env::temp_dir().join(format!("pulp_broker-files-{}", std::process::id()));
        private_dir(&dir).unwrap();
        let path = dir.join("state.json");
        replace(&path, 0o600, "one").unwrap();
        replace(&path, 0o600, "two").unwrap();
        assert_eq!(read_if_present(&path).unwrap().as_deref(), Some("two"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn only_the_first_claims_a_file_and_a_removed_directory_is_gone() {
        let dir = std::env::temp_dir().join(format!("pulp_broker-claim-{}", std::process::id()));
        private_dir(&dir).unwrap();
        let path = dir.join("record");
        claim(&path, 0o600, "one").unwrap();
        assert!(claim(&path, 0o600, "two").is_err());
        assert_eq!(read_if_present(&path).unwrap().as_deref(), Some("one"));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        let aside = dir.with_extension("aside");
        remove_dir(&dir, &aside).unwrap();
        remove_dir(&dir, &aside).unwrap();
        assert!(!dir.exists() && !aside.exists());
    }

    #[test]
    fn a_file_in_a_missing_directory_is_an_error_that_names_it() {
        let error = replace(Path::new("/nonexistent/x/state"), 0o600, "").unwrap_err();
        assert!(format!("{error:#}").starts_with("failed to write `/nonexistent/x/state`"));
    }
}
