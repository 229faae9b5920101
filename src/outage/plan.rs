//! What would be done to the broker on this host, and why it must not be, if so. Nothing is changed here.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use serde_json::{Value, json};

use super::Taken;
use super::firewall::Firewall;
use super::methods::{ApplyAt, Method, OutageStep, OutageTarget, SHARED, plan};
use crate::broker::{Broker, ProbeAnswer, remedy};
use crate::host::processes::Process;
use crate::host::{identity, sockets};
use crate::names::option;
use crate::names::verdict::Name;
use crate::names::{VerdictError, verdict_of};
use crate::service::{self, Unit};

/// What Pulp's services take to start once their broker is back.
const SERVICES_START: Duration = Duration::from_secs(2);

/// An outage that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutageOptions<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) method: Method,
    pub(crate) apply_at: ApplyAt,
    pub(crate) hold: Duration,
    pub(crate) restore_after: Duration,
}

impl OutageOptions<'_> {
    /// Whether something is done to the broker on this host, or to its packets.
    pub(crate) fn acts_here(&self, services: &[Unit]) -> bool {
        match self.apply_at {
            ApplyAt::Broker => self.broker.local,
            ApplyAt::Pulp => services.iter().any(Unit::is_up),
        }
    }
}

/// What is recorded, and what is then done.
pub(crate) struct Plan {
    pub(crate) taken: Taken,
    pub(crate) inject: Vec<OutageStep>,
}

impl Plan {
    /// What is done, as a user would write it.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.inject.iter().map(shown).collect()
    }
}

fn shown(step: &OutageStep) -> String {
    match step {
        OutageStep::Run(command) | OutageStep::Try(command) => command.join(" "),
        OutageStep::Write { path, .. } => format!("write {path}"),
    }
}

/// Plans the outage from what is here.
///
/// # Errors
/// `VOID unsupported` and the like: it cannot be made here, or must not be.
pub(crate) fn make(outage: &OutageOptions<'_>, answer: &ProbeAnswer) -> Result<Plan> {
    let broker = outage.broker;
    let manager = service::require().context(VerdictError::around(Name::Unsupported))?;
    let unit = match (&broker.unit, outage.method.cuts()) {
        (Some(unit), _) => Some(unit.as_str()),
        (None, true) => None,
        (None, false) => Some(
            broker
                .unit()
                .context(VerdictError::around(Name::Unsupported))?,
        ),
    }
    // At Pulp's side the broker is left alone, even where it is on the same host.
    .filter(|_| outage.apply_at == ApplyAt::Broker);
    if outage.method.cuts() {
        refuse_own_connection(port(outage)?)?;
    }
    refuse_silent(broker, answer)?;
    let processes = processes(outage.method, unit)?;
    let lead = lead(outage, unit)?;
    let firewall = if outage.method.cuts() {
        Some(Firewall::find()?)
    } else {
        None
    };
    let pair = plan(
        outage.method,
        &OutageTarget {
            port: broker.endpoint.port().unwrap_or_default(),
            unit,
            processes: &processes,
            addresses: (outage.apply_at == ApplyAt::Pulp).then(|| addresses(outage)),
            firewall: firewall.as_ref(),
            manager,
        },
    )?;
    Ok(Plan {
        taken: Taken {
            method: outage.method,
            unit: unit.map(str::to_owned),
            port: broker.endpoint.port(),
            socket: broker.endpoint.socket().map(Path::to_path_buf),
            control: answer.to_string(),
            at_ms: identity::unix_ms(),
            processes,
            undo: pair.undo,
            left: pair.left,
            rules: pair.rules,
            rules_said: Vec::new(),
            lead,
        },
        inject: pair.inject,
    })
}

/// It should have answered before it is taken away.
fn refuse_silent(broker: &Broker, answer: &ProbeAnswer) -> Result<()> {
    if !answer.is_up() {
        bail!(verdict_of!(
            OutageNotProven,
            "the broker at {} ({}) should have answered before it is taken away, but {answer}; {}, and run the test \
             again",
            broker.endpoint,
            broker.source,
            remedy(answer, broker.unit.as_deref())
        ));
    }
    Ok(())
}

/// The processes that will be gone or stopped, and are watched to be so.
fn processes(method: Method, unit: Option<&str>) -> Result<Vec<Process>> {
    let Some(unit) = unit.filter(|_| !method.cuts()) else {
        return Ok(Vec::new());
    };
    if method == Method::Freeze
        && let Some(after) = service::require()?.watchdog(unit)?
    {
        bail!(verdict_of!(
            Unsupported,
            "`{unit}` has WatchdogSec={after}: frozen it would be killed by systemd, which is \
             another outage; use {} kill or partition",
            option("method")
        ));
    }
    let mut all = service::processes_of(unit)?;
    if all.is_empty() {
        bail!(verdict_of!(
            Unsupported,
            "the broker answers, but `{unit}` has no process on this host; it may run in a \
             container or in another unit: set `{}`, or use {} partition",
            option("broker_unit"),
            option("method")
        ));
    }
    if method != Method::Freeze {
        all.retain(|process| process.name != SHARED);
    }
    if method == Method::Stop {
        // What a unit leaves running on purpose (KillMode=process) is no sign of a broker.
        let seen = service::observe(&[unit.to_owned()])?;
        let main = seen.first().map_or(0, |u| u.main_pid);
        all.retain(|process| u32::try_from(process.pid) == Ok(main));
    }
    Ok(all)
}

/// How much earlier than promised the undo begins: its last start and half of it again, because a busy
/// host takes longer, and what Pulp's services take after it.
fn lead(outage: &OutageOptions<'_>, unit: Option<&str>) -> Result<Duration> {
    let Some(unit) = unit.filter(|_| outage.method.ends_processes()) else {
        return Ok(Duration::ZERO);
    };
    let last_start = service::last_start(unit)?;
    let lead = last_start * 3 / 2 + SERVICES_START;
    if outage.restore_after <= outage.hold + lead {
        bail!(
            "value of {} must be greater than hold ({} s) and {:.1} s together, which the undo needs \
             because the last start of `{unit}` took {:.1} s, got: {}; the undo would end the outage",
            option("restore_after"),
            outage.hold.as_secs(),
            lead.as_secs_f64(),
            last_start.as_secs_f64(),
            outage.restore_after.as_secs()
        );
    }
    Ok(lead)
}

/// What is cut: packets have a port.
fn port(outage: &OutageOptions<'_>) -> Result<u16> {
    outage.broker.endpoint.port().with_context(|| {
        verdict_of!(
            Unsupported,
            "the broker is reached at the Unix socket {}, where there are no packets to cut; use {} stop, kill or freeze",
            outage.broker.endpoint,
            option("method")
        )
    })
}

/// Where Pulp's packets to the broker go.
fn addresses(outage: &OutageOptions<'_>) -> Vec<IpAddr> {
    let all = outage.broker.addresses().iter();
    let distinct: BTreeSet<IpAddr> = all.map(|a| a.ip().to_canonical()).collect();
    distinct.into_iter().collect()
}

/// Cutting the connection over which this runs would leave nobody to give anything back in time.
fn refuse_own_connection(port: u16) -> Result<()> {
    if sockets::ports_of_ancestors()?.contains(&port) {
        bail!(verdict_of!(
            Unsupported,
            "port {port} is the broker's and also that of the connection over which this \
             module was started (ssh): cutting it would cut that too; use {} stop, kill or freeze",
            option("method")
        ));
    }
    Ok(())
}

/// An error in the words of the pre-flight: the verdict's name and the rest, in one line whatever a program said.
pub(crate) fn refusal(error: &Error) -> Value {
    let name = VerdictError::name_of(error).unwrap_or(Name::Unsupported);
    let msg = VerdictError::text_of(error).replace('\n', "; ");
    json!({ "name": name, "msg": msg })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_verdict_and_what_it_says() {
        let verdict = anyhow::anyhow!(VerdictError::new(Name::OutageNotProven, "it is: down"));
        assert_eq!(
            refusal(&verdict),
            json!({ "name": "outage_not_proven", "msg": "it is: down" })
        );
        let other =
            anyhow::anyhow!("failed to run `nft`: exit code 1: not permitted\nnetlink: Error");
        assert_eq!(
            refusal(&other),
            json!({
                "name": "unsupported",
                "msg": "failed to run `nft`: exit code 1: not permitted; netlink: Error",
            })
        );
    }
}
