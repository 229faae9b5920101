//! What the report promises of its forms: the JSON fits its schema, the XML is read again, the page needs
//! nothing else and stays small, and nothing that anybody said becomes markup.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value as Json, json};

use super::{Report, make};
use crate::verdict::Wishes;
use crate::verdict::tests::{SCENE, UNIT, WORKER, at, changed, sample};

const SCHEMA: &str = include_str!("../../../docs/report.schema.json");

const NONE: Wishes = Wishes {
    strict: false,
    void_passes: false,
};

fn report(results: &Json) -> Report {
    make(results, None, NONE, "/tmp/report.html")
}

fn exited() -> Json {
    changed(&[
        (
            &at(WORKER, "exits"),
            json!([{"at": 9.3, "how": "exited with status 1"}]),
        ),
        (&at(WORKER, "running"), json!(false)),
        (&at(SCENE, "queues/after"), json!({"pulp.task": 0})),
        (
            "/cause",
            json!(format!(
                "FAILED service_exited: {UNIT} says <script>alert('x')</script> & \"y\""
            )),
        ),
    ])
}

fn void() -> Json {
    changed(&[(&at(SCENE, "watch"), Json::Null)])
}

/// What the play hands over where set-up refused: no scenario, no reply of one, nothing to be given back.
fn refused() -> Json {
    json!({
        "run": {"id": "r", "method": "stop", "apply_at": "broker", "scenarios": []},
        "cause": "VOID busy: 1 task of others runs; wait for it; nothing was touched",
        "cause_host": "demo",
        "refused": ["busy: 1 task of others runs; wait for it", "unsupported: a cluster manager runs here"],
        "left": "",
        "restored_at": "",
        "hosts": {"demo": {"facts": {}, "lost": false, "not_restored": "", "scenarios": {}}},
    })
}

#[test]
fn a_refused_run_is_told_as_one_that_touched_nothing() {
    let report = report(&refused());
    assert_eq!(
        report.line,
        "PULP_BROKER_TEST verdict=void name=busy actor=- restored=yes report=/tmp/report.html"
    );
    assert!(
        report.sentence.starts_with("VOID busy: 1 task of others"),
        "{}",
        report.sentence
    );
    let verdict = &report.verdict;
    assert_eq!(
        verdict["as_before"],
        "Pulp is as it was before: yes (nothing was taken away)"
    );
    assert_eq!(
        verdict["felt"],
        "What your users felt: nothing; no outage was made"
    );
    // Everything in the way is evidence, what is the cause itself only once.
    assert_eq!(
        verdict["evidence"].as_array().map(Vec::len),
        Some(2),
        "{verdict:#}"
    );
    assert!(report.junit.contains("errors=\"1\"") && report.junit.contains("<error type=\"busy\""));
    assert!(!report.html.contains("taken away by"));
}

#[test]
fn the_picture_counts_from_a_host_that_saw_the_outage() {
    let unseen = |name: &str| {
        let mut results = sample();
        let mut host = results["hosts"]["demo"].clone();
        let broker = host.pointer_mut("/scenarios/reconnect/watch/broker");
        let broker = broker.unwrap().as_object_mut().unwrap();
        broker.retain(|key, _| !matches!(key.as_str(), "down_at" | "up_at"));
        results["hosts"][name] = host;
        results
    };
    // One that comes before the host that saw it, and one that comes after.
    for name in ["aa", "zz"] {
        let html = report(&unseen(name)).html;
        assert!(html.contains(&format!("<h4>{name}</h4>")), "{name}");
        assert!(!html.contains("since the observer began"), "{name}");
    }
    let mut nobody = unseen("demo");
    nobody["cause"] = json!("VOID busy: a task of others runs");
    let html = report(&nobody).html;
    assert!(html.contains("seconds since the observer began"));
}

/// Where a value does not fit; of the schema language only what ours uses.
fn misfits(schema: &Json, value: &Json, root: &Json, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        return misfits(target, value, root, place);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any
            .iter()
            .any(|s| misfits(s, value, root, place).is_empty());
        return if fits {
            Vec::new()
        } else {
            vec![format!("{place}: fits none")]
        };
    }
    let mut found = Vec::new();
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let is = |word: &Json| word == kind || word == "number" && kind == "integer";
    let allowed = match &schema["type"] {
        Json::Null => true,
        Json::Array(kinds) => kinds.iter().any(is),
        one => is(one),
    };
    let listed = schema["enum"]
        .as_array()
        .is_none_or(|words| words.contains(value));
    let constant = schema.get("const").is_none_or(|word| word == value);
    if !(allowed && listed && constant) {
        found.push(format!("{place}: {value} does not fit {schema}"));
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        if value.get(key.as_str().unwrap()).is_none() {
            found.push(format!("{place}: no {key}"));
        }
    }
    if let (Some(map), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (key, value) in map {
            match properties.get(key) {
                Some(schema) => {
                    found.extend(misfits(schema, value, root, &format!("{place}/{key}")));
                }
                None => found.push(format!("{place}: {key} is not in the schema")),
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(misfits(
            &schema["items"],
            item,
            root,
            &format!("{place}/{index}"),
        ));
    }
    found
}

#[test]
fn the_json_fits_its_schema() {
    let schema: Json = serde_json::from_str(SCHEMA).unwrap();
    let before: Json = serde_json::from_str(&report(&sample()).json).unwrap();
    for results in [sample(), exited(), void(), json!({})] {
        let text = make(&results, Some(&before), NONE, "x").json;
        let document: Json = serde_json::from_str(&text).unwrap();
        let found = misfits(&schema, &document, &schema, "");
        assert!(found.is_empty(), "{found:#?}");
    }
    let found = misfits(&schema, &json!({"version": 2, "new": 1}), &schema, "");
    assert!(found.len() > 5, "{found:#?}");
}

/// How often each element is there.
fn count(xml: &str, name: &str) -> usize {
    let mut reader = Reader::from_str(xml);
    let mut count = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                count += usize::from(tag.name().as_ref() == name);
            }
            Event::Eof => return count,
            _ => {}
        }
    }
}

#[test]
fn junit_counts_failures_errors_and_what_the_user_wishes() {
    let counts =
        |xml: &str| ["failure", "error", "skipped", "system-out"].map(|name| count(xml, name));
    assert_eq!(counts(&report(&sample()).junit), [0, 0, 0, 1]);
    let failed = report(&exited()).junit;
    assert_eq!(counts(&failed), [1, 0, 0, 2], "{failed}");
    assert!(failed.contains(r#"failures="1" errors="0""#), "{failed}");
    assert_eq!(counts(&report(&void()).junit)[..2], [0, 1]);
    let strict = Wishes {
        strict: true,
        ..NONE
    };
    assert_eq!(
        counts(&make(&exited(), None, strict, "").junit)[..2],
        [2, 0]
    );
    let passes = Wishes {
        void_passes: true,
        ..NONE
    };
    let told = make(&void(), None, passes, "");
    assert_eq!(counts(&told.junit)[..3], [0, 0, 1]);
    assert_eq!(told.verdict["passes"], true);
}

#[test]
fn the_page_needs_nothing_else_and_takes_nothing_for_markup() {
    let html = report(&exited()).html;
    for forbidden in [
        "<script", "<link", "<img", "url(", "@import", "src=", "href=",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("&lt;script&gt;alert('x')"));
    // First whether Pulp is as before, then the verdict, then what was felt, then the picture.
    let order = [
        "Pulp is as it was before: yes",
        "<h1>Failed",
        "What your users felt",
        "<div class=\"tl\"",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| html.find(part)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}"
    );
}

#[test]
fn who_is_started_again_has_come_back_where_that_is_how_it_is_meant() {
    let exits = json!([{"at": 9.3, "how": "exited with status 1"}]);
    for (version, came_back) in [("3.123.1", "<b>6 of 6</b>"), ("2.21.5", "<b>5 of 6</b>")] {
        let page = report(&changed(&[
            ("/run/pulp_version", json!(version)),
            (&at(WORKER, "exits"), exits.clone()),
        ]))
        .html;
        assert!(page.contains(came_back), "Pulp {version}: {page}");
    }
}

/// Whatever is known of a unit by its name follows from the one table of `names/families.rs`, which has this family in tests.
#[test]
fn a_service_of_a_new_family_of_names_is_judged_and_reported_like_others() {
    let unit = "made-up-tasks@1.service";
    let failure = |name: &str| json!({"name": name, "actor": {"name": unit}, "text": "x"});
    let health = json!({"failed": true, "msg": "x",
        "failures": [failure("task_stuck"), failure("worker_missing")]});
    let report = report(&changed(&[
        ("/run/pulp_version", json!("3.123.1")),
        (&at(WORKER, "name"), json!(unit)),
        (&at(WORKER, "role"), Json::Null),
        (&at(WORKER, "worker"), json!("812@demo")),
        (&at(SCENE, "health"), health),
    ]));
    assert!(
        report
            .line
            .contains(&format!("name=worker_missing actor={unit} ")),
        "{}",
        report.line
    );
    let page = &report.html;
    for part in [
        "<b>made-up-tasks@1</b><i>worker</i>",
        "<code>systemctl restart made-up-tasks@1.service</code>",
        "<code>pulp task cancel --href HREF</code>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("pulp-admin"));
    assert!(report.junit.contains(unit));
}

#[test]
fn the_last_line_has_one_word_for_each() {
    assert_eq!(
        report(&exited()).line,
        format!(
            "PULP_BROKER_TEST verdict=failed name=service_exited actor={UNIT} restored=yes report=/tmp/report.html"
        )
    );
    let survived = report(&sample()).line;
    assert!(
        survived.starts_with("PULP_BROKER_TEST verdict=survived name=- actor=- "),
        "{survived}"
    );
}

#[test]
fn the_run_before_is_compared() {
    let before: Json = serde_json::from_str(&report(&sample()).json).unwrap();
    let slower = changed(&[
        (&at(WORKER, "connected_at"), json!(60.0)),
        (&at(WORKER, "settled_at"), json!(66.0)),
    ]);
    let compared = make(&slower, Some(&before), NONE, "");
    let document: Json = serde_json::from_str(&compared.json).unwrap();
    let sentence = document["comparison"]["sentence"].as_str().unwrap();
    assert!(
        sentence.contains(
            "another verdict: survived; now it is survived with defects (late). 1 of 6 came back"
        ),
        "{sentence}"
    );
    assert!(compared.html.contains("run before"));
}

#[test]
fn many_hosts_make_a_small_report() {
    let mut results = sample();
    let host = results["hosts"]["demo"].take();
    let mut host = host;
    for scenario in ["connect", "reconnect"] {
        let actors = &mut host["scenarios"][scenario]["watch"]["actors"];
        let worker = actors[0].clone();
        for number in 2..7 {
            let mut more = worker.clone();
            more["name"] = json!(format!("pulp_worker-{number}.service"));
            actors.as_array_mut().unwrap().push(more);
        }
    }
    results["hosts"] = (0..50)
        .map(|n| (format!("pulp{n:02}"), host.clone()))
        .collect();
    let report = report(&results);
    for (form, text) in [
        ("html", &report.html),
        ("junit", &report.junit),
        ("json", &report.json),
    ] {
        assert!(text.len() < 2_000_000, "{form} has {} bytes", text.len());
    }
    assert!(report.line.contains("verdict=survived "), "{}", report.line);
}
