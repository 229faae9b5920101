//! What the modules that take something away are told of Pulp, whose tasks they look at first, is checked like all else.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has to fail"
)]

mod common;

use serde_json::{Value, json};

use common::Call;

/// What takes something away looks at the tasks of others first, with the options of `pulp_health`.
#[test]
fn how_pulp_is_asked_is_checked_before_anything_is_done() {
    let url = "https://127.0.0.1:9";
    let pulp = |module: &str, state: &str| {
        let call = Call::new(module).param("state", state);
        let call = call.param("pulp_url", url).param("username", "admin");
        call.param("password", "Hidden-7c1f")
    };
    for (module, state) in [("pulp_services", "stopped"), ("pulp_broker", "down")] {
        let refusal = |name: &str, value: Value| {
            let ran = pulp(module, state).param(name, value).run();
            assert!(!ran.line.contains("Hidden-7c1f"), "{}", ran.line);
            ran.failure().to_owned()
        };
        for (name, value, expected) in [
            (
                "pulp_api",
                json!("v4"),
                "value of pulp_api must be one of: auto, v2, v3, got: v4",
            ),
            (
                "validate_certs",
                json!("perhaps"),
                "argument 'validate_certs' is of type str and we were unable to convert to bool: ",
            ),
            (
                "accept_task_loss",
                json!("perhaps"),
                "argument 'accept_task_loss' is of type str and we were unable to convert to bool: ",
            ),
            (
                "request_timeout",
                json!(0),
                "failed to use request_timeout `0`: ",
            ),
            ("pulp_url", json!("ftp://p"), "failed to use pulp_url "),
            (
                "pulp_api_root",
                json!("pulp"),
                "failed to use pulp_api_root `pulp`: ",
            ),
            ("domain", json!("a/b"), "failed to use domain `a/b`: "),
            ("ca_path", json!("/nonexistent"), "failed to read "),
            (
                "tls_minimum",
                json!("1.1"),
                "value of tls_minimum must be one of: 1.0, 1.2, got: 1.1",
            ),
            (
                "password",
                Value::Null,
                "failed to list the tasks of `https://127.0.0.1:9`: no password was given; set `password`",
            ),
        ] {
            let found = refusal(name, value);
            assert!(found.starts_with(expected), "{module}: {found}");
        }
    }
    // Who gives something back does not look, and says nothing of how it would.
    let remote = Call::new("pulp_broker")
        .param("state", "up")
        .param("broker_url", "amqp://pulp:hunter2@192.0.2.1:5672//");
    let back = remote.param("pulp_url", url).param("request_timeout", 0);
    back.run().success();
}
