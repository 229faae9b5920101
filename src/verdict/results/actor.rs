//! Services as replies name them.

use serde::Deserialize as _;
use serde_json::Value;

use super::{fitting, list, text};
use crate::names::{Actor, Role};
use crate::timeline::{ActorState, BrokerRefusal};

/// Who it is; a role of a later version is read from the unit's name.
pub(super) fn actor(value: &Value) -> Option<Actor> {
    // By Pulp's own name alone, as modules of before told it.
    if value.is_string() {
        let listed = text(value);
        return (!listed.is_empty()).then(|| Actor::listed(&listed));
    }
    let name = text(&value["name"]);
    let worker = Some(text(&value["worker"])).filter(|worker| !worker.is_empty());
    if name.is_empty() && worker.is_none() {
        return None;
    }
    let role = match Role::deserialize(&value["role"]) {
        Ok(role) if role != Role::Other => role,
        _ => Role::of_unit(&name),
    };
    Some(Actor { name, role, worker })
}

/// What became of it. Of whom it says that they ended, and not how, it says nothing that counts: an exit that is left out would be
/// a service that never exited.
pub(super) fn state(value: &Value) -> Option<ActorState> {
    let mut state: ActorState = fitting(value)?;
    if state.exits.len() != list(&value["exits"]).len() {
        return None;
    }
    state.actor = actor(value).filter(|actor| !actor.name.is_empty())?;
    state.lag = state.lag.max(0.0);
    Some(state)
}

/// A reason of a later version is none.
pub(super) fn refusal(value: &Value) -> Option<BrokerRefusal> {
    BrokerRefusal::deserialize(value).ok()
}
