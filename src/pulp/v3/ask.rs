//! What Pulp 3 is asked. Paths are made here of the API's root and of addresses that were checked.

use serde_json::{Value, json};

use super::Kind;
use crate::pulp::Ask;

/// The largest answer about one thing, and of a list, in bytes.
const CAP: u64 = 4 * 1024 * 1024;
const LIST_CAP: u64 = 64 * 1024 * 1024;

/// How many entries a list gives at once.
pub(super) const PAGE: usize = 100;

pub(super) fn status(root: &str) -> Ask {
    get(&format!("{root}status/"))
}

pub(super) fn log_in(root: &str) -> Ask {
    ask("POST", &format!("{root}login/"), None)
}

pub(super) fn read(href: &str) -> Ask {
    get(href)
}

pub(super) fn delete(href: &str) -> Ask {
    ask("DELETE", href, None)
}

/// The things of a kind that have this name, of which there is one at most.
pub(super) fn named(root: &str, kind: Kind, name: &str) -> Ask {
    get(&format!("{root}{}?name={name}", kind.path()))
}

pub(super) fn create_remote(root: &str, name: &str, feed: &str) -> Ask {
    let body = json!({"name": name, "url": feed, "policy": "immediate"});
    post(&format!("{root}{}", Kind::Remote.path()), body)
}

/// `remote` is what it syncs from.
pub(super) fn create_repository(root: &str, name: &str, remote: &str) -> Ask {
    let body = json!({
        "name": name,
        "description": "Made by pulp_health, which deletes it again",
        "remote": remote,
    });
    post(&format!("{root}{}", Kind::Repository.path()), body)
}

pub(super) fn sync(repository: &str) -> Ask {
    post(&format!("{repository}sync/"), json!({}))
}

/// Serves whatever the repository's last publication is, under its own name.
pub(super) fn create_distribution(root: &str, name: &str, repository: &str) -> Ask {
    let body = json!({"name": name, "base_path": name, "repository": repository});
    post(&format!("{root}{}", Kind::Distribution.path()), body)
}

pub(super) fn publish(root: &str, repository: &str) -> Ask {
    let body = json!({"repository": repository});
    post(&format!("{root}publications/rpm/rpm/"), body)
}

/// Tasks that have not ended, a page of them.
pub(super) fn open_tasks(root: &str, offset: usize) -> Ask {
    list(&format!(
        "{root}tasks/?state__in=waiting,running,canceling&limit={PAGE}&offset={offset}"
    ))
}

/// Tasks that lock this.
pub(super) fn tasks_of(root: &str, href: &str) -> Ask {
    list(&format!(
        "{root}tasks/?reserved_resources={href}&limit={PAGE}"
    ))
}

pub(super) fn cancel_task(href: &str) -> Ask {
    ask("PATCH", href, Some(json!({"state": "canceled"})))
}

/// Packages with this name and checksum, wherever they are.
pub(super) fn packages(root: &str, name: &str, sha256: &str) -> Ask {
    list(&format!(
        "{root}content/rpm/packages/?name={name}&sha256={sha256}&fields=pulp_href,name,sha256"
    ))
}

/// Deletes this if no repository holds it, and nothing else: without `content_hrefs` every orphan of the server
/// would go.
pub(super) fn clean_up(root: &str, href: &str) -> Ask {
    let body = json!({"content_hrefs": [href], "orphan_protection_time": 0});
    post(&format!("{root}orphans/cleanup/"), body)
}

fn get(path: &str) -> Ask {
    ask("GET", path, None)
}

fn list(path: &str) -> Ask {
    Ask {
        cap: LIST_CAP,
        ..get(path)
    }
}

fn post(path: &str, body: Value) -> Ask {
    ask("POST", path, Some(body))
}

fn ask(method: &'static str, path: &str, body: Option<Value>) -> Ask {
    Ask {
        method,
        path: path.to_owned(),
        body,
        cap: CAP,
    }
}
