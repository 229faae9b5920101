//! What our actions do on the controller, run by Ansible itself: the files of a run, and whose words a module is to use.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has to fail"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// A play by the Ansible of `make venv`, with the actions and the role of this checkout.
fn ansible(home: &Path, inventory: &Path, play: &Path) -> Output {
    let actions = [
        "playbooks/action_plugins",
        "playbooks/roles/pulp_broker_test/action_plugins",
    ];
    let actions = actions.map(|folder| project(folder).display().to_string());
    Command::new(project(".cache/venv/bin/ansible-playbook"))
        .arg("--inventory")
        .args([inventory, play])
        .env("ANSIBLE_ACTION_PLUGINS", actions.join(":"))
        .env("ANSIBLE_ROLES_PATH", project("playbooks/roles"))
        .env("ANSIBLE_LIBRARY", home.join("library"))
        .env("ANSIBLE_HOME", home.join("home"))
        .env("ANSIBLE_LOCAL_TEMP", home.join("home/tmp"))
        .env("ANSIBLE_REMOTE_TEMP", home.join("home/remote"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ANSIBLE_FORKS", "2")
        .current_dir(home)
        .output()
        .unwrap()
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
    let files = json!([
        {"name": name(), "content": content},
        {"name": "report.json", "content": "x"},
        {"name": "latest.json", "content": "x", "one_folder_up": true},
    ]);
    let play = write(
        "play.yml",
        json!([{
            "hosts": "all", "gather_facts": false, "vars": {"__pulp_broker_test_scenario": "reconnect"},
            "tasks": [{"name": "Save", "pulp_save": {"folder": run, "files": files}}],
        }]),
    );
    let ran = ansible(around.path(), &inventory, &play);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");

    let found = below(&around.path().join("1"));
    let latest = top.join("latest.json");
    assert!(latest.is_file(), "what the next run compares itself with");
    let written: BTreeSet<PathBuf> = found
        .iter()
        .filter(|path| path.is_file() && **path != latest)
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

/// Where our role calls, a message names the variable of the play, which is what its reader can set; where another play calls the
/// module, its option. The broker's URL is none, so nothing is looked at.
#[test]
fn a_message_names_the_variable_where_our_role_calls_and_the_option_elsewhere() {
    let home = TempDir::new().unwrap();
    let library = home.path().join("library");
    fs::create_dir(&library).unwrap();
    for module in [
        "pulp_facts",
        "pulp_services",
        "pulp_broker",
        "pulp_watch",
        "pulp_health",
        "pulp_report",
    ] {
        fs::copy(env!("CARGO_BIN_EXE_pulp_broker"), library.join(module)).unwrap();
    }
    let inventory = home.path().join("hosts.json");
    let here = json!({"ansible_connection": "local"});
    fs::write(
        &inventory,
        json!({"all": {"hosts": {"here": here}}}).to_string(),
    )
    .unwrap();
    let said = |name: &str, task: Value| {
        let variables =
            json!({"pulp_broker_test_broker_url": "moon://mq", "pulp_broker_test_resident": false});
        let play =
            json!([{"hosts": "all", "gather_facts": false, "vars": variables, "tasks": [task]}]);
        let path = home.path().join(name);
        fs::write(&path, play.to_string()).unwrap();
        let ran = ansible(home.path(), &inventory, &path);
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(
            !ran.status.success() && said.contains("the scheme is `moon`"),
            "{said}"
        );
        said
    };
    let option = "parameter `broker_url`";
    let variable = "`pulp_broker_test_broker_url`";
    let part = |name: &str| json!({"name": "Look", "ansible.builtin.include_role": {"name": "pulp_broker_test", "tasks_from": name}});
    let by_role = said(
        "role.yml",
        json!({"block": [part("begin"), part("set_up")]}),
    );
    assert!(
        by_role.contains(variable) && !by_role.contains(option),
        "{by_role}"
    );
    let by_hand = said(
        "hand.yml",
        json!({"name": "Look", "pulp_facts": {"broker_url": "moon://mq"}}),
    );
    assert!(
        by_hand.contains(option) && !by_hand.contains(variable),
        "{by_hand}"
    );
}
