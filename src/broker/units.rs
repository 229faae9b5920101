//! Which programs and which units are brokers, and of which kind. Names of units are hints: they count where nothing listens.

mod configured;
mod installed;

use std::path::Path;

use super::Protocol;
use crate::service::full_name;
pub(super) use configured::is_configured_elsewhere;
pub(super) use installed::candidates;

/// The kind of broker that a unit is by its name, as facts name it; none when it is not known to be one.
pub(super) fn kind(unit: &str) -> Option<&'static str> {
    let name = unit.strip_suffix(".service")?;
    // One of several on a host, such as `redis@pulp` and `postgresql@15-main`.
    let name = name.split('@').next().unwrap_or(name);
    match name {
        "rabbitmq-server" => Some("rabbitmq"),
        "qpidd" => Some("qpid"),
        // Debian's name, EL's, and those of its successors.
        "redis-server" | "redis" | "valkey" | "valkey-server" | "keydb" | "keydb-server" => {
            Some("redis")
        }
        _ if is_postgresql(name) => Some("postgresql"),
        _ => in_collection(name),
    }
}

/// Debian's and EL's own (`postgresql`), or a version from PostgreSQL's packages for EL (`postgresql-15`, `postgresql-9.6`).
fn is_postgresql(name: &str) -> bool {
    match name.strip_prefix("postgresql") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('-')
            .is_some_and(|v| !v.is_empty() && v.chars().all(|c| c.is_ascii_digit() || c == '.')),
        None => false,
    }
}

/// EL's software collections: `rh-redis5-redis`, `rh-postgresql12-postgresql`, `postgresql92-postgresql`.
fn in_collection(name: &str) -> Option<&'static str> {
    let kinds = [
        ("redis", "redis"),
        ("valkey", "redis"),
        ("postgresql", "postgresql"),
    ];
    kinds.into_iter().find_map(|(word, kind)| {
        let collection = name.strip_suffix(word)?.strip_suffix('-')?;
        let collection = collection.strip_prefix("rh-").unwrap_or(collection);
        let version = collection.strip_prefix(word)?;
        let is_version = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        is_version.then_some(kind)
    })
}

/// The kind of broker that a program is, by its name.
pub(super) fn server(program: &str) -> Option<&'static str> {
    match program {
        // Erlang's virtual machine, which runs RabbitMQ.
        "beam.smp" | "beam" => Some("rabbitmq"),
        "qpidd" => Some("qpid"),
        "redis-server" | "valkey-server" | "keydb-server" => Some("redis"),
        "postgres" | "postmaster" => Some("postgresql"),
        _ => None,
    }
}

/// Programs that hand connections on, or that hold ports for others.
const RELAYS: &[&str] = &[
    "autossh",
    "aardvark-dns",
    "conmon",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "docker",
    "docker-proxy",
    "dockerd",
    "envoy",
    "gobetween",
    "haproxy",
    "init",
    "ipvsadm",
    "keepalived",
    "kube-proxy",
    "netavark",
    "nginx",
    "nutcracker",
    "odyssey",
    "pasta",
    "pasta.avx2",
    "pgbouncer",
    "pgcat",
    "pgpool",
    "podman",
    "qdrouterd",
    "rinetd",
    "rootlessport",
    "runc",
    "slirp4netns",
    "socat",
    "ssh",
    "sshd",
    "stunnel",
    "stunnel4",
    "stunnel5",
    "systemd",
    "systemd-socket-proxyd",
    "traefik",
    "twemproxy",
    "varnishd",
    "xinetd",
];

/// Whether a program is a proxy, a pooler, a container engine or the like.
pub(super) fn is_relay(program: &str) -> bool {
    RELAYS.contains(&program)
}

/// Whether a kind of broker is what is reached by a protocol. A qpidd behind `amqp://` is not what Pulp's settings mean, but it is what
/// is there; the probe says that it speaks 0-10.
pub(super) fn speaks(kind: &str, protocol: Protocol) -> bool {
    kind == kind_of(protocol)
        || matches!((kind, protocol), ("rabbitmq" | "qpid", Protocol::Amqp091))
}

/// The kind of a broker of which only its protocol is known.
pub(super) fn kind_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Amqp091 => "amqp",
        Protocol::Amqp010 => "qpid",
        Protocol::Redis => "redis",
        Protocol::Postgresql => "postgresql",
    }
}

/// The kind of a broker that is stopped: not qpidd where it is reached by `amqp://`, which it does not speak.
pub(super) fn usual_kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Amqp091 => "rabbitmq",
        other => kind_of(other),
    }
}

/// What people call the units that could be the broker.
pub(super) fn expected(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Amqp091 => "rabbitmq-server",
        Protocol::Amqp010 => "qpidd",
        Protocol::Redis => "redis-server, redis or valkey",
        Protocol::Postgresql => "postgresql, postgresql-NN or postgresql@NN-CLUSTER",
    }
}

/// The units that are looked for where nothing says which broker Pulp has: those of Pulp 2.
pub(super) fn defaults() -> Vec<String> {
    ["rabbitmq-server", "qpidd"].map(full_name).to_vec()
}

/// Where a broker listens when only its unit is known.
pub(super) fn default_url(unit: &str) -> &'static str {
    match kind(unit) {
        Some("qpid") => "qpid://localhost/",
        Some("redis") => "redis://localhost/",
        Some("postgresql") => "postgresql://localhost/",
        _ => "amqp://localhost/",
    }
}

/// The port that a PostgreSQL socket has in its name: `.s.PGSQL.5432`.
fn port_in_name(socket: &Path) -> Option<u16> {
    let name = socket.file_name()?.to_str()?;
    name.rsplit('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_unit_is_known_by_its_name() {
        for (unit, expected) in [
            ("rabbitmq-server.service", Some("rabbitmq")),
            ("qpidd.service", Some("qpid")),
            ("redis.service", Some("redis")),
            ("redis-server@pulp.service", Some("redis")),
            ("valkey@pulp.service", Some("redis")),
            ("rh-redis5-redis.service", Some("redis")),
            ("postgresql.service", Some("postgresql")),
            ("postgresql@15-main.service", Some("postgresql")),
            ("postgresql-9.6.service", Some("postgresql")),
            ("rh-postgresql12-postgresql.service", Some("postgresql")),
            ("postgresql92-postgresql.service", Some("postgresql")),
            ("rh-redis5-redis-sentinel.service", None),
            ("postgresql-exporter.service", None),
            ("prometheus-redis.service", None),
            ("haproxy.service", None),
        ] {
            assert_eq!(kind(unit), expected, "{unit}");
        }
    }

    #[test]
    fn a_kind_is_a_broker_only_for_its_own_protocol() {
        assert!(speaks("rabbitmq", Protocol::Amqp091));
        assert!(!speaks("rabbitmq", Protocol::Amqp010));
        assert!(speaks("qpid", Protocol::Amqp010));
        assert!(!speaks("rabbitmq", Protocol::Redis));
        assert_eq!(kind_of(Protocol::Amqp091), "amqp");
    }
}
