//! `pulp_report`: what all hosts saw becomes one verdict, and the files that tell it.
//!
//! It looks at nothing but its parameters, so it runs wherever a host still answers, and changes
//! nothing. It never fails because of the verdict: the play judges. `previous` is the `json` of the run
//! before.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::typed;
use crate::ansible::spec::{Default as Preset, Kind, Opt};
use crate::ansible::{Call, Module, Outcome, secrets};
use crate::outage::methods::Method;
use crate::pulp::options::{ACCEPT_TASK_LOSS, TLS_MINIMUM};
use crate::verdict::{self, Intent, Wishes, report};

/// The module, as the binary lists it.
pub(crate) const MODULE: Module = Module {
    name: "pulp_report",
    spec: &[
        Opt::new("results", Kind::Dict).required().bulky(),
        Opt::new("previous", Kind::Dict).bulky(),
        Opt::new("strict", Kind::Bool).default(Preset::Bool(false)),
        Opt::new("void", Kind::Str)
            .default(Preset::Str("fail"))
            .choices(&["fail", "pass"]),
        Opt::new("report_path", Kind::Str).default(Preset::Str("")),
        Opt::new("stage", Kind::Str)
            .default(Preset::Str("after"))
            .choices(&["before", "restoring", "after"]),
        Opt::new("method", Kind::Str)
            .default(Preset::Str("stop"))
            .choices(Method::NAMES),
        Opt::new("apply_at", Kind::Str)
            .default(Preset::Str("broker"))
            .choices(&["broker", "pulp"]),
        Opt::new("connect_hold", Kind::Int).default(Preset::Int(15)),
        Opt::new("reconnect_hold", Kind::Int).default(Preset::Int(30)),
        Opt::new("met_timeout", Kind::Int).default(Preset::Int(90)),
        Opt::new("recovery_timeout", Kind::Int).default(Preset::Int(90)),
        Opt::new("health_timeout", Kind::Int).default(Preset::Int(300)),
        Opt::new("final_restart", Kind::Str)
            .default(Preset::Str("on_failure"))
            .choices(&["on_failure", "always", "never"]),
        TLS_MINIMUM,
        ACCEPT_TASK_LOSS,
        Opt::new("accept_shared", Kind::Bool).default(Preset::Bool(false)),
        Opt::list_of("keep", Kind::Str),
    ],
    work,
};

#[derive(Debug, Deserialize)]
struct Params {
    strict: bool,
    void: String,
    report_path: String,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Before,
    Restoring,
    After,
}

fn work(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let bulky = |name| match call.take(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let results = shown(bulky("results"));
    let previous = Some(bulky("previous"))
        .filter(|map| !map.is_empty())
        .map(shown);
    let intent: Intent = typed(call)?;
    match params.stage {
        Stage::Before => {
            let preflight = verdict::before(&results, &intent);
            return Ok(Outcome::default().with("preflight", preflight));
        }
        Stage::Restoring => {
            let next = verdict::restoring(&results, &intent.final_restart);
            return Ok(Outcome::default().with("next", next));
        }
        Stage::After => {}
    }
    let wishes = Wishes {
        strict: params.strict,
        void_passes: params.void == "pass",
    };
    let report = report::make(&results, previous.as_ref(), wishes, &params.report_path);
    // Megabytes in small pieces; the process ends with the reply, and takes less time to do so with them.
    std::mem::forget(results);
    Ok(Outcome {
        msg: Some(report.sentence),
        ..Outcome::default()
    }
    .with("verdict", report.verdict)
    .with("line", report.line)
    .with("html", report.html)
    .with("junit", report.junit)
    .with("json", report.json)
    .with("lines", report.lines)
    .with("cause", report.cause)
    .with("failure", report.failure)
    .with("restored", report.restored))
}

/// The same without secrets: no value of a key that is called so, nor its text anywhere else.
fn shown(mut map: Map<String, Value>) -> Value {
    for (key, value) in &mut map {
        match value {
            // Their keys are names of hosts, which may be called anything.
            Value::Object(hosts) if matches!(key.as_str(), "hosts" | "replies") => {
                hosts.values_mut().for_each(withhold);
            }
            _ => withhold(value),
        }
    }
    secrets::mask(&mut map);
    Value::Object(map)
}

fn withhold(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if secrets::is_named(key) {
                    learn(value);
                    *value = Value::Null;
                } else {
                    withhold(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(withhold),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn learn(value: &Value) {
    let masked = |text: &str| text.starts_with("VALUE_SPECIFIED") || text.contains(secrets::PART);
    match value {
        Value::String(text) if !masked(text) => secrets::add(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(params: &Value) -> Outcome {
        let call = Call::of(MODULE, params).unwrap();
        work(&call).unwrap()
    }

    #[test]
    fn no_secret_is_told() {
        let secret = "correct<horse>&battery";
        let reply = json!({"failed": true, "msg": format!("FAILED service_exited: x.service says {secret}"),
            "invocation": {"module_args": {"password": secret}}});
        let results = json!({"run": {"scenarios": ["reconnect"]}, "left": "",
            "cause": format!("FAILED service_exited: x.service says {secret} to amqp://u:hunter22@h/"),
            "hosts": {"a": {"scenarios": {"reconnect": {"up": reply}}}}});
        let outcome = outcome(&json!({"results": results}));
        let told = format!("{:?} {}", outcome.msg, Value::Object(outcome.data));
        assert!(told.contains("service_exited"), "{told}");
        for word in ["correct", "battery", "hunter22"] {
            assert!(!told.contains(word), "{word} in {told}");
        }
    }

    #[test]
    fn a_host_may_be_called_as_a_secret() {
        let facts =
            json!({"ansible_facts": {"pulp_deployment": {"api": true, "password": "hunter22"}}});
        let results = json!({"run": {"hosts": ["secrets-1"], "scenarios": ["reconnect"]},
            "replies": {"secrets-1": {"facts": facts}}});
        let outcome = outcome(&json!({"results": results, "stage": "before"}));
        let preflight = &outcome.data["preflight"];
        assert!(preflight["pages"]["secrets-1"].is_array(), "{preflight}");
        assert!(!preflight.to_string().contains("hunter22"), "{preflight}");
    }

    #[test]
    fn whatever_it_is_given_it_answers() {
        for results in [
            json!({}),
            json!({"run": 3, "hosts": [1]}),
            json!({"hosts": {"a": null}}),
        ] {
            let outcome = outcome(&json!({"results": results, "previous": {"verdict": 7}}));
            assert!(!outcome.failed && !outcome.changed);
            assert_eq!(outcome.data["verdict"]["value"], "void", "{results}");
            let line = outcome.data["line"].as_str().unwrap();
            assert!(line.starts_with("PULP_BROKER_TEST verdict=void name=not_exercised actor=- "));
        }
    }

    #[test]
    fn the_reply_does_not_repeat_the_results() {
        let params = json!({"results": {"run": {"id": "needle"}}, "report_path": "/tmp/a b.html"});
        let call = Call::of(MODULE, &params).unwrap();
        let outcome = work(&call).unwrap();
        let line = outcome.data["line"].as_str().unwrap();
        assert!(line.ends_with(" report=/tmp/a%20b.html"), "{line}");
    }
}
