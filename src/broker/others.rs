//! Who uses the broker and is not Pulp: they would lose it as well. From the kernel's sockets, and from
//! what RabbitMQ itself says where it can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::host::command_lines::Program;
use crate::host::sockets::clients::Client;
use crate::names::Generation;
use crate::timeline;

/// Ports of a broker's unit that carry no messages: `RabbitMQ`'s management, its metrics, the names and
/// the links of its nodes. Who looks at a web page loses no message.
pub(crate) const NO_MESSAGES: &[u16] = &[4369, 15671, 15672, 15691, 15692, 25672];

/// Units of Pulp 2 that use the broker and are not called `pulp_…`: its web server, and the agent of a
/// host that consumes its content.
const PULPS_UNITS: &[&str] = &["httpd.service", "goferd.service"];

/// The same where processes have no unit.
const PULPS_PROGRAMS: &[&str] = &["httpd", "goferd", "pulp_streamer"];

/// What stands in the command line of each of Pulp 2's Celery processes.
const PULPS_APPLICATION: &str = "pulp.server.async";

/// The client end of a connection to the broker, with what its process is.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) program: Option<Program>,
}

/// A client as the broker itself knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) user: String,
    pub(crate) virtual_host: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What was seen in one look.
#[derive(Debug, Default)]
pub(crate) struct CallersSeen<'a> {
    /// Everybody on this host.
    pub(crate) callers: Vec<Caller>,
    /// Everybody who comes to the broker on this host, wherever they are.
    pub(crate) far_ends: Vec<SocketAddr>,
    /// Everybody as the broker knows them; nobody where it could not be asked.
    pub(crate) named: Vec<Named>,
    /// This module's own process.
    pub(crate) own_pid: i32,
    /// The broker's own unit.
    pub(crate) broker_unit: Option<&'a str>,
    /// Which Pulp is tested; the other one's services are others. Both are Pulp where nobody knows.
    pub(crate) pulp: Option<Generation>,
    /// Pulp's virtual hosts.
    pub(crate) pulps_virtual_hosts: BTreeSet<String>,
}

/// A process of this host that uses the broker and is not Pulp's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Neighbour {
    /// None where the process cannot be seen from here, as one in a container.
    pub(crate) pid: Option<i32>,
    pub(crate) name: String,
    pub(crate) unit: Option<String>,
    pub(crate) connections: usize,
    /// Who it is to the broker.
    pub(crate) user: Option<String>,
    pub(crate) virtual_host: Option<String>,
}

/// Another host with connections to the broker on this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) connections: usize,
    /// Who they are to the broker.
    pub(crate) users: BTreeSet<String>,
}

/// Connections to another virtual host than Pulp's, from another host than this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stranger {
    pub(crate) user: String,
    pub(crate) virtual_host: String,
    pub(crate) host: String,
    pub(crate) connections: usize,
}

/// Who is not Pulp.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Others {
    pub(crate) users: Vec<Neighbour>,
    /// Among them may be hosts of Pulp: only the play knows them all.
    pub(crate) peers: Vec<Peer>,
    pub(crate) virtual_hosts: Vec<Stranger>,
}

/// Tells those apart who are not Pulp. `is_own` says whether an address is this host's.
pub(crate) fn judge(seen: &CallersSeen<'_>, is_own: &dyn Fn(IpAddr) -> bool) -> Others {
    Others {
        users: users(seen),
        peers: peers(seen, is_own),
        virtual_hosts: strangers(seen, is_own),
    }
}

fn users(seen: &CallersSeen<'_>) -> Vec<Neighbour> {
    let mut found: BTreeMap<(Option<i32>, Option<String>), Neighbour> = BTreeMap::new();
    for caller in seen.callers.iter().filter(|c| !belongs(c, seen)) {
        let named = seen.named.iter().find(|n| is_of(n, caller.client.from));
        let virtual_host = named.map(|n| n.virtual_host.clone());
        let entry = found
            .entry((caller.client.pid, virtual_host.clone()))
            .or_insert_with(|| Neighbour {
                pid: caller.client.pid,
                name: caller
                    .program
                    .as_ref()
                    .map_or_else(|| "unknown".to_owned(), |p| p.name.clone()),
                unit: caller.client.unit.clone(),
                connections: 0,
                user: named.map(|n| n.user.clone()),
                virtual_host,
            });
        entry.connections += 1;
    }
    found.into_values().collect()
}

/// Whether a caller is Pulp, the broker's own, this module, or the observer of a run that died.
fn belongs(caller: &Caller, seen: &CallersSeen<'_>) -> bool {
    let unit = caller.client.unit.as_deref();
    caller.client.pid == Some(seen.own_pid)
        || (unit.is_some() && unit == seen.broker_unit)
        || is_pulps(unit, caller.program.as_ref(), seen.pulp)
        || caller.program.as_ref().is_some_and(is_observer)
}

/// It asks the broker until its own deadline, and the next run takes its place.
fn is_observer(program: &Program) -> bool {
    let mut arguments = program.arguments.iter();
    arguments.next().is_some_and(|p| p.ends_with("pulp_watch"))
        && arguments.any(|a| a == timeline::OBSERVE)
}

fn is_pulps(unit: Option<&str>, program: Option<&Program>, tested: Option<Generation>) -> bool {
    let is = |generation| tested.is_none_or(|tested| tested == generation);
    let of_2 = is(Generation::Two);
    let uses_2 = unit.is_some_and(|unit| PULPS_UNITS.contains(&unit));
    if unit.and_then(Generation::of_unit).is_some_and(is) || of_2 && uses_2 {
        return true;
    }
    if !of_2 {
        return false;
    }
    program.is_some_and(|p| {
        p.arguments.iter().any(|a| a.contains(PULPS_APPLICATION))
            || (unit.is_none() && PULPS_PROGRAMS.contains(&p.program()))
    })
}

/// Whether this is the connection from that address and port. A broker that looks names up knows a name
/// instead of the address.
fn is_of(named: &Named, from: SocketAddr) -> bool {
    let address: Option<IpAddr> = named.host.parse().ok();
    named.port == from.port() && address.is_none_or(|a| a.to_canonical() == from.ip())
}

fn peers(seen: &CallersSeen<'_>, is_own: &dyn Fn(IpAddr) -> bool) -> Vec<Peer> {
    let mut found: BTreeMap<IpAddr, Peer> = BTreeMap::new();
    for far in seen.far_ends.iter().filter(|far| !is_own(far.ip())) {
        let peer = found.entry(far.ip()).or_insert_with(|| Peer {
            address: far.ip(),
            connections: 0,
            users: BTreeSet::new(),
        });
        peer.connections += 1;
        let named = seen.named.iter().filter(|n| is_of(n, *far));
        peer.users
            .extend(named.map(|n| format!("{} of {}", n.user, n.virtual_host)));
    }
    found.into_values().collect()
}

fn strangers(seen: &CallersSeen<'_>, is_own: &dyn Fn(IpAddr) -> bool) -> Vec<Stranger> {
    let mut found: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let is_here = |named: &Named| {
        seen.callers.iter().any(|c| is_of(named, c.client.from))
            || named
                .host
                .parse()
                .is_ok_and(|a: IpAddr| is_own(a.to_canonical()))
    };
    for named in &seen.named {
        if !seen.pulps_virtual_hosts.contains(&named.virtual_host) && !is_here(named) {
            let who = (
                named.user.as_str(),
                named.virtual_host.as_str(),
                named.host.as_str(),
            );
            *found.entry(who).or_default() += 1;
        }
    }
    found
        .into_iter()
        .map(|((user, virtual_host, host), connections)| Stranger {
            user: user.to_owned(),
            virtual_host: virtual_host.to_owned(),
            host: host.to_owned(),
            connections,
        })
        .collect()
}

impl std::fmt::Display for Neighbour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid} ({}", self.name)?,
            None => f.write_str("a process that is not seen from here (perhaps a container's")?,
        }
        if let Some(unit) = &self.unit {
            write!(f, " of {unit}")?;
        }
        f.write_str(")")?;
        if let (Some(user), Some(virtual_host)) = (&self.user, &self.virtual_host) {
            write!(f, " as user {user} of vhost {virtual_host}")?;
        }
        write!(f, " with {}", counted(self.connections))
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {}", self.address, counted(self.connections))?;
        if self.users.is_empty() {
            return Ok(());
        }
        let users: Vec<&str> = self.users.iter().map(String::as_str).collect();
        write!(f, " (user {})", users.join(", "))
    }
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "user {} of vhost {} from {} with {}",
            self.user,
            self.virtual_host,
            self.host,
            counted(self.connections)
        )
    }
}

fn counted(connections: usize) -> String {
    match connections {
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    }
}

#[cfg(test)]
mod tests;
