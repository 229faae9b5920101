//! Whether a settings file is still the one that Pulp was asked with. Its content is not looked at: it holds secrets.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

/// What each file was like, by its path.
pub(crate) type Stamps = BTreeMap<String, String>;

/// What these files are like now: when they were written, how long they are, and which file it is.
pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a String>) -> Stamps {
    let stamp = |path: &String| match std::fs::metadata(path) {
        Ok(file) => format!(
            "{}.{:09} {} {}",
            file.mtime(),
            file.mtime_nsec(),
            file.len(),
            file.ino()
        ),
        Err(_) => "not there".to_owned(),
    };
    paths
        .into_iter()
        .map(|path| (path.clone(), stamp(path)))
        .collect()
}

/// Those that are not as they were.
pub(crate) fn changed(before: &Stamps) -> Vec<&str> {
    let now = of(before.keys());
    let other = before
        .iter()
        .filter(|(path, stamp)| now.get(*path) != Some(stamp));
    other.map(|(path, _)| path.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_replaced_or_deleted_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let names = ["same", "written", "replaced", "deleted", "new"].map(path);
        for name in &names[..4] {
            std::fs::write(name, "a").unwrap();
        }
        let before = of(&names);
        assert_eq!(changed(&before), Vec::<&str>::new());
        std::fs::write(&names[1], "ab").unwrap();
        std::fs::write(path("other"), "a").unwrap();
        std::fs::rename(path("other"), &names[2]).unwrap();
        std::fs::remove_file(&names[3]).unwrap();
        std::fs::write(&names[4], "a").unwrap();
        let mut found = changed(&before);
        found.sort_unstable();
        let mut expected: Vec<&str> = names[1..].iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
