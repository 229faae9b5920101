//! A Pulp 2 in which everything goes well at once, so that a test states only what goes wrong.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::server::{Asked, Reply, Server, fetch, reply};

const STATUS: &str = r#"{"api_version":"2","versions":{"platform_version":"2.21.5"},
    "database_connection":{"connected":true},"messaging_connection":{"connected":true},
    "known_workers":[{"_id":"resource_manager@h"},{"_id":"reserved_resource_worker-0@h"}]}"#;

#[derive(Default)]
struct State {
    /// Id and feed of the repository.
    repository: Option<(String, String)>,
    package: Vec<u8>,
    orphan: Option<Value>,
}

/// The stand-in; `wrong` answers first, or leaves it to the Pulp in which all goes well.
pub(crate) fn pulp(wrong: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let state = Mutex::new(State::default());
    Server::start(None, move |asked| {
        wrong(asked).unwrap_or_else(|| right(asked, &mut state.lock().expect("state")))
    })
}

pub(crate) fn status() -> Reply {
    reply(200, STATUS)
}

/// A call report or a task, in this state.
pub(crate) fn task(id: &str, state: &str) -> Value {
    json!({"task_id": id, "task_type": "t", "state": state, "worker_name": "w@h", "tags": [],
        "start_time": "2026-11-23T03:52:02Z", "finish_time": null, "error": null, "traceback": null,
        "result": {"added_count": 1}, "spawned_tasks": []})
}

fn dispatched(id: &str) -> Reply {
    reply(
        202,
        json!({"spawned_tasks": [{"task_id": id}], "error": null}).to_string(),
    )
}

fn right(asked: &Asked, state: &mut State) -> Reply {
    let path = asked.path.trim_start_matches("/pulp/api/v2");
    let name = state
        .repository
        .as_ref()
        .map(|(id, _)| id.clone())
        .unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("GET", "/status/") => status(),
        ("POST", "/tasks/search/") => reply(200, "[]"),
        ("POST", "/repositories/") => {
            let body: Value = serde_json::from_str(&asked.body).expect("JSON");
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            state.repository = Some((text(&body["id"]), text(&body["importer_config"]["feed"])));
            reply(201, "{}")
        }
        ("POST", path) if path.ends_with("/actions/sync/") => {
            let (id, feed) = state.repository.clone().expect("repository");
            state.package = fetch(&format!("{feed}{id}-1.0-1.noarch.rpm"));
            dispatched("sync")
        }
        ("POST", path) if path.ends_with("/distributors/") => reply(201, "{}"),
        ("POST", path) if path.ends_with("/actions/publish/") => dispatched("publish"),
        ("DELETE", path) if path == format!("/repositories/{name}/") => {
            state.repository = None;
            let sum = sha256(&state.package);
            state.orphan = Some(json!({"_id": "u-1", "name": name, "checksum": sum}));
            dispatched("delete")
        }
        ("GET", path) if path.starts_with("/repositories/") => match state.repository {
            Some(_) => reply(200, r#"{"content_unit_counts":{"rpm":1}}"#),
            None => reply(
                404,
                r#"{"error":{"code":"PLP0009","description":"Missing"}}"#,
            ),
        },
        ("GET", path) if path.starts_with("/tasks/?tag=") => reply(200, "[]"),
        ("GET", path) if path.starts_with("/tasks/") => {
            let id = path.trim_start_matches("/tasks/").trim_end_matches('/');
            reply(200, task(id, "finished").to_string())
        }
        ("GET", "/content/orphans/rpm/") => reply(200, json!([state.orphan]).to_string()),
        ("DELETE", "/content/orphans/rpm/u-1/") => {
            state.orphan = None;
            dispatched("orphan")
        }
        ("GET", path) if path.starts_with("/pulp/repos/") => metadata(path, &name, &state.package),
        _ => reply(404, "null"),
    }
}

/// A published repository: its metadata, or the one package in it.
pub(super) fn metadata(path: &str, name: &str, package: &[u8]) -> Reply {
    if path.ends_with("/repodata/repomd.xml") {
        let text = r#"<repomd><data type="primary"><location href="repodata/primary.xml"/></data></repomd>"#;
        reply(200, text)
    } else if path.ends_with("/repodata/primary.xml") {
        let sum = sha256(package);
        let text = format!(
            r#"<metadata packages="1"><package><name>{name}</name><checksum type="sha256">{sum}</checksum><location href="Packages/{name}.rpm"/></package></metadata>"#
        );
        reply(200, text)
    } else {
        reply(200, package)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let sum = sha2::Sha256::digest(bytes);
    sum.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
