//! Pulp 2's status document, and what it says about whether a health check makes sense.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::names::option;
use crate::names::{Actor, Role, listed};
use crate::pulp::{Answer, Status, Worker};

/// Reads the answer to `GET /status/`.
pub(super) fn parse(answer: &Answer) -> Result<Status> {
    let no_pulp = |why: &str| {
        format!(
            "failed to find Pulp 2 at `{}`: {why}; check {}",
            answer.url,
            option("pulp_url")
        )
    };
    if answer.status != 200 {
        let hint = if answer.status == 403 {
            ", and Pulp 2 is served over https:// only"
        } else {
            ""
        };
        bail!(no_pulp(&format!(
            "status {}, `{}`{hint}",
            answer.status,
            answer.beginning()
        )));
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        bail!(no_pulp(&format!(
            "the answer is not JSON, it begins with `{}`",
            answer.beginning()
        )));
    };
    let version = body["versions"]["platform_version"].as_str();
    let is_two = body["api_version"].as_str() == Some("2")
        || version.is_some_and(|version| version.starts_with("2."));
    if !is_two {
        bail!(no_pulp(&format!(
            "its status document is not Pulp's, it begins with `{}`",
            answer.beginning()
        )));
    }
    Ok(Status {
        version: version.map(str::to_owned),
        database: body["database_connection"]["connected"].as_bool(),
        messaging: body["messaging_connection"]["connected"].as_bool(),
        workers: body["known_workers"]
            .as_array()
            .map(|list| list.iter().filter_map(worker).collect()),
        at: answer.date,
        three: None,
    })
}

fn worker(listed: &Value) -> Option<Worker> {
    // The served key is `_id`; Pulp's documentation says `name`.
    let name = listed["_id"].as_str().or(listed["name"].as_str())?;
    Some(Worker {
        name: name.to_owned(),
        heartbeat: listed["last_heartbeat"].as_str().map(str::to_owned),
    })
}

/// Why a repository that is created now could neither be synced nor deleted again. A Pulp before
/// 2.6 says nothing about its parts, and is given the benefit of the doubt.
pub(super) fn objection(status: &Status) -> Option<String> {
    if status.database == Some(false) {
        return Some(
            "Pulp is not connected to its database (database_connection.connected=false); is \
             MongoDB running?"
                .to_owned(),
        );
    }
    if status.messaging == Some(false) {
        return Some(
            "Pulp is not connected to its broker (messaging_connection.connected=false); is the \
             broker running, and does Pulp's web server reach it?"
                .to_owned(),
        );
    }
    let workers = status.names()?;
    let missing: Vec<_> = missing(status)
        .into_iter()
        .map(|actor| actor.name.trim_end_matches(".service").to_owned())
        .collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "Pulp knows no running {}, so its tasks would wait for ever; start what is missing, or \
         wait until it has reconnected (known_workers: {})",
        missing.join(" and no "),
        if workers.is_empty() {
            "none".to_owned()
        } else {
            workers.join(", ")
        }
    ))
}

/// The services without which no task ends, of which Pulp lists none.
pub(super) fn missing(status: &Status) -> Vec<Actor> {
    let Some(workers) = status.names() else {
        return Vec::new();
    };
    let needed = [listed::RESOURCE_MANAGER, listed::WORKER].map(Actor::listed);
    let is_missing = |role| !workers.iter().any(|name| Role::of_listed(name) == role);
    let missing = needed.into_iter().filter(|actor| is_missing(actor.role));
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: "GET",
            url: "https://p/pulp/api/v2/status/".to_owned(),
            status,
            location: None,
            cookies: Vec::new(),
            date: None,
            body: body.as_bytes().to_vec(),
        }
    }

    const GOOD: &str = r#"{"api_version":"2","versions":{"platform_version":"2.21.5"},
        "database_connection":{"connected":true},"messaging_connection":{"connected":true},
        "known_workers":[{"_id":"scheduler@h"},{"_id":"resource_manager@h"},
        {"_id":"reserved_resource_worker-0@h"}]}"#;

    #[test]
    fn a_healthy_pulp_is_read_and_not_objected_to() {
        let status = parse(&answer(200, GOOD)).expect("status");
        assert_eq!(status.version.as_deref(), Some("2.21.5"));
        assert_eq!(status.workers.as_ref().map(Vec::len), Some(3));
        assert_eq!(objection(&status), None);
    }

    #[test]
    fn the_status_of_an_old_pulp_is_enough() {
        let status = parse(&answer(200, r#"{"api_version":"2"}"#)).expect("status");
        assert_eq!(objection(&status), None);
    }

    #[test]
    fn what_is_missing_is_objected_to_by_name() {
        let said = |body: String| objection(&parse(&answer(200, &body)).expect("status"));
        let messaging = GOOD.replace(
            r#""messaging_connection":{"connected":true}"#,
            r#""messaging_connection":{"connected":false}"#,
        );
        assert!(
            said(messaging).is_some_and(|s| s.contains("messaging_connection.connected=false"))
        );
        let database = GOOD.replacen("true", "false", 1);
        assert!(said(database).is_some_and(|s| s.contains("MongoDB")));
        let manager = GOOD.replace("resource_manager@h", "gone@h");
        let [missing] = &missing(&parse(&answer(200, &manager)).expect("status"))[..] else {
            panic!("{manager}")
        };
        assert_eq!(missing.word(), "pulp_resource_manager.service");
        let workers = GOOD.replace("reserved_resource_worker-0", "gone");
        assert!(said(workers).is_some_and(|s| s.contains("no running pulp_workers,")));
    }

    #[test]
    fn foreign_answers_are_no_pulp() {
        for (status, body) in [
            (404, "<html>Not Found</html>"),
            (404, "null"),
            (200, "null"),
            (200, "<html>Welcome</html>"),
            (200, "[1]"),
            (200, r#"{"status":"ok"}"#),
        ] {
            let error = parse(&answer(status, body)).expect_err(body).to_string();
            assert!(
                error.contains("failed to find Pulp 2 at `https://p"),
                "{error}"
            );
            assert!(error.contains("check pulp_url"), "{error}");
        }
    }
}
