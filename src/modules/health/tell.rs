//! What the module replies: the plan in check mode, else what happened, step by step.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{Check, Request, Taken, instant, left_behind, leftovers, listed, rounded, task};
use crate::ansible::Outcome;
use crate::names::VerdictError;

/// What would be done.
pub(super) fn plan(request: &Request, base: &str) -> Outcome {
    let steps: Vec<_> = request
        .plan()
        .map(|step| json!({"name": step.name, "purpose": step.purpose}))
        .collect();
    Outcome {
        msg: Some(format!(
            "would check `{base}` in {} steps within {} s; nothing was sent",
            steps.len(),
            request.timeout.as_secs()
        )),
        ..Outcome::default()
    }
    .with("plan", steps)
    .with("pulp_url", base)
}

/// What was done.
pub(super) fn outcome(check: &Check) -> Outcome {
    let healthy = !check.has_failed();
    let mut outcome = Outcome {
        // What is left behind is a change that the user did not ask for.
        changed: !check.leftovers.is_empty(),
        failed: !healthy,
        msg: Some(message(check)),
        ..Outcome::default()
    }
    .with("healthy", healthy)
    .with("pulp_url", check.pulp.door.base.as_str())
    .with("pulp_version", check.version.as_deref())
    .with("repository", check.name.as_str())
    .with("steps", check.taken.iter().map(step).collect::<Vec<_>>())
    .with(
        "tasks",
        check.pulp.tasks().iter().map(task).collect::<Vec<_>>(),
    )
    .with("leftovers", leftovers(&check.leftovers))
    .with("request_seconds", rounded(check.pulp.door.request_time()))
    .with("feed", feed(check));
    if healthy {
        outcome = outcome.with("healthy_at", instant(SystemTime::now()));
    }
    if let Some(taken) = check.taken.iter().find(|taken| taken.error.is_some()) {
        let failures = taken.error.as_ref().map(VerdictError::failures);
        outcome = outcome
            .with("failed_step", taken.step.name)
            .with("failures", json!(failures.unwrap_or_default()));
    }
    if let Some(published) = &check.published {
        outcome = outcome.with(
            "package",
            json!({
                "name": published.listed.name,
                "url": published.url,
                "size": published.bytes.len(),
                "sha256": published.listed.sha256,
            }),
        );
    }
    if let Some((files, bytes)) = check.remains {
        outcome = outcome.with("remains", json!({"files": files, "bytes": bytes}));
    }
    if check.request.feed.is_some() {
        outcome = outcome.with("orphans_left", check.orphans_left);
    }
    if !check.busy.is_empty() {
        outcome = outcome
            .with("void", "busy")
            .with("busy", listed(&check.busy));
    }
    outcome
}

fn message(check: &Check) -> String {
    let base = &check.pulp.door.base;
    let mut text = match proof_failure(check) {
        Some(Taken {
            error: Some(error), ..
        }) if !check.busy.is_empty() => format!("{error:#}"),
        Some(Taken {
            step,
            error: Some(error),
            ..
        }) => {
            format!("health step `{}` failed: {error:#}", step.name)
        }
        _ => format!(
            "Pulp {} at `{base}` synced, published and served {} in {:.1} s",
            check.version.as_deref().unwrap_or("2"),
            check
                .published
                .as_ref()
                .map_or("nothing".to_owned(), |p| format!(
                    "`{}` unchanged",
                    p.listed.name
                )),
            proof_time(check).as_secs_f64()
        ),
    };
    if let Some((files, bytes)) = check.remains {
        let _ = write!(
            text,
            "; {files} files of published metadata ({bytes} bytes) go with Pulp's next regular \
             orphan clean-up"
        );
    }
    text.push_str(&left_behind(&check.leftovers));
    text
}

fn proof_time(check: &Check) -> Duration {
    let proof = check.taken.iter().filter(|taken| !taken.step.cleans_up);
    proof.map(|taken| taken.took).sum()
}

/// The first failure; those of the clean-up are told as leftovers.
fn proof_failure(check: &Check) -> Option<&Taken> {
    check
        .taken
        .iter()
        .find(|taken| taken.error.is_some() && !taken.step.cleans_up)
}

fn feed(check: &Check) -> Value {
    match (&check.request.feed, &check.feed) {
        (Some(url), _) => json!({"url": url, "built_in": false}),
        (None, Some(feed)) => {
            let requests: Vec<_> = feed
                .requests()
                .iter()
                .map(|seen| json!({"path": seen.path, "status": seen.status}))
                .collect();
            json!({"url": feed.url, "built_in": true, "requests": requests})
        }
        (None, None) => Value::Null,
    }
}

fn step(taken: &Taken) -> Value {
    let mut told: Map<String, Value> = taken.detail.clone();
    told.insert("name".to_owned(), taken.step.name.into());
    told.insert("ok".to_owned(), taken.error.is_none().into());
    told.insert("duration_seconds".to_owned(), rounded(taken.took));
    if let Some(error) = &taken.error {
        told.insert("error".to_owned(), format!("{error:#}").into());
    }
    Value::Object(told)
}
