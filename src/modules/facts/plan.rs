//! What would be done to the broker on this host, and what speaks against it there: `pulp_broker` plans the
//! same outage when it makes it. Nothing is changed here.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::outage::plan::{self, OutageOptions};
use crate::outage::undo;
use crate::service::{self, Unit};

/// The outage as this host would take part in it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Part {
    /// `local` where something is done to the broker or to its packets, else `remote`.
    role: &'static str,
    /// What is done, as a user would write it.
    steps: Vec<String>,
    /// How long the broker takes to start again, by its last start: zero where it goes on, nothing where nobody knows.
    start_seconds: Option<f64>,
    /// Why it cannot be done, which may say in other words what the pre-flight has seen.
    refusals: Vec<Value>,
}

/// Plans it. Where a run has taken something away already nothing can be planned, and whoever asks refuses that.
pub(super) fn part(wanted: &OutageOptions<'_>, units: &[Unit]) -> Result<Part> {
    let role = if wanted.acts_here(units) {
        "local"
    } else {
        "remote"
    };
    let idle = Part {
        role,
        start_seconds: start(wanted)?,
        ..Part::default()
    };
    if role == "remote" || undo::record()?.is_some() {
        return Ok(idle);
    }
    Ok(match plan::make(wanted, &wanted.broker.ask_patiently()) {
        Ok(plan) => Part {
            steps: plan.steps(),
            ..idle
        },
        Err(error) => Part {
            refusals: vec![plan::refusal(&error)],
            ..idle
        },
    })
}

fn start(wanted: &OutageOptions<'_>) -> Result<Option<f64>> {
    if !wanted.method.ends_processes() {
        return Ok(Some(0.0));
    }
    let unit = wanted
        .broker
        .unit
        .as_deref()
        .filter(|_| wanted.broker.local);
    let took = unit.map(service::last_start).transpose()?;
    Ok(took
        .map(|took| took.as_secs_f64())
        .filter(|took| *took > 0.0))
}
