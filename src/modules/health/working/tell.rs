//! What the module replies.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Proof, Story, Work, failure, left_behind, leftovers, rounded, task};
use crate::ansible::Outcome;
use crate::pulp::Status;

/// What would be done.
pub(super) fn plan(base: &str, expected: Option<&[String]>, timeout: Duration) -> Outcome {
    let of = match expected {
        Some(names) if !names.is_empty() => names.join(", "),
        _ => "everybody whom Pulp lists".to_owned(),
    };
    let msg = format!(
        "would have {of} work at `{base}`, by publications of empty repositories and a scheduled sync, within {} \
         s; nothing was sent",
        timeout.as_secs()
    );
    Outcome {
        msg: Some(msg),
        ..Outcome::default()
    }
    .with("pulp_url", base)
}

/// What was done.
pub(super) fn outcome(work: &Work) -> Outcome {
    let works = work.failures.is_empty() && work.leftovers.is_empty();
    let failures: Vec<_> = work.failures.iter().map(|f| json!(f)).collect();
    Outcome {
        // What is left behind is a change that the user did not ask for.
        changed: !work.leftovers.is_empty(),
        failed: !works,
        msg: Some(message(work)),
        ..Outcome::default()
    }
    .with("pulp_url", work.pulp.door.base.as_str())
    .with(
        "pulp_version",
        work.status.as_ref().and_then(|s| s.version.as_deref()),
    )
    .with(
        "workers",
        work.workers.iter().map(worker).collect::<Vec<_>>(),
    )
    .with("scheduler", scheduler(work))
    .with("failures", failures)
    .with(
        "tasks",
        work.pulp.tasks.iter().map(task).collect::<Vec<_>>(),
    )
    .with("leftovers", leftovers(&work.leftovers))
    .with("listed", work.status.as_ref().and_then(Status::names))
    .with("duration_seconds", rounded(work.begun.elapsed()))
}

fn message(work: &Work) -> String {
    let base = &work.pulp.door.base;
    let told: Vec<_> = work.failures.iter().map(failure::told).collect();
    let text = if told.is_empty() {
        format!("WORKING: at `{base}` {}, {}", workers(work), fired(work))
    } else {
        told.join("; ")
    };
    format!("{text}{}", left_behind(&work.leftovers))
}

fn workers(work: &Work) -> String {
    let afters = work.workers.iter().filter_map(|p| p.by.as_ref());
    match afters.map(|by| by.after).max() {
        None => "a task of ours has run".to_owned(),
        Some(last) => format!(
            "each of {} workers has run a task of ours, the last after {:.1} s",
            work.workers.len(),
            last.as_secs_f64()
        ),
    }
}

fn fired(work: &Work) -> String {
    match &work.story {
        Story::Fired { after, .. } => {
            format!(
                "and the scheduler has sent one after {:.1} s",
                after.as_secs_f64()
            )
        }
        Story::None(why) => format!("the scheduler was not exercised: {why}"),
        Story::Due(_) | Story::Late(_) => "the scheduler has sent none".to_owned(),
    }
}

fn worker(proof: &Proof) -> Value {
    let by = proof.by.as_ref();
    json!({
        "name": proof.name,
        "task_id": by.map(|by| &by.task_id),
        "worked_at": by.and_then(|by| by.worked_at.as_ref()),
        "seconds": by.map(|by| rounded(by.after)),
    })
}

fn scheduler(work: &Work) -> Value {
    let (fired, task_id, seconds) = match &work.story {
        Story::Fired { task_id, after, .. } => (true, Some(task_id), Some(rounded(*after))),
        _ => (false, None, None),
    };
    let due = match &work.story {
        Story::None(_) => None,
        Story::Due(due) | Story::Fired { due, .. } | Story::Late(due) => {
            Some(humantime::format_rfc3339_seconds(due.at).to_string())
        }
    };
    let why_not = match &work.story {
        Story::None(why) => why.as_str(),
        Story::Fired { .. } => "",
        Story::Due(_) => "Pulp counts a run of it, whose task lies with those who do not work",
        Story::Late(_) => "it fell due, and nothing was seen of it",
    };
    json!({
        "name": work.scheduler(),
        "fired": fired,
        "due_at": due,
        "task_id": task_id,
        "seconds": seconds,
        "why_not": why_not,
    })
}
