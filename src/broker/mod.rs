//! The message broker: where it is, whether it answers, how it is taken away and given back, and the
//! undo that gives it back when nobody else does.

pub(crate) mod cluster;
pub(crate) mod consumers;
pub(crate) mod endpoint;
pub(crate) mod others;
pub(crate) mod outage;
pub(crate) mod probe;
pub(crate) mod rabbitmqctl;
pub(crate) mod settings;
pub(crate) mod undo;
pub(crate) mod url;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::ansible::secrets;
use crate::host::process;
use crate::host::processes::Process;
use crate::host::sockets::{self, Listener};
use crate::service::{Unit, full_name, systemd};
use endpoint::Endpoint;
use outage::methods::{COMMAND_LIMIT, Command, Method};

/// The units that are brokers of Pulp 2, by the kind that facts name.
const KNOWN: &[(&str, &str)] = &[
    ("rabbitmq-server.service", "rabbitmq"),
    ("qpidd.service", "qpid"),
];

/// Where a broker listens when only its unit is known.
const DEFAULT_URL: &str = "amqp://localhost/";

/// How long one probe of a broker may take.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What came of asking a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It speaks its protocol, after this long.
    Answers(Duration),
    /// Nothing listens, or the connection was cut.
    Refused,
    /// A connection, but no word, within the limit.
    Silent,
    /// No connection within the limit: packets are lost on the way.
    NoConnection,
    /// Anything else, in words.
    Unreachable(String),
}

impl Answer {
    /// It can be used.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self, Self::Answers(_))
    }

    /// It is there, usable or not.
    pub(crate) fn is_life(&self) -> bool {
        self.is_up()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answers(after) => write!(f, "it answers after {} ms", after.as_millis()),
            Self::Refused => f.write_str("the connection is refused"),
            Self::NoConnection => f.write_str("no connection comes about"),
            Self::Silent => f.write_str("it accepts the connection and says nothing"),
            Self::Unreachable(cause) => f.write_str(cause),
        }
    }
}

/// What was done to a broker on this host, and how it is taken back. It is recorded before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) method: Method,
    /// The unit that has to run again; none where only packets are cut.
    pub(crate) unit: Option<String>,
    pub(crate) port: u16,
    /// What it said when it was asked just before.
    pub(crate) control: String,
    /// The processes that it had.
    pub(crate) processes: Vec<Process>,
    /// See [`outage::methods::Pair`].
    pub(crate) undo: Vec<Command>,
    pub(crate) left: Vec<Command>,
    pub(crate) rules: Vec<Command>,
    /// What the rules said once they were made.
    pub(crate) rules_said: Vec<String>,
    /// How long its last start took: the undo begins so much earlier.
    pub(crate) boot: Duration,
}

impl Taken {
    /// The command that still finds something of the injection, if one does.
    ///
    /// # Errors
    /// A command cannot be run.
    pub(crate) fn left(&self) -> Result<Option<String>> {
        for command in &self.left {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            if process::run(&words, COMMAND_LIMIT)?.code == 0 {
                return Ok(Some(words.join(" ")));
            }
        }
        Ok(None)
    }
}

/// The broker of this host's Pulp, as found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Broker {
    /// `rabbitmq`, `qpid`, or `amqp` when only its address is known.
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) endpoint: Endpoint,
    /// What said where it is.
    pub(crate) source: String,
    /// It is on this host.
    pub(crate) local: bool,
    /// Its unit on this host.
    pub(crate) unit: Option<String>,
    /// What listens at its port and is no broker's unit, such as a proxy or a container engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) foreign: Option<String>,
    #[serde(skip)]
    addresses: Vec<SocketAddr>,
}

/// What the user says of the broker, instead of what is found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overrides<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) unit: Option<&'a str>,
}

impl Broker {
    /// Finds the broker: the user's word first, then Pulp's configuration, then known units.
    ///
    /// # Errors
    /// A configuration cannot be read, its URL makes no sense or its host does not resolve.
    pub(crate) fn discover(said: Overrides<'_>) -> Result<Option<Self>> {
        let units = candidates(said.unit)?;
        let (url, source) = match (said.url, settings::read()?) {
            (Some(url), _) => (url.to_owned(), "parameter `broker_url`".to_owned()),
            (None, Some(found)) => (found.broker_url, found.source),
            (None, None) => match units.iter().find(|u| u.found) {
                Some(unit) => (DEFAULT_URL.to_owned(), format!("unit {}", unit.name)),
                None => return Ok(None),
            },
        };
        for secret in endpoint::secrets(&url) {
            secrets::add(&secret);
        }
        let endpoint = Endpoint::parse(&url, &source)?;
        let addresses = endpoint
            .addresses()
            .with_context(|| format!("the broker's address is from {source}"))?;
        let local = addresses.iter().any(|a| sockets::is_local(a.ip()));
        let owner = if local {
            Owner::of(endpoint.port, said.unit, &units)?
        } else {
            Owner::default()
        };
        Ok(Some(Self {
            kind: kind_of(owner.unit.as_deref()),
            endpoint,
            source,
            local,
            unit: owner.unit,
            foreign: owner.foreign,
            addresses,
        }))
    }

    /// Asks it for its protocol, once.
    pub(crate) fn ask(&self) -> Answer {
        probe::ask(&self.addresses, self.endpoint.tls, PROBE_LIMIT)
    }

    /// Every address it may be reached at.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its unit on this host.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn unit(&self) -> Result<&str> {
        self.unit.as_deref().with_context(|| match &self.foreign {
            Some(foreign) => format!(
                "failed to find the unit of the broker at {}: expected rabbitmq-server or qpidd to listen \
                 there, but {foreign} does, and stopping that might stop more than a broker; set \
                 `broker_unit` if it is the right one",
                self.endpoint
            ),
            None => format!(
                "failed to find the unit of the broker at {}: neither rabbitmq-server nor qpidd is a unit \
                 of this host; set `broker_unit`",
                self.endpoint
            ),
        })
    }
}

fn candidates(said: Option<&str>) -> Result<Vec<Unit>> {
    if !systemd::is_manager() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = match said {
        Some(unit) => vec![full_name(unit)],
        None => KNOWN.iter().map(|(unit, _)| (*unit).to_owned()).collect(),
    };
    systemd::observe(&names)
}

/// Whose the broker's port is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Owner {
    unit: Option<String>,
    foreign: Option<String>,
}

impl Owner {
    /// The user's word, else the known unit that listens, else the known unit that is there (the running
    /// one first). A unit that is not known to be a broker's is named and not taken for one: it may be a
    /// proxy or a container engine.
    fn of(port: u16, said: Option<&str>, units: &[Unit]) -> Result<Self> {
        let listener = match said.map(full_name) {
            None => sockets::listener(port)?,
            Some(said) if units.iter().any(|u| u.name == said && !u.found) => bail!(
                "failed to find `{said}`: expected the broker's unit on this host, but systemd knows none \
                 of that name; check `broker_unit` against `systemctl list-unit-files`"
            ),
            Some(_) => None,
        };
        Ok(Self::judge(said, listener, units))
    }

    fn judge(said: Option<&str>, listener: Option<Listener>, units: &[Unit]) -> Self {
        let unit = |name: &str| Self {
            unit: Some(name.to_owned()),
            foreign: None,
        };
        if let Some(said) = said {
            return unit(&full_name(said));
        }
        if let Some(listener) = listener {
            let name = listener.unit.unwrap_or_default();
            if KNOWN.iter().any(|(known, _)| *known == name) {
                return unit(&name);
            }
            let of = if name.is_empty() { "no unit" } else { &name };
            return Self {
                unit: None,
                foreign: Some(format!("process {} of {of}", listener.pid)),
            };
        }
        let there = || units.iter().filter(|u| u.found);
        let found = there().find(|u| u.running).or_else(|| there().next());
        found.map_or_else(Self::default, |u| unit(&u.name))
    }
}

fn kind_of(unit: Option<&str>) -> &'static str {
    KNOWN
        .iter()
        .find(|(name, _)| Some(*name) == unit)
        .map_or("amqp", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(unit: &str) -> Listener {
        Listener {
            pid: 7,
            unit: Some(unit.to_owned()),
        }
    }

    #[test]
    fn a_known_unit_that_listens_is_the_brokers() {
        let owner = Owner::judge(None, Some(listener("qpidd.service")), &[]);
        assert_eq!(owner.unit.as_deref(), Some("qpidd.service"));
    }

    #[test]
    fn a_proxy_or_a_container_engine_is_never_taken_for_a_broker() {
        for unit in ["docker.service", "haproxy.service"] {
            let owner = Owner::judge(None, Some(listener(unit)), &[]);
            assert_eq!(owner.unit, None);
            assert_eq!(owner.foreign, Some(format!("process 7 of {unit}")));
        }
    }

    #[test]
    fn the_users_word_stands() {
        let owner = Owner::judge(Some("my-mq"), Some(listener("docker.service")), &[]);
        assert_eq!(owner.unit.as_deref(), Some("my-mq.service"));
    }
}
