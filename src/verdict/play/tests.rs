//! What the replies of a play say before anything is judged, one deviation from a run in which all went well at a time.

use serde_json::{Value, json};

use super::{Play, restored_lines, restoring, run};

/// Two hosts: `a` speaks to Pulp's API and has the broker, `b` has workers. The scenarios failed on `a`, and all was given back.
fn failed() -> Value {
    let facts = |role: &str, api: bool| {
        json!({"failed": false, "ansible_facts": {"pulp_deployment": {"api": api, "running": ["pulp_workers.service"],
            "preflight": {"outage": {"role": role}}}}})
    };
    let fine = json!({"failed": false, "changed": false, "msg": "done"});
    json!({
        "run": {"hosts": ["a", "b"], "api_host": "a", "speaker": "a", "scenarios": ["health", "connect", "reconnect"],
            "restore_after": 225, "ended": "2026-11-23T16:55:40Z"},
        "replies": {
            "a": {"facts": facts("local", true), "failed": {"task": "Take it", "result": {"msg": "FAILED service_exited: x exited"}},
                "broker_back": fine, "services_back": fine, "works_again": fine, "listed": fine,
                "seen": {"reconnect": {"up": {"msg": "UP"}, "watch": {"failed": false}}}},
            "b": {"facts": facts("remote", false), "failed": {"task": "", "result": null}, "broker_back": fine, "services_back": fine,
                "works_again": fine, "listed": {"skipped": true}},
        },
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut results = failed();
    let at = path.rfind('/').unwrap();
    let place = results.pointer_mut(&path[..at]).unwrap();
    place[&path[at + 1..]] = value;
    results
}

fn next(results: &Value, final_restart: &str) -> Value {
    restoring(results, final_restart).unwrap()
}

#[test]
fn the_first_cause_is_that_of_the_host_that_asks_else_of_another() {
    let run = run(&failed()).unwrap();
    assert_eq!(
        (run.cause.as_str(), run.cause_host.as_str()),
        ("FAILED service_exited: x exited", "a")
    );
    let mut results = with("/replies/a/failed", json!({"task": "", "result": ""}));
    results["replies"]["b"]["failed"] = json!({"task": "Start it", "result": {"msg": ""}});
    let run = super::run(&results).unwrap();
    assert_eq!(
        (run.cause.as_str(), run.cause_host.as_str()),
        ("b: the task \"Start it\" failed", "b")
    );
    results["replies"]["b"]["failed"] = json!({"task": "", "result": null});
    results["replies"]["b"]["services_back"] = json!({"unreachable": true});
    let run = super::run(&results).unwrap();
    assert!(
        run.cause
            .starts_with("VOID host_unreachable: b was lost during the test"),
        "{}",
        run.cause
    );
}

#[test]
fn a_run_that_came_to_its_end_has_no_cause() {
    for none in [Value::Null, json!(""), json!({})] {
        let mut results = with("/replies/a/failed", none.clone());
        results["replies"]["b"]["failed"] = none;
        let run = run(&results).unwrap();
        assert_eq!((run.cause.as_str(), run.left.as_deref()), ("", Some("")));
        assert_eq!(run.restored_at, "16:55:40");
    }
}

#[test]
fn a_wish_that_cannot_be_is_told_with_all_that_is_wrong_and_passes_nowhere() {
    let mut results = with("/run/untouched", json!(true));
    results["replies"]["a"]["failed"]["result"] =
        json!({"msg": "Validation of arguments failed", "argument_errors": ["x must be y", "z"]});
    let run = run(&results).unwrap();
    assert_eq!(
        (run.cause.as_str(), run.impossible),
        ("VOID unsupported: x must be y; z", true)
    );
    assert_eq!(run.cause_said, "x must be y; z");
    // A Pulp that is not healthy is none, also where the check does not name it.
    results["replies"]["a"]["health"] = json!({"failed": true, "msg": "failed to use `x`: 401"});
    results["replies"]["a"]["failed"]["result"] =
        json!({"msg": "failed to use `x`: 401; nothing was touched"});
    let run = super::run(&results).unwrap();
    assert_eq!(
        (run.cause.as_str(), run.impossible),
        (
            "VOID unhealthy_before: failed to use `x`: 401; nothing was touched",
            false
        )
    );
    assert_eq!(run.scenarios, Vec::<String>::new());
}

#[test]
fn what_is_not_given_back_is_told_of_its_host() {
    let failed = json!({"failed": true, "msg": "FAILED not_recovered: w is not connected"});
    for (step, expected) in [
        (
            "broker_back",
            "FAILED broker_not_restored: w is not connected",
        ),
        (
            "services_back",
            "FAILED services_not_restored: w is not connected",
        ),
        (
            "works_again",
            "FAILED services_not_restored: w is not connected",
        ),
        ("listed", "FAILED not_recovered: w is not connected"),
    ] {
        let results = with(&format!("/replies/a/{step}"), failed.clone());
        let play = Play::read(&results).unwrap();
        assert_eq!(play.not_restored(0), expected, "{step}");
    }
    let lost = with("/replies/b/services_back", json!({"unreachable": true}));
    let told = Play::read(&lost).unwrap().not_restored(1);
    assert!(
        told.starts_with("VOID host_unreachable: b cannot be reached; ")
            && told.ends_with(" 225 s"),
        "{told}"
    );
}

#[test]
fn a_host_of_which_nothing_is_known_is_not_restored() {
    let results = with("/replies/b", json!({}));
    let run = run(&results).unwrap();
    assert_eq!(
        run.left.as_deref(),
        Some("b: nobody knows whether it is as it was before")
    );
    assert!(run.hosts[1].lost);
}

#[test]
fn a_look_after_a_restart_comes_before_that_before_it() {
    let mut results = with(
        "/replies/a/works_again",
        json!({"failed": true, "msg": "stuck"}),
    );
    results["replies"]["a"]["works_after_restart"] = json!({"failed": false});
    results["replies"]["a"]["restarted"] = json!({"failed": false, "changed": true});
    let run = run(&results).unwrap();
    assert_eq!(
        (run.left.as_deref(), &run.restarted_hosts[..]),
        (Some(""), &["a".to_owned()][..])
    );
}

#[test]
fn nothing_is_waited_for_nor_restarted_without_a_broker_or_with_one_that_refuses() {
    let away = with(
        "/replies/a/broker_back",
        json!({"failed": true, "msg": "no answer"}),
    );
    let mut lost = with("/replies/a/broker_back", json!({"unreachable": true}));
    lost["replies"]["a"]["services_back"] = json!({"unreachable": true});
    let alarm = with(
        "/replies/a/broker_back",
        json!({"failed": false, "alarms": ["memory"]}),
    );
    let refuses = with(
        "/replies/a/seen/reconnect/watch/refuses",
        json!("it has no memory"),
    );
    for results in [&away, &lost, &alarm, &refuses] {
        for wish in ["always", "on_failure"] {
            assert_eq!(
                next(results, wish),
                json!({"wait": false, "restart": [], "restart_unlisted": false}),
                "{results}"
            );
        }
    }
    let told = |results: &Value| Play::read(results).unwrap().left();
    assert_eq!(
        told(&away),
        "a: FAILED broker_not_restored: no answer; b: FAILED broker_not_restored: the broker is not back on a, so nobody looked whether \
         the services work here"
    );
    assert!(
        told(&lost).contains("b: VOID host_unreachable: a was lost, and the broker with it"),
        "{}",
        told(&lost)
    );
    assert!(
        told(&alarm)
            .contains("FAILED broker_refuses: the broker answers, and its alarm stands: memory"),
        "{}",
        told(&alarm)
    );
    assert!(
        told(&refuses).contains("FAILED broker_refuses: it has no memory; nobody waited"),
        "{}",
        told(&refuses)
    );
}

#[test]
fn what_is_restarted_is_what_does_not_work_or_all_where_the_user_wishes_it() {
    assert_eq!(
        next(&failed(), "on_failure"),
        json!({"wait": true, "restart": [], "restart_unlisted": true})
    );
    assert_eq!(
        next(&failed(), "always"),
        json!({"wait": true, "restart": ["a", "b"], "restart_unlisted": false})
    );
    let stuck = with(
        "/replies/b/works_again",
        json!({"failed": true, "msg": "stuck"}),
    );
    assert_eq!(next(&stuck, "on_failure")["restart"], json!(["b"]));
    assert_eq!(
        next(&stuck, "never"),
        json!({"wait": true, "restart": [], "restart_unlisted": false})
    );
    // Scenarios that came to their end have proven it all.
    let mut fine = with("/replies/a/failed", Value::Null);
    fine["replies"]["b"]["failed"] = Value::Null;
    assert_eq!(
        next(&fine, "always"),
        json!({"wait": false, "restart": ["a", "b"], "restart_unlisted": false})
    );
}

#[test]
fn each_host_is_told_what_was_given_back() {
    let lines = restored_lines(&failed());
    assert_eq!(
        lines[0],
        "RESTORED on a: done; what ran before runs: pulp_workers.service"
    );
    let stuck = restored_lines(&with(
        "/replies/b/works_again",
        json!({"failed": true, "msg": "stuck"}),
    ));
    assert_eq!(
        stuck[1],
        "NOT RESTORED on b: FAILED services_not_restored: stuck"
    );
    assert_eq!(
        restored_lines(&with("/run/untouched", json!(true))),
        json!([])
    );
}

#[test]
fn replies_of_any_shape_are_survived() {
    for results in [
        json!({"replies": {}}),
        json!({"replies": {"a": 3}, "run": {"hosts": ["a"]}}),
        json!({"replies": {}, "run": {"hosts": [1, null]}}),
    ] {
        assert!(run(&results).is_some());
        assert!(restoring(&results, "always").is_some());
    }
    assert!(run(&json!({"hosts": {}})).is_none());
}
