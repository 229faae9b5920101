//! A Pulp 3 in which everything goes well at once, so that a test states only what goes wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::pulp::{metadata, sha256};
use super::server::{Asked, Reply, Server, fetch, reply};

const API: &str = "/pulp/api/v3/";

#[derive(Default)]
struct State {
    /// What was made, by reference.
    objects: BTreeMap<String, Value>,
    package: Vec<u8>,
    /// How many were ever made: a reference is never another one's again.
    made: usize,
}

/// The stand-in; `wrong` answers first, or leaves it to the Pulp in which all goes well. Content is at `content`, a path of
/// this server or of another one.
pub(crate) fn pulp3(
    content: impl Into<String>,
    wrong: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let state = Mutex::new(State::default());
    let content = content.into();
    Server::start(None, move |asked| {
        let mut state = state.lock().expect("state");
        wrong(asked).unwrap_or_else(|| right(asked, &mut state, &content))
    })
}

fn right(asked: &Asked, state: &mut State, content: &str) -> Reply {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let Some(api) = path.strip_prefix(API) else {
        return published(path, state);
    };
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    match (asked.method.as_str(), api) {
        ("GET", "status/") => reply(
            200,
            r#"{"versions":[{"component":"core","version":"3.49.1"},{"component":"rpm","version":"3.25.1"}],
            "online_workers":[{"name":"7@h"}],"online_content_apps":[{"name":"8@h"}],
            "database_connection":{"connected":true}}"#,
        ),
        // As before there was one.
        (_, "login/") => reply(404, "<h1>Not Found</h1>"),
        ("POST", "orphans/cleanup/") => {
            for href in body["content_hrefs"].as_array().into_iter().flatten() {
                state.objects.remove(href.as_str().unwrap_or_default());
            }
            task(state, &[])
        }
        ("POST", _) if api.ends_with("/sync/") => synced(asked, &body, state),
        ("POST", "publications/rpm/rpm/") => {
            let href = keep(state, api, json!({}));
            task(state, &[href])
        }
        ("POST", "distributions/rpm/rpm/") => {
            let mut made = body;
            made["base_url"] = json!(format!(
                "{content}{}/",
                made["base_path"].as_str().unwrap_or_default()
            ));
            let href = keep(state, api, made);
            task(state, &[href])
        }
        ("POST", _) => {
            let href = keep(state, api, body);
            reply(201, state.objects[&href].to_string())
        }
        ("DELETE", _) => {
            state.objects.remove(path);
            if api.starts_with("tasks/") || api.starts_with("publications/") {
                return reply(204, "");
            }
            task(state, &[])
        }
        ("GET", _) if !state.objects.contains_key(path) => listed(path, query, state),
        _ => reply(200, state.objects[path].to_string()),
    }
}

/// Remembers an object, and returns its reference.
fn keep(state: &mut State, what: &str, mut object: Value) -> String {
    state.made += 1;
    let href = format!("{API}{what}0{}/", state.made);
    object["pulp_href"] = json!(href);
    state.objects.insert(href.clone(), object);
    href
}

/// Everything that was asked for is done by the time that somebody asks.
fn task(state: &mut State, made: &[String]) -> Reply {
    let task = json!({"state": "completed", "name": "t", "created_resources": made, "progress_reports": [],
        "started_at": "2026-11-23T03:52:02Z", "finished_at": "2026-11-23T03:52:03Z", "error": null,
        "reserved_resources_record": [], "child_tasks": []});
    let href = keep(state, "tasks/", task);
    reply(202, json!({ "task": href }).to_string())
}

fn synced(asked: &Asked, body: &Value, state: &mut State) -> Reply {
    let remote = &state.objects[body["remote"].as_str().expect("remote")];
    let text = |key: &str| remote[key].as_str().expect("text").to_owned();
    let (name, url) = (text("name"), text("url"));
    state.package = fetch(&format!("{url}{name}-1.0-1.noarch.rpm"));
    let package = json!({"name": name, "sha256": sha256(&state.package)});
    keep(state, "content/rpm/packages/", package);
    let version = format!("{}versions/1/", asked.path.trim_end_matches("sync/"));
    let counted = json!({"content_summary": {"present": {"rpm.package": {"count": 1}}}});
    state.objects.insert(version.clone(), counted);
    task(state, &[version])
}

fn listed(path: &str, query: &str, state: &State) -> Reply {
    if !path.ends_with("rpm/rpm/")
        && !["packages/", "tasks/", "artifacts/"]
            .iter()
            .any(|end| path.ends_with(end))
    {
        return reply(404, r#"{"detail":"Not found."}"#);
    }
    let wanted = query.split('&').find_map(|part| part.strip_prefix("name="));
    let is_wanted = |object: &&Value| wanted.is_none_or(|name| object["name"] == name);
    let below = |href: &&String| {
        href.starts_with(path) && !path.ends_with("tasks/") && !href.contains("/versions/")
    };
    let found: Vec<_> = state
        .objects
        .iter()
        .filter(|(href, _)| below(href))
        .map(|(_, object)| object)
        .filter(is_wanted)
        .collect();
    reply(
        200,
        json!({"count": found.len(), "next": null, "results": found}).to_string(),
    )
}

fn published(path: &str, state: &State) -> Reply {
    let mut packages = state
        .objects
        .values()
        .filter(|object| object["sha256"].is_string());
    let name = packages
        .find_map(|package| package["name"].as_str())
        .unwrap_or_default();
    metadata(path, name, &state.package)
}
