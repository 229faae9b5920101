//! Whose the broker's endpoint is. Where something listens there, its program decides, not the name of its unit. Where nothing does, it
//! is the one unit that it can be; where there are several, none is named.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use super::Kept;
use super::endpoint::Endpoint;
use super::{Protocol, others, units};
use crate::host::command_lines;
use crate::host::sockets::{self, Listener, clients};
use crate::names::option;
use crate::names::verdict_of;
use crate::service::{self, Unit, full_name};

/// Whose the broker's endpoint is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BrokerOwner {
    pub(super) unit: Option<String>,
    /// Its kind, as facts name it, where unit or program say one.
    pub(super) kind: Option<&'static str>,
    /// What listens there and is not known to be a broker.
    pub(super) foreign: Option<String>,
    /// While nothing listens: units of which each could be it.
    pub(super) several: Vec<String>,
}

impl BrokerOwner {
    /// The user's word, else who listens, else the unit that it must be.
    pub(super) fn of(
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        said: Option<&str>,
    ) -> Result<Self> {
        if let Some(said) = said.map(full_name) {
            refuse_wrong(&said, observe(std::slice::from_ref(&said))?.first())?;
            let kind = match units::kind(&said) {
                Some(kind) => Some(kind),
                None => endpoint.listener(addresses)?.and_then(|listener| {
                    let programs = command_lines::names_of(listener.pid);
                    programs.iter().find_map(|name| units::server(name))
                }),
            };
            let kind = kind.filter(|kind| units::speaks(kind, endpoint.protocol));
            return Ok(Self::unit(&said, kind));
        }
        let Some(mut listener) = endpoint.listener(addresses)? else {
            return Ok(Self::judge(&candidates(endpoint)?));
        };
        let manager = service::manager();
        if let Some(manager) = manager.filter(|manager| !manager.has_groups()) {
            let names = units::candidates(endpoint.protocol, endpoint.port(), endpoint.socket());
            listener.unit = manager
                .owner_of(listener.pid, &observe(&names)?)?
                .or(listener.unit);
        }
        let heard = Heard {
            programs: command_lines::names_of(listener.pid),
            is_contained: command_lines::in_container(listener.pid),
            listener,
        };
        let serves = || {
            let relays = sockets::reaches_out(heard.listener.pid).unwrap_or(true);
            !relays && super::ask(endpoint, addresses, &mut Kept::default()).is_life()
        };
        Ok(heard.owner(endpoint.protocol, serves))
    }

    fn unit(name: &str, kind: Option<&'static str>) -> Self {
        Self {
            unit: Some(name.to_owned()),
            kind,
            ..Self::default()
        }
    }

    /// The one that stands out.
    fn judge(candidates: &[Candidate]) -> Self {
        let best = candidates.iter().map(Candidate::rank).max().flatten();
        let best: Vec<&Candidate> = candidates
            .iter()
            .filter(|candidate| best.is_some() && candidate.rank() == best)
            .collect();
        match best[..] {
            [] => Self::default(),
            [only] => Self::unit(&only.unit.name, only.kind),
            _ => Self {
                several: best.iter().map(|c| c.unit.name.clone()).collect(),
                ..Self::default()
            },
        }
    }
}

/// Who listens at the endpoint.
#[derive(Debug)]
struct Heard {
    listener: Listener,
    /// The names of its program.
    programs: Vec<String>,
    is_contained: bool,
}

impl Heard {
    /// `serves` says whether it answers in Pulp's protocol by itself; it is asked only where nothing is known.
    fn owner(&self, protocol: Protocol, serves: impl FnOnce() -> bool) -> BrokerOwner {
        let unit = self.listener.unit.as_deref().unwrap_or_default();
        let by_name = units::kind(unit).filter(|kind| units::speaks(kind, protocol));
        let is_relay = self.programs.iter().any(|name| units::is_relay(name));
        let kind = self.programs.iter().find_map(|name| units::server(name));
        // A unit that only starts a container is known by its name alone.
        let by_program = kind.filter(|_| !self.is_contained || by_name.is_some());
        let found = match (by_program, by_name) {
            _ if unit.is_empty() || is_relay => None,
            (Some(kind), _) if units::speaks(kind, protocol) => Some(Some(kind)),
            (Some(_), _) => None,
            (None, Some(kind)) => Some(Some(kind)),
            (None, None) => (kind.is_none() && !self.is_contained && serves()).then_some(None),
        };
        if let Some(kind) = found {
            return BrokerOwner::unit(unit, kind);
        }
        let of = if unit.is_empty() { "no unit" } else { unit };
        let program = self.programs.first();
        let program = program.map_or_else(String::new, |name| format!(" ({name})"));
        BrokerOwner {
            foreign: Some(format!("process {}{program} of {of}", self.listener.pid)),
            ..BrokerOwner::default()
        }
    }
}

/// A unit that may be the broker's while nothing listens.
#[derive(Debug)]
struct Candidate {
    unit: Unit,
    kind: Option<&'static str>,
    is_enabled: bool,
    /// It has run since the host was booted.
    has_run: bool,
    /// It runs or is configured at another port.
    is_elsewhere: bool,
}

impl Candidate {
    /// How well it fits: one that runs is on its way, one that is enabled was started by the boot. Of one that is neither, nothing is
    /// known unless it has run.
    fn rank(&self) -> Option<u8> {
        let rank = match self {
            Self { unit, .. } if unit.running => 3,
            Self {
                is_enabled: true, ..
            } => 2,
            Self { has_run: true, .. } => 1,
            _ => return None,
        };
        (self.unit.found && !self.unit.umbrella && !self.is_elsewhere).then_some(rank)
    }

    fn all(names: &[String]) -> Result<Vec<Self>> {
        let seen: Vec<Unit> = observe(names)?.into_iter().filter(|u| u.found).collect();
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = seen.iter().map(|unit| unit.name.clone()).collect();
        let enabled = service::require()?.enabled(&names)?;
        Ok(seen
            .into_iter()
            .map(|unit| Self {
                kind: units::kind(&unit.name),
                is_enabled: enabled.contains(&unit.name),
                has_run: false,
                is_elsewhere: false,
                unit,
            })
            .collect())
    }

    fn look_at_log(&mut self) {
        if !self.is_enabled && !self.unit.running {
            let said = service::newest(&[&self.unit]);
            self.has_run = said.is_ok_and(|lines| !lines.is_empty());
        }
    }
}

/// The units that may be the broker at an endpoint where nothing listens.
fn candidates(endpoint: &Endpoint) -> Result<Vec<Candidate>> {
    let (port, socket) = (endpoint.port(), endpoint.socket());
    let names = units::candidates(endpoint.protocol, port, socket);
    let mut found = Candidate::all(&names)?;
    for candidate in &mut found {
        candidate.look_at_log();
        candidate.kind = Some(units::usual_kind(endpoint.protocol));
        let name = &candidate.unit.name;
        candidate.is_elsewhere = units::is_configured_elsewhere(name, port, socket)
            || candidate.unit.running && listens_elsewhere(name, port)?;
    }
    Ok(found)
}

/// Whether a unit that runs listens for messages, and not at this port.
fn listens_elsewhere(unit: &str, port: Option<u16>) -> Result<bool> {
    let Some(port) = port else {
        return Ok(false);
    };
    let mut ports = clients::ports_of(unit)?;
    ports.retain(|port| !others::NO_MESSAGES.contains(port));
    Ok(!ports.is_empty() && !ports.contains(&port))
}

/// The broker's unit on a host of which nothing else is known: the user's word, else the one of Pulp 2's brokers that stands out.
pub(super) fn named_by_units(said: Option<&str>) -> Result<Option<String>> {
    if let Some(said) = said.map(full_name) {
        let found = observe(std::slice::from_ref(&said))?;
        return Ok(found
            .into_iter()
            .find(|unit| unit.found)
            .map(|unit| unit.name));
    }
    let mut found = Candidate::all(&units::defaults())?;
    found.iter_mut().for_each(Candidate::look_at_log);
    let owner = BrokerOwner::judge(&found);
    if !owner.several.is_empty() {
        bail!(verdict_of!(
            BrokerUncertain,
            "nothing says which of {} is Pulp's; set `{}`",
            owner.several.join(", "),
            option("broker_url")
        ));
    }
    Ok(owner.unit)
}

fn observe(names: &[String]) -> Result<Vec<Unit>> {
    if service::manager().is_none() || names.is_empty() {
        return Ok(Vec::new());
    }
    service::observe(names)
}

/// Refuses a unit that the user named and that cannot be the broker's.
fn refuse_wrong(said: &str, unit: Option<&Unit>) -> Result<()> {
    match unit {
        Some(unit) if !unit.found => bail!(
            "failed to find `{said}`: expected the broker's unit on this host, but there is none of that \
             name; check `{}` against `{}`",
            option("broker_unit"),
            service::list()
        ),
        // Debian's `postgresql.service` is active whatever becomes of the cluster.
        Some(unit) if unit.umbrella => bail!(
            "failed to use `{said}` as the broker's unit: expected one that is a process, but it only \
             starts others, and its state says nothing of them; set `{}` to the broker's own, \
             such as postgresql@15-main",
            option("broker_unit")
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
