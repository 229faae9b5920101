//! Which units are brokers, of which kind, and which may be the one at an endpoint. Anything else that
//! listens there may be a proxy or a container engine.

use std::path::Path;

use super::Protocol;
use crate::service::full_name;

/// Where Debian keeps the configuration of PostgreSQL's clusters: `VERSION/CLUSTER/`.
const CLUSTERS: &str = "/etc/postgresql";

/// Where packages install units.
const UNIT_DIRS: &[&str] = &["/etc/systemd/system", "/usr/lib/systemd/system"];

/// PostgreSQL's port where its configuration names none.
const POSTGRESQL_PORT: u16 = 5432;

/// The kind of broker that a unit is, as facts name it; none when it is not known to be one.
pub(super) fn kind(unit: &str) -> Option<&'static str> {
    match unit.strip_suffix(".service")? {
        "rabbitmq-server" => Some("rabbitmq"),
        "qpidd" => Some("qpid"),
        // Debian's name and EL's.
        "redis-server" | "redis" => Some("redis"),
        // EL's own; Debian's is an umbrella over clusters.
        "postgresql" => Some("postgresql"),
        name if is_cluster(name) => Some("postgresql"),
        name if name.starts_with("redis-server@") || name.starts_with("redis@") => Some("redis"),
        _ => None,
    }
}

/// A Debian cluster (`postgresql@15-main`) or a version from PostgreSQL's own packages for EL
/// (`postgresql-15`, `postgresql-9.6`).
fn is_cluster(name: &str) -> bool {
    match name.strip_prefix("postgresql") {
        Some(rest) if rest.starts_with('@') => true,
        Some(rest) => rest
            .strip_prefix('-')
            .is_some_and(|v| !v.is_empty() && v.chars().all(|c| c.is_ascii_digit() || c == '.')),
        None => false,
    }
}

/// Whether a unit is a broker that speaks this protocol.
pub(super) fn speaks(unit: &str, protocol: Protocol) -> bool {
    matches!(
        (kind(unit), protocol),
        (
            Some("rabbitmq" | "qpid"),
            Protocol::Amqp091 | Protocol::Amqp010
        ) | (Some("redis"), Protocol::Redis)
            | (Some("postgresql"), Protocol::Postgresql)
    )
}

/// The kind of a broker: what its unit says, or what its protocol leaves.
pub(super) fn kind_of(unit: Option<&str>, protocol: Protocol) -> &'static str {
    let known = unit.filter(|unit| speaks(unit, protocol)).and_then(kind);
    known.unwrap_or(match protocol {
        Protocol::Amqp091 => "amqp",
        Protocol::Amqp010 => "qpid",
        Protocol::Redis => "redis",
        Protocol::Postgresql => "postgresql",
    })
}

/// What people call the units that could be the broker.
pub(super) fn expected(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Amqp091 | Protocol::Amqp010 => "rabbitmq-server or qpidd",
        Protocol::Redis => "redis-server or redis",
        Protocol::Postgresql => "postgresql, postgresql-NN or postgresql@NN-CLUSTER",
    }
}

/// The units that may be the broker at a port or a socket while nothing listens there.
pub(super) fn candidates(
    protocol: Protocol,
    port: Option<u16>,
    socket: Option<&Path>,
) -> Vec<String> {
    match protocol {
        Protocol::Amqp091 | Protocol::Amqp010 => defaults(),
        Protocol::Redis => full(&["redis-server", "redis"]),
        Protocol::Postgresql => {
            let port = port.or_else(|| port_in_name(socket?));
            postgresql(Path::new(CLUSTERS), UNIT_DIRS, port)
        }
    }
}

/// The units that are looked for where nothing says which broker Pulp has: those of Pulp 2.
pub(super) fn defaults() -> Vec<String> {
    full(&["rabbitmq-server", "qpidd"])
}

fn full(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| full_name(name)).collect()
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

/// Clusters of that port first, then what EL calls them.
fn postgresql(clusters: &Path, unit_dirs: &[&str], port: Option<u16>) -> Vec<String> {
    let mut names = Vec::new();
    for version in entries(clusters) {
        for cluster in entries(&clusters.join(&version)) {
            let configuration = clusters
                .join(&version)
                .join(&cluster)
                .join("postgresql.conf");
            let text = std::fs::read_to_string(configuration);
            if text.is_ok_and(|text| Some(port_in(&text)) == port) {
                names.push(format!("postgresql@{version}-{cluster}.service"));
            }
        }
    }
    let installed = unit_dirs.iter().flat_map(|dir| entries(Path::new(dir)));
    names.extend(installed.filter(|unit| unit.starts_with("postgresql-") && kind(unit).is_some()));
    names.push(full_name("postgresql"));
    names
}

fn entries(folder: &Path) -> Vec<String> {
    let read = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = read
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The port in a `postgresql.conf`; the last one counts, and the equals sign may be missing.
fn port_in(text: &str) -> u16 {
    let words = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    words
        .filter_map(|line| line.trim().strip_prefix("port"))
        .filter_map(|rest| rest.trim_matches([' ', '\t', '=', '\'']).parse().ok())
        .next_back()
        .unwrap_or(POSTGRESQL_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_unit_is_known_by_its_name() {
        for (unit, expected) in [
            ("rabbitmq-server.service", Some("rabbitmq")),
            ("redis.service", Some("redis")),
            ("redis-server@pulp.service", Some("redis")),
            ("postgresql.service", Some("postgresql")),
            ("postgresql@15-main.service", Some("postgresql")),
            ("postgresql-9.6.service", Some("postgresql")),
            ("postgresql-exporter.service", None),
            ("haproxy.service", None),
        ] {
            assert_eq!(kind(unit), expected, "{unit}");
        }
    }

    #[test]
    fn a_unit_is_a_broker_only_for_its_own_protocol() {
        assert!(speaks("rabbitmq-server.service", Protocol::Amqp010));
        assert!(!speaks("rabbitmq-server.service", Protocol::Redis));
        assert_eq!(kind_of(Some("my-mq.service"), Protocol::Redis), "redis");
        assert_eq!(
            kind_of(Some("rabbitmq-server.service"), Protocol::Amqp010),
            "rabbitmq"
        );
        assert_eq!(kind_of(None, Protocol::Amqp091), "amqp");
    }

    #[test]
    fn a_stopped_cluster_is_found_by_its_port() {
        let folder = tempfile::tempdir().unwrap();
        for (cluster, text) in [
            ("main", "#port = 1\nport = 5432 # x\n"),
            ("pulp", "port=5433\n"),
        ] {
            let at = folder.path().join("15").join(cluster);
            std::fs::create_dir_all(&at).unwrap();
            std::fs::write(at.join("postgresql.conf"), text).unwrap();
        }
        let found = postgresql(folder.path(), &[], Some(5433));
        assert_eq!(found, ["postgresql@15-pulp.service", "postgresql.service"]);
        assert_eq!(port_in_name(Path::new("/tmp/.s.PGSQL.5433")), Some(5433));
        assert_eq!(port_in("# nothing\nportal = 7\n"), POSTGRESQL_PORT);
    }
}
