//! `state: working` against a Pulp whose workers, scheduler and answers do as the test says.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::server::Server;
use super::support::workers::{BEAT, Publishing, W0, W1, Wrong, pulp};
use super::support::{PASSWORD, Told, call};

fn working(server: &Server, timeout: u32) -> Told {
    let told = call(
        &server.url(),
        json!({"state": "working", "timeout": timeout}),
    );
    assert!(!told.raw.contains(PASSWORD));
    told
}

fn count(server: &Server, what: &str) -> usize {
    let asked = server.asked();
    asked.iter().filter(|asked| asked.contains(what)).count()
}

#[test]
fn each_worker_and_the_scheduler_are_seen_to_work_and_nothing_is_left() {
    let server = pulp(Wrong::default());
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
    assert_eq!(told.reply["failures"], json!([]));
    for (number, name) in [W0, W1].iter().enumerate() {
        let worker = &told.reply["workers"][number];
        assert_eq!(worker["name"], *name);
        assert_eq!(worker["worked_at"], "2026-11-23T03:52:03Z", "{worker}");
        assert!(worker["seconds"].as_f64().is_some_and(|s| s < 10.0));
    }
    assert_eq!(told.reply["scheduler"]["fired"], true, "{}", told.raw);
    assert_eq!(count(&server, "/actions/publish/"), 2);
    assert_eq!(count(&server, "DELETE /pulp/api/v2/repositories/"), 4);
}

#[test]
fn a_worker_that_runs_nothing_is_named() {
    let server = pulp(Wrong {
        idle: Some(W1),
        ..Wrong::default()
    });
    let told = working(&server, 18);
    told.failed_with(&[
        "FAILED connected_but_idle: ",
        "`reserved_resource_worker-1@h`",
        "has not begun",
        "queue `q.dq2`",
        "it locks `pulp-broker-test-",
    ]);
    let failures = told.reply["failures"].as_array().expect("list");
    assert_eq!(failures.len(), 1, "{}", told.raw);
    assert_eq!(failures[0]["actor"]["worker"], W1);
    assert_eq!(told.reply["workers"][1]["task_id"], Value::Null);
    assert_ne!(told.reply["workers"][0]["task_id"], Value::Null);
    let left = told.reply["leftovers"].as_array().expect("list");
    assert!(
        left.len() <= 2 && told.msg().contains("LEFTOVERS"),
        "{}",
        told.raw
    );
}

#[test]
fn a_worker_that_has_had_no_time_is_not_accused() {
    let server = pulp(Wrong {
        idle: Some(W1),
        ..Wrong::default()
    });
    let told = working(&server, 6);
    told.failed_with(&[
        "the time was over before `reserved_resource_worker-1@h` could show that it works",
        "set a longer `timeout`",
    ]);
    assert!(!told.msg().contains("FAILED"), "{}", told.raw);
    assert_eq!(told.reply["failures"][0]["name"], "", "{}", told.raw);
}

#[test]
fn a_task_whose_answer_got_lost_is_not_sent_again() {
    let server = pulp(Wrong {
        publishing: Publishing::AnswerLost,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
    assert_eq!(count(&server, "/actions/publish/"), 2);
}

#[test]
fn a_pulp_that_does_not_send_what_it_is_asked_is_unhealthy() {
    let server = pulp(Wrong {
        publishing: Publishing::NotSent,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    told.failed_with(&[
        "FAILED health_failed: failed to publish repository `pulp-broker-test-",
        "Connection reset by peer",
    ]);
    assert_eq!(told.reply["failures"][0]["name"], "health_failed");
    assert_eq!(count(&server, "/actions/publish/"), 1);
}

#[test]
fn what_was_sent_before_a_refusal_is_judged_all_the_same() {
    let server = pulp(Wrong {
        publishing: Publishing::LostThenNotSent,
        ..Wrong::default()
    });
    let told = working(&server, 17);
    told.failed_with(&["FAILED health_failed: failed to publish", "task `t0`"]);
    assert!(!told.msg().contains("task `t1`"), "{}", told.raw);
    assert_eq!(
        told.reply["failures"].as_array().map(Vec::len),
        Some(2),
        "{}",
        told.raw
    );
}

#[test]
fn a_scheduler_that_sends_nothing_is_named() {
    let server = pulp(Wrong {
        scheduler_sends_nothing: true,
        ..Wrong::default()
    });
    let told = working(&server, 17);
    told.failed_with(&[
        "FAILED scheduler_dead: `scheduler@h`",
        "`ab12`",
        "pulp_celerybeat",
    ]);
    told.left_nothing();
    assert_eq!(told.reply["scheduler"]["fired"], false);
}

#[test]
fn an_api_without_schedules_is_no_fault_of_the_scheduler() {
    let server = pulp(Wrong {
        no_schedules: true,
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(
        told.msg().contains("the scheduler was not exercised"),
        "{}",
        told.raw
    );
    assert_eq!(told.reply["scheduler"]["fired"], false);
    let why = told.reply["scheduler"]["why_not"].as_str().expect("text");
    assert!(
        why.contains("knows no schedules") && why.contains("404"),
        "{why}"
    );
    told.left_nothing();
}

#[test]
fn a_slow_status_is_not_taken_for_none() {
    let server = pulp(Wrong {
        status_takes: Duration::from_millis(1500),
        ..Wrong::default()
    });
    let told = working(&server, 40);
    assert!(told.msg().starts_with("WORKING: "), "{}", told.raw);
    told.left_nothing();
}

#[test]
fn in_check_mode_nothing_is_sent() {
    let server = pulp(Wrong::default());
    let told = call(
        &server.url(),
        json!({"state": "working", "expected": [W0, BEAT], "_ansible_check_mode": true}),
    );
    assert!(
        told.msg().contains("would have") && told.msg().contains(W0),
        "{}",
        told.raw
    );
    assert_eq!(server.asked(), Vec::<String>::new());
}
