//! Pulp 3's status document, and what it says about whether a health check makes sense.

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Status, Worker};
use crate::pulp::Answer;

/// Reads the answer to `GET /pulp/api/v3/status/`.
pub(super) fn parse(answer: &Answer) -> Result<Status> {
    let no_pulp = |why: &str| {
        format!(
            "failed to read the status of Pulp 3 at `{}`: {why}",
            answer.url
        )
    };
    if answer.status != 200 {
        // The view counts its workers in the database before it tells anything.
        let hint = if answer.status == 500 {
            "; is Pulp's database running, and does the API reach it?"
        } else {
            "; check pulp_url"
        };
        bail!(no_pulp(&format!(
            "status {}, `{}`{hint}",
            answer.status,
            answer.beginning()
        )));
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        bail!(no_pulp(&format!(
            "the answer is not JSON, it begins with `{}`; check pulp_url",
            answer.beginning()
        )));
    };
    let Some(version) = component(&body, "core") else {
        bail!(no_pulp(&format!(
            "its status document is not Pulp's, it begins with `{}`; check pulp_url",
            answer.beginning()
        )));
    };
    if component(&body, "rpm").is_none() {
        bail!(
            "failed to use Pulp {version} at `{}`: it has no plugin pulp_rpm, with which it is tested; install it",
            answer.url
        );
    }
    let mut status = Status {
        objection: None,
        version: Some(version.to_owned()),
        database: body["database_connection"]["connected"].as_bool(),
        // Redis is Pulp's cache, or hands out its tasks, and `connected` is false where the cache is off:
        // it decides nothing.
        messaging: None,
        workers: body["online_workers"]
            .as_array()
            .map(|list| list.iter().filter_map(worker).collect()),
        at: answer.date,
    };
    status.objection = objection(&status);
    Ok(status)
}

/// Whether a Pulp 3 says it.
pub(super) fn is_pulp(answer: &Answer) -> bool {
    let body = serde_json::from_slice::<Value>(&answer.body);
    answer.status == 200 && body.is_ok_and(|body| component(&body, "core").is_some())
}

/// The version of a part of Pulp.
fn component<'a>(status: &'a Value, name: &str) -> Option<&'a str> {
    let parts = status["versions"].as_array()?;
    let part = parts.iter().find(|part| part["component"] == name)?;
    part["version"].as_str()
}

fn worker(listed: &Value) -> Option<Worker> {
    Some(Worker {
        name: listed["name"].as_str()?.to_owned(),
        heartbeat: listed["last_heartbeat"].as_str().map(str::to_owned),
    })
}

/// Why tasks that are sent now would wait for ever.
fn objection(status: &Status) -> Option<String> {
    if status.database == Some(false) {
        return Some(
            "Pulp is not connected to its database (database_connection.connected=false); is PostgreSQL running?"
                .to_owned(),
        );
    }
    let nobody = status.workers.as_ref().is_some_and(Vec::is_empty);
    nobody.then(|| {
        "Pulp knows no running worker (online_workers is empty), so its tasks would wait for ever; start \
         pulpcore-worker@*, or wait until one has reconnected"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"versions": [{"component": "core", "version": "3.123.1"},
        {"component": "rpm", "version": "3.39.4"}],
        "online_workers": [{"name": "53@h", "last_heartbeat": "2026-11-24T03:56:41.371423Z"}],
        "database_connection": {"connected": true}, "redis_connection": {"connected": false}, "news": []}"#;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: "GET",
            url: "https://p/pulp/api/v3/status/".to_owned(),
            status,
            location: None,
            cookies: Vec::new(),
            date: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_pulp_3_says_is_read_whatever_else_it_says() {
        let status = parse(&answer(200, STATUS)).unwrap();
        assert_eq!(status.version.as_deref(), Some("3.123.1"));
        assert_eq!(status.names(), Some(vec!["53@h"]));
        assert_eq!(objection(&status), None);
    }

    #[test]
    fn what_is_in_the_way_is_named_with_its_remedy() {
        let told = |status, body: &str| parse(&answer(status, body)).unwrap_err().to_string();
        assert!(told(500, "<h1>Server Error (500)</h1>").contains("is Pulp's database running"));
        assert!(told(200, "{}").contains("not Pulp's"));
        let without = STATUS.replace("\"rpm\"", "\"deb\"");
        assert!(told(200, &without).contains("no plugin pulp_rpm"));
        let idle = STATUS.replace(
            r#"{"name": "53@h", "last_heartbeat": "2026-11-24T03:56:41.371423Z"}"#,
            "",
        );
        let status = parse(&answer(200, &idle)).unwrap();
        assert!(objection(&status).unwrap().contains("pulpcore-worker@*"));
    }
}
