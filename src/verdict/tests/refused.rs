//! A broker that is back and does not serve Pulp: it is the cause, and what its clients do the consequence.

use serde_json::{Value as Json, json};

use super::{SCENE, UNIT, WORKER, api, at, changed, sample, seen, verdict};
use crate::verdict::{Wishes, report};

/// All consumers exited, and the last word of each is the broker's refusal: a password that was changed meanwhile.
#[test]
fn a_broker_that_refuses_is_the_cause_and_exits_are_its_consequence() {
    let words = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.";
    let refused = json!({"at": 45.0, "reason": "login", "words": words});
    let mut results = sample();
    results["hosts"]["demo"]["facts"]["pulp_deployment"]["broker"]["kind"] = json!("rabbitmq");
    let actors = results.pointer_mut(&at(SCENE, "watch/actors")).unwrap();
    let mut consumers = 0;
    for actor in actors.as_array_mut().unwrap() {
        if matches!(actor["role"].as_str(), Some("worker" | "resource_manager")) {
            actor["exits"] = json!([{"at": 46.0, "how": "exited with status 1"}]);
            actor["running"] = json!(false);
            actor["connected_at"] = Json::Null;
            actor["settled_at"] = Json::Null;
            actor["refused"] = refused.clone();
            consumers += 1;
        }
    }
    assert!(consumers > 1);
    let (told, json) = verdict(&results);
    assert_eq!(told, "failed broker_refuses rabbitmq-server.service");
    let sentence = json["sentence"].as_str().unwrap();
    assert!(
        sentence.contains(words) && sentence.contains("is its consequence"),
        "{sentence}"
    );
    assert!(
        json["next_step"]
            .as_str()
            .unwrap()
            .contains("rabbitmqctl change_password")
    );
    let exited = &json["failures"][1];
    assert_eq!(exited["name"], "service_exited");
    assert_eq!(exited["attributes"]["consequence_of"], "broker_refuses");
    assert!(
        exited["sentence"]
            .as_str()
            .unwrap()
            .contains("a consequence: rabbitmq-server.service refuses")
    );
    // One that says nothing of it may have failed of something else: nobody else is named then.
    let mut silent = results.clone();
    silent.pointer_mut(WORKER).unwrap()["refused"] = Json::Null;
    assert_eq!(verdict(&silent).0.split(' ').nth(1), Some("service_exited"));
    // What the broker said when it was asked needs no log.
    let asked = json!({"refusal": {"reason": "login", "words": words}, "unknown": []});
    silent.pointer_mut(&at(SCENE, "watch")).unwrap()["asked"] = asked;
    assert_eq!(
        verdict(&silent).0,
        "failed broker_refuses rabbitmq-server.service"
    );
    // A reason of a later version tells nothing here.
    let later = json!({"refusal": {"reason": "sung", "words": words}});
    silent.pointer_mut(&at(SCENE, "watch")).unwrap()["asked"] = later;
    assert_eq!(verdict(&silent).0.split(' ').nth(1), Some("service_exited"));
}

#[test]
fn what_is_not_as_before_is_in_the_first_words() {
    let refuses = "demo: FAILED broker_refuses: the broker answers, and its alarm stands: memory";
    let services = format!("demo: FAILED services_not_restored: {UNIT} does not run");
    for (left, begin) in [
        (
            refuses,
            "NO, rabbitmq-server.service is back and does not serve Pulp (demo: ",
        ),
        (
            "demo: FAILED broker_not_restored: no answer",
            "NO, rabbitmq-server.service is not back (",
        ),
        (&services, "NO, not every service of Pulp works as before ("),
    ] {
        let (_, json) = verdict(&changed(&[("/left", json!(left))]));
        let told = json["as_before"].as_str().unwrap();
        assert!(
            told.starts_with(&format!("Pulp is as it was before: {begin}")),
            "{told}"
        );
    }
}

#[test]
fn what_cannot_be_told_of_a_broker_is_told_on_the_page() {
    let why =
        "whether the broker at localhost:5672 has an alarm cannot be told: there is no rabbitmqctl";
    let results = changed(&[("/hosts/demo/alarms_unknown", json!(why))]);
    let (told, _) = verdict(&results);
    assert_eq!(told, "survived -");
    let page = report::make(&results, None, Wishes::default(), "").html;
    assert!(page.contains("has an alarm cannot be told"));
}

/// Who got a connection came back, and the API of a Pulp 3 got none.
#[test]
fn a_service_that_is_to_blame_and_speaks_of_the_refusal_counts_too() {
    let words = "FATAL:  remaining connection slots are reserved";
    let api = json!({
        "name": "pulpcore-api.service", "role": "web", "running": false,
        "refused": {"at": 45.0, "reason": "limit", "words": words},
    });
    let cause = "FAILED not_recovered: pulpcore-api.service: expected a standing connection";
    let failure = json!({"name": "not_recovered", "actor": api, "text": cause});
    let mut results = changed(&[("/cause", json!(cause)), ("/failures", json!([failure]))]);
    let actors = results.pointer_mut(&at(SCENE, "watch/actors")).unwrap();
    actors.as_array_mut().unwrap().push(api);
    let (told, json) = verdict(&results);
    assert_eq!(told, "failed broker_refuses rabbitmq-server.service");
    let sentence = json["sentence"].as_str().unwrap();
    assert!(sentence.contains(words), "{sentence}");
    let last = results.pointer_mut(&at(SCENE, "watch/actors")).unwrap();
    last.as_array_mut().unwrap().last_mut().unwrap()["refused"] = Json::Null;
    assert_eq!(
        verdict(&results).0,
        "failed service_exited pulpcore-api.service"
    );
}

/// Its process stays, and the web server gets nothing from it.
#[test]
fn an_api_that_answers_with_errors_and_speaks_of_the_refusal_counts_too() {
    let words = "FATAL:  remaining connection slots are reserved";
    let refused = json!({"at": 46.0, "reason": "limit", "words": words});
    let mut results = seen(&[api(90.0, "502", 9)]);
    assert_eq!(verdict(&results).0, "failed api_unavailable httpd.service");
    let actors = results.pointer_mut(&at(SCENE, "watch/actors")).unwrap();
    let mut actors = actors.as_array_mut().unwrap().iter_mut();
    actors.find(|actor| actor["role"] == "web").unwrap()["refused"] = refused;
    let (told, json) = verdict(&results);
    assert_eq!(told, "failed broker_refuses rabbitmq-server.service");
    let unavailable = &json["failures"][1];
    assert_eq!(
        unavailable["attributes"]["consequence_of"],
        "broker_refuses"
    );
}
