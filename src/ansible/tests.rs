//! The parts put together: from parameters to the reply of a module.

use serde_json::json;

use super::spec::{Default, Kind, Opt};
use super::*;

const MODULE: Module = Module {
    name: "sample",
    spec: &[
        Opt::new("url", Kind::Str).required(),
        Opt::new("password", Kind::Str).secret(),
        Opt::new("hold", Kind::Int).default(Default::Int(30)),
    ],
    work,
};

fn work(call: &Call) -> Result<Outcome> {
    let params = call.params();
    let url = params["url"].as_str().unwrap_or_default();
    if url == "away" {
        let cause = anyhow::anyhow!("wrong password hunter2");
        return Err(cause.context("failed to reach `u`"));
    }
    Ok(Outcome {
        changed: true,
        diff: Some(json!({"before": "hunter2", "after": url})),
        warnings: vec!["hunter2 is weak".to_owned()],
        ..Outcome::default()
    })
}

fn reply_to(params: &Value) -> Value {
    let call = Call::of(MODULE, params).unwrap();
    let outcome = call.module.run(&call);
    match reply(&call, outcome) {
        Reply::Line(mut map) => {
            let took = map.remove("duration_seconds");
            assert!(took.is_some_and(|v| v.is_f64()), "how long it took is told");
            map.into()
        }
        Reply::Text(text) => text.into(),
    }
}

#[test]
fn the_reply_tells_everything_but_secrets() {
    let params = json!({
        "url": "b", "password": "hunter2", "_ansible_diff": true, "_ansible_x": 1,
    });
    let secret = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    let expected = json!({
        "changed": true,
        "failed": false,
        "diff": {"before": secret, "after": "b"},
        "warnings": ["******** is weak"],
        "invocation": {"module_args": {"url": "b", "password": secret, "hold": 30}},
    });
    assert_eq!(reply_to(&params), expected);
}

#[test]
fn an_error_is_told_with_all_its_causes_and_no_secret() {
    let reply = reply_to(&json!({"url": "away", "password": "hunter2"}));
    assert_eq!(reply["msg"], "failed to reach `u`: wrong password ********");
    assert_eq!(
        (&reply["failed"], &reply["changed"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn what_nobody_asked_for_is_left_out() {
    let reply = reply_to(&json!({"url": "a", "_ansible_no_log": true}));
    assert!(
        reply.get("diff").is_none() && reply.get("invocation").is_none(),
        "{reply}"
    );
}

#[test]
fn a_diff_is_told_only_of_what_changed() {
    let diff = |params: Value, before: &str, changed| {
        let call = Call::of(MODULE, &params).unwrap();
        let outcome = Outcome {
            changed,
            diff: Some(json!({"before": before, "after": "b"})),
            ..Outcome::default()
        };
        match reply(&call, outcome) {
            Reply::Line(map) => map.contains_key("diff"),
            Reply::Text(_) => false,
        }
    };
    let asked = || json!({"url": "a", "_ansible_diff": true});
    assert!(diff(asked(), "a", true));
    assert!(!diff(asked(), "a", false));
    assert!(!diff(asked(), "b", true));
    assert!(!diff(json!({"url": "a"}), "a", true));
}

#[test]
fn the_password_in_a_url_is_a_secret_of_any_option() {
    let reply = reply_to(&json!({"url": "https://admin:Hidden-3c@h/x"}));
    let shown = &reply["invocation"]["module_args"]["url"];
    assert_eq!(shown, "https://admin:********@h/x");
}

#[test]
fn a_call_that_does_not_fit_the_spec_is_refused() {
    let refused = Call::of(
        MODULE,
        &json!({"_ansible_module_name": "my.pulp.sample", "url": "a", "x": 1}),
    );
    let expected = "Unsupported parameters for (my.pulp.sample) module: x. Supported parameters include: \
                    hold, password, url.";
    assert_eq!(refused.err().as_deref(), Some(expected));
}

#[test]
fn modes_come_from_ansibles_own_keys() {
    let modes =
        |params| Call::of(MODULE, &params).map(|call| (call.check_mode, call.diff, call.no_log));
    assert_eq!(modes(json!({"url": "a"})), Ok((false, false, false)));
    let all = json!({"url": "a", "_ansible_check_mode": true, "_ansible_diff": "yes", "_ansible_no_log": 1});
    assert_eq!(modes(all), Ok((true, true, true)));
    assert!(modes(json!({"url": "a", "_ansible_check_mode": "maybe"})).is_err());
}
