//! What follows from an answer of Pulp's, whoever reads it.

use serde_json::{Value, json};

use super::*;

fn of(generation: Generation, answer: &Value) -> Settings {
    Settings {
        generation: Some(generation),
        ..Settings::deserialize(answer).unwrap()
    }
}

fn pulp_3() -> Value {
    json!({
        "version": "3.123.1", "url": "https://pulp.example.com", "api_root": "/pulp/", "domains": false, "caches": true,
        "worker_type": "pulpcore", "new_worker_type": null, "database": "p", "seeds": [["db", 6432]], "other_databases": ["replica"],
        "places": {"database": {"Ok": ["postgresql://db:6432/?", "Pulp's own settings: DATABASES"]},
            "cache": {"Ok": ["redis://cache:6379/", "Pulp's own settings: REDIS"]}},
        "secrets": ["hunter2"], "files": [],
    })
}

/// The URL of what would be taken away, or the end of why it cannot be told.
fn told(settings: &Settings, target: Target) -> String {
    match settings.place(target) {
        Ok((url, _)) => url,
        Err(error) => {
            let error = error.to_string();
            let why = error.strip_prefix(
                "VOID broker_uncertain: failed to find what is to be taken away in Pulp's settings: ",
            );
            why.unwrap_or(&error).to_owned()
        }
    }
}

#[test]
fn what_carries_the_tasks_follows_from_version_and_settings() {
    for (kind, new, version, expected) in [
        (Value::Null, Value::Null, "3.13.0", "redis"),
        (Value::Null, json!(true), "3.14.1", "postgresql"),
        (Value::Null, json!(false), "3.15.9", "redis"),
        (json!("redis"), Value::Null, "3.107.1", "postgresql"),
        (json!("redis"), Value::Null, "3.123.1", "redis"),
        (json!("pulpcore"), Value::Null, "3.123.1", "postgresql"),
    ] {
        let mut answer = pulp_3();
        answer["worker_type"] = kind.clone();
        answer["new_worker_type"] = new;
        answer["version"] = version.into();
        let found = of(Generation::Three, &answer);
        assert_eq!(found.carrier(), Ok(expected), "{kind} {version}");
        let broker = told(&found, Target::Broker);
        assert!(broker.starts_with(expected), "{kind} {version}: {broker}");
    }
    let mut answer = pulp_3();
    answer["worker_type"] = Value::Null;
    answer["version"] = "4.0".into();
    let unknown = told(&of(Generation::Three, &answer), Target::Broker);
    assert_eq!(unknown, "pulpcore 4.0 is not known here; set `broker_url`");
}

#[test]
fn what_one_part_cannot_tell_leaves_the_other() {
    let mut answer = pulp_3();
    answer["places"]["database"] = json!({"Err": "KeyError in /etc/x.py, line 3"});
    let found = of(Generation::Three, &answer);
    let why = "KeyError in /etc/x.py, line 3; set `broker_url`";
    assert_eq!(told(&found, Target::Broker), why);
    assert_eq!(told(&found, Target::Cache), "redis://cache:6379/");
    answer["caches"] = false.into();
    let none = told(&of(Generation::Three, &answer), Target::Cache);
    assert!(none.contains("this Pulp has no cache"), "{none}");
}

#[test]
fn a_pulp_of_which_nothing_is_known_is_uncertain_whatever_is_wanted() {
    let of_both = Settings::unknown(None, "x".to_owned());
    let of_3 = Settings::unknown(Some(Generation::Three), "x".to_owned());
    for target in [Target::Broker, Target::Database, Target::Cache] {
        assert_eq!(told(&of_both, target), "x; set `broker_url`");
        assert_eq!(told(&of_3, target), "x; set `broker_url`");
    }
}

#[test]
fn a_pulp_2_has_one_broker_and_nothing_else_that_is_taken_away() {
    let answer = json!({
        "places": {"broker": {"Ok": ["qpids://h:5672/%2F", "Pulp's own Celery application"]}},
        "messaging_url": "tcp://h", "transport": "rabbitmq", "worker_timeout": 30, "seeds": [["db", 27017]],
        "retry": {"retries": true, "most": null},
    });
    let found = of(Generation::Two, &answer);
    assert_eq!(told(&found, Target::Broker), "qpids://h:5672/%2F");
    assert!(told(&found, Target::Database).contains("Pulp 2's database is no broker"));
    assert_eq!(found.agents_url().as_deref(), Some("amqp://h"));
    let endless = found.retry.map(in_words).unwrap_or_default();
    assert!(endless.contains("without end"), "{endless}");
    assert_eq!(in_words(Retry::default()), "");
    assert_eq!(found.effective(Target::Cache), Target::Cache);
}
