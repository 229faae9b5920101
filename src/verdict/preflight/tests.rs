//! The page before the run, and what is refused: one deviation from a Pulp 2 on one host that can be tested, at a time.

use serde_json::{Value, json};

use super::{Intent, before};

fn intent() -> Intent {
    Intent {
        method: "stop".to_owned(),
        apply_at: "broker".to_owned(),
        connect_hold: 15,
        reconnect_hold: 30,
        met_timeout: 90,
        recovery_timeout: 90,
        health_timeout: 300,
        final_restart: "on_failure".to_owned(),
        tls_minimum: "1.2".to_owned(),
        ..Intent::default()
    }
}

fn results() -> Value {
    let actor = |name: &str| json!({"name": name, "running": true});
    json!({
        "run": {"hosts": ["a"], "scenarios": ["connect", "reconnect"], "restore_after": 225, "heal": "/x/heal.yml"},
        "replies": {"a": {
            "facts": {"ansible_facts": {"pulp_deployment": {
                "api": true, "pulp": 2, "addresses": ["192.0.2.1"], "taken": null, "pulp_url": "https://p",
                "actors": [actor("httpd.service"), actor("pulp_worker-0.service")],
                "broker": {"kind": "rabbitmq", "host": "localhost", "port": 5672, "addresses": ["192.0.2.1"], "peers": []},
                "database": {"seeds": [{"addresses": ["192.0.2.1"]}]},
                "preflight": {"lines": ["UNDO x", "OTHERS none", "FOUND pulp"], "refusals": [],
                    "outage": {"role": "local", "steps": ["stop it"], "refusals": []}},
            }}},
            "idle": {"failed": false, "lines": ["TASKS none"], "refusals": [], "outlook": {"msg": "they survive"}},
        }},
    })
}

fn deployment(results: &mut Value) -> &mut Value {
    results
        .pointer_mut("/replies/a/facts/ansible_facts/pulp_deployment")
        .unwrap()
}

fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut results = results();
    change(deployment(&mut results));
    results
}

fn cause(results: &Value, intent: &Intent) -> String {
    before(results, intent).unwrap()["cause"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn page(results: &Value, intent: &Intent) -> Vec<String> {
    let told = before(results, intent).unwrap();
    let lines = told["pages"]["a"].as_array().unwrap().iter();
    lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

/// The one line of a page that begins so.
fn line(results: &Value, intent: &Intent, begin: &str) -> String {
    let lines: Vec<String> = page(results, intent)
        .into_iter()
        .filter(|line| line.starts_with(begin))
        .collect();
    assert_eq!(lines.len(), 1, "{begin}: {lines:?}");
    lines[0].clone()
}

#[test]
fn a_pulp_that_can_be_tested_is_shown_and_not_refused() {
    assert_eq!(cause(&results(), &intent()), "");
    let lines = page(&results(), &intent());
    let begins: Vec<&str> = lines
        .iter()
        .map(|line| line.split([' ', ':']).next().unwrap())
        .collect();
    assert_eq!(begins[..5], ["FOUND", "OTHERS", "TASKS", "UNDO", "WOULD"]);
    assert_eq!(
        line(&results(), &intent(), "WOULD run on"),
        "WOULD run on a: stop it"
    );
    assert!(line(&results(), &intent(), "WOULD reconnect, 1, tasks").ends_with("they survive"));
    let told = before(&results(), &intent()).unwrap();
    assert_eq!(told["elsewhere"], json!([]));
    let will = told["will"].as_array().unwrap();
    assert_eq!(
        will[2],
        "from here, with this inventory: ansible-playbook /x/heal.yml"
    );
}

#[test]
fn a_host_that_does_not_answer_ends_it_before_all_else() {
    let answer = |reply: Value| {
        let mut results = results();
        results["replies"]["a"]["facts"] = reply;
        cause(&results, &intent())
    };
    assert_eq!(
        answer(json!({"unreachable": true, "msg": "no route"})),
        "VOID host_unreachable: a: no route; nothing was touched"
    );
    assert_eq!(
        answer(json!({"failed": true, "msg": "no root"})),
        "VOID unsupported: a: no root; nothing was touched"
    );
    assert_eq!(
        answer(json!({})),
        "VOID unsupported: a: no answer; nothing was touched"
    );
    let noexec = answer(json!({"failed": true, "rc": 126, "msg": "MODULE FAILURE",
        "module_stderr": "/bin/sh: 1: /mnt/tmp/ansible-tmp-1-2/AnsiballZ_pulp_facts: Permission denied"}));
    assert!(
        noexec.contains("failed to start `pulp_facts` in `/mnt/tmp`: Permission denied; "),
        "{noexec}"
    );
}

#[test]
fn a_group_without_pulp_is_refused() {
    let none = changed(|pulp| pulp["api"] = json!(false));
    assert!(cause(&none, &intent()).starts_with("VOID unsupported: failed to find Pulp on a: "));
}

#[test]
fn what_is_kept_has_to_run_and_to_be_no_consumer() {
    let keeps = |names: &[&str]| Intent {
        keep: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..intent()
    };
    assert_eq!(cause(&results(), &keeps(&["httpd.service", ""])), "");
    assert!(
        line(&results(), &keeps(&["httpd"]), "WOULD connect, 1").contains("but not httpd (keep)")
    );
    assert_eq!(
        cause(&results(), &keeps(&["pulp_worker-0"])),
        "value of keep must be one or more of: httpd, got: pulp_worker-0"
    );
}

#[test]
fn what_is_in_the_way_is_told_at_once() {
    let many = changed(|pulp| {
        pulp["taken"] = json!({"run_id": "r", "since": "s", "restores_at": "t"});
        pulp["preflight"]["refusals"] = json!([{"name": "broker_shared", "msg": "billing"}]);
        pulp["preflight"]["outage"]["refusals"] =
            json!([{"name": "unsupported", "msg": "no rights"}]);
    });
    let told = before(&many, &intent()).unwrap();
    assert!(
        told["cause"]
            .as_str()
            .unwrap()
            .starts_with("VOID busy: a: run `r` has taken"),
        "{told}"
    );
    assert!(
        told["cause"]
            .as_str()
            .unwrap()
            .ends_with("; 2 more above; nothing was touched"),
        "{told}"
    );
    let refused = page(&many, &intent())
        .into_iter()
        .filter(|line| line.starts_with("REFUSED "))
        .count();
    assert_eq!(
        (refused, told["refusals"].as_array().unwrap().len()),
        (3, 3)
    );
}

#[test]
fn where_nothing_is_taken_away_only_a_pulp_that_is_not_healthy_is_in_the_way() {
    let mut health = changed(|pulp| {
        pulp["preflight"]["refusals"] = json!([{"name": "broker_shared", "msg": "x"}]);
    });
    health["run"]["scenarios"] = json!(["health"]);
    health["replies"]["a"]["idle"]["refusals"] = json!([{"name": "busy", "msg": "x"}]);
    assert_eq!(cause(&health, &intent()), "");
    let lines = page(&health, &intent());
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("NOT CHECKED: whether this Pulp survives")),
        "{lines:?}"
    );
    health["replies"]["a"]["idle"] = json!({"failed": true, "msg": "401"});
    assert_eq!(
        cause(&health, &intent()),
        "VOID unhealthy_before: 401; nothing was touched"
    );
}

#[test]
fn what_only_the_whole_play_sees_is_refused() {
    let no_worker = changed(|pulp| pulp["actors"] = json!([]));
    assert!(
        cause(&no_worker, &intent())
            .starts_with("VOID unhealthy_before: no worker of Pulp runs on a")
    );
    let elsewhere = changed(|pulp| pulp["preflight"]["outage"]["role"] = json!("remote"));
    assert!(
        cause(&elsewhere, &intent())
            .starts_with("VOID unsupported: the broker at localhost port 5672")
    );
    // What is said of the broker itself comes first.
    let uncertain = changed(|pulp| {
        pulp["preflight"]["outage"]["role"] = json!("remote");
        pulp["preflight"]["refusals"] = json!([{"name": "broker_uncertain", "msg": "two"}]);
    });
    assert_eq!(
        cause(&uncertain, &intent()),
        "VOID broker_uncertain: two; nothing was touched"
    );
    let shared = changed(|pulp| {
        pulp["broker"]["peers"] = json!([{"address": "192.0.2.9"}, {"address": "192.0.2.1"}]);
    });
    let told = cause(&shared, &intent());
    assert!(
        told.contains("VOID broker_shared: others use the broker on a")
            && told.contains(": 192.0.2.9; "),
        "{told}"
    );
    for accepted in [
        Intent {
            accept_shared: true,
            ..intent()
        },
        Intent {
            apply_at: "pulp".to_owned(),
            ..intent()
        },
    ] {
        assert_eq!(cause(&shared, &accepted), "");
    }
}

#[test]
fn a_host_of_another_pulp_is_refused() {
    let mut two = results();
    two["run"]["hosts"] = json!(["a", "b"]);
    two["replies"]["b"] = two["replies"]["a"].clone();
    two["replies"]["b"]["idle"] = Value::Null;
    let other = "/replies/b/facts/ansible_facts/pulp_deployment";
    *two.pointer_mut(&format!("{other}/api")).unwrap() = json!(false);
    assert_eq!(cause(&two, &intent()), "");
    assert_eq!(before(&two, &intent()).unwrap()["elsewhere"], json!(["b"]));
    *two.pointer_mut(&format!("{other}/broker/addresses"))
        .unwrap() = json!(["192.0.2.7"]);
    assert!(
        cause(&two, &intent())
            .contains("b and a have not the same broker, so they are not of one Pulp")
    );
    *two.pointer_mut(&format!("{other}/database/seeds")).unwrap() =
        json!([{"addresses": ["192.0.2.8"]}]);
    assert!(cause(&two, &intent()).contains("have not the same broker and database"));
    // Who names none is no stranger.
    *two.pointer_mut(&format!("{other}/broker")).unwrap() = Value::Null;
    *two.pointer_mut(&format!("{other}/database")).unwrap() = Value::Null;
    assert_eq!(cause(&two, &intent()), "");
}

#[test]
fn what_the_users_feel_depends_on_the_method_and_on_the_pulp() {
    let felt = |results: &Value, method: &str| {
        let intent = Intent {
            method: method.to_owned(),
            ..intent()
        };
        line(results, &intent, "WOULD reconnect, 1: ")
    };
    assert!(felt(&results(), "stop").contains("gets HTTP 500 at once"));
    assert!(felt(&results(), "freeze").contains("until the broker goes on"));
    assert!(felt(&results(), "partition").contains("accepted and lost"));
    let qpid = changed(|pulp| pulp["broker"]["kind"] = json!("qpid"));
    assert!(felt(&qpid, "kill").contains("until httpd has reached Qpid again"));
    let three = |kind: &str| {
        changed(|pulp| {
            pulp["pulp"] = json!(3);
            pulp["broker"]["kind"] = json!(kind);
        })
    };
    assert!(
        felt(&three("postgresql"), "stop").contains("while services exit and are started again")
    );
    assert!(felt(&three("redis"), "stop").contains("waits for a worker"));
    assert!(felt(&three("redis"), "freeze").contains("hang while nothing answers"));
}

#[test]
fn a_silence_that_is_too_short_proves_nothing_and_says_so() {
    let silent = |hold| Intent {
        method: "partition".to_owned(),
        reconnect_hold: hold,
        ..intent()
    };
    let said = |hold| {
        let lines = page(&results(), &silent(hold));
        lines
            .into_iter()
            .filter(|line| line.contains("whether services connect again"))
            .count()
    };
    assert_eq!((said(30), said(150)), (1, 0));
}

#[test]
fn old_tls_and_an_accepted_loss_stand_on_the_page() {
    let old = Intent {
        tls_minimum: "1.0".to_owned(),
        accept_task_loss: true,
        ..intent()
    };
    assert!(
        line(&results(), &old, "TLS 1.0 and 1.1").contains("`https://p` (tls_minimum: \"1.0\")")
    );
    assert!(
        line(&results(), &old, "NOT CHECKED: who uses")
            .contains("however long before, because their loss is accepted")
    );
    let mut elsewhere = results();
    elsewhere["run"]["hosts"] = json!(["a", "b"]);
    elsewhere["replies"]["b"] = elsewhere["replies"]["a"].clone();
    let looked = line(&elsewhere, &intent(), "NOT CHECKED: who uses");
    assert!(looked.contains("at most 2 s before in reconnect on a; a second or two before, which nothing limits, in reconnect on b"), "{looked}");
}
