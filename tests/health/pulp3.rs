//! What a real Pulp 3 does not do on demand: storage on another host, objects that are hidden, answers that get lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;

use super::support::call;
use super::support::pulp3::pulp3;
use super::support::server::{Server, fetch, redirect, reply};

const CONTENT: &str = "/pulp/content/";

#[test]
fn all_goes_well_and_nothing_is_left() {
    let server = pulp3(CONTENT, |_| None);
    let told = call(&server.url(), json!({}));
    assert_eq!(told.reply["healthy"], true, "{}", told.raw);
    assert_eq!(told.reply["pulp_version"], "3.49.1");
    told.left_nothing();
    let name = told.reply["repository"].as_str().expect("name").to_owned();
    let asked = server.asked();
    let deletions = asked
        .iter()
        .filter(|a| a.starts_with("DELETE /pulp/api/v3/"));
    let what = ["distributions", "publications", "repositories", "remotes"];
    for what in what {
        assert!(
            deletions.clone().any(|a| a.contains(what)),
            "{what} of {name}: {asked:?}"
        );
    }
}

#[test]
fn a_clean_up_never_goes_without_the_hrefs_that_are_ours() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let server = pulp3(CONTENT, move |asked| {
        if asked.path.ends_with("/orphans/cleanup/") {
            seen.lock().expect("bodies").push(asked.body.clone());
        }
        None
    });
    call(&server.url(), json!({})).left_nothing();
    let bodies = bodies.lock().expect("bodies");
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let body: serde_json::Value = serde_json::from_str(&bodies[0]).expect("JSON");
    assert_eq!(
        body["content_hrefs"].as_array().map(Vec::len),
        Some(1),
        "{body}"
    );
}

#[test]
fn credentials_do_not_follow_to_the_storage() {
    let (pulp, store) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let behind: Arc<OnceLock<String>> = Arc::clone(&pulp);
    let storage = Server::start(None, move |asked| {
        let pulp = behind.get().expect("Pulp");
        reply(200, fetch(&format!("{pulp}/stored{}", asked.path)))
    });
    let moved: Arc<OnceLock<String>> = Arc::clone(&store);
    let server = pulp3(CONTENT, move |asked| {
        let storage = moved.get().expect("storage");
        let is_content = asked.path.starts_with(CONTENT);
        is_content.then(|| redirect(302, format!("{storage}{}", asked.path)))
    });
    pulp.set(server.url()).expect("once");
    store.set(storage.url()).expect("once");
    let told = call(&server.url(), json!({}));
    assert_eq!(told.reply["healthy"], true, "{}", told.raw);
    assert!(!server.credentials().is_empty());
    assert!(storage.asked().len() >= 3, "{:?}", storage.asked());
    assert_eq!(storage.credentials(), Vec::<String>::new());
}

#[test]
fn what_a_user_may_not_see_is_told_to_be_hidden_perhaps() {
    let server = pulp3(CONTENT, |asked| {
        asked.path.ends_with("/sync/").then(|| {
            reply(
                404,
                r#"{"detail":"No RpmRepository matches the given query."}"#,
            )
        })
    });
    let told = call(&server.url(), json!({}));
    told.failed_with(&[
        "health step `sync` failed",
        "No RpmRepository matches",
        "`admin` may not see it",
    ]);
    told.left_nothing();
}

#[test]
fn a_package_that_may_not_be_cleaned_up_is_left_over_by_name() {
    let server = pulp3(CONTENT, |asked| {
        asked.path.ends_with("/orphans/cleanup/").then(|| {
            reply(
                403,
                r#"{"detail":"You do not have permission to perform this action."}"#,
            )
        })
    });
    let told = call(&server.url(), json!({}));
    told.failed_with(&["403", "permission"]);
    assert_eq!(
        told.reply["leftovers"].as_array().map(Vec::len),
        Some(1),
        "{}",
        told.raw
    );
}

#[test]
fn a_lost_answer_makes_nothing_twice() {
    let lost = AtomicUsize::new(0);
    let server = pulp3(CONTENT, move |asked| {
        let is_first = asked.method == "POST"
            && asked.path.ends_with("repositories/rpm/rpm/")
            && lost.fetch_add(1, Ordering::Relaxed) == 0;
        is_first.then(|| reply(502, "<html>Bad Gateway"))
    });
    let told = call(&server.url(), json!({}));
    told.failed_with(&["502", "pulpcore-api"]);
    told.left_nothing();
}
