//! What would be done to the broker on this host, and what speaks against it there: `pulp_broker` plans the
//! same outage when it makes it. Nothing is changed here.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::broker::outage::methods::wanted::{self, Wanted};
use crate::broker::undo;
use crate::service::Unit;

/// The outage as this host would take part in it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Part {
    /// `local` where something is done to the broker or to its packets, else `remote`.
    role: &'static str,
    /// What is done, as a user would write it.
    steps: Vec<String>,
    /// Why it cannot be done, which may say in other words what the pre-flight has seen.
    refusals: Vec<Value>,
}

/// Plans it. Where a run has taken something away already nothing can be planned, and whoever asks refuses that.
pub(super) fn part(wanted: &Wanted<'_>, units: &[Unit]) -> Result<Part> {
    let role = if wanted.acts_here(units) {
        "local"
    } else {
        "remote"
    };
    let idle = Part {
        role,
        ..Part::default()
    };
    if role == "remote" || undo::record()?.is_some() {
        return Ok(idle);
    }
    Ok(match wanted::make(wanted, &wanted.broker.ask_patiently()) {
        Ok(plan) => Part {
            steps: plan.steps(),
            ..idle
        },
        Err(error) => Part {
            refusals: vec![wanted::refusal(&error)],
            ..idle
        },
    })
}
