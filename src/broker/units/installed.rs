//! The units of this host that can be a broker while nothing listens: by their names, and by the programs that they start.

use std::collections::BTreeSet;
use std::path::Path;

use super::configured::{postgresql_port, postgresql_text};
use super::{Protocol, is_relay, kind, port_in_name, server, usual_kind};
use crate::service::{self, full_name};

/// Where Debian keeps the configuration of PostgreSQL's clusters: `VERSION/CLUSTER/`.
const CLUSTERS: &str = "/etc/postgresql";

/// What systemd is asked for of units that have no file of their own.
const INSTANCES: &[&str] = &[
    "redis@*",
    "redis-server@*",
    "valkey@*",
    "rabbitmq-server@*",
    "qpidd@*",
    "postgresql@*",
];

/// What packages and installers call them.
const USUAL: &[&str] = &[
    "rabbitmq-server",
    "qpidd",
    "redis-server",
    "redis",
    "valkey",
    "postgresql",
];

/// The units that may be the broker at a port or a socket while nothing listens there.
pub(in crate::broker) fn candidates(
    protocol: Protocol,
    port: Option<u16>,
    socket: Option<&Path>,
) -> Vec<String> {
    let wanted = usual_kind(protocol);
    let manager = service::manager();
    let definition = |unit: &str| manager?.definition(unit);
    let mut found = of(&service::unit_files(""), wanted, definition);
    if protocol == Protocol::Postgresql {
        let port = port.or_else(|| port_in_name(socket?));
        found.extend(clusters(Path::new(CLUSTERS), port));
        // Debian has a cluster's port in its configuration: others are none of ours.
        found.retain(|name| {
            !name.starts_with("postgresql@") || is_cluster_of(Path::new(CLUSTERS), name, port)
        });
    }
    found.into_iter().collect()
}

/// Those of the installed units that are of this kind, and those that may be there without a file.
fn of(
    installed: &BTreeSet<String>,
    wanted: &str,
    definition: impl Fn(&str) -> Option<String>,
) -> BTreeSet<String> {
    let is_wanted = |name: &str| match kind(name) {
        Some(known) => known == wanted,
        None => definition(name).is_some_and(|text| starts(&text) == Some(wanted)),
    };
    let installed = installed.iter().filter(|name| !name.contains("@."));
    let mut found: BTreeSet<String> = installed.filter(|name| is_wanted(name)).cloned().collect();
    // Instances, and what a generator of systemd makes (quadlets, init scripts).
    let others = INSTANCES.iter().chain(USUAL).map(|name| full_name(name));
    found.extend(others.filter(|name| kind(name) == Some(wanted)));
    found
}

/// The kind of broker that a unit's file starts, also by a shell or in a software collection.
fn starts(text: &str) -> Option<&'static str> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ExecStart="));
    lines
        .flat_map(programs)
        .find_map(|name| match name.as_str() {
            "rabbitmq-server" => Some("rabbitmq"),
            "pg_ctl" | "pg_ctlcluster" => Some("postgresql"),
            name => server(name),
        })
}

/// The names of what a command line mentions; none of a container's, or of a Sentinel.
fn programs(command: &str) -> Vec<String> {
    let words = command
        .trim_start_matches(['-', '@', ':', '+', '!', '|'])
        .split_whitespace();
    let names: Vec<String> = words
        .map(|word| word.trim_matches(['"', '\'', ';']))
        .map(|word| word.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    let is_other = names.first().is_some_and(|first| is_relay(first))
        || names.iter().any(|n| n == "--sentinel");
    if is_other { Vec::new() } else { names }
}

/// The clusters of that port.
fn clusters(folder: &Path, port: Option<u16>) -> Vec<String> {
    let mut names = Vec::new();
    for version in entries(folder) {
        for cluster in entries(&folder.join(&version)) {
            let configuration = folder.join(&version).join(&cluster).join("postgresql.conf");
            let text = postgresql_text(&configuration);
            if text.is_some_and(|text| Some(postgresql_port(&text)) == port) {
                names.push(format!("postgresql@{version}-{cluster}.service"));
            }
        }
    }
    names
}

/// Whether an instance is a cluster of that port, or no cluster of Debian's at all.
fn is_cluster_of(folder: &Path, name: &str, port: Option<u16>) -> bool {
    if folder.is_dir() {
        clusters(folder, port).iter().any(|cluster| cluster == name)
    } else {
        true
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let read = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = read
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            clusters(folder.path(), Some(5433)),
            ["postgresql@15-pulp.service"]
        );
        assert!(!is_cluster_of(
            folder.path(),
            "postgresql@15-main.service",
            Some(5433)
        ));
        assert_eq!(port_in_name(Path::new("/tmp/.s.PGSQL.5433")), Some(5433));
    }

    #[test]
    fn a_renamed_unit_is_known_by_what_it_starts() {
        for (command, expected) in [
            (
                "/usr/sbin/qpidd --config /etc/qpid/qpidd.conf",
                Some("qpid"),
            ),
            ("-/usr/lib/rabbitmq/bin/rabbitmq-server", Some("rabbitmq")),
            (
                "/usr/bin/valkey-server /etc/valkey/pulp.conf",
                Some("redis"),
            ),
            (
                "/opt/rh/rh-redis5/root/usr/bin/redis-server /etc/redis.conf",
                Some("redis"),
            ),
            (
                "/bin/sh -c \"exec redis-server /etc/r.conf\"",
                Some("redis"),
            ),
            (
                "/usr/pgsql-15/bin/postmaster -D ${PGDATA}",
                Some("postgresql"),
            ),
            (
                "/usr/bin/podman run --name redis docker.io/redis redis-server",
                None,
            ),
            ("/usr/bin/redis-server /etc/s.conf --sentinel", None),
            ("/usr/sbin/haproxy -f /etc/haproxy.cfg", None),
        ] {
            let text = format!("[Service]\nType=notify\nExecStart={command}\n");
            assert_eq!(starts(&text), expected, "{command}");
        }
    }

    #[test]
    fn a_unit_that_a_generator_makes_is_looked_for_by_its_usual_name() {
        for (kind, expected) in [
            ("rabbitmq", "rabbitmq-server.service"),
            ("qpid", "qpidd.service"),
            ("redis", "redis.service"),
            ("redis", "valkey.service"),
            ("postgresql", "postgresql.service"),
        ] {
            assert!(
                of(&BTreeSet::new(), kind, |_| None).contains(expected),
                "{expected}"
            );
        }
        assert!(!of(&BTreeSet::new(), "qpid", |_| None).contains("rabbitmq-server.service"));
    }

    #[test]
    fn units_are_known_by_their_names_and_else_by_what_they_start() {
        let installed = ["qpidd", "rh-redis32-redis", "redis-sentinel", "mq", "mq@"];
        let installed = installed.map(|name| format!("{name}.service")).into();
        let text = "[Service]\nExecStart=/usr/sbin/qpidd\n";
        let definition = |unit: &str| (unit == "mq.service").then(|| text.to_owned());
        let of = |kind| {
            let found = of(&installed, kind, definition);
            found.intersection(&installed).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of("qpid"), ["mq.service", "qpidd.service"]);
        assert_eq!(of("redis"), ["rh-redis32-redis.service"]);
    }
}
