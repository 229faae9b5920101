//! Answers that no real Pulp gives, or not on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::pulp::{pulp, status, task};
use super::support::server::{Asked, Reply, Server, redirect, reply};
use super::support::{PASSWORD, call, start, start_on_standard_input};
use serde_json::json;

/// Answers one path, by its method and its end.
fn at(method: &'static str, end: &'static str, answer: Reply) -> impl Fn(&Asked) -> Option<Reply> {
    move |asked| (asked.method == method && asked.path.ends_with(end)).then(|| answer.clone())
}

#[test]
fn a_pulp_in_which_all_goes_well_is_healthy_and_left_clean() {
    let server = pulp(|_| None);
    let told = call(&server.url(), json!({"require_idle": true}));
    assert_eq!(told.reply["healthy"], true, "{}", told.raw);
    told.left_nothing();
    let names: Vec<_> = told.reply["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        names.join(" "),
        "status idle feed create sync distributor publish find download compare \
         delete_repository delete_orphan"
    );
    let deleted: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|a| a.starts_with("DELETE"))
        .collect();
    let name = told.reply["repository"].as_str().expect("name");
    assert_eq!(
        deleted,
        [
            format!("DELETE /pulp/api/v2/repositories/{name}/"),
            "DELETE /pulp/api/v2/content/orphans/rpm/u-1/".to_owned()
        ]
    );
}

#[test]
fn check_mode_returns_the_plan_and_sends_nothing() {
    let server = pulp(|_| None);
    let told = call(&server.url(), json!({"_ansible_check_mode": true}));
    assert_eq!(told.reply["failed"], false);
    assert_eq!(told.reply["changed"], false);
    assert_eq!(told.reply["plan"][0]["name"], "status");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn a_package_with_one_wrong_byte_is_noticed() {
    let tampered = vec![0_u8; 1966];
    let server = pulp(at("GET", ".rpm", reply(200, tampered)));
    let told = call(&server.url(), json!({}));
    told.failed_with(&["health step `compare` failed", "SHA-256"]);
    told.left_nothing();
}

#[test]
fn an_address_that_is_no_pulp_is_named() {
    for answer in [
        reply(404, "<html>Not Found</html>"),
        reply(404, "null"),
        reply(200, "null"),
        reply(200, "<html>Welcome</html>"),
        reply(200, r#"{"status":"ok"}"#),
    ] {
        let server = Server::start(None, move |_| answer.clone());
        let told = call(&server.url(), json!({}));
        told.failed_with(&[
            "failed to find Pulp 2 at `http://127.0.0.1",
            "check pulp_url",
        ]);
        told.left_nothing();
        assert!(server.asked().iter().all(|a| a.starts_with("GET ")));
    }
}

#[test]
fn a_pulp_3_without_the_plugin_says_what_it_lacks() {
    let server = Server::start(None, |asked| match asked.path.as_str() {
        "/pulp/api/v3/status/" => reply(
            200,
            r#"{"versions":[{"component":"core","version":"3.49.1"}]}"#,
        ),
        _ => reply(404, "<html>Not Found</html>"),
    });
    call(&server.url(), json!({})).failed_with(&["Pulp 3.49.1 has no plugin for RPM packages"]);
}

#[test]
fn a_body_larger_than_its_cap_is_not_read() {
    let server = Server::start(None, |_| reply(200, vec![b' '; 5 * 1024 * 1024]));
    call(&server.url(), json!({})).failed_with(&["larger than 4194304 bytes"]);
}

#[test]
fn a_body_that_is_not_json_fails_in_words_and_is_cleaned_up_after() {
    let server = pulp(at("GET", "/tasks/sync/", reply(200, "<html>oops")));
    let told = call(&server.url(), json!({}));
    told.failed_with(&["not JSON", "/tasks/sync/", "<html>oops"]);
    assert_eq!(told.reply["failed_step"], "sync");
    assert!(
        server
            .asked()
            .iter()
            .any(|a| a.starts_with("DELETE /pulp/api/v2/repositories/"))
    );
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let other = Server::start(None, |_| reply(200, "{}"));
    let target = other.url();
    let server = pulp(move |asked| {
        (asked.method == "POST").then(|| redirect(307, format!("{target}/elsewhere")))
    });
    let told = call(&server.url(), json!({}));
    told.failed_with(&["redirects to", "/elsewhere", "set pulp_url"]);
    assert_eq!(other.asked(), Vec::<String>::new());
    assert_eq!(
        server.credentials().first().map(String::as_str),
        Some("Basic YWRtaW46SGlkZGVuLTdjMWY=")
    );
}

#[test]
fn content_is_followed_elsewhere_without_credentials() {
    let other = Server::start(None, |_| reply(200, "<repomd/>"));
    let target = other.url();
    let server = pulp(move |asked| {
        let content = asked.path.starts_with("/pulp/repos/");
        assert!(!content || asked.authorization.is_none());
        content.then(|| redirect(302, format!("{target}/moved")))
    });
    call(&server.url(), json!({})).failed_with(&["`find`", "repomd.xml"]);
    assert_eq!(other.asked(), ["GET /moved"]);
    assert_eq!(other.credentials(), Vec::<String>::new());
}

#[test]
fn redirects_in_a_circle_end() {
    let server = pulp(|asked| {
        asked
            .path
            .starts_with("/pulp/repos/")
            .then(|| redirect(302, asked.path.clone()))
    });
    call(&server.url(), json!({})).failed_with(&["more than 5 redirects"]);
}

#[test]
fn a_wrong_password_names_the_user_and_never_the_password() {
    let refused = r#"{"error":{"code":"PLP0030","description":"Invalid"}}"#;
    let server = pulp(at("POST", "/repositories/", reply(401, refused)));
    let told = call(&server.url(), json!({}));
    told.failed_with(&["refused the user `admin`", "check username and password"]);
    assert!(!told.raw.contains(PASSWORD));
    told.left_nothing();
}

#[test]
fn a_repository_that_exists_is_not_touched() {
    let exists = r#"{"error":{"code":"PLP0018","description":"Duplicate resource: x"}}"#;
    let server = pulp(at("POST", "/repositories/", reply(409, exists)));
    let told = call(&server.url(), json!({}));
    told.failed_with(&["409", "Duplicate resource: x (PLP0018)"]);
    told.left_nothing();
    assert!(!server.asked().iter().any(|a| a.starts_with("DELETE")));
}

#[test]
fn a_broker_lost_at_dispatch_is_named() {
    let seen = AtomicUsize::new(0);
    let server = pulp(move |asked| match asked.path.as_str() {
        "/pulp/api/v2/status/" if seen.fetch_add(1, Ordering::Relaxed) > 0 => {
            let body = String::from_utf8(status().body).expect("UTF-8");
            let down = r#""messaging_connection":{"connected":false}"#;
            Some(reply(
                200,
                body.replace(r#""messaging_connection":{"connected":true}"#, down),
            ))
        }
        path if path.ends_with("/actions/sync/") => Some(reply(
            500,
            r#"{"error_message":"[Errno 111] Connection refused","exception":["x"],"traceback":["y"]}"#,
        )),
        _ => None,
    });
    let told = call(&server.url(), json!({}));
    told.failed_with(&[
        "health step `sync` failed",
        "could not dispatch",
        "messaging_connection.connected=false",
        "[Errno 111] Connection refused",
    ]);
}

#[test]
fn what_cannot_be_deleted_is_named() {
    let server = pulp(|asked| {
        (asked.method == "DELETE").then(|| reply(500, r#"{"error_message":"no","exception":[]}"#))
    });
    let told = call(&server.url(), json!({}));
    let name = told.reply["repository"].as_str().expect("name");
    told.failed_with(&["LEFTOVERS: repository", name, "pulp-admin rpm repo delete"]);
    assert_eq!(told.reply["leftovers"][0]["id"], name);
    assert_eq!(told.reply["changed"], true);
}

#[test]
fn a_sync_that_added_nothing_is_no_sync() {
    let mut empty = task("sync", "finished");
    empty["result"]["added_count"] = json!(0);
    let server = pulp(at("GET", "/tasks/sync/", reply(200, empty.to_string())));
    call(&server.url(), json!({}))
        .failed_with(&["added_count: 0", "the workers fetched from the feed"]);
}

#[test]
fn a_sync_that_ran_twice_is_a_task_that_was_duplicated() {
    let server = pulp(at(
        "GET",
        "/history/sync/",
        reply(200, r#"[{"id": "1"}, {"id": "2"}]"#),
    ));
    let told = call(&server.url(), json!({}));
    told.failed_with(&[
        "health step `compare` failed: FAILED task_duplicated: 2 syncs of repository `pulp-broker-test-",
        "one was asked for (task `",
    ]);
    told.left_nothing();
}

#[test]
fn a_task_that_never_ends_is_canceled_in_time() {
    let server = pulp(endless());
    let told = call(&server.url(), json!({"timeout": 4}));
    told.failed_with(&[
        "task `sync` is still `running` on `w@h`",
        "timed out after ",
    ]);
    told.left_nothing();
    assert!(
        server
            .asked()
            .contains(&"DELETE /pulp/api/v2/tasks/sync/".to_owned())
    );
}

#[test]
fn a_signal_in_the_middle_cleans_up_and_replies() {
    let server = pulp(endless());
    let running = start(&server.url(), json!({}));
    wait_for_sync(&server);
    running.terminate();
    let told = running.told();
    told.failed_with(&["interrupted by SIGTERM"]);
    told.left_nothing();
    demand_cleaned_up(&server);
}

#[test]
fn the_end_of_who_reads_the_reply_cleans_up_where_there_is_no_terminal() {
    let server = pulp(endless());
    let running = start_on_standard_input(&server.url(), json!({"timeout": 600}));
    wait_for_sync(&server);
    running.hang_up();
    demand_cleaned_up(&server);
}

fn wait_for_sync(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !server.asked().iter().any(|a| a.ends_with("/tasks/sync/")) {
        assert!(Instant::now() < deadline, "no sync");
        std::thread::yield_now();
    }
}

fn demand_cleaned_up(server: &Server) {
    let asked = server.asked();
    assert!(asked.contains(&"DELETE /pulp/api/v2/tasks/sync/".to_owned()));
    assert!(asked.contains(&"DELETE /pulp/api/v2/content/orphans/rpm/u-1/".to_owned()));
}

/// A sync that runs until it is canceled.
fn endless() -> impl Fn(&Asked) -> Option<Reply> {
    let canceled = AtomicUsize::new(0);
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("DELETE", "/pulp/api/v2/tasks/sync/") => {
            canceled.store(1, Ordering::Relaxed);
            Some(reply(200, "null"))
        }
        ("GET", "/pulp/api/v2/tasks/sync/") => {
            let words = ["running", "canceled"];
            let word = words[canceled.load(Ordering::Relaxed)];
            Some(reply(200, task("sync", word).to_string()))
        }
        _ => None,
    }
}

#[test]
fn a_busy_pulp_is_void() {
    let mut other = task("theirs", "waiting");
    other["tags"] = json!(["pulp:repository:rhel"]);
    let server = pulp(at(
        "POST",
        "/tasks/search/",
        reply(200, json!([other]).to_string()),
    ));
    let told = call(&server.url(), json!({"require_idle": true}));
    told.failed_with(&["VOID busy: ", "`theirs`", "pulp:repository:rhel"]);
    assert!(told.msg().starts_with("VOID busy: "));
    assert_eq!(told.reply["void"], "busy");
    assert_eq!(told.reply["busy"]["count"], 1);
}

#[test]
fn a_feed_of_ones_own_is_judged_and_its_packages_are_kept() {
    let server = pulp(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", path) if path.ends_with("/actions/sync/") => {
            Some(reply(202, r#"{"spawned_tasks":[{"task_id":"sync"}]}"#))
        }
        ("GET", path) if path.starts_with("/pulp/api/v2/repositories/") => {
            Some(reply(200, r#"{"content_unit_counts":{}}"#))
        }
        ("GET", "/pulp/api/v2/content/orphans/") => {
            Some(reply(200, r#"{"rpm":{"count":7},"srpm":{"count":1}}"#))
        }
        _ => None,
    });
    let told = call(
        &server.url(),
        json!({"feed": "https://feed.example.com/empty/"}),
    );
    told.failed_with(&["does the feed `https://feed.example.com/empty/` hold any?"]);
    assert!(
        !server
            .asked()
            .iter()
            .any(|a| a.starts_with("DELETE") && a.contains("orphans"))
    );
}

#[test]
fn options_that_cannot_be_are_refused_before_anything_is_sent() {
    let server = pulp(|_| None);
    for (options, part) in [
        (json!({"timeout": 0}), "failed to use timeout `0`"),
        (
            json!({"request_timeout": -1}),
            "failed to use request_timeout `-1`",
        ),
        (
            json!({"feed_port": 65536}),
            "failed to use feed_port `65536`",
        ),
        (json!({"feed": "not a url"}), "failed to use feed"),
        (
            json!({"ca_path": "/nonexistent"}),
            "failed to read ca_path `/nonexistent`",
        ),
        (
            json!({"tls_minimum": "1.3"}),
            "value of tls_minimum must be one of: 1.0, 1.2, got: 1.3",
        ),
        (json!({"pulp_url": "http://192.0.2.1"}), "unencrypted"),
    ] {
        call(&server.url(), options).failed_with(&[part]);
    }
    call(&server.url(), json!({"feed_host": "192.0.2.1"})).failed_with(&["feed_host must be"]);
    assert_eq!(server.asked(), ["GET /pulp/api/v2/status/"]);
    call("http://127.0.0.1:9", json!({})).failed_with(&["connection refused"]);
}
