//! Each name is produced by a run as the lab's are, changed in the one thing that the name
//! stands for.

use serde_json::{Value as Json, json};

use crate::names::Actor;
use crate::names::verdict::ALL;
use crate::verdict::tests::{
    SCENE, UNIT, WORKER, api, at, cause, changed, failed_by, failed_step, sample, seen, verdict,
};

/// One run for each name, and what the verdict has to be. Those whose grade is told leave it as it is.
#[allow(clippy::too_many_lines, reason = "one table")]
fn subjects() -> Vec<(Json, String)> {
    let left = |text: &str| changed(&[("/left", json!(text))]);
    let of = |value: &str, name: &str| format!("{value} {name} {UNIT}");
    let pre_flight = |name: &str| {
        let text = format!("VOID {name}: something stands in the way; nothing was touched");
        (cause(&text), format!("void {name}"))
    };
    let working = |name: &str| {
        let actor = Actor::listed("reserved_resource_worker-1@demo.pulp.test");
        let expected = format!("failed {name} pulp_worker-1.service");
        let text = "scheduler@demo is the first name in it; see the task";
        (failed_by("working", name, &actor, text), expected)
    };
    let mut subjects: Vec<(Json, String)> = [
        "unsupported",
        "broker_uncertain",
        "broker_shared",
        "busy",
        "unhealthy_before",
    ]
    .map(pre_flight)
    .into();
    subjects.extend(
        [
            "connected_but_idle",
            "scheduler_dead",
            "worker_missing",
            "task_lost",
            "task_stuck",
            "task_duplicated",
        ]
        .map(working),
    );
    subjects.extend([
        (
            failed_step(
                "held",
                "VOID outage_not_proven: nobody watched the broker for 3.0 s",
            ),
            "void outage_not_proven rabbitmq-server.service".to_owned(),
        ),
        (
            failed_step("held", "VOID outage_interrupted: the broker answers again"),
            "void outage_interrupted rabbitmq-server.service".to_owned(),
        ),
        (
            changed(&[(&at(SCENE, "up/outage/taken_by_this_run"), json!(false))]),
            "void undo_fired".to_owned(),
        ),
        (
            changed(&[("/hosts/demo/lost", json!(true))]),
            "void host_unreachable".to_owned(),
        ),
        (
            changed(&[
                (&at(WORKER, "met"), Json::Null),
                (&at(WORKER, "lost_at"), Json::Null),
            ]),
            of("void", "not_exercised"),
        ),
        (
            failed_by(
                "held",
                "service_did_not_start",
                &Actor::of_unit(UNIT),
                "it is failed",
            ),
            of("failed", "service_did_not_start"),
        ),
        (
            changed(&[
                (
                    &at(WORKER, "exits"),
                    json!([{"at": 9.3, "how": "exited with status 1"}]),
                ),
                (&at(WORKER, "running"), json!(false)),
            ]),
            of("failed", "service_exited"),
        ),
        (
            changed(&[
                (&at(WORKER, "connected_at"), Json::Null),
                (&at(WORKER, "settled_at"), Json::Null),
            ]),
            of("failed", "not_recovered"),
        ),
        (
            {
                let mut away = api(90.0, "200", 9);
                away["database"] = json!(false);
                seen(&[away])
            },
            "failed database_unavailable".to_owned(),
        ),
        (
            seen(&[api(90.0, "500", 9)]),
            "failed api_unavailable httpd.service".to_owned(),
        ),
        (
            seen(&[api(110.0, "timeout", 10_000)]),
            "failed api_hangs httpd.service".to_owned(),
        ),
        (
            changed(&[
                (&at(SCENE, "health/healthy"), json!(false)),
                (&at(SCENE, "health/failed_step"), json!("sync")),
            ]),
            "failed health_failed".to_owned(),
        ),
        (
            left("demo: FAILED broker_not_restored: no answer"),
            "failed broker_not_restored rabbitmq-server.service".to_owned(),
        ),
        (
            changed(&[
                (
                    "/left",
                    json!(format!(
                        "demo: FAILED services_not_restored: {UNIT} does not run"
                    )),
                ),
                (
                    "/hosts/demo/not_restored",
                    json!(format!(
                        "FAILED services_not_restored: {UNIT} does not run"
                    )),
                ),
                (
                    "/hosts/demo/not_restored_by",
                    json!({"works": [{"name": "service_exited", "actor": Actor::of_unit(UNIT), "text": "x"}]}),
                ),
            ]),
            of("failed", "services_not_restored"),
        ),
        (
            left("demo: FAILED broker_refuses: the broker answers, and its alarm stands: memory"),
            "failed broker_refuses rabbitmq-server.service".to_owned(),
        ),
        (
            changed(&[(
                &at(SCENE, "health/leftovers"),
                json!([{"kind": "repository", "id": "x", "cause": "403", "remedy": "delete it"}]),
            )]),
            "failed leftovers".to_owned(),
        ),
        (
            changed(&[(&at(SCENE, "queues/after"), json!({"pulp.task": 0}))]),
            "survived_with_defects agent_replies_lost httpd.service".to_owned(),
        ),
        (
            changed(&[(&at(WORKER, "further_losses"), json!(3))]),
            of("survived_with_defects", "flapping"),
        ),
        (
            changed(&[(&at(WORKER, "connected_at"), json!(47.5))]),
            of("survived_with_defects", "late"),
        ),
        (sample(), "survived -".to_owned()),
    ]);
    subjects
}

#[test]
fn each_subject_is_named_and_so_is_every_name() {
    let mut named = Vec::new();
    for (results, expected) in subjects() {
        let (told, json) = verdict(&results);
        assert_eq!(told, expected, "{json:#}");
        named.push(told.split(' ').nth(1).unwrap().to_owned());
    }
    let told = [
        ("canceled_by_pulp", sample()),
        (
            "connection_survived",
            changed(&[(&at(WORKER, "survived_connection"), json!(true))]),
        ),
        (
            "restarted_by_supervisor",
            changed(&[
                ("/run/pulp_version", json!("3.49.1")),
                (
                    &at(WORKER, "exits"),
                    json!([{"at": 9.3, "how": "exited with status 1"}]),
                ),
            ]),
        ),
    ];
    for (name, results) in told {
        let (verdict, json) = verdict(&results);
        assert_eq!(verdict, "survived -");
        assert!(json["told"].to_string().contains(name), "{name}: {json:#}");
        named.push(name.to_owned());
    }
    let missing: Vec<&str> = ALL
        .iter()
        .map(|e| e.word)
        .filter(|w| !named.iter().any(|n| n == w))
        .collect();
    assert!(missing.is_empty(), "no subject produces {missing:?}");
}
