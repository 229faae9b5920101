//! `pulp_broker`: the broker is down, proven, with the undo armed first; or up, answering its own
//! protocol.
//!
//! `hold` and `restore_after` are seconds; `timeout` is how long the broker may take to go or to
//! come, in seconds, the hold not counted. `changed` means that something was done to it or given
//! back. On a host where nothing has to be done, `role` is `remote`: the undo is armed there too, for
//! Pulp's services that could be lost with the broker, and through the hold the outage is proven from
//! where they stand.

mod down;
mod up;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use super::{
    ASK_PULP, BROKER_UNIT, BROKER_URL, BY_HAND, BrokerParams, PULP_GENERATION, RESTORE_AFTER,
    RUN_ID, TARGET, look, outage_times, seconds, typed,
};
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::settings::stamps::{self, Stamps};
use crate::broker::{Broker, rabbitmqctl};
use crate::host::identity;
use crate::names::Generation;
use crate::names::option;
use crate::names::verdict_of;
use crate::outage::methods::{ApplyAt, Method};
use crate::outage::plan::OutageOptions;
use crate::pulp::options::{ACCEPT_TASK_LOSS, PULP_URL, with_options};

pub(super) const MODULE: Module = Module {
    name: "pulp_broker",
    spec: &SPEC,
    work: run,
};

const SPEC: [Opt; 27] = with_options(&[
    Opt::new("state", Kind::Str)
        .required()
        .choices(&["down", "up"]),
    Opt::new("method", Kind::Str)
        .default(Default::Str("stop"))
        .choices(Method::NAMES),
    Opt::new("apply_at", Kind::Str)
        .default(Default::Str("broker"))
        .choices(&["broker", "pulp"]),
    Opt::new("hold", Kind::Int).default(Default::Int(0)),
    Opt::new("timeout", Kind::Int).default(Default::Int(120)),
    Opt::new("alarms", Kind::Bool).default(Default::Bool(false)),
    RUN_ID,
    RESTORE_AFTER,
    BROKER_URL,
    BROKER_UNIT,
    TARGET,
    ASK_PULP,
    PULP_GENERATION,
    Opt::new("settings_files", Kind::Dict),
    PULP_URL,
    ACCEPT_TASK_LOSS,
]);

#[derive(Debug, Deserialize)]
struct Params {
    state: State,
    method: Method,
    apply_at: ApplyAt,
    hold: i64,
    timeout: i64,
    alarms: bool,
    run_id: Option<String>,
    restore_after: Option<i64>,
    #[serde(flatten)]
    broker: BrokerParams,
    settings_files: Option<Stamps>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Down,
    Up,
}

/// One outage to be made on this host.
struct Outage<'a> {
    wanted: OutageOptions<'a>,
    run_id: &'a str,
    timeout: Duration,
    /// See [`PULP_GENERATION`].
    pulp: Option<Generation>,
}

/// Where Pulp's settings are others than it was asked for, what was found may not be Pulp's any more.
fn refuse_changed(before: Option<&Stamps>) -> Result<()> {
    let changed = before.map(stamps::changed).unwrap_or_default();
    if !changed.is_empty() {
        bail!(verdict_of!(
            BrokerUncertain,
            "{} was changed since Pulp was asked for its settings; expected it to be as it was: keep off it for the \
             test, restart Pulp's services if the change is meant, and run the test again",
            changed.join(", ")
        ));
    }
    Ok(())
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let (hold, restore_after) = outage_times(params.hold, params.restore_after)?;
    let timeout = seconds("timeout", params.timeout)?;
    if params.apply_at == ApplyAt::Pulp && !params.method.cuts() {
        bail!(
            "value of {} must be broker where {method} is {}, got: pulp; at Pulp's side packets can be \
             cut: set {method} to partition or reset",
            option("apply_at"),
            params.method.word(),
            method = option("method")
        );
    }
    if params.state == State::Down {
        refuse_changed(params.settings_files.as_ref())?;
    }
    let look = match params.state {
        State::Down => look(call)?,
        State::Up => None,
    };
    // Pulp's configuration is readable to root alone, so this comes before looking for the broker.
    identity::require_root("take the broker away or give it back")?;
    let broker = Broker::discover(params.broker.overrides())?.with_context(|| {
        format!(
            "failed to find a broker: expected `[tasks] broker_url` in /etc/pulp/server.conf, or a unit \
             rabbitmq-server or qpidd on this host; set `{}` or `{}`",
            option("broker_url"),
            option("broker_unit")
        )
    })?;
    let run_id = params.run_id.as_deref();
    match params.state {
        State::Down => {
            let outage = Outage {
                wanted: OutageOptions {
                    broker: &broker,
                    method: params.method,
                    apply_at: params.apply_at,
                    hold,
                    restore_after,
                },
                run_id: run_id.unwrap_or(BY_HAND),
                timeout,
                pulp: params.broker.pulp,
            };
            down::begin(&outage, look, call.check_mode)
        }
        State::Up => {
            let outcome = up::give_back(&broker, run_id, timeout, call.check_mode)?;
            let asked = params.alarms && !call.check_mode;
            let (alarms, unknown) = asked
                .then(|| alarms(&broker))
                .transpose()
                .map_or_else(|why| (None, Some(why)), |alarms| (alarms, None));
            Ok(outcome
                .with("alarms", alarms)
                .with("alarms_unknown", unknown))
        }
    }
}

/// The alarms that stand at a RabbitMQ of this host; or why that cannot be told.
fn alarms(broker: &Broker) -> Result<Vec<String>, String> {
    if !broker.has_rabbitmqctl() {
        return Ok(Vec::new());
    }
    let process = broker.listener().ok().flatten().map(|found| found.pid);
    rabbitmqctl::alarms(process).map_err(|why| {
        format!(
            "whether the broker at {} has an alarm cannot be told: {why:#}",
            broker.endpoint
        )
    })
}

/// The state of a broker that is there, with `--diff`.
const ANSWERS: &str = "answers";

/// Which broker it is, with `--diff`.
fn shown_at(broker: &Broker) -> String {
    format!("broker at {}", broker.endpoint)
}

fn reply(broker: &Broker, role: &str, changed: bool) -> Outcome {
    Outcome {
        changed,
        ..Outcome::default()
    }
    .with("role", role)
    .with("broker", json!(broker))
}
