//! The rules of this repository that no lint knows: how long a file may be, where effects may stand, who may import whom.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST: usize = 600;

/// Rooms from the bottom up: each may import those below it, not others of its own height or above.
const HEIGHTS: [&[&str]; 7] = [
    &["names"],
    &["ansible", "host", "timeline"],
    &["service"],
    &["broker", "feed", "pulp"],
    &["evidence", "observe", "verdict"],
    &["modules"],
    &["main"],
];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text without what is compiled for tests only, which stands at a file's end or in files of its own.
    fn shipped(&self) -> &str {
        let of_tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        if !self.path.starts_with("src/") || of_tests {
            return "";
        }
        let end = self.text.find("\n#[cfg(test)]").unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// The first folder or file below `src/`.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or_default();
        below.split(['/', '.']).next().unwrap_or_default()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that git knows or would take, with one of these endings.
fn sources(endings: &[&str]) -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git could not list the files");
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let found: Vec<Source> = names
        .lines()
        .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
        .filter_map(|name| {
            let text = fs::read_to_string(root().join(name)).ok()?;
            Some(Source {
                path: name.to_owned(),
                text,
            })
        })
        .collect();
    assert!(
        !found.is_empty(),
        "found no file that ends with {endings:?}"
    );
    found
}

fn rust() -> Vec<Source> {
    sources(&[".rs"])
}

/// Each line of shipped code that holds one of the words, comments aside, unless its file is one of the doors.
fn outside_doors(words: &[&str], doors: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust() {
        if doors.iter().any(|door| source.path.starts_with(door)) {
            continue;
        }
        for (index, line) in source.shipped().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<String> = sources(&[".rs", ".sh", ".py", ".yml"])
        .iter()
        // Ansible reads a module's documentation from one file, whatever the module can do.
        .filter(|source| !source.path.starts_with("library/"))
        .filter(|source| source.text.lines().count() > LONGEST)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    none(&format!("files of more than {LONGEST} lines"), &long);
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent: Vec<String> = rust()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    none("files that do not open with //!", &silent);
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["TODO", "FIXME", "todo!", "dbg!", "unimplemented!"];
    let left: Vec<String> = sources(&[".rs", ".sh", ".py", ".yml"])
        .iter()
        .filter(|source| source.path != "tests/tidy.rs")
        .flat_map(|source| source.text.lines().map(move |line| (&source.path, line)))
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, line)| format!("{path}: {}", line.trim()))
        .collect();
    none("unfinished work", &left);
}

#[test]
fn processes_are_started_behind_one_door() {
    none(
        "processes started elsewhere",
        &outside_doors(
            &["Command::new", "duct::cmd", "cmd!("],
            &["src/host/process.rs"],
        ),
    );
}

#[test]
fn only_the_reply_is_printed() {
    none(
        "output written elsewhere",
        &outside_doors(
            &["println!", "print!(", "io::stdout", "io::stderr"],
            // `interrupt` writes empty lines only, and only where there is no terminal; `interpreter` is a
            // process of its own, whose output only this program reads.
            &[
                "src/main.rs",
                "src/ansible/reply.rs",
                "src/host/wait/interrupt.rs",
                "src/host/interpreter.rs",
            ],
        ),
    );
}

#[test]
fn nothing_sleeps_outside_the_waiting_room() {
    none(
        "sleeps elsewhere",
        &outside_doors(
            &[
                "thread::sleep",
                "park_timeout",
                "time::sleep",
                "time::interval",
            ],
            &["src/host/wait/mod.rs"],
        ),
    );
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    none(
        "unwrapped values",
        &outside_doors(&[".unwrap()", ".expect(\""], &[]),
    );
}

#[test]
fn rooms_import_downward_only() {
    let height = |room: &str| HEIGHTS.iter().position(|rooms| rooms.contains(&room));
    let mut found = Vec::new();
    for source in rust() {
        if source.shipped().is_empty() {
            continue;
        }
        let own = source.room();
        let Some(at) = height(own) else {
            found.push(format!(
                "{}: the room `{own}` has no height in tests/tidy.rs",
                source.path
            ));
            continue;
        };
        for target in imported_rooms(source.shipped()) {
            let allowed = target == own || height(&target).is_none_or(|of| of < at);
            if !allowed {
                found.push(format!("{}: `{own}` imports `{target}`", source.path));
            }
        }
    }
    none("imports that do not lead down", &found);
}

/// What follows each `crate::`, when it names a room.
fn imported_rooms(text: &str) -> Vec<String> {
    text.split("crate::")
        .skip(1)
        .map(|after| {
            after
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn the_change_log_has_an_entry() {
    let path: &Path = &root().join("CHANGELOG.md");
    let text = fs::read_to_string(path).expect("there is a CHANGELOG.md");
    assert!(
        text.lines().any(|line| line.starts_with("## ")),
        "CHANGELOG.md has no entry: expected a line that starts with `## `"
    );
}
