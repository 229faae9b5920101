//! What became of each service, told from what was seen of it: whether it met the outage, whether it
//! exited, when it lost its connection and had one again, and whether that stood.

mod listed;
mod predicted;
mod supervised;

use std::collections::BTreeMap;
use std::ops::Deref;

use predicted::Lag;
use serde::{Deserialize, Serialize};
use supervised::Supervision;

use super::{BrokerRefusal, ConnectionSpan, Event, Held, Losses, Outage, Said, Timeline, Tried};
use crate::names::{Actor, Role};

/// The broker is asked a few times a second: what it did to a connection may be seen so much earlier.
const SLACK: f64 = 1.0;

/// An exit so much before the broker's absence was seen may have been caused by it. What the test itself
/// stops is gone before it goes on.
const EXIT_SLACK: f64 = 0.3;

/// Something that was seen, and what it was seen by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) at: f64,
    pub(crate) how: String,
}

/// A refusal, and when it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) refusal: BrokerRefusal,
}

/// One service's story, as the observer's host tells it and as the report reads it. Instants are seconds since the observer began;
/// null: not seen.
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that hold or not, each by itself"
)]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ActorState {
    /// Whoever reads it looks who it is by itself.
    #[serde(flatten, skip_deserializing)]
    pub(crate) actor: Actor,
    /// 0: it has none.
    pub(crate) main_pid: u32,
    /// None where nobody told.
    pub(crate) running: Option<bool>,
    /// How it is known that it met the outage.
    pub(crate) met: Option<Seen>,
    /// Ends of its main process from the outage on: the test itself stops services only before.
    pub(crate) exits: Vec<Seen>,
    /// How often its manager started it again by itself meanwhile.
    pub(crate) restarts: u32,
    #[serde(flatten)]
    pub(crate) supervision: Supervision,
    /// Its last connection was gone.
    pub(crate) lost_at: Option<f64>,
    /// It had one again.
    pub(crate) connected_at: Option<f64>,
    /// How often it lost what it had by then.
    pub(crate) further_losses: usize,
    /// At the end of what was seen it holds a new connection, or lost one less than 5 s before.
    pub(crate) settling: bool,
    /// A connection had stood for 5 s.
    pub(crate) settled_at: Option<f64>,
    /// The connection from before the outage was never lost, and bytes moved on it again.
    pub(crate) survived_connection: bool,
    /// Its failed tries to connect, as its log has them.
    pub(crate) retries: Vec<f64>,
    /// The instant of the reconnect that follows from its last try, or from its loss, and from the return.
    pub(crate) predicted_at: Option<f64>,
    /// What that is reckoned from; empty: there is no prediction.
    pub(crate) predicted_from: String,
    /// How many seconds later than predicted this host's lag explains.
    pub(crate) lag: f64,
    /// Why there is no prediction, or what else is to be told of it.
    pub(crate) prediction: String,
    /// Pulp listed it no more.
    pub(crate) unlisted_at: Option<f64>,
    /// Pulp listed it with a heartbeat from after the return.
    pub(crate) listed_at: Option<f64>,
    /// The last CRITICAL line of its log, or else the last ERROR line; empty: there is none.
    pub(crate) log: String,
    /// Why the broker refused it last, since the outage began, by its log.
    pub(crate) refused: Option<Refused>,
    /// What its main process does at the end, where that is out of the ordinary: `T (stopped)`. Whoever
    /// collects it looks.
    pub(crate) state: String,
    /// A connection stands at the end of what was seen, and has for long enough.
    #[serde(skip)]
    stands: bool,
    /// The last failed try of which its log names the next one.
    #[serde(skip)]
    last_try: Option<Tried>,
}

impl Deref for ActorState {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl ActorState {
    /// It has a main process.
    pub(crate) fn runs(&self) -> bool {
        self.running == Some(true)
    }

    /// It never lost its connection, and nothing moves on it.
    pub(crate) fn keeps_silence(&self) -> bool {
        self.met.is_some() && self.connected_at.or(self.lost_at).is_none() && self.stands
    }

    /// It has had a connection again; whether that stands is another question.
    pub(crate) fn is_connected(&self) -> bool {
        self.runs() && self.connected_at.is_some()
    }

    /// It holds a connection that has stood since the broker's return, or never lost the one it had.
    pub(crate) fn has_recovered(&self) -> bool {
        self.runs() && ((self.settled_at.is_some() && self.stands) || self.survived_connection)
    }

    /// Its connection stood again, or stood through, whatever came after.
    pub(crate) fn came_back(&self) -> bool {
        self.survived_connection || (self.connected_at.is_some() && self.settled_at.is_some())
    }

    /// From the broker's return to its first connection.
    pub(crate) fn recovery(&self, up_at: Option<f64>) -> Option<f64> {
        // One that connects to a frozen broker is connected before that answers.
        Some((self.connected_at? - up_at?).max(0.0))
    }

    /// The same, as its backoff predicts it.
    pub(crate) fn predicted(&self, up_at: Option<f64>) -> Option<f64> {
        Some(self.predicted_at? - up_at?)
    }

    /// What of its prediction is not by its own log.
    pub(crate) fn predicted_otherwise(&self) -> Option<&str> {
        let from = self.predicted_from.as_str();
        (!matches!(from, "" | "its log")).then_some(from)
    }
}

/// Everything about one unit, in order.
struct Story<'a> {
    unit: &'a str,
    timeline: &'a Timeline,
    outage: Outage,
    now: f64,
}

/// The stories of all observed units, as of `now`. `main_pids` are the processes that they should have.
pub(super) fn tell(
    timeline: &Timeline,
    outage: Outage,
    main_pids: &BTreeMap<String, u32>,
    now: f64,
) -> Vec<ActorState> {
    let mut units: Vec<&str> = timeline.begin.units.iter().map(String::as_str).collect();
    for entry in &timeline.entries {
        if let Event::Unit { unit, .. } = &entry.event
            && !units.contains(&unit.as_str())
        {
            units.push(unit);
        }
    }
    let stories: Vec<Story<'_>> = units
        .into_iter()
        .map(|unit| Story {
            unit,
            timeline,
            outage,
            now,
        })
        .collect();
    let lag = Lag::of(&stories);
    stories
        .iter()
        .map(|story| story.actor(main_pids.get(story.unit).copied(), lag))
        .collect()
}

/// A main process, until when it was the unit's, and how it ended.
#[derive(Debug, Clone)]
struct Main {
    pid: u32,
    until: Option<Seen>,
}

impl Story<'_> {
    fn events(&self) -> impl Iterator<Item = (f64, &Event)> {
        let entries = self.timeline.entries.iter();
        entries.map(|entry| (entry.at, &entry.event))
    }

    fn actor(&self, expected: Option<u32>, lag: Lag) -> ActorState {
        let role = Role::of_unit(self.unit).beside(self.timeline.begin.caches_only);
        let consumes = role.consumes();
        let held = Held::by(self.timeline, self.unit, consumes);
        let mains = self.mains();
        let runs = mains.last().filter(|main| main.until.is_none());
        let main_pid = runs.map_or(0, |main| main.pid);
        let losses = held.losses(|pid, at| !self.was_ended(&mains, pid, at));
        let lost_at = self.lost_at(&losses);
        let up = self.outage.up_at;
        let connected_at = self.connected_at(&held, lost_at);
        let kept = self.kept(&held);
        let survived = kept
            .iter()
            .any(|c| c.moved.iter().any(|at| up.is_some_and(|up| *at >= up)));
        // Where nothing was lost and nothing went away, it counts from the start.
        let untouched = lost_at.or(self.outage.down_at).is_none().then_some(0.0);
        let back = connected_at.or(untouched);
        let counts_from = back.map(|at| up.map_or(at, |up| up.max(at)));
        let settled_at = counts_from.and_then(|from| held.settled(from, self.now));
        let retries = self.said(Said::Refused);
        let prediction = self.prediction(consumes, lost_at, &retries, &mains, lag);
        let predicted = self.predicted(prediction, lag);
        let (worker, unlisted_at, listed_at) = self.listed();
        let exits = self.exits(&mains, main_pid, expected);
        let met = self.met(lost_at, &held).or_else(|| exits.first().cloned());
        let met = met.or_else(|| self.seen_met());
        ActorState {
            actor: Actor {
                name: self.unit.to_owned(),
                role,
                worker,
            },
            main_pid,
            running: Some(main_pid != 0),
            met,
            exits,
            supervision: self.supervision(),
            restarts: self.restarts(),
            lost_at,
            connected_at,
            settling: connected_at.is_some() && held.settles(self.now),
            further_losses: connected_at.map_or(0, |at| self.losses_after(&losses, at)),
            settled_at,
            survived_connection: survived,
            retries,
            predicted_at: predicted.at,
            predicted_from: predicted.from.to_owned(),
            lag: predicted.lag,
            prediction: predicted.words,
            unlisted_at,
            listed_at,
            log: self.log(),
            refused: self.refused(),
            state: String::new(),
            stands: held.stands(self.now, up),
            last_try: self.last_try(),
        }
    }

    /// How often it lost a connection after this instant, by the kernel or by its log.
    fn losses_after(&self, losses: &Losses, at: f64) -> usize {
        let logged = self.said(Said::Lost).iter().filter(|t| **t > at).count();
        losses.after(at).max(logged)
    }

    /// The connections from before the outage that stand.
    fn kept<'h>(&self, held: &'h Held) -> Vec<&'h ConnectionSpan> {
        let (down, up) = self
            .outage
            .down_at
            .zip(self.outage.up_at)
            .unwrap_or((f64::NEG_INFINITY, 0.0));
        held.through(down, up)
            .filter(|c| c.closed.is_none())
            .collect()
    }

    /// The main processes that the unit had, in order.
    fn mains(&self) -> Vec<Main> {
        let mut mains: Vec<Main> = Vec::new();
        for (at, event) in self.events() {
            let Event::Unit {
                unit,
                main_pid,
                exit,
                ..
            } = event
            else {
                continue;
            };
            if unit != self.unit {
                continue;
            }
            let last = mains.last_mut().filter(|m| m.until.is_none());
            if last.as_ref().is_some_and(|m| m.pid == *main_pid) {
                continue;
            }
            if let Some(last) = last {
                let how = match (exit.as_str(), *main_pid) {
                    ("", 0) => "does not run".to_owned(),
                    ("", pid) => started_again(last.pid, pid),
                    (how, _) => how.to_owned(),
                };
                last.until = Some(Seen { at, how });
            }
            if *main_pid != 0 {
                mains.push(Main {
                    pid: *main_pid,
                    until: None,
                });
            }
        }
        mains
    }

    /// From when on the end of a process is an exit.
    fn exits_from(&self) -> f64 {
        self.outage.down_at.map_or(0.0, |down| down - EXIT_SLACK)
    }

    /// Whether the process was stopped by the test itself at about this instant.
    fn was_ended(&self, mains: &[Main], pid: u32, at: f64) -> bool {
        mains
            .iter()
            .filter(|main| main.pid == pid)
            .filter_map(|main| main.until.as_ref())
            .any(|end| end.at <= at + SLACK && end.at < self.exits_from())
    }

    fn exits(&self, mains: &[Main], main_pid: u32, expected: Option<u32>) -> Vec<Seen> {
        let mut exits: Vec<Seen> = mains
            .iter()
            .filter_map(|main| main.until.clone())
            .filter(|end| end.at >= self.exits_from())
            .collect();
        if let Some(expected) = expected.filter(|pid| exits.is_empty() && *pid != main_pid) {
            let end = mains.iter().find(|main| main.pid == expected);
            exits.push(
                end.and_then(|main| main.until.clone())
                    .unwrap_or_else(|| Seen {
                        at: self.exits_from().max(0.0),
                        how: match main_pid {
                            0 => "does not run".to_owned(),
                            pid => started_again(expected, pid),
                        },
                    }),
            );
        }
        exits
    }

    fn restarts(&self) -> u32 {
        let mut counts = self.events().filter_map(|(_, event)| match event {
            Event::Unit { unit, restarts, .. } if unit == self.unit => Some(*restarts),
            _ => None,
        });
        let first = counts.next().unwrap_or_default();
        counts.last().unwrap_or(first).saturating_sub(first)
    }

    fn said(&self, wanted: Said) -> Vec<f64> {
        self.events()
            .filter(|(_, event)| {
                matches!(event, Event::Said { unit, what, .. } if unit == self.unit && *what == wanted)
            })
            .map(|(at, _)| at)
            .collect()
    }

    fn log(&self) -> String {
        let lines = self.events().filter_map(|(_, event)| match event {
            Event::Logged { unit, line } if unit == self.unit => Some(line.clone()),
            _ => None,
        });
        lines.last().unwrap_or_default()
    }

    /// What came before the outage is none of its.
    fn refused(&self) -> Option<Refused> {
        let down = self.outage.down_at?;
        let refused = self.events().filter_map(|(at, event)| match event {
            Event::Refused { unit, refusal } if unit == self.unit && at >= down => Some(Refused {
                at,
                refusal: refusal.clone(),
            }),
            _ => None,
        });
        refused.last()
    }

    fn lost_at(&self, losses: &Losses) -> Option<f64> {
        match self.outage {
            Outage {
                down_at: Some(down),
                up_at,
            } => losses.between(
                down - 2.0 * SLACK,
                up_at.map_or(f64::INFINITY, |up| up + SLACK),
            ),
            // Cut by something that the broker itself did not show.
            _ => losses.between(0.0, f64::INFINITY),
        }
    }

    /// The first connection since the return, or from shortly before it and standing still. What is opened
    /// beside one that was never lost is no reconnect.
    fn connected_at(&self, held: &Held, lost_at: Option<f64>) -> Option<f64> {
        let through = self.outage.down_at.zip(self.outage.up_at);
        if lost_at.is_none() && through.is_some_and(|(down, up)| held.through(down, up).count() > 0)
        {
            return None;
        }
        let from = lost_at.or(self.outage.down_at)?;
        let back = match self.outage {
            Outage {
                up_at: Some(up), ..
            } => up - SLACK,
            Outage { down_at: None, .. } => from,
            _ => return None,
        };
        held.first(from, back)
    }

    fn met(&self, lost_at: Option<f64>, held: &Held) -> Option<Seen> {
        let seen = |at, how: &str| Seen {
            at,
            how: how.to_owned(),
        };
        if let Some(at) = lost_at {
            return Some(seen(at, "its connection was lost"));
        }
        let down = self.outage.down_at?;
        let up = self.outage.up_at.unwrap_or(self.now);
        let logged = [Said::Lost, Said::Refused, Said::Met].map(|what| self.said(what));
        let mut logged = logged.concat();
        logged.sort_by(f64::total_cmp);
        if let Some(at) = logged
            .into_iter()
            .find(|t| (down - SLACK..=up + SLACK).contains(t))
        {
            return Some(seen(at, "its log says so"));
        }
        let silent = held.through(down, up).any(|c| {
            !c.moved
                .iter()
                .any(|t| (down + SLACK..up - SLACK).contains(t))
        });
        silent.then(|| seen(down, "its connection was silent"))
    }
}

fn started_again(was: u32, is: u32) -> String {
    format!("exited and was started again (its main process was {was} and is {is})")
}

#[cfg(test)]
mod tests;
