//! The ways to lose a broker, each a pair: what takes it away, and what gives it back. A pair is a
//! list of plain commands, made from what was observed and without effects, so that the same list
//! serves the module and the script of the undo, and can be shown before it is done.

mod freeze;
mod kill;
mod partition;
mod reset;
mod stop;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::firewall::{Firewall, Verdict};
use crate::broker::ProbeAnswer;
use crate::host::processes::Process;
use crate::host::programs;
use crate::names::option;
pub(crate) use crate::service::Command;
use crate::service::Manager;

/// Erlang's name server, which other programs of the host share, though it may be in the control group of
/// the broker that was started first.
pub(crate) const SHARED: &str = "epmd";

/// How long a command of a pair may take, other than the stop of a unit.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// How the broker is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// Its unit is stopped in order.
    Stop,
    /// Its processes are killed and stay dead.
    Kill,
    /// Its processes are stopped where they are: connected, silent.
    Freeze,
    /// The packets to and from it are dropped.
    Partition,
    /// Connections to it are refused, and standing ones cut.
    Reset,
}

/// On which hosts packets are dropped or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ApplyAt {
    /// The broker's own.
    Broker,
    /// Those of Pulp's services.
    Pulp,
}

impl Method {
    /// The names that users write.
    pub(crate) const NAMES: &[&str] = &["stop", "kill", "freeze", "partition", "reset"];

    /// Packets, not processes: the broker itself is not touched.
    pub(crate) fn cuts(self) -> bool {
        matches!(self, Self::Partition | Self::Reset)
    }

    /// It ends the broker's processes, so they have to be started again.
    pub(crate) fn ends_processes(self) -> bool {
        matches!(self, Self::Stop | Self::Kill)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Partition => "partition",
            Self::Reset => "reset",
        }
    }

    /// Whether this is what a client meets while the broker is away in this way.
    pub(crate) fn explains(self, answer: &ProbeAnswer) -> bool {
        match self {
            Self::Stop | Self::Kill | Self::Reset => *answer == ProbeAnswer::Refused,
            // When its queue of connections is full, the kernel accepts no more for it.
            Self::Freeze => matches!(answer, ProbeAnswer::Silent | ProbeAnswer::NoConnection),
            Self::Partition => *answer == ProbeAnswer::NoConnection,
        }
    }

    /// What a client meets, in words.
    pub(crate) fn effect(self) -> &'static str {
        match self {
            Self::Stop | Self::Kill => "nothing listens, connections are refused",
            Self::Freeze => "connections stand, nobody answers",
            Self::Partition => "packets are lost, no connection comes about",
            Self::Reset => "connections are refused, standing ones are cut",
        }
    }
}

/// What a pair is planned from.
#[derive(Debug)]
pub(crate) struct OutageTarget<'a> {
    pub(crate) port: u16,
    /// Its unit on this host; none is needed where packets are cut.
    pub(crate) unit: Option<&'a str>,
    /// The unit's processes.
    pub(crate) processes: &'a [Process],
    /// Where packets go to, from here. None: to every address of this host.
    pub(crate) addresses: Option<Vec<IpAddr>>,
    /// What cuts them.
    pub(crate) firewall: Option<&'a Firewall>,
    /// What runs the unit.
    pub(crate) manager: &'static dyn Manager,
}

/// Takes a broker away, and gives it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pair {
    pub(crate) inject: Vec<OutageStep>,
    /// Gives it back; each command does no harm when it is repeated, and may fail when there is nothing
    /// to do. A unit that has to be started is started after these.
    pub(crate) undo: Vec<Command>,
    /// Each succeeds as long as something of the injection is left.
    pub(crate) left: Vec<Command>,
    /// Each says the same as long as the injection stands.
    pub(crate) rules: Vec<Command>,
}

/// One step of taking away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutageStep {
    /// Has to succeed.
    Run(Command),
    /// May fail.
    Try(Command),
    /// A file below `/run`, with its directory.
    Write { path: String, text: String },
}

/// Plans the pair.
///
/// # Errors
/// A unit or a firewall is needed and not there.
pub(crate) fn plan(method: Method, target: &OutageTarget<'_>) -> Result<Pair> {
    match method {
        Method::Stop => Ok(stop::plan(unit(target)?, target.manager)),
        Method::Kill => Ok(kill::plan(unit(target)?, target.processes, target.manager)),
        Method::Freeze => Ok(freeze::plan(
            unit(target)?,
            target.processes,
            target.manager,
        )),
        Method::Partition => partition::plan(target),
        Method::Reset => reset::plan(target, programs::find("ss").as_deref()),
    }
}

fn unit<'a>(target: &OutageTarget<'a>) -> Result<&'a str> {
    match target.unit {
        Some(unit) => Ok(unit),
        None => {
            bail!(
                "failed to plan the outage: the broker's unit is not known; set `{}`",
                option("broker_unit")
            )
        }
    }
}

fn cut(target: &OutageTarget<'_>, verdict: Verdict) -> Result<Pair> {
    match target.firewall {
        Some(firewall) => Ok(firewall.cut(target, verdict)),
        None => bail!("failed to plan the outage: no firewall was looked for"),
    }
}

pub(super) fn command<const N: usize>(words: [&str; N]) -> Command {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_meets_tells_the_ways_apart() {
        assert!(Method::Kill.explains(&ProbeAnswer::Refused));
        assert!(!Method::Partition.explains(&ProbeAnswer::Refused));
        assert!(!Method::Reset.explains(&ProbeAnswer::NoConnection));
        assert!(Method::Freeze.explains(&ProbeAnswer::Silent));
        for name in Method::NAMES {
            let method: Method = serde_json::from_value((*name).into()).unwrap();
            assert!(
                !method.explains(&ProbeAnswer::Answers(Duration::ZERO)),
                "{name}"
            );
            assert_eq!(method.word(), *name);
        }
    }

    #[test]
    fn a_process_cannot_be_taken_without_its_unit() {
        let target = OutageTarget {
            port: 5672,
            unit: None,
            processes: &[],
            addresses: None,
            firewall: None,
            manager: &crate::service::Systemd,
        };
        for method in [Method::Stop, Method::Kill, Method::Freeze, Method::Reset] {
            assert!(plan(method, &target).is_err());
        }
    }
}
