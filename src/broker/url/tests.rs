//! URLs as kombu reads them: `kombu.jsonl` is what it answered.

use serde_json::{Value, json};

use super::*;
use crate::broker::Protocol;
use crate::broker::endpoint::{Endpoint, secrets};

/// What we make of a URL, in the words of the table.
fn read(url: &str) -> Option<Value> {
    let endpoint = Endpoint::parse(url, "test").ok()?;
    let place = serde_json::to_value(&endpoint).ok()?;
    let transport = match endpoint.protocol {
        Protocol::Amqp091 => "amqp",
        Protocol::Amqp010 => "qpid",
        Protocol::Redis | Protocol::Postgresql => return None,
    };
    Some(json!({
        "transport": transport, "hostname": place["host"], "port": place["port"], "ssl": endpoint.tls,
        "virtual_host": virtual_host(url),
    }))
}

/// Nothing is read in another way than kombu's; what it reads and we refuse is counted.
#[test]
fn every_url_is_read_as_kombu_reads_it_or_refused() {
    let (mut equal, mut refused) = (0, Vec::new());
    for line in include_str!("kombu.jsonl").lines() {
        let line: (String, Value, Value) = serde_json::from_str(line).unwrap();
        let (url, plain, secured) = line;
        // gofer's, which kombu does not know.
        if url.starts_with("tcp:") {
            continue;
        }
        for (url, mut kombus) in [(url.clone(), plain), (with_tls(&url), secured)] {
            let ours = read(&url);
            if let Some(told) = kombus.as_object_mut() {
                let password = told.remove("password");
                let password = password.as_ref().and_then(Value::as_str).unwrap_or("guest");
                let masked = secrets(&url).iter().any(|secret| secret == password);
                assert!(
                    masked || password == "guest",
                    "{url}: the password is not masked"
                );
                if told["transport"] == "amqps" {
                    told["transport"] = "amqp".into();
                }
            }
            match ours {
                Some(ours) => assert_eq!(ours, kombus, "{url}"),
                None if kombus.is_object() => refused.push(url),
                None => {}
            }
            equal += 1;
        }
    }
    assert!(equal > 1000, "{equal}");
    // Redis is read as Redis; the others have no scheme, or one that is no broker's of Pulp.
    let is_known = |url: &String| {
        [
            "redis",
            "sqs:",
            "memory:",
            "amqp:/h",
            "amqp+ssl:",
            "amqp:",
            "//h",
            "qpid:/h",
        ]
        .iter()
        .any(|begin| url.starts_with(begin))
            && !url.starts_with("amqp://")
    };
    refused.retain(|url| !is_known(url));
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn a_list_of_brokers_is_told_from_one() {
    assert!(names_several("amqp://a:5672//;amqp://b:5672//"));
    assert!(!names_several("amqp://u:p@a:5672//"));
}

#[test]
fn the_transport_says_what_an_agents_url_means() {
    for (url, transport, expected) in [
        ("tcp://h:5672", "qpid", "qpid://h:5672"),
        ("ssl://u:p@h", "qpid", "qpids://u:p@h"),
        ("ssl://h", "rabbitmq", "amqps://h"),
        ("tcp://h", "x", "tcp://h"),
        ("amqp://h", "qpid", "amqp://h"),
    ] {
        assert_eq!(of_transport(url, transport), expected);
    }
}

#[test]
fn tls_keeps_the_port_that_kombu_takes() {
    for (url, expected) in [
        ("qpid://u:p@h:5671/", "qpids://u:p@h:5671/"),
        ("amqp://h//", "amqps://h//"),
        ("qpid://u:p@h/v@x", "qpids://u:p@h:5672/v@x"),
        ("qpid:///", "qpids://:5672/"),
        ("qpid://[::1]:0#x", "qpids://[::1]:5672#x"),
        ("AMQP://u:p@[::1]/v", "amqps://u:p@[::1]/v"),
    ] {
        assert_eq!(with_tls(url), expected);
    }
}
