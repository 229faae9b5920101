//! What is asked of Pulp 2, as plain requests.

use crate::names::repository_tag;
use serde_json::{Value, json};

use crate::pulp::Ask;

/// The largest answer about one thing.
const CAP: u64 = 4 * 1024 * 1024;
/// The largest list; that of a Pulp with a hundred thousand orphans is below.
const LIST_CAP: u64 = 128 * 1024 * 1024;

pub(super) fn status() -> Ask {
    get(super::STATUS_PATH)
}

pub(super) fn open_tasks() -> Ask {
    search(&json!({"state": {"$in": ["waiting", "accepted", "running", "suspended"]}}))
}

fn search(filters: &Value) -> Ask {
    Ask {
        cap: LIST_CAP,
        ..post(
            "/pulp/api/v2/tasks/search/",
            json!({"criteria": {"filters": filters}}),
        )
    }
}

pub(super) fn create(id: &str, feed: &str) -> Ask {
    let body = json!({
        "id": id,
        "display_name": id,
        "description": "Made by pulp_health, which deletes it again",
        "notes": {"_repo-type": "rpm-repo"},
        "importer_type_id": "yum_importer",
        "importer_config": {"feed": feed},
        "distributors": [],
    });
    post("/pulp/api/v2/repositories/", body)
}

/// An empty repository that can be published: each publication of it is a task that reserves it.
pub(super) fn create_to_publish(id: &str, tls: bool) -> Ask {
    let body = json!({
        "id": id,
        "display_name": id,
        "description": "Made by pulp_health, which deletes it again",
        "notes": {"_repo-type": "rpm-repo"},
        "distributors": [distributor(id, tls)],
    });
    post("/pulp/api/v2/repositories/", body)
}

pub(super) fn read_repository(id: &str) -> Ask {
    get(&repository(id, ""))
}

pub(super) fn delete_repository(id: &str) -> Ask {
    delete(&repository(id, ""))
}

pub(super) fn sync(id: &str) -> Ask {
    post(&repository(id, "actions/sync/"), json!({}))
}

pub(super) fn sync_history(id: &str) -> Ask {
    get(&repository(id, "history/sync/"))
}

/// A distributor that serves the repository under its own id, by the scheme of `pulp_url`.
pub(super) fn add_distributor(id: &str, tls: bool) -> Ask {
    post(&repository(id, "distributors/"), distributor(id, tls))
}

fn distributor(id: &str, tls: bool) -> Value {
    json!({
        "distributor_id": id,
        "distributor_type_id": "yum_distributor",
        "distributor_config": {"relative_url": id, "http": !tls, "https": tls},
        "auto_publish": false,
    })
}

pub(super) fn publish(id: &str) -> Ask {
    post(&repository(id, "actions/publish/"), json!({"id": id}))
}

/// Pulp passes over a publication that would change nothing, unless it is told to.
pub(super) fn publish_in_full(id: &str) -> Ask {
    let body = json!({"id": id, "override_config": {"force_full": true}});
    post(&repository(id, "actions/publish/"), body)
}

/// `when` is an ISO 8601 interval.
pub(super) fn add_schedule(id: &str, when: &str) -> Ask {
    let body = json!({"schedule": when, "enabled": true});
    post(&schedule(id, ""), body)
}

pub(super) fn read_schedule(id: &str, key: &str) -> Ask {
    get(&schedule(id, &format!("{key}/")))
}

pub(super) fn delete_schedule(id: &str, key: &str) -> Ask {
    delete(&schedule(id, &format!("{key}/")))
}

fn schedule(id: &str, rest: &str) -> String {
    repository(id, &format!("importers/yum_importer/schedules/sync/{rest}"))
}

/// The tasks of any of these repositories.
pub(super) fn tasks_of_any(ids: &[&str]) -> Ask {
    let tags: Vec<_> = ids.iter().map(|id| repository_tag(id)).collect();
    search(&json!({"tags": {"$in": tags}}))
}

pub(super) fn tasks_of(id: &str) -> Ask {
    get(&format!("/pulp/api/v2/tasks/?tag={}", repository_tag(id)))
}

pub(super) fn read_task(id: &str) -> Ask {
    get(&format!("/pulp/api/v2/tasks/{id}/"))
}

pub(super) fn cancel_task(id: &str) -> Ask {
    delete(&format!("/pulp/api/v2/tasks/{id}/"))
}

pub(super) fn orphans() -> Ask {
    get("/pulp/api/v2/content/orphans/")
}

pub(super) fn orphaned_packages() -> Ask {
    Ask {
        cap: LIST_CAP,
        ..get("/pulp/api/v2/content/orphans/rpm/")
    }
}

pub(super) fn read_orphan(unit: &str) -> Ask {
    get(&format!("/pulp/api/v2/content/orphans/rpm/{unit}/"))
}

pub(super) fn delete_orphan(unit: &str) -> Ask {
    delete(&format!("/pulp/api/v2/content/orphans/rpm/{unit}/"))
}

fn repository(id: &str, rest: &str) -> String {
    format!("/pulp/api/v2/repositories/{id}/{rest}")
}

fn get(path: &str) -> Ask {
    ask("GET", path, None)
}

fn post(path: &str, body: Value) -> Ask {
    ask("POST", path, Some(body))
}

fn delete(path: &str) -> Ask {
    ask("DELETE", path, None)
}

fn ask(method: &'static str, path: &str, body: Option<Value>) -> Ask {
    Ask {
        method,
        path: path.to_owned(),
        body,
        cap: CAP,
    }
}
