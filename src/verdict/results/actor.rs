//! Services as replies name them.

use serde::Deserialize as _;
use serde_json::Value;

use super::{fitting, text};
use crate::names::{Actor, Role};
use crate::timeline::{ActorState, BrokerRefusal};

/// Who it is; a role of a later version is read from the unit's name.
pub(super) fn actor(value: &Value) -> Option<Actor> {
    // By Pulp's own name alone, as modules of before told it.
    if value.is_string() {
        let listed = text(value);
        return (!listed.is_empty()).then(|| Actor::listed(&listed));
    }
    let known = |actor: &Actor| !actor.name.is_empty() || actor.worker.is_some();
    fitting(value).map(completed).filter(known)
}

fn completed(actor: Actor) -> Actor {
    let role = match actor.role {
        Role::Other => Role::of_unit(&actor.name),
        role => role,
    };
    let worker = actor.worker.filter(|worker| !worker.is_empty());
    Actor {
        role,
        worker,
        ..actor
    }
}

/// What became of it.
pub(super) fn state(value: &Value) -> Option<ActorState> {
    let mut state: ActorState = fitting(value)?;
    state.actor = completed(state.actor);
    state.lag = state.lag.max(0.0);
    (!state.actor.name.is_empty()).then_some(state)
}

/// A reason of a later version is none.
pub(super) fn refusal(value: &Value) -> Option<BrokerRefusal> {
    BrokerRefusal::deserialize(value).ok()
}
