//! What RabbitMQ itself says of those who use it. It may be unable to: whoever asks goes on without.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::host::{identity, process, programs};

/// The program's name.
pub(crate) const PROGRAM: &str = "rabbitmqctl";

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(8);

/// How long the state of queues may take: it is asked for when things have gone wrong.
const QUEUES_LIMIT: Duration = Duration::from_secs(5);

/// One queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Messages that no consumer was given.
    pub(crate) ready: u64,
    /// Messages that one was given and has not confirmed.
    pub(crate) unacknowledged: u64,
    pub(crate) consumers: u64,
}

/// One connection of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerConnection {
    pub(crate) user: String,
    pub(crate) virtual_host: String,
    pub(crate) peer_host: String,
    pub(crate) peer_port: u16,
}

/// The connections of all clients.
///
/// # Errors
/// The program is not there, fails, or does not answer in time.
pub(crate) fn connections() -> Result<Vec<BrokerConnection>> {
    let columns = [
        "list_connections",
        "user",
        "vhost",
        "peer_host",
        "peer_port",
    ];
    Ok(parse_connections(&ask(&columns, LIMIT)?))
}

/// The queues of a virtual host, by name.
///
/// # Errors
/// As [`connections`].
pub(crate) fn queues(virtual_host: &str) -> Result<BTreeMap<String, Queue>> {
    let question = [
        "list_queues",
        "-p",
        virtual_host,
        "name",
        "messages_ready",
        "messages_unacknowledged",
        "consumers",
    ];
    Ok(parse_queues(&ask(&question, QUEUES_LIMIT)?))
}

/// Where httpd listens for what consumers' agents answer. Source: `pulp.server.agent` of Pulp 2.
const AGENT_REPLIES: &str = "pulp.task";

/// How many listen for the agents' replies, by queue.
///
/// # Errors
/// As [`connections`].
pub(crate) fn listeners(virtual_host: &str) -> Result<BTreeMap<String, u64>> {
    let queues = queues(virtual_host)?.into_iter();
    Ok(queues
        .filter(|(name, _)| name == AGENT_REPLIES)
        .map(|(name, queue)| (name, queue.consumers))
        .collect())
}

/// The alarms that stand, such as `memory`: while one does, nobody who publishes gets on. `process` is the broker's own, as far as it is
/// known: this host may have two, and its tool tells of one.
///
/// # Errors
/// As [`connections`]; or it tells of another RabbitMQ.
pub(crate) fn alarms(process: Option<i32>) -> Result<Vec<String>> {
    let text = ask(
        &["eval", "{os:getpid(), rabbit_alarm:get_alarms()}."],
        LIMIT,
    )?;
    of_process(&text, process)?;
    Ok(parse_alarms(&text))
}

/// `{"1234",[...]}`
fn of_process(text: &str, expected: Option<i32>) -> Result<()> {
    let told = text.split('"').nth(1).and_then(|pid| pid.parse().ok());
    let told: i32 = told.context("failed to read what `rabbitmqctl eval` says")?;
    if let Some(expected) = expected.filter(|expected| *expected != told) {
        bail!(
            "rabbitmqctl tells of another RabbitMQ: expected process {expected}, which is Pulp's broker, and found {told}"
        );
    }
    Ok(())
}

/// `[{{resource_limit,memory,rabbit@host},[]}]`
fn parse_alarms(text: &str) -> Vec<String> {
    let resource = |part: &str| part.split(',').next().map(|word| word.trim().to_owned());
    let mut found: Vec<String> = text
        .split("resource_limit,")
        .skip(1)
        .filter_map(resource)
        .collect();
    if found.is_empty() && text.contains("file_descriptor_limit") {
        found.push("file_descriptor_limit".to_owned());
    }
    found
}

/// The other nodes that this one is connected to: it is one of a cluster if there is any.
///
/// `cluster_status` is written differently in each generation of RabbitMQ. The kernel's sockets do not
/// say it either: a link between nodes is one connection, opened by either of them, to a port of the
/// other that only the other knows.
///
/// # Errors
/// As [`connections`].
pub(crate) fn other_nodes() -> Result<Vec<String>> {
    let text = ask(&["eval", "nodes()."], LIMIT)?;
    parse_nodes(&text).context("failed to read what `rabbitmqctl eval nodes().` says")
}

/// What it says of queues, connections and consumers, each under its question, for a person. What it did
/// not say in time once it is not asked again.
pub(crate) fn lists(virtual_host: &str) -> Vec<(&'static str, Result<String>)> {
    let lists: [(&str, &[&str]); 3] = [
        (
            "list_queues",
            &[
                "name",
                "messages_ready",
                "messages_unacknowledged",
                "consumers",
            ],
        ),
        (
            "list_connections",
            &[
                "user",
                "vhost",
                "peer_host",
                "peer_port",
                "state",
                "channels",
                "recv_oct",
                "send_oct",
            ],
        ),
        ("list_consumers", &[]),
    ];
    let answer = |verb: &str, columns: &[&str]| {
        let mut question = vec![verb];
        if verb != "list_connections" {
            question.extend(["-p", virtual_host]);
        }
        question.extend(columns);
        ask(&question, QUEUES_LIMIT)
    };
    let mut told = Vec::new();
    for (verb, columns) in lists {
        let said = answer(verb, columns);
        let failed = said.is_err();
        told.push((verb, said));
        if failed {
            break;
        }
    }
    told
}

fn ask(question: &[&str], limit: Duration) -> Result<String> {
    let program = programs::find(PROGRAM).context("there is no rabbitmqctl")?;
    let mut argv = vec![program.as_str(), "-q"];
    argv.extend(question);
    // It becomes RabbitMQ's own user by `su`, and waits for ever for a broker that does not react.
    process::run_ok_or_end_all(&argv, &identity::nonce()?, limit)
}

/// One connection a line, its columns parted by tabs. Newer versions print the columns' names first.
fn parse_connections(text: &str) -> Vec<BrokerConnection> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.trim_end().split('\t').collect();
            let [user, virtual_host, peer_host, peer_port] = fields[..] else {
                return None;
            };
            Some(BrokerConnection {
                user: user.to_owned(),
                virtual_host: virtual_host.to_owned(),
                peer_host: peer_host.to_owned(),
                peer_port: peer_port.parse().ok()?,
            })
        })
        .collect()
}

/// As [`parse_connections`].
fn parse_queues(text: &str) -> BTreeMap<String, Queue> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.trim_end().split('\t').collect();
            let [name, ready, unacknowledged, consumers] = fields[..] else {
                return None;
            };
            let queue = Queue {
                ready: ready.parse().ok()?,
                unacknowledged: unacknowledged.parse().ok()?,
                consumers: consumers.parse().ok()?,
            };
            Some((name.to_owned(), queue))
        })
        .collect()
}

/// An Erlang list of names such as `['rabbit@a','rabbit@b']`.
fn parse_nodes(text: &str) -> Option<Vec<String>> {
    let (_, inside) = text.split_once('[')?;
    let (inside, _) = inside.rsplit_once(']')?;
    Some(
        inside
            .split([',', '\'', ' ', '\n'])
            .filter(|name| name.contains('@'))
            .map(str::to_owned)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_read_in_rabbitmqs_own_words() {
        assert_eq!(parse_alarms("[]\n"), Vec::<String>::new());
        let both =
            "[{{resource_limit,memory,rabbit@h},[]},\n {{resource_limit,disk,rabbit@h},[]}]\n";
        assert_eq!(parse_alarms(both), ["memory", "disk"]);
        assert_eq!(
            parse_alarms("[{file_descriptor_limit,[]}]"),
            ["file_descriptor_limit"]
        );
    }

    #[test]
    fn alarms_of_another_rabbitmq_are_none_of_pulps() {
        let text = "{\"4711\",[{{resource_limit,memory,rabbit@h},[]}]}\n";
        assert!(of_process(text, Some(4711)).is_ok() && of_process(text, None).is_ok());
        assert_eq!(parse_alarms(text), ["memory"]);
        let other = of_process(text, Some(12)).unwrap_err().to_string();
        assert!(other.contains("another RabbitMQ"), "{other}");
        assert!(of_process("Error: unable to perform an operation on node", None).is_err());
    }

    #[test]
    fn connections_are_read_with_and_without_a_heading() {
        let old = "pulp\t/\t127.0.0.1\t36842\nbilling\tbills\t10.0.0.9\t5001\n...done.\n";
        let new = format!("user\tvhost\tpeer_host\tpeer_port\n{old}");
        let seen = parse_connections(old);
        assert_eq!(seen, parse_connections(&new));
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].virtual_host, "bills");
        assert_eq!(seen[1].peer_port, 5001);
    }

    #[test]
    fn queues_are_read_with_and_without_a_heading() {
        let old = "resource_manager\t1\t2\t1\npulp.task\t0\t0\t0\n...done.\n";
        let new = format!("name\tmessages_ready\tmessages_unacknowledged\tconsumers\n{old}");
        let seen = parse_queues(old);
        assert_eq!(seen, parse_queues(&new));
        assert_eq!(seen.len(), 2);
        let expected = Queue {
            ready: 1,
            unacknowledged: 2,
            consumers: 1,
        };
        assert_eq!(seen["resource_manager"], expected);
    }

    #[test]
    fn a_node_alone_is_told_from_a_cluster_and_from_nonsense() {
        assert_eq!(parse_nodes("[]\n"), Some(vec![]));
        let two = parse_nodes("['rabbit@mq-2',\n rabbit@mq3]\n").unwrap();
        assert_eq!(two, ["rabbit@mq-2", "rabbit@mq3"]);
        assert_eq!(parse_nodes("Error: nodedown"), None);
    }
}
