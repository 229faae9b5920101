//! What the observer of one host brought back.

use serde_json::Value;

use super::actor::{refusal, state};
use super::{ModuleReply, flag, list, number, text, texts};
use crate::timeline::{ActorState, BrokerRefusal, Entry, Event};

/// One host's observation of one scenario.
#[derive(Debug)]
pub(crate) struct WatchReply {
    pub(crate) reply: ModuleReply,
    /// The wall clock at the timeline's zero: seconds since 1970; None: there is no timeline.
    pub(crate) wall: Option<f64>,
    /// The broker's endpoint, as observed.
    pub(crate) broker: String,
    pub(crate) entries: Vec<Entry>,
    /// Entries that could not be read.
    pub(crate) unread: usize,
    pub(crate) torn: bool,
    pub(crate) actors: Vec<ActorState>,
    /// Why the broker does not serve Pulp, by what it said itself.
    pub(crate) asked: Option<BrokerRefusal>,
    /// What could not be told of that, and why.
    pub(crate) unknown: Vec<String>,
    /// The outage as seen from this host.
    pub(crate) down_at: Option<f64>,
    pub(crate) up_at: Option<f64>,
}

impl WatchReply {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let reply = ModuleReply::read(value)?;
        let timeline = &value["timeline"];
        let broker = &value["broker"];
        let lines = list(&timeline["entries"]);
        let mut entries: Vec<Entry> = lines
            .iter()
            .filter_map(|line| serde::Deserialize::deserialize(line).ok())
            .filter(|entry: &Entry| entry.at.is_finite())
            .collect();
        entries.sort_by(|a, b| a.at.total_cmp(&b.at));
        let down_at = number(&broker["down_at"]);
        Some(Self {
            wall: number(&timeline["wall"]),
            broker: text(&timeline["broker"]),
            unread: lines.len() - entries.len(),
            torn: flag(&timeline["torn"]) == Some(true),
            actors: list(&value["actors"]).iter().filter_map(state).collect(),
            asked: refusal(&value["asked"]["refusal"]),
            unknown: texts(&value["asked"]["unknown"]),
            down_at,
            // A return before the loss is of another outage.
            up_at: number(&broker["up_at"]).filter(|up| down_at.is_none_or(|down| *up >= down)),
            entries,
            reply,
        })
    }

    /// When the observer ended in order; None: it was killed, or its last words were lost.
    pub(crate) fn ended_at(&self) -> Option<f64> {
        let end = |entry: &&Entry| matches!(entry.event, Event::End { .. });
        self.entries.iter().rev().find(end).map(|entry| entry.at)
    }

    /// The last instant of which anything is known.
    pub(crate) fn last_at(&self) -> f64 {
        self.entries.last().map_or(0.0, |entry| entry.at)
    }

    /// Until when a silence means that nothing happened.
    pub(crate) fn known_until(&self) -> f64 {
        self.ended_at().unwrap_or_else(|| self.last_at())
    }
}
