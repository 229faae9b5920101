//! What a host saw of one of Pulp's services. All instants are seconds on that host's timeline.

use std::ops::Deref;

use serde::Deserialize as _;
use serde_json::Value;

use super::{flag, list, number, text};
use crate::names::{Actor, Role};
use crate::timeline::BrokerRefusal;

/// The end of a main process.
#[derive(Debug, PartialEq)]
pub(crate) struct Exit {
    pub(crate) at: Option<f64>,
    pub(crate) how: String,
}

/// One service, and what became of it.
#[derive(Debug)]
pub(crate) struct ActorReport {
    pub(crate) actor: Actor,
    pub(crate) main_pid: Option<f64>,
    pub(crate) running: Option<bool>,
    /// Its evidence that it met the outage.
    pub(crate) met_at: Option<f64>,
    pub(crate) met_how: String,
    pub(crate) exits: Vec<Exit>,
    pub(crate) restarts: f64,
    /// systemd's `Restart=`; empty where nobody told.
    pub(crate) restart_setting: String,
    /// Its manager does not start it again.
    pub(crate) given_up: Option<bool>,
    pub(crate) lost_at: Option<f64>,
    pub(crate) connected_at: Option<f64>,
    pub(crate) settled_at: Option<f64>,
    /// At the end it held a new connection, or had just lost one.
    pub(crate) settling: bool,
    pub(crate) further_losses: f64,
    pub(crate) survived_connection: bool,
    pub(crate) retries: Vec<f64>,
    pub(crate) predicted_at: Option<f64>,
    /// What the prediction is reckoned from.
    pub(crate) predicted_from: String,
    /// How many seconds later than predicted its host's lag explains.
    pub(crate) lag: f64,
    /// Why there is no prediction.
    pub(crate) prediction: String,
    pub(crate) unlisted_at: Option<f64>,
    pub(crate) listed_at: Option<f64>,
    /// The last CRITICAL or ERROR line of its log.
    pub(crate) log: String,
    /// When the broker refused it last, and in which words.
    pub(crate) refused: Option<(f64, BrokerRefusal)>,
    /// Such as `T (stopped)`; empty where its process is as others are.
    pub(crate) state: String,
}

impl Deref for ActorReport {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

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

/// A reason of a later version is none.
pub(super) fn refusal(value: &Value) -> Option<BrokerRefusal> {
    BrokerRefusal::deserialize(value).ok()
}

impl ActorReport {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let exit = |value: &Value| Exit {
            at: number(&value["at"]),
            how: text(&value["how"]),
        };
        let met = &value["met"];
        Some(Self {
            actor: actor(value).filter(|actor| !actor.name.is_empty())?,
            main_pid: number(&value["main_pid"]).filter(|pid| *pid > 0.0),
            running: flag(&value["running"]),
            met_at: number(&met["at"]),
            met_how: text(&met["how"]),
            exits: list(&value["exits"]).iter().map(exit).collect(),
            restarts: number(&value["restarts"]).unwrap_or_default(),
            restart_setting: text(&value["restart_setting"]),
            given_up: value["given_up"].as_bool(),
            lost_at: number(&value["lost_at"]),
            connected_at: number(&value["connected_at"]),
            settled_at: number(&value["settled_at"]),
            settling: flag(&value["settling"]) == Some(true),
            further_losses: number(&value["further_losses"]).unwrap_or_default(),
            survived_connection: flag(&value["survived_connection"]) == Some(true),
            retries: list(&value["retries"]).iter().filter_map(number).collect(),
            predicted_at: number(&value["predicted_at"]),
            predicted_from: text(&value["predicted_from"]),
            lag: number(&value["lag"]).unwrap_or_default().max(0.0),
            prediction: text(&value["prediction"]),
            unlisted_at: number(&value["unlisted_at"]),
            listed_at: number(&value["listed_at"]),
            log: text(&value["log"]),
            refused: number(&value["refused"]["at"]).zip(refusal(&value["refused"])),
            state: text(&value["state"]),
        })
    }

    /// There is evidence that it met the outage.
    pub(crate) fn met(&self) -> bool {
        self.met_at.is_some() || !self.met_how.is_empty()
    }

    /// Its connection stands again, or stood through.
    pub(crate) fn has_recovered(&self) -> bool {
        self.survived_connection || (self.connected_at.is_some() && self.settled_at.is_some())
    }

    /// From the broker's return to its first connection.
    pub(crate) fn recovery(&self, up_at: Option<f64>) -> Option<f64> {
        // One that connects to a frozen broker is connected before that answers.
        Some((self.connected_at? - up_at?).max(0.0))
    }

    /// What of its prediction is not by its own log.
    pub(crate) fn predicted_otherwise(&self) -> Option<&str> {
        let from = self.predicted_from.as_str();
        (!matches!(from, "" | "its log")).then_some(from)
    }

    /// The same, as its backoff predicts it.
    pub(crate) fn predicted(&self, up_at: Option<f64>) -> Option<f64> {
        Some(self.predicted_at? - up_at?)
    }
}
