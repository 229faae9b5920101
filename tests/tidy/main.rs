//! The rules of this repository that no lint knows: how long a file may be, where effects may stand, who may import whom.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use shipped::{Name, Shipped};

const LONGEST: usize = 600;

/// In lines, from its name to its last brace.
const LONGEST_FUNCTION: usize = 60;

/// Rooms from the bottom up: each may import those below it, not others of its own height or above.
const HEIGHTS: [&[&str]; 8] = [
    &["names"],
    &["ansible", "host", "timeline"],
    &["service"],
    &["broker", "feed", "pulp"],
    &["outage"],
    &["evidence", "observe", "verdict"],
    &["modules"],
    &["main"],
];

struct Source {
    path: String,
    text: String,
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

fn all_shipped() -> Vec<Shipped> {
    shipped::shipped(&rust())
}

/// Whether a name is this item or something below it. A macro ends in `!`.
fn is(name: &Name, what: &str) -> bool {
    match name {
        Name::Macro(called) => what.strip_suffix('!') == Some(called),
        Name::Path(path) => {
            let item: Vec<&str> = what.split("::").collect();
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            match path.split_last() {
                Some((&"*", before)) => item.starts_with(before),
                _ => path.starts_with(&item),
            }
        }
    }
}

fn places(shipped: &Shipped, items: &[&str]) -> Vec<String> {
    shipped
        .names
        .iter()
        .filter(|(name, _)| items.iter().any(|item| is(name, item)))
        .map(|(name, line)| format!("{}:{line}: {name:?}", shipped.path))
        .collect()
}

/// Where shipped code names one of these, unless its file is one of the doors. Each door has to be one.
fn outside_doors(items: &[&str], doors: &[&str]) -> Vec<String> {
    let mut unused: Vec<&str> = doors.to_vec();
    let mut found = Vec::new();
    for shipped in all_shipped() {
        let here = places(&shipped, items);
        if doors.contains(&shipped.path.as_str()) {
            unused.retain(|door| here.is_empty() || *door != shipped.path);
        } else {
            found.extend(here);
        }
    }
    found.extend(unused.iter().map(|door| format!("{door}: is no door")));
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
        .filter(|source| source.path != "tests/tidy/main.rs")
        .flat_map(|source| source.text.lines().map(move |line| (&source.path, line)))
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, line)| format!("{path}: {}", line.trim()))
        .collect();
    none("unfinished work", &left);
}

const PROCESSES: &[&str] = &["std::process::Command", "duct", "tokio::process"];
const PRINTING: &[&str] = &[
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "std::io::stdout",
    "std::io::stderr",
];
const SLEEPING: &[&str] = &[
    "std::thread::sleep",
    "std::thread::park_timeout",
    "tokio::time::sleep",
    "tokio::time::sleep_until",
    "tokio::time::interval",
];

#[test]
fn processes_are_started_behind_one_door() {
    none(
        "processes started elsewhere",
        &outside_doors(PROCESSES, &["src/host/process.rs"]),
    );
}

#[test]
fn only_the_reply_is_printed() {
    none(
        "output written elsewhere",
        &outside_doors(
            PRINTING,
            // `interrupt` writes empty lines only, and only where there is no terminal; `interpreter` is a
            // process of its own, whose output only this program reads.
            &[
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
        &outside_doors(SLEEPING, &["src/host/wait/mod.rs"]),
    );
}

/// The rules above see through every spelling.
#[test]
fn a_rule_is_broken_however_it_is_spelled() {
    let broken = |items: &[&str], text: &str| {
        let shipped = shipped::read_text("src/outage/undo/mod.rs", text);
        !places(&shipped, items).is_empty()
    };
    for (items, text) in [
        (
            PROCESSES,
            "fn f() { std::process::Command::new(\"true\"); }",
        ),
        (
            PROCESSES,
            "use std::process as p; fn f() { p::Command::new(\"true\"); }",
        ),
        (
            PROCESSES,
            "use std::process::{self, Stdio}; fn f() { process::Command::new(\"true\"); }",
        ),
        (
            PROCESSES,
            "use std::process::*; fn f() { Command::new(\"true\"); }",
        ),
        (
            PROCESSES,
            "use std::process::Command as Start; fn f(_: Start) {}",
        ),
        (
            PROCESSES,
            "#[cfg(test)] mod tests {} fn f() { vec![duct::cmd(1)]; }",
        ),
        (PRINTING, "fn f() { std::println!(\"x\"); }"),
        (
            PRINTING,
            "use std::io; fn f() { write!(io::stdout(), \"x\"); }",
        ),
        (
            SLEEPING,
            "use std::{thread, time}; fn f() { thread::sleep(time::Duration::MAX); }",
        ),
        (&["crate::modules"], "use super::super::modules::MODULE;"),
        (
            &["crate::modules"],
            "use crate::{broker, modules as others};",
        ),
        (
            &["crate::modules"],
            "fn f() { anyhow!(\"{}\", crate::modules::ALL); }",
        ),
    ] {
        assert!(broken(items, text), "not seen: {text}");
    }
    for (items, text) in [
        (
            PROCESSES,
            "#[cfg(test)] mod tests { use std::process::Command; }",
        ),
        (
            PROCESSES,
            "use std::process::ExitCode; fn f() -> ExitCode { process(1) }",
        ),
        (
            SLEEPING,
            "fn f() { sleep(1); } #[cfg(test)] fn t() { std::thread::sleep(LONG); }",
        ),
    ] {
        assert!(!broken(items, text), "seen where it is not: {text}");
    }
}

#[test]
fn no_function_is_too_long_to_understand() {
    let long: Vec<String> = all_shipped()
        .iter()
        .flat_map(|shipped| shipped.functions.iter().map(move |f| (&shipped.path, f)))
        .filter(|(_, function)| function.lines > LONGEST_FUNCTION)
        .map(|(path, function)| format!("{path}: `{}`, {} lines", function.name, function.lines))
        .collect();
    none(
        &format!("functions of more than {LONGEST_FUNCTION} lines"),
        &long,
    );
}

/// A name that stands for two things is looked up twice.
#[test]
fn no_two_public_types_have_one_name() {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for shipped in all_shipped() {
        for name in shipped.types {
            homes.entry(name).or_default().push(shipped.path.clone());
        }
    }
    let is_seen = homes.get("Actor").is_some_and(|homes| homes.len() == 1);
    assert!(is_seen, "the types of src/ were not found");
    let twice: Vec<String> = homes
        .iter()
        .filter(|(_, homes)| homes.len() > 1)
        .map(|(name, homes)| format!("`{name}`: {}", homes.join(", ")))
        .collect();
    none("types of one name", &twice);
}

#[test]
fn rooms_import_downward_only() {
    let height = |room: &str| HEIGHTS.iter().position(|rooms| rooms.contains(&room));
    let mut found = Vec::new();
    for shipped in all_shipped() {
        let own = shipped.room();
        let Some(at) = height(own) else {
            found.push(format!(
                "{}: the room `{own}` has no height in tests/tidy/main.rs",
                shipped.path
            ));
            continue;
        };
        for (target, line) in imported_rooms(&shipped) {
            let allowed = target == own || height(target).is_none_or(|of| of < at);
            if !allowed {
                found.push(format!(
                    "{}:{line}: `{own}` imports `{target}`",
                    shipped.path
                ));
            }
        }
    }
    none("imports that do not lead down", &found);
}

/// What follows `crate` in each path, which names a room or something of `main.rs`.
fn imported_rooms(shipped: &Shipped) -> impl Iterator<Item = (&str, usize)> {
    shipped.names.iter().filter_map(|(name, line)| match name {
        Name::Path(path) if path.len() > 1 && path[0] == "crate" => Some((path[1].as_str(), *line)),
        _ => None,
    })
}

/// What is not released yet stands on top, with something said of it; below it are releases, the newest this version.
#[test]
fn the_change_log_is_up_to_date() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).expect("there is a CHANGELOG.md");
    let mut sections = text.split("\n## ").skip(1);
    let newest = sections.next().expect("CHANGELOG.md has a section");
    let (title, body) = newest.split_once('\n').unwrap_or((newest, ""));
    assert!(
        body.contains("\n- "),
        "CHANGELOG.md says nothing of {title}"
    );
    let released = if title == "Unreleased" {
        sections.next()
    } else {
        Some(newest)
    };
    if let Some(released) = released {
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            released.starts_with(version),
            "CHANGELOG.md does not have {version} where the newest release stands"
        );
    }
}

/// Each variable of the role stands in the README or on the page of all others, and those pages name no other.
#[test]
fn every_variable_is_explained() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    let defaults = read("playbooks/roles/pulp_broker_test/defaults/main.yml");
    let mut variables: BTreeSet<&str> = defaults
        .lines()
        .filter(|line| line.starts_with("pulp_broker_test_"))
        .filter_map(|line| line.split(':').next())
        .collect();
    // The play itself reads it, before the role.
    variables.insert("pulp_broker_test_hosts");
    let pages = read("README.md") + &read("docs/variables.md");
    let cells = pages
        .lines()
        .filter(|line| line.starts_with("| `pulp_broker_test_"))
        .filter_map(|line| line.split('|').nth(1));
    let explained: BTreeSet<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(explained, variables);
}

/// `ansible-doc --type role` shows each variable with the default that it has. One is computed.
#[test]
fn the_roles_documentation_has_every_variable_with_its_default() {
    let read = |path: &str| -> BTreeMap<String, serde_json::Value> {
        let path = root().join("playbooks/roles/pulp_broker_test").join(path);
        let text = fs::read_to_string(path).expect("the role has it");
        serde_saphyr::from_str(&text).expect("it is YAML")
    };
    // What has no default is empty: it is not given.
    let empty = |value: serde_json::Value| {
        if value == "" {
            serde_json::Value::Null
        } else {
            value
        }
    };
    let defaults = read("defaults/main.yml").into_iter();
    let defaults: BTreeMap<_, _> = defaults.map(|(name, value)| (name, empty(value))).collect();
    let specs = read("meta/argument_specs.yml");
    let options = specs["argument_specs"]["main"]["options"].as_object();
    let documented: BTreeMap<String, serde_json::Value> = options
        .into_iter()
        .flatten()
        .map(|(name, option)| (name.clone(), empty(option["default"].clone())))
        .collect();
    assert_eq!(documented, defaults);
}
