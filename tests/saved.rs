//! The files of a run, as the role's action writes them on the controller: each host has its own and all of them stay in
//! the run's folder, whatever the inventory calls the hosts. Ansible itself runs it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has to fail"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// As people, addresses and clouds call hosts. Some differ only in what cannot be in a file's name.
const HOSTS: [&str; 15] = [
    "pulp-1.example.com",
    "a/b",
    "a_b",
    "a:b",
    "../x",
    "../../x",
    "..",
    "::1",
    "fe80::1%eth0",
    "h\u{f6}st",
    "h\u{f8}st",
    "host name",
    "x.txt/../../../y",
    "a'b\"c$(touch z)",
    "-rf",
];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What the role calls a host's evidence, as its task has it.
fn name() -> String {
    let task = project("playbooks/roles/pulp_broker_test/tasks/unwatch.yml");
    let text = fs::read_to_string(task).unwrap();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- name: \"evidence-"))
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    format!("evidence-{}", names[0].trim_end_matches('"'))
}

fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

#[test]
fn each_host_has_a_file_of_its_own_in_the_folder_of_the_run() {
    let around = TempDir::new().unwrap();
    let top = around.path().join("1/2/3/4");
    let run = top.join("run");
    let long = "long.".repeat(60);
    let hosts = || HOSTS.iter().copied().chain([long.as_str()]);
    let inventory: Map<String, Value> = hosts().map(|h| (h.to_owned(), json!({}))).collect();
    fs::create_dir_all(&top).unwrap();
    let write = |file: &str, content: Value| {
        let path = around.path().join(file);
        fs::write(&path, content.to_string()).unwrap();
        path
    };
    let inventory = write("hosts.json", json!({"all": {"hosts": inventory}}));
    let content = "{{ inventory_hostname }}";
    let files =
        json!([{"name": name(), "content": content}, {"name": "report.json", "content": "x"}]);
    let play = write(
        "play.yml",
        json!([{
            "hosts": "all", "gather_facts": false, "vars": {"__pulp_broker_test_scenario": "reconnect"},
            "tasks": [{"name": "Save", "pulp_save": {"folder": run, "files": files}}],
        }]),
    );
    let ran = Command::new(project(".cache/venv/bin/ansible-playbook"))
        .arg("--inventory")
        .args([&inventory, &play])
        .env(
            "ANSIBLE_ACTION_PLUGINS",
            project("playbooks/roles/pulp_broker_test/action_plugins"),
        )
        .env("ANSIBLE_HOME", around.path().join("home"))
        .env("ANSIBLE_LOCAL_TEMP", around.path().join("home/tmp"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ANSIBLE_FORKS", "2")
        .current_dir(&top)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");

    let found = below(&around.path().join("1"));
    let written: BTreeSet<PathBuf> = found
        .iter()
        .filter(|path| path.is_file())
        .cloned()
        .collect();
    assert!(
        written.iter().all(|path| path.parent() == Some(&run)),
        "{written:#?}"
    );
    let names = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    for name in written.iter().map(names) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        assert!(name.chars().all(is_plain) && name.len() < 256, "{name}");
    }
    let evidence = written
        .iter()
        .filter(|path| names(path).starts_with("evidence-reconnect-"));
    let of: BTreeSet<String> = evidence
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(of, hosts().map(str::to_owned).collect::<BTreeSet<_>>());
    // Ordinary names stay as they are, for whoever looks for one.
    for file in ["report.json", "evidence-reconnect-pulp-1.example.com.txt"] {
        assert!(written.contains(&run.join(file)), "{file}");
    }
}
