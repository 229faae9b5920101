//! What is free on this host's file systems, and whether they may be written.

use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

/// A file system, at one of its folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Space {
    pub(crate) path: String,
    /// Bytes that root may still write there.
    pub(crate) free_bytes: u64,
    /// Files that may still be made there; none where the file system does not count them.
    pub(crate) free_files: Option<u64>,
    pub(crate) read_only: bool,
}

/// The file system of a folder, or nothing if there is no such folder.
///
/// # Errors
/// It is there, but the kernel does not tell.
pub(crate) fn space(path: &str) -> Result<Option<Space>> {
    if !Path::new(path).exists() {
        return Ok(None);
    }
    let seen = rustix::fs::statvfs(path)
        .with_context(|| format!("failed to ask what is free at `{path}`"))?;
    Ok(Some(Space {
        path: path.to_owned(),
        free_bytes: seen.f_bfree.saturating_mul(seen.f_frsize),
        free_files: (seen.f_files != 0).then_some(seen.f_ffree),
        read_only: seen.f_flag.contains(StatVfsMountFlags::RDONLY),
    }))
}

impl Space {
    /// What is free, for a person.
    pub(crate) fn free(&self) -> String {
        const UNITS: &[(u64, &str)] = &[
            (1_000_000_000_000, "TB"),
            (1_000_000_000, "GB"),
            (1_000_000, "MB"),
            (1000, "kB"),
        ];
        let unit = UNITS.iter().find(|(size, _)| self.free_bytes >= *size);
        unit.map_or_else(
            || format!("{} bytes", self.free_bytes),
            |(size, name)| format!("{} {name}", self.free_bytes / size),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_file_system_and_nothing_has_none() {
        assert!(space("/proc").unwrap().is_some());
        assert_eq!(space("/nonexistent/folder").unwrap(), None);
    }

    #[test]
    fn free_space_is_told_in_the_largest_unit() {
        let free = |bytes| {
            Space {
                path: String::new(),
                free_bytes: bytes,
                free_files: None,
                read_only: false,
            }
            .free()
        };
        assert_eq!(free(12_900_000_000), "12 GB");
        assert_eq!(free(300_000_000), "300 MB");
        assert_eq!(free(12), "12 bytes");
    }
}
