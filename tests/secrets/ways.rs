//! Ways to call each module: with canaries for its secrets, so that it succeeds, fails, or waits for an answer.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::call::{End, Made};
use super::canary::{self, Canary};
use super::common::Call;
use super::support::Folder;
use super::support::pulp::pulp;
use super::support::pulp3::pulp3;
use super::support::server::{Asked, Reply, reply};

/// What a user calls each module with.
fn call(module: &str, params: Value) -> Made {
    let Value::Object(params) = params else {
        unreachable!("a mapping")
    };
    let with = |call: Call, (name, value): (String, Value)| call.param(&name, value);
    Made::new(params.into_iter().fold(Call::new(module), with))
}

pub(crate) fn facts(canary: &Canary) -> Made {
    let url = format!("https://admin:{}@pulp.example.com", canary.in_url());
    call(
        "pulp_facts",
        json!({"broker_url": canary.url("amqp", "192.0.2.1"), "pulp_url": url}),
    )
}

pub(crate) fn facts_bad(canary: &Canary) -> Made {
    call(
        "pulp_facts",
        json!({"broker_url": canary.url("moon", "192.0.2.1")}),
    )
}

pub(crate) fn facts_asking(canary: &Canary) -> Made {
    asking(
        |at| call("pulp_facts", json!({"broker_url": canary.url("amqp", at)})),
        Signal::TERM,
    )
}

pub(crate) fn services_bad(canary: &Canary) -> Made {
    let url = canary.url("amqp", "192.0.2.1");
    call(
        "pulp_services",
        json!({"state": "started", "name": ["pulp-no-such"], "broker_url": url, "connected": true}),
    )
}

pub(crate) fn broker(canary: &Canary) -> Made {
    let url = canary.url("amqp", "192.0.2.1");
    let run_id = format!("run with {} in {url}", canary.password);
    let raw = format!("amqp://pulp:{}@192.0.2.1//", canary.password);
    let mut made = call(
        "pulp_broker",
        json!({"state": "up", "broker_url": raw, "run_id": run_id}),
    );
    made.tells = "run with ********";
    made
}

pub(crate) fn broker_bad(canary: &Canary) -> Made {
    call(
        "pulp_broker",
        json!({"state": "down", "broker_url": canary.url("moon", "192.0.2.1")}),
    )
}

pub(crate) fn broker_choice(canary: &Canary) -> Made {
    let mut made = call("pulp_broker", json!({"state": canary.url("amqp", "h")}));
    made.tells = "got: amqp://pulp:********@h//";
    made
}

pub(crate) fn broker_asking(canary: &Canary) -> Made {
    asking(
        |at| {
            call(
                "pulp_broker",
                json!({"state": "up", "broker_url": canary.url("amqp", at)}),
            )
        },
        Signal::HUP,
    )
}

pub(crate) fn watch_bad(canary: &Canary) -> Made {
    let url = format!("https://admin:{}@pulp.example.com", canary.in_url());
    call(
        "pulp_watch",
        json!({"deadline": 1, "broker_url": canary.url("amqp", "h"), "pulp_url": url}),
    )
}

/// The address of a listener that says nothing.
fn asking(ask: impl Fn(&str) -> Made, signal: Signal) -> Made {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut made = ask(&silent.local_addr().unwrap().to_string());
    made.end = End::WhenItAsks(silent, signal);
    made
}

fn health_at(url: &str, canary: &Canary) -> Made {
    call(
        "pulp_health",
        json!({"pulp_url": url, "username": "admin", "password": canary.password, "timeout": 20,
        "request_timeout": 2}),
    )
}

fn log_in(asked: &Asked, token: &str) -> Option<Reply> {
    asked.path.ends_with("/login/").then(|| Reply {
        cookies: vec![format!("sessionid={token}"), format!("csrftoken={token}c")],
        ..reply(201, "{}")
    })
}

pub(crate) fn health(canary: &Canary) -> Made {
    let token = canary.token.clone();
    let server = pulp3("/pulp/content/", move |asked| log_in(asked, &token));
    health_at(&server.url(), canary).needing(server)
}

pub(crate) fn health_2(canary: &Canary) -> Made {
    let server = pulp(|_| None);
    health_at(&server.url(), canary).needing(server)
}

/// Pulp says everything that it was told, as a page for developers does.
pub(crate) fn health_echo(canary: &Canary) -> Made {
    let token = canary.token.clone();
    let server = pulp3("/pulp/content/", move |asked| {
        let cookie = asked.cookie.clone().filter(|_| asked.method == "POST");
        let echo = cookie.map(|cookie| reply(500, format!("<pre>Cookie: {cookie}</pre>")));
        log_in(asked, &token).or(echo)
    });
    let mut made = health_at(&server.url(), canary).needing(server);
    made.tells = "sessionid=********";
    made
}

pub(crate) fn health_2_echo(canary: &Canary) -> Made {
    let html = canary::spellings(&canary.password)[6].clone();
    let server = pulp(move |asked| {
        let basic = asked.authorization.clone()?;
        Some(reply(500, format!("<p>{html}</p> {basic}")))
    });
    let mut made = health_at(&server.url(), canary).needing(server);
    made.tells = "********";
    made
}

/// A certificate's key is a file, of which nothing may be told either.
fn with_key(canary: &Canary, key: &str, url: &str) -> Made {
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name);
    let own = rcgen::generate_simple_self_signed(vec!["admin".to_owned()]).unwrap();
    std::fs::write(at("cert.pem"), own.cert.pem()).unwrap();
    let key = key.replace("KEY", &own.signing_key.serialize_pem());
    std::fs::write(at("key.pem"), key.replace("CANARY", &canary.key)).unwrap();
    let params = json!({"pulp_url": url, "user_cert": at("cert.pem"), "user_key": at("key.pem")});
    call("pulp_health", params).needing(folder)
}

pub(crate) fn health_key(canary: &Canary) -> Made {
    let server = pulp3("/pulp/content/", |_| None);
    with_key(canary, "CANARY\nKEY", &server.url()).needing(server)
}

pub(crate) fn health_key_bad(canary: &Canary) -> Made {
    let mut made = with_key(
        canary,
        "-----BEGIN PRIVATE KEY CANARY\nCANARY\n",
        "https://127.0.0.1:1",
    );
    made.tells = "it holds no private key in PEM form";
    made
}

/// Its feed has a server, and that a thread.
pub(crate) fn health_without_threads(canary: &Canary) -> Made {
    let mut made = health(canary);
    made.end = End::WithoutThreads;
    made
}

pub(crate) fn health_asking(canary: &Canary) -> Made {
    asking(|at| health_at(&format!("http://{at}"), canary), Signal::INT)
}

pub(crate) fn health_killed(canary: &Canary) -> Made {
    asking(
        |at| health_at(&format!("http://{at}"), canary),
        Signal::KILL,
    )
}

/// The results of a run, in which hosts told what they should not have.
pub(crate) fn report(canary: &Canary) -> Made {
    let said: Vec<String> = canary::spellings(&canary.password);
    let reply = json!({"failed": true, "msg": format!("FAILED service_exited: x.service says {}", said.join(" and ")),
        "invocation": {"module_args": {"password": canary.password, "user_key": canary.key, "csrf_token": canary.token}}});
    let results = json!({"run": {"scenarios": ["reconnect"]}, "left": "", "cause": reply["msg"],
        "hosts": {"a": {"scenarios": {"reconnect": {"up": reply}}}}});
    let mut made = call("pulp_report", json!({"results": results}));
    made.tells = "x.service says ********";
    made
}

pub(crate) fn report_bad(canary: &Canary) -> Made {
    let mut made = call(
        "pulp_report",
        json!({"results": {}, "void": canary.url("amqp", "h")}),
    );
    made.tells = "got: amqp://pulp:********@h//";
    made
}
