//! The message broker: where it is, whether it answers, how it is taken away and given back, and the
//! undo that gives it back when nobody else does.

mod answer;
pub(crate) mod cluster;
pub(crate) mod consumers;
pub(crate) mod endpoint;
pub(crate) mod others;
mod owner;
pub(crate) mod protocol;
pub(crate) mod rabbitmqctl;
mod remedy;
mod schemes;
pub(crate) mod settings;
pub(crate) mod trial;
mod units;
pub(crate) mod url;
pub(crate) mod witness;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::ansible::secrets;
use crate::host::sockets;
use crate::host::wait::{Deadline, Pace, until};
use crate::names::Generation;
use crate::names::{option, source_of_url};
pub(crate) use answer::ProbeAnswer;
use endpoint::Endpoint;
use owner::BrokerOwner;
pub(crate) use protocol::Kept;
pub(crate) use remedy::remedy;
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
    /// While nothing listens there: units of which each could be it.
    #[serde(skip)]
    several: Vec<String>,
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
            Some(_) => settings::read(false, said.pulp),
            None => settings::read(said.may_ask, said.pulp),
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
            BrokerOwner::of(&endpoint, &addresses, said.unit)?
        } else {
            BrokerOwner::default()
        };
        Ok(Some(Self {
            kind: owner
                .kind
                .unwrap_or_else(|| units::kind_of(endpoint.protocol)),
            url: endpoint.url(&url::virtual_host(&url)),
            endpoint,
            source,
            local,
            caches_only: target == Target::Cache,
            target,
            unit: owner.unit,
            foreign: owner.foreign,
            several: owner.several,
            addresses,
        }))
    }

    /// Asks it for its protocol, once.
    pub(crate) fn ask(&self) -> ProbeAnswer {
        self.ask_again(&mut Kept::default())
    }

    /// The same again and again: where nobody has said a word the connection is kept, and listened to by the next question.
    pub(crate) fn ask_again(&self, kept: &mut Kept) -> ProbeAnswer {
        ask(&self.endpoint, &self.addresses, kept)
    }

    /// The same for as long as a busy broker may need: on a busy machine one probe may be too short. Who refuses is not busy.
    pub(crate) fn ask_patiently(&self) -> ProbeAnswer {
        let mut kept = Kept::default();
        let mut answer = self.ask_again(&mut kept);
        let deadline = Deadline::after(PATIENCE);
        // In vain or not: what it said last is judged.
        let _ = until("the broker to answer", deadline, Pace::QUICK, || {
            if answer.is_up() || answer == ProbeAnswer::Refused {
                return Ok(Some(()));
            }
            answer = self.ask_again(&mut kept);
            Ok(None)
        });
        answer
    }

    /// Whether `rabbitmqctl` of this host tells of it: of another broker it tells nothing, or of a RabbitMQ that is none of Pulp's.
    pub(crate) fn has_rabbitmqctl(&self) -> bool {
        self.local && self.kind == "rabbitmq"
    }

    /// Whether anything on this host listens where it is reached.
    ///
    /// # Errors
    /// The kernel's table cannot be read.
    pub(crate) fn listening(&self) -> Result<bool> {
        self.endpoint.listening(&self.addresses)
    }

    /// Who on this host listens there.
    ///
    /// # Errors
    /// The kernel's tables cannot be read.
    pub(crate) fn listener(&self) -> Result<Option<sockets::Listener>> {
        self.endpoint.listener(&self.addresses)
    }

    /// Every address it may be reached at; none for a Unix socket.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
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
                 {foreign} does, and stopping that might stop more than a broker; set `{}` if it \
                 is the right one",
                self.endpoint,
                option("broker_unit")
            ),
            None if !self.several.is_empty() => format!(
                "failed to find the unit of the broker at {}: nothing listens there, and it may be any of {}; set \
                 `{}`",
                self.endpoint,
                self.several.join(", "),
                option("broker_unit")
            ),
            None => format!(
                "failed to find the unit of the broker at {}: expected {expected}, but this host has none that is \
                 enabled or has run since its boot; set `{}`",
                self.endpoint,
                option("broker_unit")
            ),
        })
    }
}

/// Asks for the protocol at an endpoint, once.
fn ask(endpoint: &Endpoint, addresses: &[SocketAddr], kept: &mut Kept) -> ProbeAnswer {
    let Endpoint { protocol, tls, .. } = *endpoint;
    match endpoint.socket() {
        Some(path) => protocol::ask_socket(protocol, path, PROBE_LIMIT, kept),
        None => protocol::ask(protocol, addresses, tls, PROBE_LIMIT, kept),
    }
}

/// The broker's URL, and what said so.
fn locate(said: Overrides<'_>, settings: Option<&Settings>) -> Result<Option<(String, String)>> {
    match (said.url, settings) {
        (Some(url), _) => {
            let url = settings.map_or_else(|| url.to_owned(), |s| s.by_transport(url));
            Ok(Some((url, source_of_url().to_owned())))
        }
        (None, Some(found)) => found.place(said.target).map(Some),
        (None, None) => {
            let found = owner::named_by_units(said.unit)?;
            Ok(found.map(|unit| {
                let url = units::default_url(&unit).to_owned();
                (url, format!("unit {unit}"))
            }))
        }
    }
}

/// That this host's Pulp uses a RabbitMQ of this host, which its own tool may be asked of.
///
/// # Errors
/// Why it is not so, in words.
pub(crate) fn require_rabbitmq() -> Result<(), String> {
    let said = Overrides {
        pulp: Some(Generation::Two),
        ..Overrides::default()
    };
    let found = Broker::discover(said).map_err(|cause| format!("{cause:#}"))?;
    match found {
        Some(broker) if broker.has_rabbitmqctl() => Ok(()),
        Some(broker) => Err(format!(
            "the broker at {} is no RabbitMQ of this host",
            broker.endpoint
        )),
        None => Err("no broker is known on this host".to_owned()),
    }
}

/// The virtual host that this host's Pulp uses.
pub(crate) fn pulps_virtual_host() -> String {
    settings::virtual_host_of_file().unwrap_or("/".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    pub(super) fn broker(kind: &'static str, url: &str, addresses: Vec<SocketAddr>) -> Broker {
        Broker {
            kind,
            endpoint: Endpoint::parse(url, "test").unwrap(),
            source: String::new(),
            local: true,
            caches_only: false,
            target: Target::Broker,
            url: String::new(),
            unit: None,
            foreign: None,
            several: Vec::new(),
            addresses,
        }
    }

    #[test]
    fn rabbitmqctl_tells_only_of_a_rabbitmq_of_this_host() {
        let mut rabbitmq = broker("rabbitmq", "amqp://h//", Vec::new());
        assert!(rabbitmq.has_rabbitmqctl());
        rabbitmq.local = false;
        assert!(!rabbitmq.has_rabbitmqctl());
        for (kind, url) in [
            ("qpid", "qpid://h"),
            ("amqp", "amqp://h"),
            ("redis", "redis://h"),
        ] {
            assert!(!broker(kind, url, Vec::new()).has_rabbitmqctl(), "{kind}");
        }
    }

    #[test]
    fn several_units_that_may_be_it_are_all_named() {
        let mut redis = broker("redis", "redis://h", Vec::new());
        redis.several = vec!["redis.service".to_owned(), "valkey.service".to_owned()];
        let error = redis.unit().unwrap_err().to_string();
        assert!(
            error.contains("any of redis.service, valkey.service; set"),
            "{error}"
        );
    }

    #[test]
    fn a_busy_broker_is_not_away_and_one_that_refuses_is() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let url = format!("amqp://127.0.0.1:{}//", address.port());
        let broker = broker("rabbitmq", &url, vec![address]);
        let (tell, leave) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            // What it is asked first it answers late, and who asks anew is answered at once.
            let (mut late, _) = socket.accept().unwrap();
            late.set_read_timeout(Some(PROBE_LIMIT * 2)).unwrap();
            let _nothing_more = late
                .read(&mut [0; 64])
                .and_then(|_| late.read(&mut [0; 64]));
            late.write_all(b"\x01").unwrap();
            loop {
                let (mut stream, _) = socket.accept().unwrap();
                if leave.try_recv().is_ok() {
                    return;
                }
                // Who asks may have given up meanwhile.
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(b"\x01\0\0\0\0\0\x04\0\x0a\0\x0a\xce");
            }
        });
        assert!(broker.ask_patiently().is_up());
        tell.send(()).unwrap();
        drop(TcpStream::connect(address).unwrap());
        server.join().unwrap();
        assert_eq!(broker.ask_patiently(), ProbeAnswer::Refused);
    }
}
