//! What is masked, and what is not.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::json;

use super::*;

/// As a reply with this as its message, and nothing beside it.
fn masked(secrets: &[&str], msg: Value) -> Value {
    let mut reply = Map::new();
    reply.insert("msg".to_owned(), msg);
    reply_masked(secrets, &reply.into())["msg"].clone()
}

fn reply_masked(secrets: &[&str], reply: &Value) -> Value {
    let mut known = Secrets::default();
    for secret in secrets {
        known.add(secret);
    }
    let mut reply = reply.as_object().unwrap().clone();
    known.mask(&mut reply);
    reply.into()
}

#[test]
fn masks_as_ansible_does() {
    let value =
        json!({"whole": "hunter2", "part": "xhunter2y", "deep": [{"k": "hunter2"}], "yes": true});
    let expected = json!({
        "whole": WHOLE, "part": "x********y", "deep": [{"k": WHOLE}], "yes": true,
    });
    assert_eq!(masked(&["hunter2"], value), expected);
}

#[test]
fn the_longest_secret_is_masked_first() {
    assert_eq!(
        masked(&["a1b2c3", "a1b2c3d4"], json!("-a1b2c3d4-a1b2c3-")),
        "-********-********-"
    );
}

#[test]
fn empty_secrets_and_booleans_are_no_matter() {
    assert_eq!(
        masked(&["", "true"], json!(["", true, null])),
        json!(["", true, null])
    );
}

#[test]
fn a_number_is_masked_where_a_secret_stands_and_nowhere_else() {
    let reply = json!({"password": [1234, 0.000_01, 12], "port": 1234, "seconds": 0.000_01});
    let expected = json!({"password": [WHOLE, WHOLE, 12], "port": 1234, "seconds": 0.000_01});
    assert_eq!(reply_masked(&["1234", "1e-05"], &reply), expected);
}

#[test]
fn the_forms_in_a_url_are_masked() {
    let url = json!("amqp://u:p%40ss%2fw%C3%B6rd!@h/ and p%40ss%2Fw%c3%b6rd%21");
    assert_eq!(
        masked(&["p@ss/wörd!"], url),
        "amqp://u:********@h/ and ********"
    );
}

#[test]
fn escaped_forms_are_masked() {
    let secret = "a\"b\\c\nd";
    let debug = format!("{secret:?}");
    let nested = json!({"body": json!({"p": secret}).to_string(), "debug": debug});
    let expected = json!({"body": "{\"p\":\"********\"}", "debug": "\"********\""});
    assert_eq!(masked(&[secret], nested), expected);
}

/// As Python's logs have it.
#[test]
fn python_s_own_forms_are_masked() {
    let logged = json!([r#"b'\'\xc3\xbc\\"'"#, r#"u'\'\xfc\\"'"#, r#"'\'ü\\"'"#]);
    let expected = json!(["b'********'", "u'********'", "'********'"]);
    assert_eq!(masked(&["'ü\\\""], logged), expected);
}

/// As Python writes JSON, and Django a page.
#[test]
fn the_forms_in_what_pulp_answers_are_masked() {
    let secret = "\"p\u{e4}ss<\u{1f600}'&\"";
    let answers = json!([
        r#"{"p": "\"p\u00e4ss<\ud83d\ude00'&\""}"#,
        "<b>&quot;p\u{e4}ss&lt;\u{1f600}&#x27;&amp;&quot;</b>",
    ]);
    let expected = json!([r#"{"p": "********"}"#, "<b>********</b>"]);
    assert_eq!(masked(&[secret], answers), expected);
}

#[test]
fn basic_authentication_is_masked_whatever_the_user() {
    for user in ["a", "ab", "abc", "abcd"] {
        let header = STANDARD.encode(format!("{user}:correct horse"));
        let shown = masked(&["correct horse"], json!(format!("Basic {header}")));
        let shown = shown.as_str().unwrap_or_default();
        assert!(shown.contains(PART), "{shown}");
        let left: usize = shown.replace(PART, "").trim_start_matches("Basic ").len();
        assert!(left <= user.len() * 8 / 6 + 6, "{shown}");
    }
}

/// The values of a reply by which a reader and the play go: its names, its numbers, what it is called by.
fn facts(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.push(key.clone());
                facts(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| facts(item, key, found)),
        Value::String(text) if keys::FOREIGN.contains(&key) || text.contains(' ') => {}
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}

fn facts_of(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    facts(value, "", &mut found);
    found
}

/// Whole names, and what they are made of.
fn parts(facts: &[String]) -> BTreeSet<&str> {
    let pieces = facts
        .iter()
        .flat_map(|fact| fact.split(|c: char| !c.is_alphanumeric()));
    let whole = facts.iter().map(String::as_str);
    whole
        .chain(pieces)
        .filter(|part| !part.is_empty())
        .collect()
}

/// A run as a lab's play handed it over.
fn recorded(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verdict/tests/recorded");
    let mut text = String::new();
    let file = File::open(folder.join(format!("{name}.json.gz"))).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["results"].take()
}

/// A password where passwords stand, beside everything that a run knows.
fn planted(word: &str) -> Value {
    let basic = STANDARD.encode(format!("admin:{word}"));
    json!({
        "password": word,
        "url": format!("amqp://pulp:{word}@mq:5672//"),
        "redis": format!("redis://:{word}@cache/0"),
        "settings": [
            format!("password={word} host=db"),
            format!("default_password: {word}"),
            format!("{{\"PASSWORD\": \"{word}\", \"PORT\": 1}}"),
            format!("--password {word}"),
            format!("<password>{word}</password>"),
            format!("GET /x?a=b&token={word}"),
            format!("Authorization: Basic {basic}"),
        ],
    })
}

/// As they are where nothing of them is left.
fn demand_hidden(word: &str, shown: &Value) {
    let settings = json!([
        "password=******** host=db",
        "default_password: ********",
        "{\"PASSWORD\": \"********\", \"PORT\": 1}",
        "--password ********",
        "<password>********</password>",
        "GET /x?a=b&token=********",
        "Authorization: Basic ********",
    ]);
    assert_eq!(shown["password"], WHOLE, "{word}");
    assert_eq!(shown["url"], "amqp://pulp:********@mq:5672//", "{word}");
    assert_eq!(shown["redis"], "redis://:********@cache/0", "{word}");
    // Base64 of a longer word leaves a beginning that depends on the user alone.
    let is_hidden = |(shown, expected): (&Value, &Value)| {
        shown == expected
            || shown
                .as_str()
                .is_some_and(|s| s.contains("Basic ") && s.contains(PART))
    };
    let shown = shown["settings"].as_array().unwrap();
    let pairs = shown.iter().zip(settings.as_array().unwrap());
    let all = pairs.into_iter().all(is_hidden);
    assert!(all, "{word}: {shown:?}");
}

/// Each word that a run's results hold, taken for the password: no name, state or number changes, and the password
/// is masked where passwords stand.
#[test]
fn a_password_that_is_a_word_of_the_reply_blinds_nobody() {
    for name in ["broker_uncertain", "busy", "service_exited", "unsupported"] {
        let run = recorded(name);
        let expected = facts_of(&run);
        // Nobody's password is the URL of a place.
        for word in parts(&expected).into_iter().filter(|w| !is_bare_url(w)) {
            let with = json!({ "run": run, "planted": planted(word) });
            let shown = reply_masked(&[word], &with);
            assert_eq!(facts_of(&shown["run"]), expected, "{word}");
            demand_hidden(word, &shown["planted"]);
        }
    }
}

/// What a reader or the play takes out of a sentence.
#[test]
fn a_password_that_is_a_word_of_ours_leaves_our_sentences_alone() {
    let msg = "VOID broker_uncertain: failed to find `pulp_workers.service` at localhost:5672; see `systemctl status httpd`";
    let reply = json!({ "msg": msg, "lines": ["FOUND Pulp 2: httpd"], "as_before": "Pulp is as it was before: yes (x)" });
    for word in [
        "VOID",
        "broker",
        "uncertain",
        "broker_uncertain",
        "pulp",
        "pulp_workers",
        "workers",
        "localhost",
        "httpd",
        "FOUND",
        "before",
        "yes",
        "systemctl",
        "root",
    ] {
        assert_eq!(reply_masked(&[word], &reply), reply, "{word}");
    }
}

#[test]
fn a_secret_that_is_no_word_is_masked_wherever_it_stands() {
    let reply = json!({
        "msg": "xTr0ub4dor3x", "name": "pulp-Tr0ub4dor3.service", "html": "<b>Tr0ub4dor3</b>",
        "error": "a%54r0ub4dor3", "port": 3,
    });
    let expected = json!({
        "msg": "x********x", "name": "pulp-********.service", "html": "<b>********</b>",
        "error": "a********", "port": 3,
    });
    assert_eq!(reply_masked(&["Tr0ub4dor3"], &reply), expected);
    // Not even where it looks like a name, as long as none is called so.
    let reply = json!({"msg": "see /tmp/correct-horse-7/x", "name": "pulp"});
    assert_eq!(
        reply_masked(&["correct-horse-7"], &reply)["msg"],
        "see /tmp/********/x"
    );
    let reply = json!({"msg": "correcthorsebattery", "name": "pulp"});
    assert_eq!(reply_masked(&["correcthorsebattery"], &reply)["msg"], WHOLE);
}

/// `hunter` is no word of ours, and may be a part of one.
#[test]
fn a_secret_of_letters_is_masked_where_it_stands_alone() {
    for (text, expected) in [
        ("it says hunter.", "it says ********."),
        (
            "'hunter', \"hunter\" (hunter) hunter: x",
            "'********', \"********\" (********) ********: x",
        ),
        (
            "user=hunter scott:hunter %20hunter \\nhunter",
            "user=******** scott:******** %20******** \\n********",
        ),
        (
            "headhunter hunters hunter_1 /opt/hunter/x hunter.example.com",
            "headhunter hunters hunter_1 /opt/hunter/x hunter.example.com",
        ),
        ("amqp://u:hunter", "amqp://u:********"),
    ] {
        assert_eq!(masked(&["hunter"], json!(text)), expected, "{text}");
    }
}

#[test]
fn a_word_that_is_said_anyway_is_masked_in_foreign_text_where_it_stands_alone() {
    let reply = json!({
        "name": "pulp_workers.service",
        "msg": "pulp_workers.service: Pulp is pulp",
        "evidence": "pulp_workers: login of pulp (password pulp) at pulp.example.com",
    });
    let shown = reply_masked(&["pulp"], &reply);
    assert_eq!(shown["msg"], reply["msg"]);
    assert_eq!(
        shown["evidence"],
        "pulp_workers: login of ******** (password ********) at pulp.example.com"
    );
}

#[test]
fn a_url_without_credentials_is_no_secret() {
    for (url, is_bare) in [
        ("amqp://localhost:5672/%2F", true),
        ("redis://[fd00::1]:6379/0", true),
        ("amqp://pulp:x@h//", false),
        ("amqp://pulp:hunter2h//", false),
        ("redis://h/0?password=x", false),
        ("hunter2", false),
    ] {
        assert_eq!(is_bare_url(url), is_bare, "{url}");
    }
}

#[test]
fn the_keys_of_names_are_in_order() {
    assert!(keys::NAMES.is_sorted());
}
