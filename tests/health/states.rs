//! The states that only ask: `idle` and `ready`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::pulp::{pulp, status, task};
use super::support::server::{Asked, Reply, Server, reply};
use super::support::{PASSWORD, Told, call};

const SEARCH: &str = "POST /pulp/api/v2/tasks/search/";
const STATUS: &str = "GET /pulp/api/v2/status/";

fn idle(server: &Server, options: Value) -> Told {
    asked_for("idle", &server.url(), options)
}

fn ready(server: &Server, options: Value) -> Told {
    asked_for("ready", &server.url(), options)
}

fn asked_for(state: &str, url: &str, mut options: Value) -> Told {
    options["state"] = state.into();
    let told = call(url, options);
    assert_eq!(told.reply["changed"], false, "{}", told.raw);
    told
}

fn check_mode(mut options: Value) -> Value {
    options["_ansible_check_mode"] = true.into();
    options
}

/// Somebody's tasks, until they were asked for this often.
fn busy(tasks: usize, times: usize) -> impl Fn(&Asked) -> Option<Reply> {
    let seen = AtomicUsize::new(0);
    move |asked| {
        let search = asked.path.ends_with("/tasks/search/");
        (search && seen.fetch_add(1, Ordering::Relaxed) < times).then(|| {
            let list: Vec<_> = (0..tasks)
                .map(|number| {
                    let mut task = task(&format!("t{number}"), "running");
                    task["tags"] = json!(["pulp:repository:rhel", "pulp:action:sync"]);
                    task
                })
                .collect();
            reply(200, json!(list).to_string())
        })
    }
}

/// Status documents, one after the other; the last one stays.
fn statuses(documents: Vec<Value>) -> Server {
    let seen = AtomicUsize::new(0);
    Server::start(None, move |_| {
        let number = seen.fetch_add(1, Ordering::Relaxed);
        reply(200, documents[number.min(documents.len() - 1)].to_string())
    })
}

fn listing(workers: &[(&str, &str)]) -> Value {
    let mut document: Value = serde_json::from_slice(&status().body).expect("JSON");
    document["known_workers"] = workers
        .iter()
        .map(|(name, heartbeat)| json!({"_id": name, "last_heartbeat": heartbeat}))
        .collect();
    document
}

#[test]
fn an_idle_pulp_is_told_with_who_works_there() {
    let server = pulp(|_| None);
    let told = idle(&server, json!({}));
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(told.reply["pulp_version"], "2.21.5");
    assert_eq!(
        told.reply["workers"],
        json!(["resource_manager@h", "reserved_resource_worker-0@h"])
    );
    assert_eq!(
        told.reply["tasks_of_others"],
        json!({"count": 0, "tasks": []})
    );
    assert_eq!(told.msg(), "TASKS none of others runs or waits");
    assert_eq!(server.asked(), [STATUS, SEARCH]);
}

#[test]
fn what_becomes_of_tasks_that_run_is_predicted_for_a_planned_outage() {
    let server = pulp(|_| None);
    let cancels = |options: Value| idle(&server, options).reply["outlook"]["cancels"].clone();
    assert_eq!(cancels(json!({"hold": 3, "broker_start": 0})), "will_not");
    assert_eq!(cancels(json!({"hold": 3, "broker_start": 8.6})), "may");
    assert_eq!(cancels(json!({"hold": 23, "broker_start": 0})), "will");
    let patient = json!({"hold": 23, "broker_start": 8.6, "worker_timeout": 300});
    assert_eq!(cancels(patient), "will_not");
    let gives_up = json!({"hold": 3, "broker_start": 0, "retry": {"retries": false, "most": 100}});
    assert_eq!(cancels(gives_up), "will");
    assert_eq!(cancels(json!({"hold": 9})), "may");
    assert_eq!(cancels(json!({})), Value::Null);
    for (options, words) in [
        (json!({"hold": -1}), "failed to use hold `-1`"),
        (
            json!({"hold": 1, "broker_start": -0.5}),
            "failed to use broker_start `-0.5`",
        ),
        (
            json!({"hold": 1, "worker_timeout": 0}),
            "failed to use worker_timeout `0`",
        ),
    ] {
        idle(&server, options).failed_with(&[words]);
    }
}

#[test]
fn a_busy_pulp_is_refused_with_both_ways_on() {
    let server = pulp(busy(25, usize::MAX));
    let told = idle(&server, json!({}));
    told.failed_with(&[
        "25 tasks",
        "`t0` (running, pulp:repository:rhel pulp:action:sync)",
        "`t2`",
        "`drain: SECONDS`",
        "`accept_task_loss: true`",
    ]);
    assert!(told.msg().starts_with("VOID busy: "), "{}", told.msg());
    assert!(!told.msg().contains("`t3`"), "{}", told.msg());
    assert_eq!(told.reply["void"], "busy");
    assert_eq!(told.reply["tasks_of_others"]["count"], 25);
    let listed = told.reply["tasks_of_others"]["tasks"].as_array();
    assert_eq!(listed.map(Vec::len), Some(20));
}

/// How often the tasks were looked at.
fn looks(server: &Server) -> usize {
    server.asked().iter().filter(|a| *a == SEARCH).count()
}

#[test]
fn tasks_that_end_in_time_are_waited_for() {
    let server = pulp(busy(1, 3));
    let told = idle(&server, json!({"drain": 60}));
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(looks(&server), 4);
}

#[test]
fn tasks_that_do_not_end_in_time_are_refused() {
    let begun = Instant::now();
    let told = idle(&pulp(busy(1, usize::MAX)), json!({"drain": 1}));
    told.failed_with(&["VOID busy: 1 task of others runs or waits", "after 1 s"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn accepted_task_loss_is_told_and_not_refused() {
    let told = idle(
        &pulp(busy(1, usize::MAX)),
        json!({"accept_task_loss": true}),
    );
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(told.reply["tasks_of_others"]["count"], 1);
    assert!(told.msg().contains("which was accepted"), "{}", told.msg());
}

#[test]
fn tasks_of_our_own_repositories_are_nobodys() {
    let server = pulp(|asked| {
        let mut ours = task("ours", "waiting");
        ours["tags"] = json!(["pulp:repository:pulp-broker-test-1f", "pulp:action:delete"]);
        let search = asked.path.ends_with("/tasks/search/");
        search.then(|| reply(200, json!([ours]).to_string()))
    });
    let told = idle(&server, json!({}));
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
}

#[test]
fn check_mode_refuses_without_failing_and_waits_for_nothing() {
    let told = idle(&pulp(busy(1, usize::MAX)), check_mode(json!({})));
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(told.reply["refusals"][0]["name"], "busy");
    assert!(told.reply["refusals"][1].is_null());
    let server = pulp(busy(1, usize::MAX));
    let told = idle(&server, check_mode(json!({"drain": 600})));
    assert_eq!(told.reply["refusals"], json!([]));
    assert!(told.msg().contains("waits up to 600 s"), "{}", told.msg());
    assert_eq!(looks(&server), 1);
}

#[test]
fn check_mode_refuses_all_at_once() {
    let unready =
        r#"{"api_version":"2","versions":{"platform_version":"2.21.5"},"known_workers":[]}"#;
    let busy = busy(1, usize::MAX);
    let server = pulp(move |asked| match asked.path.as_str() {
        "/pulp/api/v2/status/" => Some(reply(200, unready)),
        _ => busy(asked),
    });
    let told = idle(&server, check_mode(json!({})));
    let names: Vec<_> = told.reply["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .map(|refusal| refusal["name"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(names, ["unhealthy_before", "busy"]);
}

#[test]
fn a_pulp_that_cannot_be_asked_is_refused_by_name() {
    let refused = r#"{"error":{"code":"PLP0030","description":"Invalid"}}"#;
    let server = pulp(move |asked| {
        let search = asked.path.ends_with("/tasks/search/");
        search.then(|| reply(401, refused))
    });
    for (url, options, words) in [
        (
            server.url(),
            json!({}),
            ["401", "check username and password"],
        ),
        (
            server.url(),
            json!({"password": null}),
            ["no password was given", "set `password`"],
        ),
        (
            "http://127.0.0.1:9".to_owned(),
            json!({}),
            ["connection refused", "httpd"],
        ),
        (
            server.url(),
            json!({"ca_path": "/nonexistent"}),
            ["ca_path", "/nonexistent"],
        ),
    ] {
        let told = asked_for("idle", &url, options.clone());
        told.failed_with(&words);
        assert!(told.msg().starts_with("VOID unhealthy_before: "));
        assert_eq!(told.reply["void"], "unhealthy_before");
        assert_eq!(told.reply["tasks_of_others"], json!(null));
        let told = asked_for("idle", &url, check_mode(options));
        assert_eq!(told.reply["failed"], false, "{}", told.raw);
        assert_eq!(told.reply["refusals"][0]["name"], "unhealthy_before");
        let msg = told.reply["refusals"][0]["msg"]
            .as_str()
            .unwrap_or_default();
        assert!(words.iter().all(|word| msg.contains(word)), "{msg}");
    }
}

#[test]
fn without_a_password_only_what_needs_none_is_asked() {
    let server = pulp(|_| None);
    idle(&server, json!({"password": null})).failed_with(&["no password was given"]);
    assert_eq!(server.asked(), [STATUS]);
    assert_eq!(server.credentials(), Vec::<String>::new());
    call(&server.url(), json!({"password": null, "username": null})).failed_with(&[
        "state is healthy but all of the following are missing: username, password",
    ]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn ready_means_heard_of_since_the_call_began() {
    let (rm, beat) = ("resource_manager@h", "scheduler@h");
    let worker = "reserved_resource_worker-0@h";
    let server = statuses(vec![
        listing(&[(rm, "1"), (beat, "1")]),
        listing(&[(rm, "2"), (beat, "1"), (worker, "1")]),
        listing(&[(rm, "2"), (beat, "2"), (worker, "1")]),
    ]);
    let expected = json!([rm, beat, worker]);
    let told = ready(
        &server,
        json!({"expected": expected, "ready_timeout": 20, "username": null, "password": null}),
    );
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert!(told.msg().contains(worker), "{}", told.msg());
    assert_eq!(server.asked().len(), 3);
    assert_eq!(server.credentials(), Vec::<String>::new());
}

#[test]
fn who_is_not_heard_of_in_time_is_named() {
    let server = statuses(vec![
        listing(&[
            ("resource_manager@h", "1"),
            ("reserved_resource_worker-0@h", "1"),
        ]),
        listing(&[
            ("resource_manager@h", "2"),
            ("reserved_resource_worker-0@h", "1"),
        ]),
    ]);
    let expected = json!(["resource_manager@h", "reserved_resource_worker-0@h"]);
    let told = ready(&server, json!({"expected": expected, "ready_timeout": 1}));
    told.failed_with(&[
        "FAILED worker_missing: ",
        "`reserved_resource_worker-0@h` was last heard of at 1",
        "timed out after 1 s",
    ]);
    assert!(!told.msg().contains("resource_manager@h"), "{}", told.msg());
    let told = ready(
        &server,
        json!({"expected": ["scheduler@h"], "ready_timeout": 1}),
    );
    told.failed_with(&["FAILED scheduler_dead: ", "`scheduler@h` is not listed"]);
}

#[test]
fn a_web_server_that_is_not_back_is_named() {
    let told = asked_for("ready", "http://127.0.0.1:9", json!({"ready_timeout": 1}));
    told.failed_with(&["FAILED api_unavailable: ", "connection refused"]);
}

#[test]
fn ready_needs_time_and_says_so_and_sends_nothing_in_check_mode() {
    let server = pulp(|_| None);
    ready(&server, json!({})).failed_with(&["ready_timeout `0`"]);
    let told = ready(&server, check_mode(json!({"ready_timeout": 9})));
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(server.asked(), Vec::<String>::new());
    assert!(!told.raw.contains(PASSWORD));
}
