//! The kernel's witness: what is to be taken away is among that to which Pulp's own processes are connected. Settings say
//! where Pulp would connect at its next start; the kernel shows where it is connected now. Where the two do not agree,
//! nothing is taken away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::{Broker, units};
use crate::host::sockets::peers::{self, Peers};
use crate::host::sockets::{self, is_local};
use crate::host::wait::{Deadline, Pace, until};
use crate::host::{command_lines, processes};
use crate::service::{self, Unit};

/// A service that was just started, or has just lost its connection, is given this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the kernel shows of Pulp's processes on this host and what is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Services of Pulp's that are connected to it, and those that are to be and are not.
    Connected {
        services: Vec<String>,
        without: Vec<String>,
    },
    /// No service that stays connected runs here.
    NobodyRuns,
    /// Connections are made when they are needed, and Pulp was not used just before.
    OnDemand,
    /// None that should be connected to it is.
    Against(Vec<Statement>),
}

/// What one service is connected to instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) service: String,
    pub(crate) pid: u32,
    pub(crate) peers: Peers,
}

/// Looks at once where somebody is connected, else for a few seconds. `used` says that Pulp was used just before, so that what
/// it connects to when needed is connected.
///
/// # Errors
/// The kernel does not show what a process of Pulp's is connected to.
pub(crate) fn look(broker: &Broker, units: &[Unit], used: bool) -> Result<Witness> {
    let place = Place::of(broker)?;
    let mut seen = see(broker, units, &place)?;
    if broker.caches_only && !used && matches!(seen, Witness::Against(_)) {
        return Ok(Witness::OnDemand);
    }
    let names: Vec<String> = units.iter().map(|u| u.name.clone()).collect();
    let deadline = Deadline::after(PATIENCE);
    // In vain or not: what was seen last counts.
    let _ = until(
        "a service of Pulp's to be connected",
        deadline,
        Pace::QUICK,
        || {
            if matches!(seen, Witness::Against(_)) {
                seen = see(broker, &service::observe(&names)?, &place)?;
            }
            Ok((!matches!(seen, Witness::Against(_))).then_some(()))
        },
    );
    Ok(seen)
}

fn see(broker: &Broker, units: &[Unit], place: &Place<'_>) -> Result<Witness> {
    let holders: Vec<&Unit> = units
        .iter()
        .filter(|u| u.running && (u.consumes() != broker.caches_only))
        .collect();
    if holders.is_empty() {
        return Ok(Witness::NobodyRuns);
    }
    Ok(judge(&statements(&holders, broker.caches_only)?, place))
}

/// What listens may hand everything on: a pooler, a proxy. Then it is that which is taken away, and this is what it is connected to.
///
/// # Errors
/// The kernel does not show what it is connected to.
pub(crate) fn behind(broker: &Broker) -> Result<Option<Peers>> {
    if !broker.local {
        return Ok(None);
    }
    let Some(listener) = broker.listener()? else {
        return Ok(None);
    };
    let mut programs = command_lines::names_of(listener.pid).into_iter();
    let pid = u32::try_from(listener.pid).unwrap_or_default();
    if programs.any(|name| units::server(&name).is_some()) {
        return Ok(None);
    }
    let found = peers::of(&[pid])?.remove(&pid);
    Ok(found.filter(|peers| *peers != Peers::default()))
}

/// Where what is to be taken away is.
struct Place<'a> {
    broker: &'a Broker,
    /// One process of this host listens at this port, whatever the address.
    one_listener: Option<u16>,
}

impl<'a> Place<'a> {
    fn of(broker: &'a Broker) -> Result<Self> {
        let port = broker.endpoint.port().filter(|_| broker.local);
        let one_listener = match port {
            Some(port) if sockets::has_one_listener(port)? => Some(port),
            _ => None,
        };
        Ok(Self {
            broker,
            one_listener,
        })
    }

    /// Whether this is it. Whatever a process says of another network namespace's loopback is not of this host's.
    fn is_reached_by(&self, peers: &Peers) -> bool {
        match self.broker.endpoint.socket() {
            Some(path) => peers.reach(path),
            None => peers.tcp.iter().any(|far| self.is(*far, peers.elsewhere)),
        }
    }

    fn is(&self, far: SocketAddr, elsewhere: bool) -> bool {
        if elsewhere && far.ip().is_loopback() {
            return false;
        }
        self.broker.addresses().contains(&far)
            || self.one_listener == Some(far.port()) && is_local(far.ip())
    }
}

/// What each service is connected to: its main process, or of a service that hands its work to others the whole family.
fn statements(holders: &[&Unit], whole_families: bool) -> Result<Vec<Statement>> {
    let mut owners: BTreeMap<u32, &Unit> = BTreeMap::new();
    for unit in holders {
        owners.insert(unit.main_pid, unit);
        if whole_families {
            let main = i32::try_from(unit.main_pid).unwrap_or_default();
            let family = processes::below(main)?;
            owners.extend(
                family
                    .iter()
                    .filter_map(|p| Some((u32::try_from(p.pid).ok()?, *unit))),
            );
        }
    }
    let pids: Vec<u32> = owners.keys().copied().collect();
    let mut found: Vec<Statement> = Vec::new();
    for (pid, peers) in peers::of(&pids)? {
        let Some(unit) = owners.get(&pid) else {
            continue;
        };
        match found.iter_mut().find(|s| s.service == unit.name) {
            Some(statement) => statement.peers.add(peers),
            None => found.push(Statement {
                service: unit.name.clone(),
                pid: unit.main_pid,
                peers,
            }),
        }
    }
    found.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(found)
}

fn judge(statements: &[Statement], place: &Place<'_>) -> Witness {
    let name = |s: &Statement| service::short_name(&s.service).to_owned();
    let (with, without): (Vec<_>, Vec<_>) = statements
        .iter()
        .partition(|s| place.is_reached_by(&s.peers));
    if with.is_empty() {
        Witness::Against(statements.to_vec())
    } else {
        Witness::Connected {
            services: with.into_iter().map(name).collect(),
            without: without.into_iter().map(name).collect(),
        }
    }
}

impl std::fmt::Display for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            service,
            pid,
            peers,
        } = self;
        let service = service::short_name(service);
        write!(f, "{service} (process {pid}) is connected to {peers}")?;
        if peers.elsewhere {
            f.write_str(" in a network namespace of its own")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::broker::endpoint::Endpoint;
    use crate::broker::tests;

    fn broker(url: &str) -> Broker {
        let endpoint = Endpoint::parse(url, "test").unwrap();
        tests::broker("postgresql", url, endpoint.addresses().unwrap())
    }

    /// This test itself, in the part of that unit.
    fn unit(name: &str) -> Unit {
        Unit {
            name: name.to_owned(),
            active_state: "active".to_owned(),
            sub_state: String::new(),
            main_pid: std::process::id(),
            running: true,
            umbrella: false,
            found: true,
            last_exit: String::new(),
            restarts: 0,
            restart: String::new(),
            active_since_us: 0,
        }
    }

    fn seen(broker: &Broker, unit_name: &str) -> Witness {
        see(broker, &[unit(unit_name)], &Place::of(broker).unwrap()).unwrap()
    }

    fn connected() -> Witness {
        Witness::Connected {
            services: vec!["pulpcore-worker@1".to_owned()],
            without: Vec::new(),
        }
    }

    #[test]
    fn who_is_connected_to_another_server_speaks_against_it_and_says_to_which() {
        let [right, wrong] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let at = right.local_addr().unwrap();
        let broker = broker(&format!("postgresql://127.0.0.1:{}/", at.port()));
        let other = TcpStream::connect(wrong.local_addr().unwrap()).unwrap();
        let Witness::Against(statements) = seen(&broker, "pulpcore-worker@1.service") else {
            panic!("nobody is connected to it");
        };
        let told = statements[0].to_string();
        assert!(told.starts_with("pulpcore-worker@1 (process "), "{told}");
        assert!(
            told.contains(&other.peer_addr().unwrap().to_string()),
            "{told}"
        );
        let _client = TcpStream::connect(at).unwrap();
        assert_eq!(seen(&broker, "pulpcore-worker@1.service"), connected());
    }

    #[test]
    fn another_address_of_the_same_listener_is_the_same_server() {
        let server = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let broker = broker(&format!("postgresql://127.0.0.1:{port}/"));
        let _client = TcpStream::connect(("127.0.0.2", port)).unwrap();
        assert_eq!(seen(&broker, "pulpcore-worker@1.service"), connected());
    }

    #[test]
    fn a_unix_socket_has_its_witness_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".s.PGSQL.5432");
        let server = UnixListener::bind(&path).unwrap();
        let broker = broker(&format!("postgresql:///?host={}", folder.path().display()));
        assert!(matches!(
            seen(&broker, "pulpcore-worker@1.service"),
            Witness::Against(_)
        ));
        let _client = UnixStream::connect(&path).unwrap();
        // The kernel shows no client of a server that has not taken it yet.
        let _taken = server.accept().unwrap();
        assert_eq!(seen(&broker, "pulpcore-worker@1.service"), connected());
    }

    #[test]
    fn a_service_that_only_answers_requests_is_no_witness_of_what_carries_tasks() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let broker = broker(&format!("postgresql://127.0.0.1:{port}/"));
        assert_eq!(seen(&broker, "pulpcore-api.service"), Witness::NobodyRuns);
    }

    #[test]
    fn the_loopback_of_another_network_namespace_is_not_this_hosts() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let broker = broker(&format!("postgresql://127.0.0.1:{}/", at.port()));
        let place = Place::of(&broker).unwrap();
        let peers = Peers {
            tcp: [at].into(),
            elsewhere: true,
            ..Peers::default()
        };
        assert!(!place.is_reached_by(&peers));
        assert!(place.is_reached_by(&Peers {
            elsewhere: false,
            ..peers
        }));
    }
}
