//! What is said of a set of services: in a reply, in a message.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ansible::Outcome;
use crate::service::plan::{self, Action};
use crate::service::{self, Unit};

pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "no consumer runs on this host".to_owned()
    } else {
        names.join(", ")
    }
}

/// The main process of each unit that has one.
fn main_pids(units: &[Unit]) -> BTreeMap<&str, u32> {
    units
        .iter()
        .filter(|u| u.running)
        .map(|u| (u.name.as_str(), u.main_pid))
        .collect()
}

pub(super) fn describe(unit: &Unit) -> String {
    format!(
        "{} is {} ({}){}{}",
        unit.name,
        unit.active_state,
        unit.sub_state,
        if unit.last_exit.is_empty() {
            ""
        } else {
            " and its last main process "
        },
        unit.last_exit
    )
}

pub(super) fn reply(before: &[Unit], after: &[Unit], actions: &[Action]) -> Outcome {
    let services: Vec<Value> = after
        .iter()
        .map(|unit| {
            let was = before.iter().find(|b| b.name == unit.name);
            json!({ "name": unit.name, "before": was, "after": unit })
        })
        .collect();
    let planned: Vec<String> = actions
        .iter()
        .flat_map(|a| service::shown(a.verb, &a.units))
        .collect();
    let diff =
        json!({ "before": plan::states(before, &[]), "after": plan::states(after, actions) });
    Outcome {
        changed: !actions.is_empty(),
        diff: Some(diff),
        ..Outcome::default()
    }
    .with("services", services)
    .with("main_pids", json!(main_pids(after)))
    .with("actions", planned)
}
