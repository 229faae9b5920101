//! `pulp_facts`: what of Pulp is on this host, where its broker is, and with `preflight` whether an
//! outage can be tested here and who would feel it. Changes nothing.
//!
//! Pulp's configuration is read first, then units and listening sockets. `pulp_url` overrides the
//! URL that is derived from `[server] server_name` or the host's name. The pre-flight looks first,
//! then judges what it saw: `look` is all effects, `lines` and `refusals` have none.

mod lines;
mod look;
mod plan;
mod refusals;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ASK_PULP, BROKER_UNIT, BROKER_URL, BrokerParams, PULP_GENERATION, RESTORE_AFTER, TARGET,
    outage_times, pulp_units, typed,
};
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::cluster::ClusterManager;
use crate::broker::others::Others;
use crate::broker::settings::{Settings, Target, stamps};
use crate::broker::witness::Witness;
use crate::broker::{Broker, ProbeAnswer, settings, url};
use crate::host::disk::Space;
use crate::host::sockets::peers::Peers;
use crate::host::{addresses, identity, rights, sockets};
use crate::names::source_of_url;
use crate::names::verdict::Name;
use crate::names::{Actor, Generation, VerdictError, serves_api};
use crate::outage::methods::{ApplyAt, Method};
use crate::outage::plan::OutageOptions;
use crate::outage::undo;
use crate::service::{self, Manager, Unit};

pub(super) const MODULE: Module = Module {
    name: "pulp_facts",
    spec: &[
        Opt::new("pulp_url", Kind::Str),
        Opt::new("preflight", Kind::Bool).default(Default::Bool(false)),
        Opt::new("method", Kind::Str)
            .default(Default::Str("stop"))
            .choices(Method::NAMES),
        Opt::new("apply_at", Kind::Str)
            .default(Default::Str("broker"))
            .choices(&["broker", "pulp"]),
        Opt::new("hold", Kind::Int).default(Default::Int(0)),
        RESTORE_AFTER,
        Opt::new("accept_shared", Kind::Bool).default(Default::Bool(false)),
        Opt::new("used", Kind::Bool).default(Default::Bool(false)),
        BROKER_URL,
        BROKER_UNIT,
        TARGET,
        ASK_PULP,
        PULP_GENERATION,
    ],
    work: run,
};

/// How much has to be free where the undo is written.
const SMALLEST_RUN: u64 = 1 << 20;

#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option that a user writes"
)]
#[derive(Debug, Deserialize)]
struct Params {
    pulp_url: Option<String>,
    preflight: bool,
    method: Method,
    apply_at: ApplyAt,
    hold: i64,
    restore_after: Option<i64>,
    accept_shared: bool,
    used: bool,
    #[serde(flatten)]
    broker: BrokerParams,
}

/// What is asked for, as far as it decides what is refused.
#[derive(Debug, Clone, Copy)]
struct Wish {
    method: Method,
    apply_at: ApplyAt,
    accept_shared: bool,
}

/// What the pre-flight saw of this host.
#[derive(Debug)]
struct Sight {
    /// Pulp's configuration file on this host.
    configured: Option<&'static str>,
    generation: Generation,
    /// Of a Pulp 3, as far as it is known.
    version: Option<String>,
    /// Pulp's units.
    units: Vec<Unit>,
    /// Those of the other Pulp on this host.
    beside: Vec<Unit>,
    /// Such as `systemd 252`.
    manager: String,
    selinux: &'static str,
    broker: Option<BrokerSight>,
    /// Why a URL is not looked at any further.
    url: UrlSight,
    /// What the kernel shows of Pulp's connections; nothing where the broker does not answer or no Pulp is here.
    witness: Option<Witness>,
    others: Others,
    /// Why RabbitMQ could not be asked, where it should have been; nothing where it was.
    not_asked: Option<String>,
    /// RabbitMQ was asked.
    asked: bool,
    /// Whom of Pulp was asked for its settings; or why nobody was, and what was done instead.
    settings_asked: Option<String>,
    /// Databases of Pulp's beside the one that it is tested with.
    other_databases: Vec<String>,
    cluster: Vec<ClusterManager>,
    spaces: Vec<Space>,
    /// What an undo of this kind needs and is not there.
    missing: Vec<&'static str>,
    /// What it needs and is there.
    there: Vec<&'static str>,
    may_change_firewall: bool,
    /// How many listen for the agents' replies, by queue; empty where nobody here can tell.
    listeners: BTreeMap<String, u64>,
}

/// What the URL alone tells.
#[derive(Debug, Clone, Default)]
struct UrlSight {
    /// What said it.
    source: String,
    names_several: bool,
    /// The user said it, who may know better than the kernel shows.
    by_user: bool,
    /// Why it cannot be told what is to be taken away.
    uncertain: Option<String>,
}

/// The broker, as one host sees it.
#[derive(Debug, Clone)]
struct BrokerSight {
    kind: String,
    endpoint: String,
    source: String,
    /// It is reached at a Unix socket.
    socket: bool,
    local: bool,
    unit: Option<String>,
    foreign: Option<String>,
    answer: ProbeAnswer,
    heard: Heard,
    /// Addresses of its name that are not this host's, although another is.
    elsewhere: Vec<IpAddr>,
    /// Where the agents' messages go, if that is another broker.
    other_for_agents: Option<String>,
    /// What listens is no broker, and this is where it is connected to itself.
    behind: Option<Peers>,
}

/// Who listens where the broker is reached, if that is this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nobody,
    Process,
    /// A container's process.
    Contained,
}

impl Sight {
    fn has_pulp(&self) -> bool {
        self.configured.is_some() || !self.units.is_empty()
    }

    /// Whether something may be taken away on this host.
    fn is_touched(&self) -> bool {
        !self.units.is_empty() || self.broker.as_ref().is_some_and(|b| b.local)
    }

    /// The broker itself would be taken away, on this host.
    fn acts_on_broker(&self, wish: Wish) -> Option<&BrokerSight> {
        let here = self.broker.as_ref().filter(|b| b.local);
        here.filter(|_| wish.apply_at == ApplyAt::Broker)
    }

    /// Why the undo cannot be written into /run, if it cannot.
    fn unfit_for_undo(&self) -> Option<String> {
        let run = self.spaces.iter().find(|s| s.path == "/run")?;
        if run.read_only {
            Some("/run is read-only".to_owned())
        } else if run.free_bytes < SMALLEST_RUN {
            Some(format!("/run is full ({} free)", run.free()))
        } else if run.free_files == Some(0) {
            Some("/run is full (no inode is free)".to_owned())
        } else {
            None
        }
    }

    /// Packets to the broker would be cut on this host.
    fn cuts_here(&self, wish: Wish) -> bool {
        wish.method.cuts()
            && match wish.apply_at {
                ApplyAt::Broker => self.acts_on_broker(wish).is_some(),
                ApplyAt::Pulp => !self.units.is_empty(),
            }
    }
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let times = outage_times(params.hold, params.restore_after)?;
    identity::require_root("read Pulp's configuration and its processes")?;
    let said = params.broker.overrides();
    let settings = settings::read(said.may_ask, said.pulp);
    let settings = settings.as_ref();
    let url = url_sight(said.url, settings, said.target);
    let broker = broker(&params, &url, settings)?;
    let meant = said.pulp.or_else(|| settings?.generation);
    let (units, beside) = pulp_units(None)?
        .into_iter()
        .partition(|unit: &Unit| meant.is_none_or(|pulp| pulp.has(&unit.name)));
    let place = look::KnownSoFar {
        settings,
        broker: broker.as_ref().map(|broker| (broker, broker.ask())),
        url,
        meant,
        units,
        beside,
        used: params.used,
    };
    let mut deployment = deployment(&place, params.pulp_url.clone())?;
    if params.preflight {
        add_preflight(&mut deployment, place, &params, times)?;
    }
    Ok(Outcome::default().with("ansible_facts", json!({ "pulp_deployment": deployment })))
}

/// None where the URL is refused, which is told with all other refusals.
fn broker(params: &Params, url: &UrlSight, settings: Option<&Settings>) -> Result<Option<Broker>> {
    if url.uncertain.is_some() || params.preflight && url.names_several {
        return Ok(None);
    }
    Broker::of(params.broker.overrides(), settings)
}

/// What is here.
fn deployment(place: &look::KnownSoFar<'_>, url: Option<String>) -> Result<Value> {
    let own = addresses::reachable();
    let (settings, units) = (place.settings, &place.units);
    let broker = place.broker.as_ref();
    Ok(json!({
        "found": settings.is_some() || !units.is_empty(),
        "service_manager": service::manager().map_or("unknown", Manager::word),
        "selinux": rights::selinux(),
        "addresses": &own,
        "pulp_url": pulp_url(url, settings)?,
        "pulp": generation(settings, units),
        "pulp3": settings.and_then(pulp3),
        "api": units.iter().any(|u| serves_api(&u.name) && u.is_up()),
        "services": units,
        "actors": actors(units)?,
        "running": running(units),
        "database": settings.map(|s| database(s, &own)),
        "broker": broker.map(|(broker, answer)| describe(broker, answer, &own)),
        "settings": settings.map(|s| &s.asked),
        "settings_files": settings.map(|s| stamps::of(&s.files)),
        "worker_timeout": settings.and_then(|s| s.worker_timeout),
        "retry": settings.and_then(|s| s.retry),
        "taken": taken()?,
    }))
}

/// Whether an outage can be tested here, and who would feel it.
fn add_preflight(
    deployment: &mut Value,
    place: look::KnownSoFar<'_>,
    params: &Params,
    (hold, restore_after): (Duration, Duration),
) -> Result<()> {
    let wish = Wish {
        method: params.method,
        apply_at: params.apply_at,
        accept_shared: params.accept_shared,
    };
    let outage = place.broker.as_ref().map(|(broker, _)| {
        let wanted = OutageOptions {
            broker,
            method: params.method,
            apply_at: params.apply_at,
            hold,
            restore_after,
        };
        plan::part(&wanted, &place.units)
    });
    let outage = outage.transpose()?;
    let sight = look::at(place, wish)?;
    if !deployment["broker"].is_null() {
        deployment["broker"]["users"] = json!(sight.others.users);
        deployment["broker"]["peers"] = json!(sight.others.peers);
        let cluster = Some(&sight.cluster).filter(|found| !found.is_empty());
        deployment["broker"]["cluster"] = json!(cluster);
        deployment["broker"]["listeners"] = json!(sight.listeners);
    }
    deployment["preflight"] = json!({
        "lines": lines::all(&sight, wish),
        "refusals": refusals::all(&sight, wish),
        "others": &sight.others,
        "outage": outage,
    });
    Ok(())
}

fn pulp_url(said: Option<String>, settings: Option<&Settings>) -> Result<String> {
    let configured = || settings.and_then(|settings| settings.url.clone());
    Ok(match said.or_else(configured) {
        Some(url) => url,
        None => format!("https://{}", identity::host_name()?),
    })
}

/// `2` or `3`; null where there is none.
fn generation(settings: Option<&Settings>, units: &[Unit]) -> Option<u8> {
    let is_3 = settings.is_some_and(|s| s.generation == Some(Generation::Three))
        || units.iter().any(|u| Generation::Three.has(&u.name));
    let found = settings.is_some() || !units.is_empty();
    found.then_some(if is_3 { 3 } else { 2 })
}

/// What the settings of a Pulp 3 tell; null where they cannot be told.
fn pulp3(found: &Settings) -> Option<Value> {
    let told = json!({
        "version": found.version,
        "tasks": found.carrier().ok(),
        "cache": found.caches,
        "api_root": found.api_root,
        "domains": found.domains,
    });
    (found.generation != Some(Generation::Two)).then_some(told)
}

/// What the broker's URL tells by itself, wherever it is from.
fn url_sight(said: Option<&str>, settings: Option<&Settings>, target: Target) -> UrlSight {
    let by_user = said.map(|url| Ok((url.to_owned(), source_of_url().to_owned())));
    match by_user.or_else(|| Some(settings?.place(target))) {
        None => UrlSight::default(),
        Some(Ok((url, source))) => UrlSight {
            source,
            names_several: url::names_several(&url),
            by_user: said.is_some(),
            uncertain: None,
        },
        Some(Err(error)) => UrlSight {
            uncertain: is_uncertain(&error).then(|| VerdictError::text_of(&error)),
            ..UrlSight::default()
        },
    }
}

/// It cannot be told what is to be taken away.
fn is_uncertain(error: &anyhow::Error) -> bool {
    VerdictError::name_of(error) == Some(Name::BrokerUncertain)
}

/// What each unit is to Pulp, under which name Pulp lists it, and whether it is as somebody left it.
fn actors(units: &[Unit]) -> Result<Vec<Value>> {
    let host = identity::host_name()?;
    let machine = identity::machine()?;
    let actor = |unit: &Unit| {
        let mut told = json!(Actor::on(&host, &unit.name));
        let died = if unit.has_died() {
            unit.last_exit.as_str()
        } else {
            ""
        };
        told["host"] = host.as_str().into();
        told["machine"] = machine.as_str().into();
        told["running"] = unit.running.into();
        told["died"] = died.into();
        told
    };
    Ok(units.iter().filter(|u| !u.umbrella).map(actor).collect())
}

/// The names of the units that do what a start brings about.
fn running(units: &[Unit]) -> Vec<&str> {
    units
        .iter()
        .filter(|u| u.is_up())
        .map(|u| u.name.as_str())
        .collect()
}

/// What a run of the broker test has taken away and not given back yet.
fn taken() -> Result<Option<Value>> {
    Ok(undo::record()?.map(|record| {
        json!({
            "run_id": record.run_id,
            "since": record.since,
            "restores_at": record.restores_at,
        })
    }))
}

fn describe(broker: &Broker, answer: &ProbeAnswer, own: &[IpAddr]) -> Value {
    let mut value = json!(broker);
    value["answers"] = matches!(answer, ProbeAnswer::Answers(_)).into();
    value["answer"] = answer.to_string().into();
    value["addresses"] = json!(seen_from_outside(
        broker.addresses().iter().map(SocketAddr::ip),
        own
    ));
    value
}

/// Which database is Pulp's: two hosts that name the same one are of the same Pulp.
fn database(settings: &Settings, own: &[IpAddr]) -> Value {
    let local = |host: &str, port: u16| {
        let found = (host, port).to_socket_addrs();
        found.is_ok_and(|mut all| all.any(|a| sockets::is_local(a.ip())))
    };
    let here = settings
        .seeds
        .iter()
        .find(|(host, port)| local(host, *port));
    let unit = here.and_then(|(host, port)| {
        let addresses: Vec<SocketAddr> = (host.as_str(), *port).to_socket_addrs().ok()?.collect();
        sockets::listener(&addresses).ok()??.unit
    });
    let seeds = settings.seeds.iter().map(|(host, port)| {
        // One that does not resolve has no addresses, and Pulp has no database.
        let found = (host.as_str(), *port).to_socket_addrs();
        let found = found.into_iter().flatten().map(|a| a.ip());
        json!({ "host": host, "port": port, "addresses": seen_from_outside(found, own) })
    });
    json!({ "name": settings.database, "seeds": seeds.collect::<Vec<_>>(), "unit": unit })
}

/// Addresses as another host would have to write them: loopback is this host.
fn seen_from_outside(addresses: impl Iterator<Item = IpAddr>, own: &[IpAddr]) -> Vec<IpAddr> {
    let mut seen = Vec::new();
    for address in addresses.map(|a| a.to_canonical()) {
        let meant = if address.is_loopback() {
            own
        } else {
            std::slice::from_ref(&address)
        };
        for address in meant {
            if !seen.contains(address) {
                seen.push(*address);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests;
