//! `state: recovered`: three looks in one call, none of which waits for another without need.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::support::server::{Asked, Reply, Server, reply};
use super::support::workers::{self, BEAT, State, W0, W1, Wrong};
use super::support::{Told, call, pulp};

const MANAGER: &str = "resource_manager@h";

/// A Pulp of these workers, in which the check finds all well, unless `other` answers first.
fn pulp_of(
    wrong: Wrong,
    other: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let state = Mutex::new(State::default());
    pulp::pulp(move |asked| {
        other(asked).or_else(|| {
            is_of_workers(asked)
                .then(|| workers::answer(asked, &mut state.lock().expect("state"), &wrong))
        })
    })
}

/// What concerns the repositories that the workers are to publish; their names end in a number.
fn is_of_workers(asked: &Asked) -> bool {
    let text = format!("{} {}", asked.path, asked.body);
    let numbered = text
        .split("pulp-broker-test-")
        .skip(1)
        .any(|rest| rest.as_bytes().get(16) == Some(&b'-'));
    let task = asked.path.split("/tasks/t").nth(1);
    numbered || task.is_some() && !asked.path.contains("?tag=")
}

/// Everybody is listed, with a heartbeat that is a new one each time; but that of `silent`.
fn beating(silent: Option<&'static str>) -> impl Fn(&Asked) -> Option<Reply> {
    let asked_before = AtomicUsize::new(0);
    move |asked| {
        let status = asked.path.ends_with("/status/");
        status.then(|| {
            let number = asked_before.fetch_add(1, Ordering::Relaxed);
            let mut document = workers::status();
            document["known_workers"] = [W0, W1, BEAT, MANAGER]
                .iter()
                .map(|name| {
                    let beat = if silent == Some(*name) { 0 } else { number };
                    json!({"_id": name, "last_heartbeat": format!("beat {beat}")})
                })
                .collect();
            reply(200, document.to_string())
        })
    }
}

fn recovered(server: &Server, timeout: u32) -> Told {
    let options = json!({"state": "recovered", "timeout": timeout, "ready_timeout": 1,
        "expected": [W0, W1, BEAT, MANAGER]});
    call(&server.url(), options)
}

fn count(server: &Server, what: &str) -> usize {
    let asked = server.asked();
    asked.iter().filter(|asked| asked.contains(what)).count()
}

#[test]
fn all_of_it_is_told_in_its_parts() {
    let server = pulp_of(Wrong::default(), beating(None));
    let told = recovered(&server, 80);
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(told.reply["changed"], false);
    assert!(told.msg().contains("synced, published and served"));
    assert_eq!(told.reply["working"]["scheduler"]["fired"], true);
    assert_eq!(told.reply["working"]["failures"], json!([]));
    assert_eq!(told.reply["health"]["healthy"], true);
    let heard = told.reply["workers"].as_array().map(Vec::len);
    assert_eq!(heard, Some(4), "{}", told.raw);
    // Each status is a new heartbeat, and the first was asked for before all the rest: one more is enough.
    let asked = server.asked();
    let last = asked
        .iter()
        .rev()
        .take_while(|asked| asked.ends_with("/status/"));
    assert_eq!(last.count(), 1, "{asked:?}");
}

#[test]
fn one_port_serves_both_feeds_one_after_the_other() {
    let server = pulp_of(Wrong::default(), beating(None));
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        free.local_addr().expect("address").port()
    };
    let options = json!({"state": "recovered", "timeout": 80, "ready_timeout": 1, "feed_port": port,
        "expected": [W0, W1, BEAT, MANAGER]});
    let told = call(&server.url(), options);
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    assert_eq!(told.reply["working"]["scheduler"]["fired"], true);
    assert_eq!(told.reply["health"]["healthy"], true);
}

#[test]
fn what_does_not_work_is_not_checked_any_further() {
    let server = pulp_of(
        Wrong {
            idle: Some(W1),
            ..Wrong::default()
        },
        beating(None),
    );
    let told = recovered(&server, 40);
    told.failed_with(&["FAILED connected_but_idle: ", W1]);
    assert_eq!(told.reply["working"]["failed"], true);
    assert_eq!(told.reply["health"], Value::Null, "{}", told.raw);
    assert_eq!(count(&server, "/actions/sync/"), 0);
}

#[test]
fn a_pulp_whose_workers_work_may_be_unhealthy() {
    let server = pulp_of(Wrong::default(), {
        let beats = beating(None);
        move |asked: &Asked| {
            let sync = asked.path.ends_with("/actions/sync/");
            beats(asked).or_else(|| sync.then(|| reply(500, "{}")))
        }
    });
    let told = recovered(&server, 80);
    told.failed_with(&["FAILED health_failed: health step `sync` failed: "]);
    assert_eq!(told.reply["working"]["failed"], false);
    assert_eq!(told.reply["health"]["healthy"], false);
    assert_eq!(told.reply["health"]["failed_step"], "sync");
}

#[test]
fn the_check_does_not_wait_for_the_scheduler() {
    let wrong = Wrong {
        scheduler_sends_nothing: true,
        ..Wrong::default()
    };
    let server = pulp_of(wrong, beating(None));
    let told = recovered(&server, 36);
    told.failed_with(&["FAILED scheduler_dead: ", BEAT]);
    assert_eq!(told.reply["working"]["failed"], true);
    assert_eq!(told.reply["health"]["healthy"], true, "{}", told.raw);
    assert_eq!(told.reply["health"]["leftovers"], json!([]));
}

#[test]
fn where_no_connection_is_seen_nobody_is_asked_to_work() {
    let server = pulp_of(Wrong::default(), beating(None));
    let options = json!({"state": "recovered", "timeout": 80, "ready_timeout": 1, "recovery_timeout": 1,
        "expected": [W0, W1, BEAT, MANAGER]});
    let told = call(&server.url(), options);
    // Nobody observes this host.
    told.failed_with(&["VOID not_exercised: the observer has left nothing that can be read"]);
    assert_eq!(told.reply.get("working"), None, "{}", told.raw);
    assert_eq!(told.reply.get("health"), None);
    assert_eq!(count(&server, "/repositories/"), 0);
}

#[test]
fn one_that_pulp_has_not_heard_of_since_is_named() {
    let server = pulp_of(Wrong::default(), beating(Some(W0)));
    let told = recovered(&server, 80);
    told.failed_with(&["FAILED worker_missing: ", W0, "beat 0", "pulp_worker-0"]);
    assert_eq!(told.reply["health"]["healthy"], true, "{}", told.raw);
    assert_eq!(told.reply["health"]["leftovers"], json!([]));
    assert_eq!(told.reply["working"]["leftovers"], json!([]));
}

#[test]
fn check_mode_sends_nothing() {
    let server = pulp_of(Wrong::default(), beating(None));
    let options = json!({"state": "recovered", "ready_timeout": 1, "_ansible_check_mode": true});
    let told = call(&server.url(), options);
    assert_eq!(told.reply["failed"], false, "{}", told.raw);
    for part in ["publications of empty repositories", "; then would check"] {
        assert!(told.msg().contains(part), "{}", told.raw);
    }
    assert!(server.asked().is_empty());
}
