//! Who is taken for the broker: by what listens, and while nothing does.

use super::*;

fn heard(unit: &str, program: &str) -> Heard {
    Heard {
        listener: Listener {
            pid: 7,
            unit: Some(unit.to_owned()).filter(|unit| !unit.is_empty()),
        },
        programs: vec![program.to_owned()],
        is_contained: false,
    }
}

fn owner(protocol: Protocol, unit: &str, program: &str) -> (Option<String>, Option<&'static str>) {
    let found = heard(unit, program).owner(protocol, || false);
    (found.unit, found.kind)
}

#[test]
fn the_program_that_listens_decides_whatever_its_unit_is_called() {
    use Protocol::{Amqp010, Amqp091, Postgresql, Redis};
    for (protocol, unit, program, kind) in [
        (Amqp091, "rabbitmq-server.service", "beam.smp", "rabbitmq"),
        (Amqp091, "pulp-mq.service", "beam.smp", "rabbitmq"),
        (Amqp010, "messages@pulp.service", "qpidd", "qpid"),
        // It is told that this is no AMQP 0-9-1.
        (Amqp091, "qpidd.service", "qpidd", "qpid"),
        (Redis, "valkey.service", "valkey-server", "redis"),
        (Redis, "rh-redis5-redis.service", "redis-server", "redis"),
        (Redis, "cache.service", "keydb-server", "redis"),
        (
            Postgresql,
            "rh-postgresql12-postgresql.service",
            "postgres",
            "postgresql",
        ),
        (Postgresql, "db@pulp.service", "postmaster", "postgresql"),
        // A known unit whose program is not known.
        (Amqp010, "qpidd.service", "python3", "qpid"),
    ] {
        let expected = (Some(unit.to_owned()), Some(kind));
        assert_eq!(owner(protocol, unit, program), expected, "{unit}");
    }
}

#[test]
fn a_proxy_a_pooler_or_a_container_engine_is_never_taken_for_a_broker() {
    use Protocol::{Amqp010, Amqp091, Postgresql, Redis};
    for (protocol, unit, program) in [
        (Amqp091, "haproxy.service", "haproxy"),
        (Amqp091, "docker.service", "docker-proxy"),
        (Postgresql, "pgbouncer.service", "pgbouncer"),
        // By its program, whatever its unit is called.
        (Redis, "redis.service", "stunnel"),
        (Postgresql, "postgresql.service", "conmon"),
        // Another kind of broker in its place.
        (Amqp010, "rabbitmq-server.service", "beam.smp"),
        (Amqp091, "redis.service", "redis-server"),
        (Redis, "", "redis-server"),
    ] {
        let found = heard(unit, program).owner(protocol, || true);
        assert_eq!(found.unit, None, "{unit}");
        let of = if unit.is_empty() { "no unit" } else { unit };
        let expected = format!("process 7 ({program}) of {of}");
        assert_eq!(found.foreign, Some(expected));
    }
}

#[test]
fn an_unknown_program_is_a_broker_only_if_it_answers_by_itself() {
    let unknown = heard("my-mq.service", "lavinmq");
    let found = unknown.owner(Protocol::Amqp091, || true);
    assert_eq!(
        (found.unit.as_deref(), found.kind),
        (Some("my-mq.service"), None)
    );
    let found = unknown.owner(Protocol::Amqp091, || false);
    assert_eq!(found.unit, None);
    let contained = Heard {
        is_contained: true,
        ..heard("my-mq.service", "redis-server")
    };
    assert_eq!(contained.owner(Protocol::Redis, || true).unit, None);
}

fn unit(name: &str) -> Unit {
    Unit {
        name: name.to_owned(),
        active_state: "inactive".to_owned(),
        sub_state: "dead".to_owned(),
        main_pid: 0,
        running: false,
        umbrella: false,
        found: true,
        last_exit: String::new(),
        restarts: 0,
        restart: String::new(),
        active_since_us: 0,
    }
}

fn candidate(name: &str, is_enabled: bool) -> Candidate {
    Candidate {
        unit: unit(name),
        kind: units::kind(name),
        is_enabled,
        has_run: false,
        is_elsewhere: false,
    }
}

#[test]
fn an_enabled_unit_comes_before_a_disabled_one_and_a_running_one_before_both() {
    let disabled = candidate("a.service", false);
    let enabled = candidate("b.service", true);
    let mut running = candidate("c.service", false);
    running.unit.running = true;
    let owner = BrokerOwner::judge(&[disabled, enabled]);
    assert_eq!(owner.unit.as_deref(), Some("b.service"));
    let owner = BrokerOwner::judge(&[candidate("b.service", true), running]);
    assert_eq!(owner.unit.as_deref(), Some("c.service"));
}

#[test]
fn no_unit_is_named_where_it_is_not_certain() {
    // Installed, and nobody knows that it ever ran.
    let mut alone = candidate("redis.service", false);
    assert_eq!(
        BrokerOwner::judge(std::slice::from_ref(&alone)),
        BrokerOwner::default()
    );
    alone.has_run = true;
    let owner = BrokerOwner::judge(std::slice::from_ref(&alone));
    assert_eq!(
        (owner.unit.as_deref(), owner.kind),
        (Some("redis.service"), Some("redis"))
    );
    alone.is_elsewhere = true;
    assert_eq!(BrokerOwner::judge(&[alone]), BrokerOwner::default());
    let two = [
        candidate("redis.service", true),
        candidate("valkey.service", true),
    ];
    let owner = BrokerOwner::judge(&two);
    assert_eq!(owner.unit, None);
    assert_eq!(owner.several, ["redis.service", "valkey.service"]);
}

#[test]
fn an_umbrella_is_never_a_brokers_unit() {
    let mut umbrella = candidate("postgresql.service", true);
    umbrella.unit.umbrella = true;
    let error = refuse_wrong("postgresql.service", Some(&umbrella.unit)).unwrap_err();
    assert!(error.to_string().contains("postgresql@15-main"), "{error}");
    assert_eq!(BrokerOwner::judge(&[umbrella]), BrokerOwner::default());
}
