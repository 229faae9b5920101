//! A managed host may have no Python: no task of ours that runs there may be one of Ansible's modules, which are Python. Read
//! here is what the playbooks and the role say, so a task that only some run would reach is found as well.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// What Ansible does on the controller alone, or, `raw`, with the host's shell.
const NEEDS_NO_PYTHON: [&str; 17] = [
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "import_playbook",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    // An action of the role's own, which only runs on the controller.
    "pulp_save",
    "raw",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
];

/// What a task may say beside its module. Whatever else it says counts as a module, so a keyword that is missing here is
/// told and not missed.
const KEYWORDS: [&str; 21] = [
    "args",
    "become",
    "changed_when",
    "check_mode",
    "delay",
    "delegate_to",
    "diff",
    "failed_when",
    "ignore_errors",
    "ignore_unreachable",
    "loop",
    "loop_control",
    "module_defaults",
    "name",
    "no_log",
    "register",
    "retries",
    "run_once",
    "tags",
    "vars",
    "when",
];

const LISTS_OF_A_PLAY: [&str; 4] = ["pre_tasks", "tasks", "post_tasks", "handlers"];
const PARTS_OF_A_BLOCK: [&str; 3] = ["block", "rescue", "always"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The modules that are this binary: each has its documentation.
fn ours() -> Vec<String> {
    let listed = fs::read_dir(root().join("library")).expect("there is a library");
    listed
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".yml")?.to_owned())
        })
        .collect()
}

/// Every list of plays or tasks that we ship. The examples stand in place of somebody's own roles, which have Python.
fn shipped() -> Vec<PathBuf> {
    let playbooks = root().join("playbooks");
    let mut found = yaml(&playbooks);
    for role in folders(&playbooks.join("roles")) {
        found.extend(yaml(&role.join("tasks")));
        found.extend(yaml(&role.join("handlers")));
    }
    assert!(found.len() > 10, "found only {found:?}");
    found
}

fn yaml(folder: &Path) -> Vec<PathBuf> {
    entries(folder)
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yml" || ending == "yaml")
        })
        .collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    entries(folder).filter(|path| path.is_dir()).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}

/// What of this text would need Python on a managed host, each in a few words.
fn needing_python(text: &str) -> Vec<String> {
    let read: Value = serde_saphyr::from_str(text).expect("what is shipped is YAML");
    let mut found = Vec::new();
    list(&read, false, &mut found);
    found
}

/// `here`: what surrounds the list runs on the controller.
fn list(items: &Value, here: bool, found: &mut Vec<String>) {
    for item in items.as_array().into_iter().flatten() {
        let Some(item) = item.as_object() else {
            found.push(format!("no play, block or task: {item}"));
            continue;
        };
        let here = here || on_the_controller(item);
        if item.contains_key("hosts") {
            play(item, here, found);
        } else if item.contains_key("block") {
            for part in PARTS_OF_A_BLOCK {
                list(item.get(part).unwrap_or(&Value::Null), here, found);
            }
        } else if !here {
            task(item, found);
        }
    }
}

fn on_the_controller(item: &Map<String, Value>) -> bool {
    let says = |key: &str, value: &str| item.get(key).and_then(Value::as_str) == Some(value);
    says("delegate_to", "localhost") || says("connection", "local") || says("hosts", "localhost")
}

fn play(play: &Map<String, Value>, here: bool, found: &mut Vec<String>) {
    // Gathering is what a play does where it says nothing.
    if !here && play.get("gather_facts") != Some(&Value::Bool(false)) {
        found.push(format!("{}: gathers facts", name(play)));
    }
    for key in LISTS_OF_A_PLAY {
        list(play.get(key).unwrap_or(&Value::Null), here, found);
    }
}

fn task(task: &Map<String, Value>, found: &mut Vec<String>) {
    let ours = ours();
    for key in task.keys().filter(|key| !KEYWORDS.contains(&key.as_str())) {
        let module = key
            .strip_prefix("ansible.builtin.")
            .or_else(|| key.strip_prefix("ansible.legacy."))
            .unwrap_or(key);
        if !NEEDS_NO_PYTHON.contains(&module) && !ours.iter().any(|own| own == module) {
            found.push(format!("{}: {key}", name(task)));
        }
    }
}

fn name(item: &Map<String, Value>) -> &str {
    item.get("name")
        .and_then(Value::as_str)
        .unwrap_or("(without a name)")
}

#[test]
fn no_task_on_a_managed_host_needs_python() {
    let found: Vec<String> = shipped()
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("a file that was listed can be read");
            needing_python(&text)
                .into_iter()
                .map(move |what| format!("{}: {what}", path.display()))
        })
        .collect();
    assert!(
        found.is_empty(),
        "needs Python on a managed host; use a module of ours, or delegate it to localhost:\n  {}",
        found.join("\n  ")
    );
}

#[test]
fn what_needs_python_is_found_wherever_it_is_planted() {
    let planted = [
        ("- name: It\n  copy: { src: a, dest: b }\n", "It: copy"),
        (
            "- name: It\n  ansible.builtin.service:\n    name: httpd\n",
            "It: ansible.builtin.service",
        ),
        ("- name: It\n  action: ansible.builtin.copy\n", "It: action"),
        ("- name: It\n  pulp_facts:\n  async: 60\n", "It: async"),
        (
            "- block: []\n  always:\n    - name: It\n      uri: { url: x }\n",
            "It: uri",
        ),
        (
            "- name: It\n  community.general.ini_file: {}\n",
            "It: community.general.ini_file",
        ),
        (
            "- name: It\n  copy: {}\n  delegate_to: \"{{ another }}\"\n",
            "It: copy",
        ),
        (
            "- name: It\n  hosts: pulp\n  tasks: []\n",
            "It: gathers facts",
        ),
        (
            "- name: It\n  hosts: pulp\n  gather_facts: true\n",
            "It: gathers facts",
        ),
        (
            "- hosts: pulp\n  gather_facts: false\n  handlers:\n    - name: It\n      command: x\n",
            "It: command",
        ),
    ];
    for (text, what) in planted {
        assert_eq!(needing_python(text), [what], "{text}");
    }
}

#[test]
fn what_runs_on_the_controller_may_need_python() {
    for text in [
        "- copy: {}\n  delegate_to: localhost\n",
        "- delegate_to: localhost\n  block:\n    - file: {}\n",
        "- hosts: localhost\n  tasks:\n    - copy: {}\n",
        "- ansible.builtin.assert: { that: true }\n  when: x\n",
        "- pulp_facts: {}\n  register: x\n",
    ] {
        assert_eq!(needing_python(text), Vec::<String>::new(), "{text}");
    }
}
