//! Where a program of this host is. Over ssh or by sudo the search path may lack the directories of
//! system programs, so these are looked through as well.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const SYSTEM: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The program's full path, if it is here.
pub(crate) fn find(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .chain(SYSTEM.iter().map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| is_program(file))
        .and_then(|file| file.to_str().map(str::to_owned))
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_is_found_and_nonsense_is_not() {
        assert!(find("sh").is_some_and(|path| path.ends_with("/sh")));
        assert_eq!(find("no-such-program"), None);
    }
}
