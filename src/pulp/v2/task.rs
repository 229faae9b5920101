//! A task as Pulp 2 describes it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::pulp::{Answer, Task, TaskState};

/// Reads the answer to `GET /tasks/<id>/`.
pub(super) fn parse(answer: &Answer) -> Result<Task> {
    let value = answer.json()?;
    match from_value(&value) {
        Some(task) => Ok(task),
        None => bail!(
            "failed to read the answer of `{}`: it describes no task",
            answer.url
        ),
    }
}

/// Reads one task out of a list or of its own answer.
pub(super) fn from_value(value: &Value) -> Option<Task> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let id = text("task_id")?;
    let word = text("state")?;
    Some(Task {
        kind: text("task_type").unwrap_or_default(),
        state: state(&word),
        worker: text("worker_name"),
        queue: text("queue"),
        started_at: text("start_time"),
        finished_at: text("finish_time"),
        error: error(value),
        added: value["result"]["added_count"].as_u64(),
        spawned: ids(&value["spawned_tasks"]),
        tags: value["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
        progress: progress_mark(&value["progress_report"]),
        id,
        word,
        ..Task::default()
    })
}

/// The ids of a call report's or a task's `spawned_tasks`.
pub(super) fn ids(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|task| task["task_id"].as_str())
        .filter(|id| is_plain(id))
        .map(str::to_owned)
        .collect()
}

/// A number that changes with the report, which itself may be long.
fn progress_mark(report: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    report.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Ids become parts of paths, so they hold nothing that means something in a path.
pub(super) fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `timed out` was a final state up to Pulp 2.7; a state that nobody knows is not final.
fn state(word: &str) -> TaskState {
    match word {
        "finished" | "skipped" => TaskState::Done,
        "error" | "canceled" | "timed out" => TaskState::Failed,
        _ => TaskState::Open,
    }
}

/// Why a task failed, in Pulp's words: its error's description, what the importer reported, or
/// the last line of its traceback.
fn error(task: &Value) -> Option<String> {
    let described = task["error"]["description"].as_str();
    let traceback = task["traceback"].as_str();
    let last_line = traceback.and_then(|t| t.lines().rfind(|line| !line.trim().is_empty()));
    // The traceback's last line usually repeats the description, after the name of a class.
    let last_line = last_line.filter(|line| described.is_none_or(|d| !line.contains(d.trim())));
    let reported = progress(&task["progress_report"]);
    let mut parts: Vec<&str> = Vec::new();
    for part in [described, last_line, reported].into_iter().flatten() {
        let part = part.trim();
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The first `error` that a progress report holds at any depth.
fn progress(report: &Value) -> Option<&str> {
    let Value::Object(map) = report else {
        return None;
    };
    map.iter().find_map(|(key, value)| match value {
        Value::String(text) if key == "error" && !text.is_empty() => Some(text.as_str()),
        Value::Object(_) => progress(value),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finished_sync_is_read() {
        let task = from_value(&json!({
            "task_id": "a1", "task_type": "pulp.server.managers.repo.sync.sync",
            "state": "finished", "worker_name": "reserved_resource_worker-0@h",
            "start_time": "2026-11-23T03:52:02Z", "finish_time": "2026-11-23T03:52:03Z",
            "tags": ["pulp:repository:x", "pulp:action:sync"],
            "result": {"result": "success", "added_count": 1}, "error": null,
            "exception": null, "traceback": null,
            "spawned_tasks": [{"task_id": "b2", "_href": "/pulp/api/v2/tasks/b2/"}],
        }))
        .expect("task");
        assert_eq!(task.state, TaskState::Done);
        assert_eq!(task.added, Some(1));
        assert_eq!(task.spawned, ["b2"]);
        assert_eq!(task.error, None);
    }

    #[test]
    fn states_end_a_task_as_pulp_says() {
        for open in ["waiting", "accepted", "running", "suspended", "novel"] {
            assert_eq!(state(open), TaskState::Open, "{open}");
        }
        for failed in ["error", "canceled", "timed out"] {
            assert_eq!(state(failed), TaskState::Failed, "{failed}");
        }
        assert_eq!(state("finished"), TaskState::Done);
    }

    #[test]
    fn an_error_is_told_in_pulps_words() {
        let described = json!({"error": {"description": "Missing resource(s): repo_id=x"},
            "traceback": "Traceback (most recent call last):\n  File \"x\"\n\
                MissingResource: Missing resource(s): repo_id=x\n"});
        assert_eq!(
            error(&described).as_deref(),
            Some("Missing resource(s): repo_id=x")
        );
        let undescribed = json!({"error": null, "traceback": "Traceback:\nOSError: [Errno 28]\n"});
        assert_eq!(error(&undescribed).as_deref(), Some("OSError: [Errno 28]"));
        let only_progress = json!({"error": null, "traceback": null, "progress_report":
            {"yum_importer": {"metadata": {"state": "FAILED", "error": "Could not connect"}}}});
        assert_eq!(error(&only_progress).as_deref(), Some("Could not connect"));
        assert_eq!(error(&json!({"error": null})), None);
    }

    #[test]
    fn an_id_that_would_leave_the_path_is_dropped() {
        let list = json!([{"task_id": "../../users"}, {"task_id": "ok-1"}, {"task_id": 7}]);
        assert_eq!(ids(&list), ["ok-1"]);
    }
}
