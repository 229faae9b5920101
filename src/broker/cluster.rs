//! Cluster managers of a broker: what is stopped under one moves elsewhere or is started again, so that
//! an outage of one host's broker is none, and doing it harms.

use serde::Serialize;

use crate::host::command_lines::Program;

/// Brokers that a cluster manager does not manage, by kind; where the kind is not known, it counts.
type NotOf = &'static [&'static str];

/// Programs that manage a cluster. The names are those of their processes.
const MANAGERS: &[(&str, &str, NotOf)] = &[
    ("pacemakerd", "pacemaker", &[]),
    ("corosync", "corosync", &[]),
    ("keepalived", "keepalived", &[]),
    // These two manage PostgreSQL and nothing else.
    ("patroni", "patroni", &["rabbitmq", "qpid", "redis"]),
    ("repmgrd", "repmgr", &["rabbitmq", "qpid", "redis"]),
    ("redis-sentinel", SENTINEL, NOT_REDIS),
];

const SENTINEL: &str = "sentinel";
const NOT_REDIS: NotOf = &["rabbitmq", "qpid", "postgresql"];

/// What was found, and what it was seen by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClusterManager {
    pub(crate) name: &'static str,
    pub(crate) evidence: String,
}

impl std::fmt::Display for ClusterManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.evidence)
    }
}

/// The cluster managers that a broker of this kind may have, each once.
pub(crate) fn judge(
    kind: &str,
    programs: &[Program],
    other_nodes: &[String],
) -> Vec<ClusterManager> {
    let mut found: Vec<ClusterManager> = Vec::new();
    for program in programs {
        if let Some(name) = manager(kind, program)
            && !found.iter().any(|f| f.name == name)
        {
            found.push(ClusterManager {
                name,
                evidence: format!("process {}", program.pid),
            });
        }
    }
    if !other_nodes.is_empty() {
        found.push(ClusterManager {
            name: "a RabbitMQ cluster",
            evidence: format!("with {}", other_nodes.join(", ")),
        });
    }
    found
}

fn manager(kind: &str, program: &Program) -> Option<&'static str> {
    let names = [program.name.as_str(), program.program()];
    let (_, name, not_of) = MANAGERS
        .iter()
        .find(|(process, _, _)| names.contains(process))
        .or_else(|| is_sentinel(program).then_some(&("", SENTINEL, NOT_REDIS)))?;
    (!not_of.contains(&kind)).then_some(name)
}

/// Sentinel is also a way to start Redis itself, which then says so in its title.
fn is_sentinel(program: &Program) -> bool {
    let mut words = program.arguments.iter().flat_map(|a| a.split_whitespace());
    program.program() == "redis-server" && words.any(|w| matches!(w, "--sentinel" | "[sentinel]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, arguments: &[&str]) -> Program {
        Program {
            pid: 7,
            name: name.to_owned(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        }
    }

    fn name(kind: &str, program: &Program) -> Option<&'static str> {
        judge(kind, std::slice::from_ref(program), &[])
            .first()
            .map(|f| f.name)
    }

    #[test]
    fn managers_of_any_service_are_found_by_their_processes() {
        for process in ["pacemakerd", "corosync", "keepalived"] {
            let program = program(process, &[&format!("/usr/sbin/{process}"), "-f"]);
            assert!(name("rabbitmq", &program).is_some(), "{process}");
        }
        assert_eq!(
            name("rabbitmq", &program("vi", &["vi", "keepalived"])),
            None
        );
    }

    #[test]
    fn a_manager_of_databases_does_not_concern_rabbitmq() {
        let script = ["/usr/bin/python3", "/usr/bin/patroni", "/etc/patroni.yml"];
        let patroni = program("python3", &script);
        assert_eq!(name("postgresql", &patroni), Some("patroni"));
        assert_eq!(name("amqp", &patroni), Some("patroni"));
        assert_eq!(name("rabbitmq", &patroni), None);
    }

    #[test]
    fn sentinel_is_found_however_it_was_started() {
        for (process, arguments) in [
            (
                "redis-sentinel",
                &["/usr/bin/redis-sentinel *:26379 [sentinel]"][..],
            ),
            ("redis-server", &["redis-server *:26379 [sentinel]"]),
            (
                "redis-server",
                &["redis-server", "/etc/s.conf", "--sentinel"],
            ),
        ] {
            assert_eq!(
                name("redis", &program(process, arguments)),
                Some("sentinel")
            );
        }
        let plain = program("redis-server", &["redis-server *:6379"]);
        assert_eq!(name("redis", &plain), None);
    }

    #[test]
    fn other_nodes_make_a_cluster() {
        let found = judge("rabbitmq", &[], &["rabbit@b".to_owned()]);
        assert_eq!(found[0].to_string(), "a RabbitMQ cluster (with rabbit@b)");
    }
}
