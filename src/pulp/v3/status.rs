//! Pulp 3's status document, and what it says about whether a health check makes sense.

use anyhow::{Result, bail};
use serde_json::Value;

use super::broken;
use crate::names::{Generation, Role, option};
use crate::pulp::{Answer, Status, Trouble, Version3, Worker};

/// Reads the answer to `GET status/`. What an old Pulp does not tell is not held against it.
pub(super) fn parse(answer: &Answer) -> Result<Status> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status >= 500 {
        return Err(Trouble::Unreachable(format!(
            "failed to read the status of Pulp 3 at `{}`: status {}: {}",
            answer.url,
            answer.status,
            broken(answer)
        ))
        .into());
    }
    let Some(versions) = body["versions"].as_array().filter(|_| answer.status == 200) else {
        bail!(
            "failed to find Pulp 3 at `{}`: status {}, it begins with `{}`; check {} and \
             {}",
            answer.url,
            answer.status,
            answer.beginning(),
            option("pulp_url"),
            option("pulp_api_root")
        );
    };
    let components = versions.iter().filter_map(|v| v["component"].as_str());
    let core = versions
        .iter()
        .find(|v| matches!(v["component"].as_str(), Some("core" | "pulpcore")))
        .or(versions.first());
    Ok(Status {
        version: core.and_then(|core| core["version"].as_str().map(str::to_owned)),
        database: body["database_connection"]["connected"].as_bool(),
        // Whether Redis is there means nothing where it only caches, and false where it is not asked.
        messaging: None,
        workers: listed(&body["online_workers"]),
        at: answer.date,
        three: Some(Version3 {
            has_rpm: components.clone().any(|c| matches!(c, "rpm" | "pulp_rpm")),
            content: listed(&body["online_content_apps"]),
            has_domains: body["domain_enabled"].as_bool().unwrap_or_default(),
        }),
    })
}

fn listed(list: &Value) -> Option<Vec<Worker>> {
    let list = list.as_array()?.iter();
    let worker = |listed: &Value| {
        Some(Worker {
            name: listed["name"].as_str()?.to_owned(),
            heartbeat: listed["last_heartbeat"].as_str().map(str::to_owned),
        })
    };
    Some(list.filter_map(worker).collect())
}

/// Why a repository that is created now could neither be synced, served, nor deleted again.
pub(super) fn objection(status: &Status, three: &Version3) -> Option<String> {
    let is_empty = |list: &Option<Vec<Worker>>| list.as_ref().is_some_and(Vec::is_empty);
    if !three.has_rpm {
        return Some(format!(
            "Pulp {} has no plugin for RPM packages (its versions list no `rpm`); install pulp-rpm, \
             migrate the database and restart Pulp's services",
            status.version.as_deref().unwrap_or("3")
        ));
    }
    let why = if status.database == Some(false) {
        "Pulp is not connected to its database (database_connection.connected=false); is \
         PostgreSQL running?"
            .to_owned()
    } else if is_empty(&status.workers) {
        format!(
            "Pulp knows no running worker (online_workers is empty), so its tasks would wait for \
             ever; start one, or see {}",
            Generation::Three.log_of(Role::Worker)
        )
    } else if is_empty(&three.content) {
        format!(
            "Pulp knows no running content app (online_content_apps is empty), so nothing would be \
             served; start one, or see {}",
            Generation::Three.log_of(Role::Content)
        )
    } else {
        return None;
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    const GOOD: &str = r#"{"versions":[{"component":"core","version":"3.123.1"},
        {"component":"rpm","version":"3.39.4"}],"online_workers":[{"name":"53@h",
        "last_heartbeat":"2026-11-24T04:01:23.312087Z"}],"online_content_apps":[{"name":"98@h"}],
        "database_connection":{"connected":true},"redis_connection":{"connected":false},
        "content_settings":{"content_origin":null},"domain_enabled":false}"#;

    fn objected(body: &str) -> Option<String> {
        let status = parse(&answer(200, body)).expect("status");
        let three = status.three.as_ref().expect("Pulp 3");
        objection(&status, three)
    }

    #[test]
    fn a_healthy_pulp_is_read_and_a_cache_that_is_down_is_no_matter() {
        let status = parse(&answer(200, GOOD)).expect("status");
        assert_eq!(status.version.as_deref(), Some("3.123.1"));
        assert_eq!(status.names(), Some(vec!["53@h"]));
        assert_eq!(objected(GOOD), None);
    }

    #[test]
    fn what_an_old_pulp_does_not_tell_is_not_held_against_it() {
        let old = r#"{"versions":[{"component":"pulpcore","version":"3.0.0"},
            {"component":"pulp_rpm","version":"3.0.0"}],"database_connection":{"connected":true}}"#;
        assert_eq!(objected(old), None);
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        for (from, to, told) in [
            (r#""rpm""#, r#""file""#, "install pulp-rpm"),
            (r#""connected":true"#, r#""connected":false"#, "PostgreSQL"),
            (
                r#""online_workers":[{"#,
                r#""online_workers":[],"x":[{"#,
                "pulpcore-worker@*",
            ),
            (r#"[{"name":"98@h"}]"#, "[]", "pulpcore-content"),
        ] {
            let text = objected(&GOOD.replacen(from, to, 1)).expect(told);
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn a_page_with_500_is_a_database_that_is_down() {
        let error = parse(&answer(500, "<h1>Server Error (500)</h1>")).expect_err("500");
        assert!(
            error.to_string().contains("is its database down?"),
            "{error}"
        );
        let error = parse(&answer(404, "<html>")).expect_err("404").to_string();
        assert!(error.contains("pulp_api_root"), "{error}");
    }
}
