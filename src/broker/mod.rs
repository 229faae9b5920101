//! The message broker: where it is, whether it answers, how it is taken away and given back, and the
//! undo that gives it back when nobody else does.

mod answer;
pub(crate) mod cluster;
pub(crate) mod consumers;
pub(crate) mod endpoint;
pub(crate) mod others;
pub(crate) mod outage;
pub(crate) mod protocol;
pub(crate) mod rabbitmqctl;
pub(crate) mod settings;
pub(crate) mod undo;
mod units;
pub(crate) mod url;
pub(crate) mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::ansible::secrets;
use crate::host::process;
use crate::host::processes::Process;
use crate::host::sockets::{self, Listener};
use crate::host::wait::{Deadline, Pace, until};
use crate::names::Generation;
use crate::service::{self, Manager, Unit, full_name};
pub(crate) use answer::Answer;
use endpoint::Endpoint;
use outage::methods::{COMMAND_LIMIT, Command, Method};
use settings::{Settings, Target};

/// How long one probe of a broker may take.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The longest that a broker that nobody has taken away may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The protocols that brokers of Pulp speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp091,
    /// What qpidd speaks with kombu's Qpid transport, and with gofer's.
    Amqp010,
    Redis,
    Postgresql,
}

/// What was done to a broker on this host, and how it is taken back. It is recorded before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) method: Method,
    /// The unit that has to run again; none where only packets are cut.
    pub(crate) unit: Option<String>,
    /// Where it listened; of a broker at a Unix socket the socket, else the port.
    pub(crate) port: Option<u16>,
    pub(crate) socket: Option<PathBuf>,
    /// What it said when it was asked just before.
    pub(crate) control: String,
    /// When: milliseconds since 1970.
    #[serde(default)]
    pub(crate) at_ms: u64,
    /// The processes that it had.
    pub(crate) processes: Vec<Process>,
    /// See [`outage::methods::Pair`].
    pub(crate) undo: Vec<Command>,
    pub(crate) left: Vec<Command>,
    pub(crate) rules: Vec<Command>,
    /// What the rules said once they were made.
    pub(crate) rules_said: Vec<String>,
    /// How much earlier than promised the undo begins, so that it has started by then.
    pub(crate) lead: Duration,
}

impl Taken {
    /// How long ago it was taken away; none where nobody noted that.
    pub(crate) fn age(&self) -> Option<Duration> {
        let at = UNIX_EPOCH + Duration::from_millis(self.at_ms);
        let age = SystemTime::now().duration_since(at).ok();
        age.filter(|_| self.at_ms != 0)
    }

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
    /// `rabbitmq`, `qpid`, `redis`, `postgresql`, or `amqp` when only its address is known.
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) endpoint: Endpoint,
    /// What said where it is.
    pub(crate) source: String,
    /// It is on this host.
    pub(crate) local: bool,
    /// It only caches: no task is carried by it, so no worker connects to it.
    pub(crate) caches_only: bool,
    /// What it is to Pulp.
    pub(crate) target: Target,
    /// Its URL without credentials, for the calls that come after.
    pub(crate) url: String,
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
    pub(crate) target: Target,
    /// Pulp itself may be asked for its settings.
    pub(crate) may_ask: bool,
    /// Which Pulp is meant, where there are two.
    pub(crate) pulp: Option<Generation>,
}

impl Broker {
    /// Finds the broker: the user's word first, then Pulp's own, then known units.
    ///
    /// # Errors
    /// `VOID broker_uncertain`; or its URL makes no sense, or its host does not resolve.
    pub(crate) fn discover(said: Overrides<'_>) -> Result<Option<Self>> {
        let settings = match said.url {
            // What is to be masked stands in Pulp 2's file all the same.
            Some(_) => settings::read(false, said.pulp).ok().flatten(),
            None => settings::read(said.may_ask, said.pulp)?,
        };
        Self::of(said, settings.as_ref())
    }

    /// The same, with what Pulp's settings are known to be.
    ///
    /// # Errors
    /// As [`Self::discover`].
    pub(crate) fn of(said: Overrides<'_>, settings: Option<&Settings>) -> Result<Option<Self>> {
        if let Some(settings) = settings {
            settings.mask();
        }
        let target = settings.map_or(said.target, |settings| settings.effective(said.target));
        let Some((url, source)) = locate(said, settings)? else {
            return Ok(None);
        };
        for secret in endpoint::secrets(&url) {
            secrets::add(&secret);
        }
        let endpoint = Endpoint::parse(&url, &source)?;
        let addresses = endpoint
            .addresses()
            .with_context(|| format!("the broker's address is from {source}"))?;
        let local =
            endpoint.socket().is_some() || addresses.iter().any(|a| sockets::is_local(a.ip()));
        let owner = if local {
            Owner::of(&endpoint, said.unit)?
        } else {
            Owner::default()
        };
        Ok(Some(Self {
            kind: units::kind_of(owner.unit.as_deref(), endpoint.protocol),
            url: endpoint.url(&url::virtual_host(&url)),
            endpoint,
            source,
            local,
            caches_only: target == Target::Cache,
            target,
            unit: owner.unit,
            foreign: owner.foreign,
            addresses,
        }))
    }

    /// Asks it for its protocol, once.
    pub(crate) fn ask(&self) -> Answer {
        let Endpoint { protocol, tls, .. } = self.endpoint;
        match self.endpoint.socket() {
            Some(path) => protocol::ask_socket(protocol, path, PROBE_LIMIT),
            None => protocol::ask(protocol, &self.addresses, tls, PROBE_LIMIT),
        }
    }

    /// The same for as long as a busy broker may need: on a busy machine one probe may be too short. Who refuses is not busy.
    pub(crate) fn ask_patiently(&self) -> Answer {
        let mut answer = self.ask();
        let deadline = Deadline::after(PATIENCE);
        // In vain or not: what it said last is judged.
        let _ = until("the broker to answer", deadline, Pace::QUICK, || {
            if answer.is_up() || answer == Answer::Refused {
                return Ok(Some(()));
            }
            answer = self.ask();
            Ok(None)
        });
        answer
    }

    /// Every address it may be reached at; none for a Unix socket.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether its unit is known to be a broker's of its kind, and no pooler's or proxy's that the user named.
    pub(crate) fn has_own_unit(&self) -> bool {
        let unit = self.unit.as_deref();
        unit.is_some_and(|unit| units::speaks(unit, self.endpoint.protocol))
    }

    /// Its unit on this host.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn unit(&self) -> Result<&str> {
        let expected = units::expected(self.endpoint.protocol);
        self.unit.as_deref().with_context(|| match &self.foreign {
            Some(foreign) => format!(
                "failed to find the unit of the broker at {}: expected {expected} to listen there, but \
                 {foreign} does, and stopping that might stop more than a broker; set `broker_unit` if it \
                 is the right one",
                self.endpoint
            ),
            None => format!(
                "failed to find the unit of the broker at {}: expected {expected}, but none is a unit of \
                 this host; set `broker_unit`",
                self.endpoint
            ),
        })
    }
}

/// The broker's URL, and what said so.
fn locate(said: Overrides<'_>, settings: Option<&Settings>) -> Result<Option<(String, String)>> {
    match (said.url, settings) {
        (Some(url), _) => {
            let url = settings.map_or_else(|| url.to_owned(), |s| s.by_transport(url));
            Ok(Some((url, "parameter `broker_url`".to_owned())))
        }
        (None, Some(found)) => found.place(said.target).map(Some),
        (None, None) => {
            let names = said
                .unit
                .map_or_else(units::defaults, |unit| vec![full_name(unit)]);
            let found = observe(&names)?.into_iter().find(|u| u.found);
            Ok(found.map(|unit| {
                let url = units::default_url(&unit.name).to_owned();
                (url, format!("unit {}", unit.name))
            }))
        }
    }
}

/// The virtual host that this host's Pulp uses.
pub(crate) fn pulps_virtual_host() -> String {
    settings::virtual_host_of_file().unwrap_or("/".to_owned())
}

fn observe(names: &[String]) -> Result<Vec<Unit>> {
    if service::manager().is_none() {
        return Ok(Vec::new());
    }
    service::observe(names)
}

/// Whose the broker's endpoint is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Owner {
    unit: Option<String>,
    foreign: Option<String>,
}

impl Owner {
    /// The user's word, else the known unit that listens, else the known unit that is there (the running
    /// one first). A unit that is not known to be a broker's is named and not taken for one: it may be a
    /// proxy or a container engine.
    fn of(endpoint: &Endpoint, said: Option<&str>) -> Result<Self> {
        if let Some(said) = said.map(full_name) {
            refuse_wrong(&said, observe(std::slice::from_ref(&said))?.first())?;
            return Ok(Self::unit(&said));
        }
        let mut listener = endpoint.listener()?;
        let names = units::candidates(endpoint.protocol, endpoint.port(), endpoint.socket());
        let units = match listener {
            // Its control group says whose it is.
            Some(_) if service::manager() == Some(Manager::Systemd) => Vec::new(),
            _ => observe(&names)?,
        };
        if let Some(listener) = &mut listener
            && let Some(owner) = service::owner_of(listener.pid, &units)?
        {
            listener.unit = Some(owner);
        }
        Ok(Self::judge(endpoint.protocol, listener, &units))
    }

    fn unit(name: &str) -> Self {
        Self {
            unit: Some(name.to_owned()),
            foreign: None,
        }
    }

    fn judge(protocol: Protocol, listener: Option<Listener>, units: &[Unit]) -> Self {
        if let Some(listener) = listener {
            let name = listener.unit.unwrap_or_default();
            if units::speaks(&name, protocol) {
                return Self::unit(&name);
            }
            let of = if name.is_empty() { "no unit" } else { &name };
            return Self {
                unit: None,
                foreign: Some(format!("process {} of {of}", listener.pid)),
            };
        }
        let there = || units.iter().filter(|u| u.found && !u.umbrella);
        let found = there().find(|u| u.running).or_else(|| there().next());
        found.map_or_else(Self::default, |u| Self::unit(&u.name))
    }
}

/// Refuses a unit that the user named and that cannot be the broker's.
fn refuse_wrong(said: &str, unit: Option<&Unit>) -> Result<()> {
    match unit {
        Some(unit) if !unit.found => bail!(
            "failed to find `{said}`: expected the broker's unit on this host, but there is none of that \
             name; check `broker_unit` against `{}`",
            service::list()
        ),
        // Debian's `postgresql.service` is active whatever becomes of the cluster.
        Some(unit) if unit.umbrella => bail!(
            "failed to use `{said}` as the broker's unit: expected one that is a process, but it only \
             starts others, and its state says nothing of them; set `broker_unit` to the broker's own, \
             such as postgresql@15-main"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    fn listener(unit: &str) -> Listener {
        Listener {
            pid: 7,
            unit: Some(unit.to_owned()),
        }
    }

    #[test]
    fn a_known_unit_that_listens_is_the_brokers() {
        let owner = Owner::judge(Protocol::Amqp091, Some(listener("qpidd.service")), &[]);
        assert_eq!(owner.unit.as_deref(), Some("qpidd.service"));
    }

    #[test]
    fn a_proxy_or_a_container_engine_is_never_taken_for_a_broker() {
        for unit in ["docker.service", "haproxy.service", "redis.service"] {
            let owner = Owner::judge(Protocol::Amqp091, Some(listener(unit)), &[]);
            assert_eq!(owner.unit, None);
            assert_eq!(owner.foreign, Some(format!("process 7 of {unit}")));
        }
    }

    #[test]
    fn a_busy_broker_is_not_away_and_one_that_refuses_is() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let broker = Broker {
            kind: "rabbitmq",
            endpoint: Endpoint::parse(&format!("amqp://127.0.0.1:{}//", address.port()), "test")
                .unwrap(),
            source: String::new(),
            local: true,
            caches_only: false,
            target: Target::Broker,
            url: String::new(),
            unit: None,
            foreign: None,
            addresses: vec![address],
        };
        let server = std::thread::spawn(move || {
            // The first question gets no answer.
            let _ignored = socket.accept().unwrap();
            let (mut stream, _) = socket.accept().unwrap();
            stream
                .write_all(b"\x01\0\0\0\0\0\x04\0\x0a\0\x0a\xce")
                .unwrap();
        });
        assert!(broker.ask_patiently().is_up());
        server.join().unwrap();
        assert_eq!(broker.ask_patiently(), Answer::Refused);
    }

    #[test]
    fn an_umbrella_is_never_a_brokers_unit() {
        let umbrella = Unit {
            name: "postgresql.service".to_owned(),
            active_state: "active".to_owned(),
            sub_state: "exited".to_owned(),
            main_pid: 0,
            running: false,
            umbrella: true,
            found: true,
            last_exit: String::new(),
            restarts: 0,
            restart: String::new(),
            active_since_us: 1,
        };
        let units = [umbrella];
        let owner = Owner::judge(Protocol::Postgresql, None, &units);
        assert_eq!(owner, Owner::default());
        let error = refuse_wrong("postgresql.service", units.first()).unwrap_err();
        assert!(error.to_string().contains("postgresql@15-main"), "{error}");
    }
}
