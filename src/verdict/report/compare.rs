//! This run beside the one before, whose JSON is given: what is new, what is gone, who was faster.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::rounded;
use crate::verdict::results::{list, number, text};
use crate::verdict::{Judgement, Service};

/// A difference that a person would call one.
const NOTABLE: f64 = 5.0;

/// The run before.
#[derive(Debug)]
pub(crate) struct Comparison {
    id: String,
    ended: String,
    value: String,
    name: String,
    now: String,
    /// Seconds until the recovery, of each service of each scenario.
    seconds: BTreeMap<[String; 3], f64>,
    slower: usize,
    compared: usize,
}

impl Comparison {
    /// None where what is given is no report of ours.
    pub(super) fn with(judgement: &Judgement<'_>, previous: &Json) -> Option<Self> {
        let verdict = previous["verdict"].as_object()?;
        let get = |key: &str| verdict.get(key).map(text).unwrap_or_default();
        let mut seconds = BTreeMap::new();
        for scenario in list(&previous["scenarios"]) {
            for service in list(&scenario["services"]) {
                let name = [
                    text(&scenario["name"]),
                    text(&service["host"]),
                    text(&service["name"]),
                ];
                if let Some(after) = number(&service["recovery_seconds"]) {
                    seconds.insert(name, after);
                }
            }
        }
        let mut comparison = Self {
            id: text(&previous["run"]["id"]),
            ended: text(&previous["run"]["ended"]),
            value: get("value"),
            name: get("name"),
            now: word(
                judgement.value.word(),
                judgement.first().map_or("", |f| f.name.word()),
            ),
            seconds,
            slower: 0,
            compared: 0,
        };
        if comparison.value.is_empty() {
            return None;
        }
        for service in &judgement.services {
            if let Some((before, now)) = comparison.before(service).zip(service.recovery()) {
                comparison.compared += 1;
                comparison.slower += usize::from(now > before + NOTABLE);
            }
        }
        Some(comparison)
    }

    /// Seconds until this service's recovery in the run before.
    pub(super) fn before(&self, service: &Service<'_>) -> Option<f64> {
        let name = [service.scenario, &service.host.name, &service.actor.name];
        self.seconds.get(&name.map(str::to_owned)).copied()
    }

    pub(super) fn sentence(&self) -> String {
        let then = word(&self.value, &self.name);
        let when = match (self.ended.as_str(), self.id.as_str()) {
            ("", "") => String::new(),
            ("", at) | (at, _) => format!(" ({at})"),
        };
        let verdict = if then == self.now {
            format!("The run before{when} ended in the same verdict: {then}.")
        } else {
            format!(
                "The run before{when} ended in another verdict: {then}; now it is {}.",
                self.now
            )
        };
        let times = match (self.compared, self.slower) {
            (0, _) => return verdict,
            (_, 0) => format!("None of {} came back notably slower.", self.compared),
            (of, slower) => format!("{slower} of {of} came back more than {NOTABLE} s slower."),
        };
        format!("{verdict} {times}")
    }

    pub(super) fn json(&self) -> Json {
        let services: Vec<Json> = self
            .seconds
            .iter()
            .map(|([scenario, host, name], seconds)| {
                json!({
                    "scenario": scenario,
                    "host": host,
                    "name": name,
                    "recovery_seconds": rounded(Some(*seconds)),
                })
            })
            .collect();
        json!({
            "run": self.id,
            "ended": self.ended,
            "value": self.value,
            "name": self.name,
            "sentence": self.sentence(),
            "services": services,
        })
    }
}

fn word(value: &str, name: &str) -> String {
    let value = value.replace('_', " ");
    if name.is_empty() {
        value
    } else {
        format!("{value} ({name})")
    }
}
