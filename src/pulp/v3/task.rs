//! A task as Pulp 3 describes it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use crate::pulp::{Task, TaskState};

/// Reads one task; its reference is its id, checked by whoever asks for it again.
pub(super) fn from_value(value: &Value) -> Option<Task> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let word = text("state")?;
    Some(Task {
        id: text("pulp_href")?,
        kind: text("name").unwrap_or_default(),
        state: state(&word),
        worker: text("worker"),
        started_at: text("started_at"),
        finished_at: text("finished_at"),
        error: error(value),
        spawned: texts(&value["child_tasks"]),
        tags: texts(&value["reserved_resources_record"]),
        made: texts(&value["created_resources"]),
        mark: text("logging_cid"),
        progress: progress_mark(&value["progress_reports"]),
        word,
        ..Task::default()
    })
}

/// `skipped` is an end without work; a state that nobody knows is not final.
fn state(word: &str) -> TaskState {
    match word {
        "completed" | "skipped" => TaskState::Done,
        "failed" | "canceled" => TaskState::Failed,
        _ => TaskState::Open,
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// Pulp's words, and the last line of the traceback where that says more.
fn error(task: &Value) -> Option<String> {
    let error = &task["error"];
    let said = error["description"].as_str().or(error["reason"].as_str());
    let traceback = error["traceback"].as_str();
    let last = traceback.and_then(|t| t.lines().rfind(|line| !line.trim().is_empty()));
    let last = last.filter(|line| said.is_none_or(|said| !line.contains(said.trim())));
    let parts: Vec<_> = [said, last]
        .into_iter()
        .flatten()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn progress_mark(reports: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    reports.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_state_of_pulp_3_is_known() {
        for open in ["waiting", "running", "canceling", "novel"] {
            assert_eq!(state(open), TaskState::Open, "{open}");
        }
        for done in ["completed", "skipped"] {
            assert_eq!(state(done), TaskState::Done, "{done}");
        }
        for failed in ["failed", "canceled"] {
            assert_eq!(state(failed), TaskState::Failed, "{failed}");
        }
    }

    #[test]
    fn a_task_is_read_with_what_it_made() {
        let task = from_value(&json!({
            "pulp_href": "/pulp/api/v3/tasks/1/", "state": "completed", "name": "sync",
            "logging_cid": "n", "worker": null, "error": null, "progress_reports": [],
            "created_resources": ["/pulp/api/v3/repositories/rpm/rpm/2/versions/1/"],
            "reserved_resources_record": ["prn:rpm.rpmrepository:2"],
        }))
        .expect("task");
        assert_eq!(
            task.made,
            ["/pulp/api/v3/repositories/rpm/rpm/2/versions/1/"]
        );
        assert_eq!(task.mark.as_deref(), Some("n"));
        assert!(from_value(&json!({"detail": "x"})).is_none());
    }

    #[test]
    fn an_error_is_told_in_pulps_words() {
        let failed = json!({"error": {"description": "404, message='Not Found'",
            "traceback": "Traceback\n  File\nClientResponseError: 404, message='Not Found'\n"}});
        assert_eq!(error(&failed).as_deref(), Some("404, message='Not Found'"));
        let gone = json!({"error": {"reason": "Worker has gone missing."}});
        assert_eq!(error(&gone).as_deref(), Some("Worker has gone missing."));
        assert_eq!(error(&json!({"error": null})), None);
    }
}
