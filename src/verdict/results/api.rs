//! What an endpoint of Pulp answered, as stretches of time. Only changes are in the journal, so an answer
//! holds until the next one.

use super::WatchReply;
use crate::timeline::Event;

/// How an endpoint answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Availability {
    Answers,
    /// It answers, and a person notices the wait.
    Slow,
    /// A connection, and no answer.
    Silent,
    /// An error, or no connection.
    Error,
}

impl Availability {
    /// It is of no use to anybody.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Silent | Self::Error)
    }
}

/// From when to when, and what.
#[derive(Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) kind: Availability,
    pub(crate) outcome: String,
    pub(crate) milliseconds: u32,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) stretches: Vec<Stretch>,
}

/// A person notices that.
const SLOW_MILLISECONDS: u32 = 1000;

impl WatchReply {
    /// Each endpoint that was asked.
    pub(crate) fn apis(&self) -> Vec<Api> {
        let until = self.known_until();
        let mut apis: Vec<Api> = Vec::new();
        for entry in &self.entries {
            let Event::Api {
                url,
                outcome,
                milliseconds,
                ..
            } = &entry.event
            else {
                continue;
            };
            let url = super::text(&url.as_str().into());
            let index = apis.iter().position(|api| api.url == url);
            let index = index.unwrap_or_else(|| {
                let stretches = Vec::new();
                apis.push(Api { url, stretches });
                apis.len() - 1
            });
            let Some(api) = apis.get_mut(index) else {
                continue;
            };
            // It was asked that much earlier.
            let asked = entry.at - f64::from(*milliseconds) / 1000.0;
            let begun = api.stretches.last().map_or(0.0, |last| last.from);
            let from = asked.max(begun);
            if let Some(last) = api.stretches.last_mut() {
                last.to = from;
            }
            api.stretches.push(Stretch {
                from,
                to: until.max(from),
                kind: kind(outcome, *milliseconds),
                outcome: super::text(&outcome.as_str().into()),
                milliseconds: *milliseconds,
            });
        }
        apis
    }
}

impl Api {
    /// Seconds between these two instants in which it was of no use.
    pub(crate) fn bad_seconds(&self, from: f64, to: f64) -> f64 {
        let bad = self.stretches.iter().filter(|s| s.kind.is_bad());
        bad.map(|s| (s.to.min(to) - s.from.max(from)).max(0.0))
            .sum()
    }

    /// What it answered between these two instants.
    pub(crate) fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Stretch> {
        let within = move |s: &&Stretch| s.to >= from && s.from <= to;
        self.stretches.iter().filter(within)
    }

    /// It was of use before that instant.
    pub(crate) fn worked_before(&self, at: f64) -> bool {
        self.between(f64::MIN, at).any(|s| !s.kind.is_bad())
    }
}

fn kind(outcome: &str, milliseconds: u32) -> Availability {
    match outcome.parse::<u16>() {
        Ok(500..) => Availability::Error,
        Ok(_) if milliseconds >= SLOW_MILLISECONDS => Availability::Slow,
        Ok(_) => Availability::Answers,
        Err(_) if outcome == "timeout" => Availability::Silent,
        Err(_) => Availability::Error,
    }
}
