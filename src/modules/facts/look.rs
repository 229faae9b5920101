//! The pre-flight's look at this host: sockets, processes, disks, programs, and what RabbitMQ says.
//! Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use anyhow::Result;

use super::{ApplyAt, BrokerSight, Heard, Sight, UrlSight, Wish};
use crate::broker::endpoint::Endpoint;
use crate::broker::others::{self, Caller, CallersSeen, NO_MESSAGES, Named, Others};
use crate::broker::rabbitmqctl::{self, BrokerConnection};
use crate::broker::settings::Settings;
use crate::broker::witness;
use crate::broker::{self, Broker, ProbeAnswer, cluster, url};
use crate::host::disk::{self, Space};
use crate::host::sockets::{self, clients};
use crate::host::{command_lines, programs, rights};
use crate::names::Generation;
use crate::names::all_units;
use crate::service::{self, Manager, Unit};

/// Where brokers keep their data, by kind; the first that is there counts.
const DATA: &[(&str, &[&str])] = &[
    ("rabbitmq", &["/var/lib/rabbitmq"]),
    ("qpid", &["/var/lib/qpidd"]),
    ("redis", &["/var/lib/redis"]),
    ("postgresql", &["/var/lib/pgsql", "/var/lib/postgresql"]),
];

/// Where the undo is written, and where Pulp keeps its content.
const ALWAYS: &[&str] = &["/run", "/var/lib/pulp"];

/// What is known already.
pub(super) struct KnownSoFar<'a> {
    pub(super) settings: Option<&'a Settings>,
    pub(super) broker: Option<(&'a Broker, ProbeAnswer)>,
    pub(super) url: UrlSight,
    /// Which Pulp is tested, as far as that is known.
    pub(super) meant: Option<Generation>,
    pub(super) units: Vec<Unit>,
    /// Those of the other Pulp on this host.
    pub(super) beside: Vec<Unit>,
    /// Pulp was used just before.
    pub(super) used: bool,
}

/// Looks at everything once.
pub(super) fn at(place: KnownSoFar<'_>, wish: Wish) -> Result<Sight> {
    let answers = matches!(place.broker, Some((_, ProbeAnswer::Answers(_))));
    let broker = match &place.broker {
        Some((broker, answer)) => Some(sight(broker, answer, &place)?),
        None => None,
    };
    let kind = broker.as_ref().map_or("", |b| b.kind.as_str());
    let local = broker.as_ref().is_some_and(|b| b.local);
    let said = (kind == "rabbitmq" && local).then(|| ask_rabbitmq(answers));
    let mut asked = Asked::default();
    let not_asked = match said {
        Some(Ok(said)) => {
            asked = said;
            None
        }
        Some(Err(why)) => Some(why),
        None => None,
    };
    let others = match &place.broker {
        Some((broker, _)) => who(broker, &place, wish, &asked.connections)?,
        None => Others::default(),
    };
    let cluster = match &broker {
        Some(broker) => cluster::judge(&broker.kind, &command_lines::all()?, &asked.nodes),
        None => Vec::new(),
    };
    let witness = match &place.broker {
        Some((broker, _)) if answers && !place.units.is_empty() => {
            Some(witness::look(broker, &place.units, place.used)?)
        }
        _ => None,
    };
    let cuts = wish.method.cuts() && (local || wish.apply_at == ApplyAt::Pulp);
    let (there, missing) = tools(cuts, needs_v6(place.broker.as_ref().map(|(b, _)| *b)));
    Ok(Sight {
        configured: place.settings.map(Settings::file),
        settings_asked: place.settings.map(|settings| settings.asked.clone()),
        other_databases: place
            .settings
            .map_or_else(Vec::new, |settings| settings.other_databases.clone()),
        generation: generation(&place),
        version: place.settings.and_then(|s| s.version.clone()),
        manager: manager(),
        selinux: rights::selinux(),
        spaces: spaces(kind, local)?,
        listeners: asked.listeners,
        may_change_firewall: rights::may_change_firewall()?,
        asked: kind == "rabbitmq" && local && not_asked.is_none(),
        units: place.units,
        beside: place.beside,
        url: place.url,
        broker,
        witness,
        others,
        not_asked,
        cluster,
        missing,
        there,
    })
}

fn generation(place: &KnownSoFar<'_>) -> Generation {
    let has_3 = place.units.iter().any(|u| Generation::Three.has(&u.name));
    place.meant.unwrap_or(if has_3 {
        Generation::Three
    } else {
        Generation::Two
    })
}

fn sight(broker: &Broker, answer: &ProbeAnswer, place: &KnownSoFar<'_>) -> Result<BrokerSight> {
    let of = |wanted: bool| {
        let all = broker.addresses().iter().map(|a| a.ip().to_canonical());
        all.filter(move |ip| sockets::is_local(*ip) == wanted)
    };
    Ok(BrokerSight {
        kind: broker.kind.to_owned(),
        endpoint: broker.endpoint.to_string(),
        source: broker.source.clone(),
        socket: broker.endpoint.socket().is_some(),
        local: broker.local,
        unit: broker.unit.clone(),
        foreign: broker.foreign.clone(),
        answer: answer.clone(),
        heard: heard(broker)?,
        elsewhere: if broker.local {
            of(false).collect()
        } else {
            Vec::new()
        },
        other_for_agents: other_for_agents(broker, place),
        behind: witness::behind(broker)?,
    })
}

fn heard(broker: &Broker) -> Result<Heard> {
    if !broker.local || !broker.listening()? {
        return Ok(Heard::Nobody);
    }
    let listener = broker.listener()?;
    Ok(match listener.map(|l| command_lines::in_container(l.pid)) {
        Some(true) => Heard::Contained,
        _ => Heard::Process,
    })
}

/// Pulp may be configured with one broker for its workers and another for the agents.
fn other_for_agents(broker: &Broker, place: &KnownSoFar<'_>) -> Option<String> {
    let said = place.settings?.agents_url()?;
    let endpoint = Endpoint::parse(&said, "[messaging] url").ok()?;
    let theirs: BTreeSet<IpAddr> = ips(&endpoint.addresses().ok()?);
    let ours = ips(broker.addresses());
    // Workers and agents may well use different ports of the same one.
    theirs
        .is_disjoint(&ours)
        .then(|| endpoint.to_string())
        .filter(|_| !(broker.local && theirs.iter().any(|ip| sockets::is_local(*ip))))
}

fn ips(addresses: &[SocketAddr]) -> BTreeSet<IpAddr> {
    addresses.iter().map(|a| a.ip().to_canonical()).collect()
}

/// What RabbitMQ says.
#[derive(Default)]
struct Asked {
    connections: Vec<BrokerConnection>,
    nodes: Vec<String>,
    /// How many listen for the agents' replies, by queue.
    listeners: BTreeMap<String, u64>,
}

/// All questions at once: each starts a virtual machine of its own, which takes most of a second.
fn ask_rabbitmq(answers: bool) -> Result<Asked, String> {
    if !answers {
        return Err("the broker does not answer".to_owned());
    }
    std::thread::scope(|scope| {
        let nodes = scope.spawn(rabbitmqctl::other_nodes);
        let listeners = scope.spawn(|| rabbitmqctl::listeners(&broker::pulps_virtual_host()));
        let connections = rabbitmqctl::connections().map_err(|e| format!("{e:#}"))?;
        match nodes.join() {
            Ok(Ok(nodes)) => Ok(Asked {
                connections,
                nodes,
                // Only told: nothing is refused for want of it.
                listeners: listeners
                    .join()
                    .ok()
                    .and_then(Result::ok)
                    .unwrap_or_default(),
            }),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err("it could not be waited for".to_owned()),
        }
    })
    .map_err(|why| why.replace('\n', " "))
}

/// Who is connected to the broker and is not Pulp.
fn who(
    broker: &Broker,
    place: &KnownSoFar<'_>,
    wish: Wish,
    connections: &[BrokerConnection],
) -> Result<Others> {
    let ports = ports(broker, wish)?;
    let is_server = |end: SocketAddr| {
        if broker.local {
            ports.contains(&end.port()) && sockets::is_local(end.ip())
        } else {
            broker.addresses().contains(&end)
        }
    };
    let mut clients = clients::clients(&is_server)?;
    let manager = service::manager();
    if let Some(manager) = manager.filter(|manager| !manager.has_groups()) {
        let mut names = all_units();
        names.extend(broker.unit.clone());
        let units = service::observe(&names)?;
        for client in &mut clients {
            if let Some(pid) = client.pid {
                client.unit = manager.owner_of(pid, &units)?;
            }
        }
    }
    let callers = clients
        .into_iter()
        .map(|client| Caller {
            program: client.pid.and_then(command_lines::of),
            client,
        })
        .collect();
    let far_ends = if broker.local {
        clients::far_ends(&ports)?
    } else {
        Vec::new()
    };
    let seen = CallersSeen {
        callers,
        far_ends,
        named: connections.iter().map(named).collect(),
        own_pid: i32::try_from(std::process::id()).unwrap_or_default(),
        broker_unit: broker.unit.as_deref(),
        pulp: place.meant,
        pulps_virtual_hosts: virtual_hosts(place),
    };
    Ok(others::judge(&seen, &sockets::is_local))
}

/// The ports whose users would be hit: those of the broker's whole unit, unless only packets to one are
/// cut.
fn ports(broker: &Broker, wish: Wish) -> Result<BTreeSet<u16>> {
    let mut ports = match &broker.unit {
        Some(unit) if broker.local && !wish.method.cuts() => clients::ports_of(unit)?,
        _ => BTreeSet::new(),
    };
    ports.retain(|port| !NO_MESSAGES.contains(port));
    ports.extend(broker.addresses().iter().map(SocketAddr::port));
    Ok(ports)
}

fn named(connection: &BrokerConnection) -> Named {
    Named {
        user: connection.user.clone(),
        virtual_host: connection.virtual_host.clone(),
        host: connection.peer_host.clone(),
        port: connection.peer_port,
    }
}

/// Those of the workers and of the agents.
fn virtual_hosts(place: &KnownSoFar<'_>) -> BTreeSet<String> {
    let workers = place.broker.as_ref().map(|(broker, _)| broker.url.clone());
    let agents = place.settings.and_then(Settings::agents_url);
    let mut found: BTreeSet<String> = [workers, agents]
        .into_iter()
        .flatten()
        .map(|url| url::virtual_host(&url))
        .collect();
    if found.is_empty() {
        found.insert("/".to_owned());
    }
    found
}

fn manager() -> String {
    let known = service::manager().map(Manager::description);
    known.unwrap_or_else(|| "neither systemd nor init scripts".to_owned())
}

fn spaces(kind: &str, local: bool) -> Result<Vec<Space>> {
    let data = DATA.iter().filter(|(of, _)| local && *of == kind);
    let data = data.flat_map(|(_, paths)| paths.iter());
    let mut found = Vec::new();
    for path in ALWAYS.iter().chain(data) {
        found.extend(disk::space(path)?);
    }
    Ok(found)
}

/// Whether rules for IPv6 would have to be made.
fn needs_v6(broker: Option<&Broker>) -> bool {
    broker.is_some_and(|b| b.addresses().iter().any(SocketAddr::is_ipv6))
}

/// What an undo needs: what of it is there, and what is missing.
fn tools(cuts: bool, v6: bool) -> (Vec<&'static str>, Vec<&'static str>) {
    let manager = service::manager().map_or(&[][..], |manager| manager.tools());
    let (mut there, mut missing): (Vec<_>, Vec<_>) = manager
        .iter()
        .partition(|name| programs::find(name).is_some());
    if std::path::Path::new("/bin/sh").exists() {
        there.push("/bin/sh");
    } else {
        missing.push("/bin/sh");
    }
    if cuts {
        let has = |name: &str| programs::find(name).is_some();
        if has("nft") {
            there.push("nft");
        } else if !has("iptables") {
            missing.push("nft or iptables");
        } else if v6 && !has("ip6tables") {
            missing.push("nft or ip6tables");
        } else {
            there.push("iptables");
        }
    }
    (there, missing)
}
