//! The URLs that Pulp's brokers are given by, and what is kept secret of them.

use super::*;

fn parse(url: &str) -> Endpoint {
    Endpoint::parse(url, "test").unwrap()
}

fn is(url: &str, protocol: Protocol, tls: bool, place: &str) {
    let endpoint = parse(url);
    let found = (endpoint.protocol, endpoint.tls, endpoint.to_string());
    assert_eq!(found, (protocol, tls, place.to_owned()), "{url}");
}

#[test]
fn amqp_urls_are_read_with_their_default_ports() {
    let is = |url, tls, place| is(url, Protocol::Amqp091, tls, place);
    is(
        "amqp://u:p%40@mq.example.com//",
        false,
        "mq.example.com:5672",
    );
    is("amqps://u:p@mq", true, "mq:5671");
    is("pyamqp://mq:1/x?heartbeat=5", false, "mq:1");
    is("tcp://localhost:5673", false, "localhost:5673");
    is("ssl://localhost", true, "localhost:5671");
    is("amqp://u:p@[::1]:5672//", false, "[::1]:5672");
}

#[test]
fn a_url_of_qpid_asks_for_amqp_0_10() {
    is(
        "qpid://localhost/",
        Protocol::Amqp010,
        false,
        "localhost:5672",
    );
    is("qpids://mq/", Protocol::Amqp010, true, "mq:5671");
}

#[test]
fn redis_is_reached_over_tcp_tls_or_a_socket() {
    let is = |url, tls, place| is(url, Protocol::Redis, tls, place);
    is("redis://:secret@mq/0", false, "mq:6379");
    is("rediss://mq:6380/0?ssl_cert_reqs=none", true, "mq:6380");
    is(
        "redis+socket:///run/redis/r.sock?virtual_host=1",
        false,
        "/run/redis/r.sock",
    );
    is(
        "unix://:secret@/run/redis/r.sock?db=1",
        false,
        "/run/redis/r.sock",
    );
}

#[test]
fn postgresql_is_reached_as_libpq_reaches_it() {
    let is = |url, tls, place| is(url, Protocol::Postgresql, tls, place);
    is(
        "postgresql://u:p@db.example.com/pulp",
        false,
        "db.example.com:5432",
    );
    is("postgres://db:5433/pulp?sslmode=require", true, "db:5433");
    is("postgresql://db/pulp?sslmode=verify-full", true, "db:5432");
    is("postgresql://db/pulp?sslmode=prefer", false, "db:5432");
    is("postgresql:///pulp?host=db&port=6432", false, "db:6432");
    is(
        "postgresql:///pulp?host=/tmp&port=5433",
        false,
        "/tmp/.s.PGSQL.5433",
    );
    is(
        "postgresql://%2Ftmp:5433/pulp?sslmode=require",
        false,
        "/tmp/.s.PGSQL.5433",
    );
    is(
        "postgresql:///pulp",
        false,
        "/var/run/postgresql/.s.PGSQL.5432",
    );
}

#[test]
fn a_socket_has_no_port_and_no_address_and_says_so_in_the_facts() {
    let socket = parse("unix:///run/r.sock");
    assert_eq!(
        (socket.port(), socket.addresses().unwrap()),
        (None, Vec::new())
    );
    let shown = serde_json::to_value(&socket).unwrap();
    let expected =
        serde_json::json!({"host": null, "port": null, "socket": "/run/r.sock", "tls": false});
    assert_eq!(shown, expected);
    assert_eq!(
        serde_json::to_value(parse("redis://h")).unwrap()["port"],
        6379
    );
}

#[test]
fn a_url_with_its_password_never_stands_in_an_error() {
    for url in [
        "tcp://u:hunter2@",
        "amqp://h/?x=hunter2",
        "mysql://u:hunter2@h",
        "amqp://u:hunter2/x@h",
        "amqp://u:hunter2@a;amqp://b",
        "redis://:hunter2@[h",
        "redis+socket://:hunter2@h",
        "postgresql://u:hunter2@a,b/pulp",
        "postgresql://u:hunter2@a:x/pulp",
        "postgresql:///pulp?host=/tmp&port=x&password=hunter2",
    ] {
        let error = Endpoint::parse(url, "/etc/pulp/server.conf")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("/etc/pulp/server.conf"), "{error}");
    }
}

#[test]
fn the_password_is_known_as_written_and_decoded() {
    assert_eq!(secrets("amqp://u:p%40ss@h//"), ["p%40ss", "p@ss"]);
    assert!(secrets("qpid://localhost/").is_empty());
    assert!(secrets("amqp://guest@localhost/").is_empty());
    assert!(secrets("postgresql:///pulp?host=/tmp&user=pulp").is_empty());
}

#[test]
fn a_password_is_found_wherever_a_url_may_hold_it() {
    for url in [
        "redis://:hunter2@h:6379/0",
        "redis://hunter2@h:6379/0",
        "redis://:hunter2@h:6379/0?x=a@b",
        "unix://:hunter2@/run/r.sock",
        "unix:///run/r.sock?db=0&password=hunter2",
        "postgresql://u:hunter2@h/pulp",
        "postgresql:///pulp?user=u&password=hunter2",
        "postgresql:///pulp?sslpassword=hunter2",
    ] {
        assert!(secrets(url).contains(&"hunter2".to_owned()), "{url}");
    }
}

#[test]
fn its_own_url_leads_to_the_same_place_without_credentials() {
    for url in [
        "amqp://u:hunter2@mq//",
        "ssl://u:hunter2@[::1]:5",
        "qpid://u:hunter2@mq/v",
        "qpids://mq",
        "rediss://:hunter2@mq:6380/0",
        "redis+socket:///run/redis/r.sock?password=hunter2",
        "postgresql://u:hunter2@db/pulp?sslmode=verify-full",
        "postgresql://u:hunter2@db/pulp",
        "postgresql:///pulp?host=/tmp/a.b&port=5433&password=hunter2",
    ] {
        let endpoint = Endpoint::parse(url, "test").unwrap();
        let own = endpoint.url("a/b");
        assert!(!own.contains("hunter2"), "{own}");
        assert_eq!(Endpoint::parse(&own, "test").unwrap(), endpoint, "{own}");
    }
    let endpoint = Endpoint::parse("amqp://u:p@mq/pulp", "test").unwrap();
    assert_eq!(url::virtual_host(&endpoint.url("a/b")), "a/b");
}
