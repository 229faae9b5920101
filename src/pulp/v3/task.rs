//! A task as Pulp 3 describes it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use super::{Task, TaskState};

/// Reads one task out of a list or of its own answer.
pub(super) fn from_value(value: &Value) -> Option<Task> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let word = text("state")?;
    let list = |key: &str| {
        let items = value[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned))
    };
    Some(Task {
        id: text("pulp_href")?,
        kind: text("name").unwrap_or_default(),
        state: state(&word),
        worker: text("worker"),
        queue: None,
        started_at: text("started_at"),
        finished_at: text("finished_at"),
        error: error(&value["error"]),
        added: None,
        spawned: Vec::new(),
        tags: list("reserved_resources_record").collect(),
        created: list("created_resources").collect(),
        progress: mark(&value["progress_reports"]),
        known_at: None,
        word,
    })
}

/// A state that nobody knows is not final.
fn state(word: &str) -> TaskState {
    match word {
        "completed" | "skipped" => TaskState::Done,
        "failed" | "canceled" => TaskState::Failed,
        _ => TaskState::Open,
    }
}

/// Why it failed, in Pulp's words.
fn error(error: &Value) -> Option<String> {
    let text = error["description"].as_str().or(error["reason"].as_str())?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number that changes with the reports.
fn mark(reports: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    reports.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_state_is_final_or_not() {
        let of = |word: &str| {
            let task = from_value(&json!({"pulp_href": "/t/1/", "state": word})).unwrap();
            task.state
        };
        for word in ["waiting", "running", "canceling", "dreaming"] {
            assert_eq!(of(word), TaskState::Open, "{word}");
        }
        assert_eq!(of("completed"), TaskState::Done);
        assert_eq!(of("skipped"), TaskState::Done);
        assert_eq!(of("failed"), TaskState::Failed);
        assert_eq!(of("canceled"), TaskState::Failed);
    }

    #[test]
    fn a_failed_task_tells_pulps_reason() {
        let task = json!({"pulp_href": "/t/1/", "state": "failed", "error": {"description": "no space left"}});
        assert_eq!(
            from_value(&task).unwrap().error.as_deref(),
            Some("no space left")
        );
        let task = json!({"pulp_href": "/t/1/", "state": "failed", "error": {"reason": "Worker has gone missing."}});
        assert_eq!(
            from_value(&task).unwrap().error.as_deref(),
            Some("Worker has gone missing.")
        );
    }
}
