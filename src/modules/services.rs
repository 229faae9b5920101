//! `pulp_services`: a set of services is in a state, proven by process, with the undo armed before
//! anything is stopped.
//!
//! `connected: true` and `met_outage: true` judge instead of acting: nothing is started; each named
//! service must run, and each worker and the resource manager must hold a connection to the broker
//! for 5 s, or must have said that it could not reach the broker. Durations are
//! seconds. `changed` means that the service manager was asked to do something.

mod tell;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use serde::Deserialize;
use serde_json::json;

use super::{
    ASK_PULP, BROKER_UNIT, BROKER_URL, BY_HAND, BrokerParams, PULP_GENERATION, RESTORE_AFTER,
    RESTORE_MARGIN, RUN_ID, TARGET, look, nothing_taken, seconds, told, typed,
};
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::consumers::{self, Expectation};
use crate::broker::{Broker, ProbeAnswer};
use crate::host::identity;
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::option;
use crate::names::verdict::Name;
use crate::names::{self, Actor, VerdictError, WORKERS};
use crate::outage::guard::Guard;
use crate::outage::undo::{self, Record, Taking};
use crate::pulp::options::{ACCEPT_TASK_LOSS, PULP_URL, with_options};
use crate::pulp::others::Look;
use crate::service::plan::{self, Action};
use crate::service::{self, Manager, Unit};
use tell::{describe, listed, reply};

pub(super) const MODULE: Module = Module {
    name: "pulp_services",
    spec: &SPEC,
    work: run,
};

const SPEC: [Opt; 26] = with_options(&[
    Opt::list_of("name", Kind::Str),
    Opt::new("state", Kind::Str)
        .required()
        .choices(&["started", "stopped", "restarted"]),
    Opt::new("connected", Kind::Bool).default(Default::Bool(false)),
    Opt::new("met_outage", Kind::Bool).default(Default::Bool(false)),
    Opt::new("main_pids", Kind::Dict),
    Opt::new("timeout", Kind::Int).default(Default::Int(120)),
    RUN_ID,
    RESTORE_AFTER,
    BROKER_URL,
    BROKER_UNIT,
    TARGET,
    ASK_PULP,
    PULP_GENERATION,
    PULP_URL,
    ACCEPT_TASK_LOSS,
]);

/// How often the service manager is asked whether a set of services has reached its state.
const PACE: Pace = Pace {
    first: Duration::from_millis(20),
    last: Duration::from_millis(500),
};

#[derive(Debug, Deserialize)]
struct Params {
    name: Option<Vec<String>>,
    state: State,
    connected: bool,
    met_outage: bool,
    main_pids: Option<BTreeMap<String, u32>>,
    timeout: i64,
    run_id: Option<String>,
    restore_after: Option<i64>,
    #[serde(flatten)]
    broker: BrokerParams,
}

impl Params {
    fn broker(&self) -> Result<Option<Broker>> {
        Broker::discover(self.broker.overrides())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Started,
    Stopped,
    Restarted,
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let timeout = seconds("timeout", params.timeout)?;
    let restore_after = match params.restore_after {
        Some(value) => seconds("restore_after", value)?,
        None => RESTORE_MARGIN,
    };
    if restore_after < undo::SHORTEST {
        bail!(
            "value of {} must be at least {}, got: {}; the undo would run before the act",
            option("restore_after"),
            undo::SHORTEST.as_secs(),
            restore_after.as_secs()
        );
    }
    if params.connected && params.met_outage {
        bail!("parameters are mutually exclusive: connected|met_outage");
    }
    let judges = params.connected || params.met_outage;
    if judges && params.state != State::Started {
        bail!("connected and met_outage judge services that run: state must be started");
    }
    let look = match params.state {
        State::Stopped => look(call)?,
        State::Started | State::Restarted => None,
    };
    identity::require_root("control services")?;
    service::require()?;
    let names = match &params.name {
        Some(names) => names.clone(),
        None => names::units()
            .filter(|n| params.broker.pulp.is_none_or(|pulp| pulp.has(n)))
            .map(|n| (*n).to_owned())
            .collect(),
    };
    let mut before = service::observe(&names)?;
    if params.name.is_some() {
        refuse_unknown(&before)?;
    } else {
        before.retain(|u| u.found);
    }
    if judges {
        return judge(call, &params, &before, Deadline::after(timeout));
    }
    let set = Set {
        names: before.iter().map(|u| u.name.clone()).collect(),
        state: params.state,
        before,
        timeout,
        deadline: Deadline::after(timeout),
        run_id: params.run_id.as_deref(),
    };
    set.reach(call, restore_after, look, &|| params.broker())
}

/// A name that the user wrote must be a unit of this host, or a worker's that `pulp_workers` writes.
fn refuse_unknown(units: &[Unit]) -> Result<()> {
    let umbrella = units.iter().any(|u| u.name == WORKERS && u.found);
    let unknown: Vec<&str> = units
        .iter()
        .filter(|u| !u.found)
        .filter(|u| !umbrella || !u.is_worker())
        .map(|u| u.name.as_str())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    bail!(
        "failed to find `{}`: expected a unit of this host, but there is none of that name; check `name` \
         against `{}`",
        unknown.join("`, `"),
        service::list()
    )
}

/// The services to be brought into a state.
struct Set<'a> {
    names: Vec<String>,
    state: State,
    before: Vec<Unit>,
    timeout: Duration,
    deadline: Deadline,
    run_id: Option<&'a str>,
}

impl Set<'_> {
    fn reach(
        &self,
        call: &Call,
        restore_after: Duration,
        look: Option<Look>,
        broker: &dyn Fn() -> Result<Option<Broker>>,
    ) -> Result<Outcome> {
        let actions = match self.state {
            State::Started => plan::start(&self.before),
            State::Stopped => plan::stop(&self.before),
            State::Restarted => plan::restart(&self.before),
        };
        if call.check_mode {
            return Ok(reply(&self.before, &self.predicted(), &actions));
        }
        let as_it_is = || reply(&self.before, &self.before, &[]);
        let mut armed = None;
        if self.state == State::Stopped && !actions.is_empty() {
            let guard = Guard {
                run_id: self.run_id.unwrap_or(BY_HAND),
                restore_after,
                deadline: self.deadline,
                timeout: self.timeout,
            };
            let taking = Taking {
                broker: None,
                services: &self.before,
            };
            match guard.arm(look, taking, |record| answers(record, broker))? {
                Ok(guarded) => armed = Some(guarded),
                Err(untaken) => return Ok(nothing_taken(untaken, as_it_is())),
            }
        }
        let reach = || self.act(&actions).and_then(|()| self.prove());
        let after = match &mut armed {
            Some(armed) => armed.act(|_| reach())?,
            None => reach()?,
        };
        let mut outcome = reply(&self.before, &after, &actions);
        if let Some(armed) = armed {
            outcome = told(outcome, armed.looked);
        }
        if let Some(state) = self.settle(broker)? {
            outcome = outcome.with("undo", state);
        }
        Ok(outcome)
    }

    fn act(&self, actions: &[Action]) -> Result<()> {
        for action in actions {
            let manager = service::require()?;
            let done = manager.apply(action.verb, &action.units, self.deadline.remaining());
            if done.is_err() && self.state != State::Stopped {
                refuse_failed(&service::observe(&self.names)?)?;
            }
            done.map_err(|error| self.told(error))?;
        }
        Ok(())
    }

    /// systemd says itself which unit it has given up; an init script fails.
    fn told(&self, error: Error) -> Error {
        let names_failed = service::manager().is_none_or(Manager::names_failed);
        if !names_failed && self.state != State::Stopped {
            error.context(VerdictError::around(Name::ServiceDidNotStart))
        } else {
            error
        }
    }

    /// Waits until every process says so too.
    fn prove(&self) -> Result<Vec<Unit>> {
        let stopped = self.state == State::Stopped;
        let wanted = |u: &Unit| if stopped { u.is_down() } else { u.is_up() };
        let word = if stopped { "be down" } else { "run" };
        let mut seen = Vec::new();
        let reached = until(
            &format!("every service to {word}"),
            self.deadline,
            PACE,
            || {
                seen = service::observe(&self.names)?;
                if !stopped {
                    refuse_failed(&seen)?;
                }
                Ok(seen.iter().all(wanted).then_some(()))
            },
        );
        reached.map(|()| seen.clone()).map_err(|error| {
            if !error.is::<TimedOut>() {
                return error;
            }
            let late: Vec<&Unit> = seen.iter().filter(|u| !wanted(u)).collect();
            let message = format!("failed to make every service {word}: {}", described(&late));
            if stopped {
                error.context(message)
            } else {
                error.context(did_not_start(message, &late))
            }
        })
    }

    /// Disarms the undo of this run if everything it would give back is there by now.
    fn settle(&self, broker: &dyn Fn() -> Result<Option<Broker>>) -> Result<Option<&'static str>> {
        let Some(record) = undo::record_of(self.run_id)? else {
            return Ok(None);
        };
        if self.state == State::Stopped {
            return Ok(Some("armed"));
        }
        undo::settle(&record, answers(&record, broker)?).map(Some)
    }

    fn predicted(&self) -> Vec<Unit> {
        let mut after = self.before.clone();
        for unit in &mut after {
            unit.active_state = match self.state {
                State::Stopped => "inactive".to_owned(),
                State::Started | State::Restarted => "active".to_owned(),
            };
            unit.running = self.state != State::Stopped && !unit.umbrella;
        }
        after
    }
}

/// Whether the broker is there, if this run took it away.
fn answers(record: &Record, broker: &dyn Fn() -> Result<Option<Broker>>) -> Result<bool> {
    Ok(record.broker.is_none()
        || broker()?.is_some_and(|b| matches!(b.ask(), ProbeAnswer::Answers(_))))
}

/// A unit that its manager has given up will not run, however long one waits.
fn refuse_failed(units: &[Unit]) -> Result<()> {
    let failed: Vec<&Unit> = units
        .iter()
        .filter(|u| u.active_state == "failed")
        .collect();
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let message = format!(
        "{}; see {}",
        described(&failed),
        service::log_of(&first.name)
    );
    Err(did_not_start(message, &failed).into())
}

fn described(units: &[&Unit]) -> String {
    let named: Vec<String> = units.iter().map(|u| describe(u)).collect();
    named.join("; ")
}

/// Each of these was started and does not run.
fn did_not_start(message: String, units: &[&Unit]) -> VerdictError {
    let named = units.iter().map(|u| (Actor::of_unit(&u.name), describe(u)));
    VerdictError::of(Name::ServiceDidNotStart, message, named)
}

/// Judges the services as they are: waits until the consumers are connected, or have met the outage.
fn judge(call: &Call, params: &Params, units: &[Unit], deadline: Deadline) -> Result<Outcome> {
    if call.check_mode {
        return Ok(reply(units, units, &[]));
    }
    let names: Vec<String> = units.iter().map(|u| u.name.clone()).collect();
    let main_pids = params.main_pids.clone().unwrap_or_default();
    if params.met_outage {
        let broker = params.broker()?;
        let met = consumers::wait_met(&names, &main_pids, broker.as_ref(), deadline)?;
        let msg = format!("MET the absent broker: {}", listed(&met));
        return Ok(Outcome {
            msg: Some(msg),
            ..reply(units, units, &[])
        }
        .with("met", met));
    }
    let broker = params.broker()?.with_context(|| {
        format!(
            "failed to find the broker that the services should be connected to; set `{}`",
            option("broker_url")
        )
    })?;
    let expectation = Expectation {
        names: &names,
        main_pids: &main_pids,
        broker: &broker,
    };
    let actors = consumers::wait_connected(&expectation, deadline)?;
    let told: Vec<String> = actors
        .iter()
        .map(|a| format!("{} after {:.1} s", a.name, a.connected_after_seconds))
        .collect();
    let after = service::observe(&names)?;
    // Every recorded service may be back only now.
    if let Some(record) = undo::record_of(params.run_id.as_deref())? {
        undo::settle(&record, matches!(broker.ask(), ProbeAnswer::Answers(_)))?;
    }
    Ok(Outcome {
        msg: Some(format!("CONNECTED: {}", listed(&told))),
        ..reply(units, &after, &[])
    }
    .with("connections", json!(actors)))
}
