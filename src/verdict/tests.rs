//! A run as the lab's are, changed in one thing or another: the cause is named and not its
//! symptoms, and what is missing or broken never makes a survivor.

mod recorded;
mod refused;

use serde_json::{Value as Json, json};

use super::results::Run;
use super::{Wishes, judge, report};
use crate::names::Actor;

const SAMPLE: &str = include_str!("tests/sample.json");

/// Where the parts of that run stand.
pub(super) const SCENE: &str = "/hosts/demo/scenarios/reconnect";
pub(super) const WORKER: &str = "/hosts/demo/scenarios/reconnect/watch/actors/1";
pub(super) const UNIT: &str = "pulp_worker-1.service";

pub(super) fn sample() -> Json {
    serde_json::from_str(SAMPLE).unwrap()
}

/// That run with these changes: where, and what stands there instead.
pub(super) fn changed(changes: &[(&str, Json)]) -> Json {
    let mut results = sample();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = results.pointer_mut(parent).unwrap();
        match parent {
            Json::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[key] = value.clone(),
        }
    }
    results
}

pub(super) fn at(base: &str, rest: &str) -> String {
    format!("{base}/{rest}")
}

/// The verdict's value, name and actor, and its JSON.
pub(super) fn verdict(results: &Json) -> (String, Json) {
    let run = Run::read(results);
    let judgement = judge::judge(&run);
    let name = judgement.first().map_or("-", |f| f.name.word());
    let actor = judgement.first().map_or("", |f| f.actor_word());
    (
        format!("{} {name} {actor}", judgement.value.word())
            .trim_end()
            .to_owned(),
        judgement.json(Wishes::default()),
    )
}

/// What the play records when a step fails.
pub(super) fn cause(message: &str) -> Json {
    changed(&[("/cause", json!(message)), ("/cause_host", json!("demo"))])
}

/// A step of `reconnect` that failed with this message.
pub(super) fn failed_step(step: &str, message: &str) -> Json {
    changed(&[(&at(SCENE, step), json!({"failed": true, "msg": message}))])
}

/// The same of a service, which the reply names as data.
pub(super) fn failed_by(step: &str, name: &str, actor: &Actor, text: &str) -> Json {
    let failure = json!({"name": name, "actor": actor, "text": text});
    let reply =
        json!({"failed": true, "msg": format!("FAILED {name}: {text}"), "failures": [failure]});
    changed(&[(&at(SCENE, step), reply)])
}

/// Further things that the observer saw.
pub(super) fn seen(events: &[Json]) -> Json {
    let mut results = sample();
    let entries = results
        .pointer_mut(&at(SCENE, "watch/timeline/entries"))
        .unwrap();
    let entries = entries.as_array_mut().unwrap();
    let end = entries.pop().unwrap();
    entries.extend_from_slice(events);
    let last = events
        .last()
        .and_then(|e| e["at"].as_f64())
        .unwrap_or_default();
    entries.push(
        json!({"at": last.max(end["at"].as_f64().unwrap()) + 5.0, "event": "end", "why": "told"}),
    );
    results
}

pub(super) fn api(at: f64, outcome: &str, milliseconds: u32) -> Json {
    json!({"at": at, "event": "api", "url": "https://demo.pulp.test/pulp/api/v2/status/", "outcome": outcome,
        "milliseconds": milliseconds, "broker": null, "database": null})
}

#[test]
fn an_exit_that_makes_no_sense_is_none_that_never_was() {
    for exits in [
        json!([{"how": "exited"}]),
        json!([{"at": 9.3, "how": "x"}, 7]),
    ] {
        let (told, _) = verdict(&changed(&[(&at(WORKER, "exits"), exits)]));
        assert!(told.starts_with("void "), "{told}");
    }
}

#[test]
fn what_was_seen_alone_may_be_a_failure() {
    let fails = |results: &Json| super::fails(results.pointer(&at(SCENE, "watch")).unwrap());
    assert!(!fails(&sample()));
    // The play did not fail for it, and its evidence is needed as much.
    assert!(fails(&seen(&[api(90.0, "500", 9)])));
    assert!(fails(&changed(&[
        (&at(WORKER, "connected_at"), Json::Null),
        (&at(WORKER, "settled_at"), Json::Null),
    ])));
    let unseen = json!({"failed": true, "msg": "VOID not_exercised: nobody observed"});
    assert!(!super::fails(&unseen));
}

#[test]
fn the_cause_is_named_and_not_its_symptoms() {
    let results = changed(&[
        (
            &at(WORKER, "exits"),
            json!([{"at": 9.3, "how": "exited with status 1"}]),
        ),
        (&at(WORKER, "running"), json!(false)),
        (
            &at(SCENE, "working"),
            json!({"failed": true, "msg": "FAILED worker_missing: reserved_resource_worker-1@demo"}),
        ),
        (&at(SCENE, "health/healthy"), json!(false)),
        (
            "/left",
            json!(format!(
                "demo: FAILED services_not_restored: {UNIT} does not run"
            )),
        ),
        (
            "/cause",
            json!(format!(
                "FAILED service_exited: {UNIT} exited with status 1; see `journalctl`"
            )),
        ),
    ]);
    let (told, json) = verdict(&results);
    assert_eq!(told, format!("failed service_exited {UNIT}"));
    assert_eq!(json["restored"], false);
    let names: Vec<&str> = json["failures"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|f| f["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "service_exited",
            "worker_missing",
            "health_failed",
            "services_not_restored"
        ]
    );
    // What the play recorded is evidence of what the observer saw, not a second finding.
    assert_eq!(
        json["evidence"].as_array().map(Vec::len),
        Some(2),
        "{json:#}"
    );
    assert_eq!(json["attributes"]["restarted"], false);
}

#[test]
fn replies_that_were_lost_before_are_told_in_each_run_and_fail_no_strict_one() {
    let strict = Wishes {
        strict: true,
        ..Wishes::default()
    };
    let queues = |before: Json| json!({"before": {"pulp.task": before}, "after": {"pulp.task": 0}});
    let now = changed(&[(&at(SCENE, "queues"), queues(json!(2)))]);
    let before = changed(&[(&at(SCENE, "queues"), queues(json!(0)))]);
    // While the broker was away nobody could count, and before the run somebody did.
    let mut away = changed(&[(&at(SCENE, "queues"), queues(Json::Null))]);
    away["hosts"]["demo"]["facts"]["pulp_deployment"]["broker"] =
        json!({"listeners": {"pulp.task": 0}});
    for (results, passes, as_before) in [
        (
            now,
            false,
            ", but for the replies of agents, which httpd.service does not",
        ),
        (before, true, " UTC)"),
        (away, true, " UTC)"),
    ] {
        let (told, json) = verdict(&results);
        assert_eq!(
            told,
            "survived_with_defects agent_replies_lost httpd.service"
        );
        let run = Run::read(&results);
        let judgement = judge::judge(&run);
        assert_eq!(judgement.passes(strict), passes, "{json:#}");
        assert!(
            judgement.as_before.contains(as_before),
            "{}",
            judgement.as_before
        );
        let said = judgement.sentence.contains("before the run either");
        assert_eq!(said, passes, "{}", judgement.sentence);
    }
    // What one scenario has lost the next one finds lost.
    let mut both = changed(&[(&at(SCENE, "queues"), queues(json!(0)))]);
    both["run"]["scenarios"] = json!(["connect", "reconnect"]);
    let mut first = both["hosts"]["demo"]["scenarios"]["reconnect"].clone();
    first["queues"] = queues(json!(2));
    both["hosts"]["demo"]["scenarios"]["connect"] = first;
    let (_, json) = verdict(&both);
    assert_eq!(
        json["defects"].as_array().map(Vec::len),
        Some(1),
        "{json:#}"
    );
    assert_eq!(json["attributes"]["stood_before"], false);
}

#[test]
fn the_api_is_described_while_the_broker_is_away_and_judged_long_after() {
    let (told, json) = verdict(&seen(&[api(5.0, "500", 3), api(60.0, "200", 30)]));
    assert_eq!(told, "survived -", "{json:#}");
    let felt = json["felt"].as_str().unwrap();
    assert!(
        felt.contains("reconnect: the broker was away for 37.6 s; the API was of no use for"),
        "{felt}"
    );
    // One that was of no use from the start was not broken by the outage.
    let mut results = seen(&[api(100.0, "500", 3)]);
    let text = results.to_string().replace("\"200\"", "\"503\"");
    results = serde_json::from_str(&text).unwrap();
    assert_eq!(verdict(&results).0, "survived -");
}

#[test]
fn nobody_survives_for_lack_of_data() {
    let mut gone: Vec<(String, Json)> = Vec::new();
    for part in ["down", "held", "up", "watch", "health", "working"] {
        for nothing in [
            Json::Null,
            json!({}),
            json!({"skipped": true}),
            json!([1]),
            json!("x"),
        ] {
            if part != "down" {
                gone.push((
                    format!("{part}: {nothing}"),
                    changed(&[(&at(SCENE, part), nothing)]),
                ));
            }
        }
    }
    for (pointer, value) in [
        ("/left", Json::Null),
        ("/run/scenarios", Json::Null),
        ("/hosts", json!({})),
        ("/hosts/demo", Json::Null),
        ("/hosts/demo/facts", Json::Null),
        ("/hosts/demo/scenarios/connect", Json::Null),
        ("/hosts/demo/scenarios/reconnect/watch/broker", Json::Null),
        (
            "/hosts/demo/scenarios/reconnect/watch/actors",
            json!("torn"),
        ),
        ("/hosts/demo/scenarios/reconnect/watch/actors/0", Json::Null),
        (
            "/hosts/demo/scenarios/reconnect/watch/actors/0/name",
            json!(7),
        ),
        (
            "/hosts/demo/scenarios/reconnect/watch/actors/0/settled_at",
            Json::Null,
        ),
    ] {
        gone.push((pointer.to_owned(), changed(&[(pointer, value)])));
    }
    for (what, results) in gone {
        let (told, json) = verdict(&results);
        assert!(!told.starts_with("survived"), "{what}: {told} {json:#}");
    }
}

#[test]
fn an_observer_that_was_killed_accuses_nobody() {
    let mut results = changed(&[
        (&at(WORKER, "connected_at"), Json::Null),
        (&at(WORKER, "settled_at"), Json::Null),
        (&at(SCENE, "watch/timeline/torn"), json!(true)),
    ]);
    let entries = results
        .pointer_mut(&at(SCENE, "watch/timeline/entries"))
        .unwrap();
    entries
        .as_array_mut()
        .unwrap()
        .retain(|e| e["at"].as_f64() < Some(41.0));
    entries
        .as_array_mut()
        .unwrap()
        .push(json!({"at": 40.9, "event": "sung", "by": "a later version"}));
    let (told, json) = verdict(&results);
    assert_eq!(told, format!("void not_exercised {UNIT}"));
    assert!(
        json["sentence"]
            .as_str()
            .unwrap()
            .contains("nobody saw whether"),
        "{json:#}"
    );
}

#[test]
fn a_scenario_that_ends_before_a_services_turn_accuses_only_who_failed() {
    let other = at(SCENE, "watch/actors/0");
    let mut results = changed(&[
        (
            &at(WORKER, "exits"),
            json!([{"at": 9.3, "how": "exited with status 1"}]),
        ),
        (&at(WORKER, "running"), json!(false)),
        (&at(&other, "connected_at"), Json::Null),
        (&at(&other, "settled_at"), Json::Null),
        (&at(&other, "predicted_at"), json!(90.0)),
        ("/run/scenarios", json!(["connect", "reconnect"])),
    ]);
    let scenes = results.pointer_mut("/hosts/demo/scenarios").unwrap();
    scenes.as_object_mut().unwrap().remove("connect");
    let (told, json) = verdict(&results);
    assert_eq!(told, format!("failed service_exited {UNIT}"));
    assert_eq!(
        json["failures"].as_array().map(Vec::len),
        Some(1),
        "{json:#}"
    );
    assert_eq!(json["unknown"][0]["name"], "not_exercised");
    let felt = json["felt"].as_str().unwrap();
    assert!(
        felt.contains("connect: nothing; it did not begin"),
        "{felt}"
    );
}

/// What becomes of a service that was connected so long after its prediction, where the host's lag explains so much.
fn connected_after(late: f64, lag: Option<f64>) -> String {
    let mut changes = vec![
        (at(WORKER, "connected_at"), json!(44.71 + late)),
        (at(WORKER, "settled_at"), json!(49.71 + late)),
    ];
    changes.extend(lag.map(|lag| (at(WORKER, "lag"), json!(lag))));
    let changes: Vec<(&str, Json)> = changes.iter().map(|(at, v)| (&**at, v.clone())).collect();
    verdict(&changed(&changes)).0
}

#[test]
fn a_service_is_late_only_beyond_what_its_hosts_lag_explains() {
    let late = format!("survived_with_defects late {UNIT}");
    // On an idle machine.
    for lag in [None, Some(0.0), Some(0.05)] {
        assert_eq!(connected_after(5.0, lag), late, "{lag:?}");
    }
    // Seen at a load of 10 on two processors: a healthy worker, each try of which was as late.
    assert_eq!(connected_after(2.1, Some(2.0)), "survived -");
    assert_eq!(connected_after(2.1, Some(0.0)), late);
    assert_eq!(connected_after(5.0, Some(2.0)), late);
    // What makes no sense explains nothing.
    assert_eq!(connected_after(5.0, Some(-9.0)), late);
}

#[test]
fn a_time_that_was_over_in_the_middle_of_a_round_is_no_workers_fault() {
    let early =
        "the time was over before `reserved_resource_worker-1@demo` could show that it works";
    let (told, json) = verdict(&failed_step("working", early));
    assert_eq!(told, "void not_exercised");
    assert!(
        json["sentence"].as_str().unwrap().contains(early),
        "{json:#}"
    );
}

#[test]
fn a_service_that_settles_is_accused_by_no_wait() {
    let [settled, settling, wait] = [
        at(WORKER, "settled_at"),
        at(WORKER, "settling"),
        at(SCENE, "recovered"),
    ];
    let unsettled = [(&*settled, Json::Null), (&*settling, json!(true))];
    // The wait was over, and it was back.
    let over = (&*wait, json!({"failed": false, "msg": "RECOVERED"}));
    let results = changed(&[unsettled.as_slice(), std::slice::from_ref(&over)].concat());
    assert_eq!(verdict(&results).0, "survived -");
    // It comes and goes all the while.
    let lost = at(WORKER, "further_losses");
    let flaps = [(&*lost, json!(9)), over.clone()];
    let (told, _) = verdict(&changed(&[unsettled.as_slice(), &flaps].concat()));
    assert_eq!(told, format!("survived_with_defects flapping {UNIT}"));
    // Another's failure ended the wait.
    let other = Actor::of_unit("pulp_celerybeat.service");
    let failure = json!({"name": "service_exited", "actor": other, "text": "it exited"});
    let ended =
        json!({"failed": true, "msg": "FAILED service_exited: it exited", "failures": [failure]});
    let ended = (&*wait, ended);
    for settling in [&unsettled[..], &unsettled[..1]] {
        let results = changed(&[settling, std::slice::from_ref(&ended)].concat());
        let (told, json) = verdict(&results);
        assert_eq!(told, "failed service_exited pulp_celerybeat.service");
        let names = [&json["failures"], &json["unknown"]].map(|f| f.as_array().map(Vec::len));
        assert_eq!(names, [Some(1), Some(1)], "{json:#}");
        let said = json["unknown"][0]["sentence"].as_str().unwrap();
        assert!(
            said.starts_with(&format!("{UNIT} was not judged")),
            "{said}"
        );
    }
    // The wait itself accuses it.
    let own = json!({"name": "not_recovered", "actor": Actor::of_unit(UNIT), "text": "x"});
    let accused = json!({"failed": true, "msg": "FAILED not_recovered: x", "failures": [own]});
    let results = changed(&[&unsettled[..1], &[(&*wait, accused)]].concat());
    assert_eq!(verdict(&results).0, format!("failed not_recovered {UNIT}"));
}

/// What a worker that exited is told to be, and what to do about it.
fn died(log: &str, more: &[(&str, Json)]) -> Json {
    let [exits, running, line] = ["exits", "running", "log"].map(|key| at(WORKER, key));
    let own = [
        (&*exits, json!([{"at": 9.3, "how": "exited with status 1"}])),
        (&*running, json!(false)),
        (&*line, json!(log)),
    ];
    let (told, json) = verdict(&changed(&[&own[..], more].concat()));
    assert_eq!(told, format!("failed service_exited {UNIT}"));
    json
}

#[test]
fn advice_is_what_the_services_own_log_says() {
    let unready = r#"celery.worker:CRITICAL: Unrecoverable error: TypeError("'NoneType' object is not callable",)"#;
    let budget = "celery.worker:CRITICAL: Unrecoverable error: OperationalError('[Errno 111] Connection refused')";
    for (log, said, not_said) in [
        (unready, "Celery 4.0.2 without Pulp's fix", "retry budget"),
        (budget, "retry budget is spent", "died of"),
        (
            "celery:CRITICAL: KeyError: 7",
            "what it died of: `celery:CRITICAL: KeyError: 7`",
            "retry budget",
        ),
        ("", "journalctl -u pulp_worker-1.service", "retry budget"),
    ] {
        let json = died(log, &[]);
        let [step, sentence] = ["next_step", "sentence"].map(|key| json[key].as_str().unwrap());
        assert!(step.contains(said) && !step.contains(not_said), "{step}");
        assert!(step.contains("systemctl start"), "{step}");
        assert!(sentence.contains(log), "{sentence}");
    }
    // What dies again at once is not only to be started.
    let restored =
        json!({"works": [{"name": "service_exited", "actor": Actor::of_unit(UNIT), "text": "x"}]});
    let json = died(
        "celery:CRITICAL: KeyError: 7",
        &[
            (
                "/hosts/demo/not_restored",
                json!("FAILED services_not_restored: x"),
            ),
            ("/hosts/demo/not_restored_by", restored),
        ],
    );
    let step = json["next_step"].as_str().unwrap();
    assert!(
        step.contains("it died again") && !step.contains("systemctl start"),
        "{step}"
    );
}

#[test]
fn a_stopped_process_is_let_go_on_and_not_restarted() {
    let results = changed(&[
        (&at(WORKER, "connected_at"), Json::Null),
        (&at(WORKER, "settled_at"), Json::Null),
        (&at(WORKER, "state"), json!("T (stopped)")),
    ]);
    let (told, json) = verdict(&results);
    assert_eq!(told, format!("failed not_recovered {UNIT}"));
    let step = json["next_step"].as_str().unwrap();
    assert!(
        step.contains("state T (stopped)") && step.contains("kill -CONT"),
        "{step}"
    );
    assert!(
        json["evidence"]
            .to_string()
            .contains("is in state T (stopped)"),
        "{json:#}"
    );
}

#[test]
fn what_ended_an_outage_early_is_looked_for_where_it_may_be() {
    let failure = json!({"name": "outage_interrupted", "actor": null, "text": "the rules were changed",
        "next_step": "Find what changed the firewall's rules."});
    let reply = json!({"failed": true, "msg": "VOID outage_interrupted: the rules were changed", "failures": [failure]});
    let (_, json) = verdict(&changed(&[(&at(SCENE, "held"), reply)]));
    assert_eq!(json["next_step"], "Find what changed the firewall's rules.");
}

#[test]
fn a_database_that_was_away_is_the_cause_and_not_the_api() {
    let away = |at: f64, connected: bool| {
        let outcome = if connected { "200" } else { "500" };
        let mut event = api(at, outcome, 9);
        event["database"] = json!(connected);
        event
    };
    let unit = |mut results: Json| {
        let deployment = &mut results["hosts"]["demo"]["facts"]["pulp_deployment"];
        deployment["database"] = json!({"unit": "mongod.service"});
        results
    };
    // To the end; the API gives errors for want of it.
    let (told, json) = verdict(&unit(seen(&[away(20.0, false), away(100.0, false)])));
    assert_eq!(
        told, "failed database_unavailable mongod.service",
        "{json:#}"
    );
    let names: Vec<&str> = json["failures"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|f| f["name"].as_str())
        .collect();
    assert_eq!(names, ["database_unavailable", "api_unavailable"]);
    // Back in time, and nothing failed.
    let (told, _) = verdict(&unit(seen(&[away(20.0, false), away(30.0, true)])));
    assert_eq!(told, "survived -");
}

#[test]
fn a_host_that_joins_or_vanishes_is_told() {
    let mut results = sample();
    let demo = results["hosts"]["demo"].clone();
    results["hosts"]["other"] = demo;
    assert_eq!(verdict(&results).0, "survived -");
    // Its clock is minutes ahead: every time is counted from when it lost the broker itself.
    let wall = "/hosts/other/scenarios/reconnect/watch/timeline/wall";
    *results.pointer_mut(wall).unwrap() = json!(1_795_453_146.5);
    assert_eq!(verdict(&results).0, "survived -");
    results["hosts"]["other"]["scenarios"]["reconnect"] = Json::Null;
    assert_eq!(verdict(&results).0, "void not_exercised");
    results["hosts"]["other"]["lost"] = json!(true);
    let (told, json) = verdict(&results);
    assert_eq!(
        (told.as_str(), json["host"].as_str()),
        ("void host_unreachable", Some("other"))
    );
    // One that has no worker has nothing to be observed.
    results["hosts"]["other"] =
        json!({"facts": {"pulp_deployment": {"services": []}}, "scenarios": {"reconnect": {}}});
    assert_eq!(verdict(&results).0, "survived -");
}

#[test]
fn each_part_may_be_of_any_shape() {
    let mut pointers = Vec::new();
    paths("", &sample(), &mut pointers);
    assert!(pointers.len() > 200);
    let odd = [json!(-1e300), json!("<é>"), json!([[]]), json!({"": {}})];
    for (pointer, odd) in pointers.iter().skip(1).zip(odd.iter().cycle()) {
        let results = changed(&[(pointer, odd.clone())]);
        let report = report::make(&results, Some(&results), Wishes::default(), "");
        assert!(!report.sentence.is_empty() && report.html.ends_with("</html>\n"));
    }
}

/// Every place of a value, to some depth.
fn paths(base: &str, value: &Json, found: &mut Vec<String>) {
    found.push(base.to_owned());
    match value {
        Json::Object(map) => map
            .iter()
            .for_each(|(key, v)| paths(&format!("{base}/{key}"), v, found)),
        // The journal's lines are alike.
        Json::Array(items) => {
            let few = items.iter().enumerate().take(3);
            few.for_each(|(i, v)| paths(&format!("{base}/{i}"), v, found));
        }
        _ => {}
    }
}
