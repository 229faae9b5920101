//! The connections to the broker that a service's main process held, and when it lost the last of them.

use std::collections::BTreeMap;

use super::{Event, Timeline};

/// How long a connection must stand to count.
const STANDING: f64 = 5.0;

/// One connection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConnectionSpan {
    pub(super) pid: u32,
    pub(super) opened: f64,
    pub(super) closed: Option<f64>,
    /// When bytes were seen to move on it again.
    pub(super) moved: Vec<f64>,
}

impl ConnectionSpan {
    fn stands_at(&self, at: f64) -> bool {
        self.opened <= at && self.closed.is_none_or(|closed| closed > at)
    }
}

/// All that one unit held, in the order in which they were opened.
#[derive(Debug)]
pub(super) struct Held(Vec<ConnectionSpan>);

/// The instants at which everything that had stood was gone.
#[derive(Debug)]
pub(super) struct Losses(Vec<f64>);

impl Held {
    /// Those of a unit; of a consumer those of its main process only.
    pub(super) fn by(timeline: &Timeline, unit: &str, main_only: bool) -> Self {
        let mut all: Vec<ConnectionSpan> = Vec::new();
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        for entry in &timeline.entries {
            match &entry.event {
                Event::Opened {
                    unit: of,
                    pid,
                    child,
                    socket,
                } if of == unit && !(main_only && *child) => {
                    open.insert(*socket, all.len());
                    all.push(ConnectionSpan {
                        pid: *pid,
                        opened: entry.at,
                        closed: None,
                        moved: Vec::new(),
                    });
                }
                Event::Closed { unit: of, socket } if of == unit => {
                    if let Some(index) = open.remove(socket) {
                        all[index].closed = Some(entry.at);
                    }
                }
                Event::Moved { unit: of, socket } if of == unit => {
                    if let Some(index) = open.get(socket) {
                        all[*index].moved.push(entry.at);
                    }
                }
                _ => {}
            }
        }
        Self(all)
    }

    /// When all that had stood was gone, although the process that held it was not: `counts` says so. A
    /// connection that takes the place of another in the same instant does not hide its loss.
    pub(super) fn losses(&self, counts: impl Fn(u32, f64) -> bool) -> Losses {
        let mut instants: Vec<(f64, u32)> = self
            .0
            .iter()
            .filter_map(|c| Some((c.closed?, c.pid)))
            .filter(|(at, pid)| counts(*pid, *at))
            .collect();
        instants.sort_by(|a, b| a.0.total_cmp(&b.0));
        instants.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        let is_loss = |at: f64| !self.0.iter().any(|c| c.opened < at && c.stands_at(at));
        Losses(
            instants
                .into_iter()
                .map(|(at, _)| at)
                .filter(|at| is_loss(*at))
                .collect(),
        )
    }

    /// The first that was opened at `back` or later; or one from after `from` that stood then.
    pub(super) fn first(&self, from: f64, back: f64) -> Option<f64> {
        let mut after = self.0.iter().filter(|c| c.opened >= from);
        after
            .find(|c| c.opened >= back || c.stands_at(back))
            .map(|c| c.opened)
    }

    /// Those that were opened before and stood through all of it.
    pub(super) fn through(&self, begin: f64, end: f64) -> impl Iterator<Item = &ConnectionSpan> {
        self.0
            .iter()
            .filter(move |c| c.opened < begin && c.stands_at(end))
    }

    /// When the first connection since `from` had stood for long enough.
    pub(super) fn settled(&self, from: f64, now: f64) -> Option<f64> {
        let stood = |c: &&ConnectionSpan| c.closed.unwrap_or(now) - c.opened.max(from) >= STANDING;
        self.0
            .iter()
            .filter(|c| c.closed.is_none_or(|closed| closed > from))
            .find(stood)
            .map(|c| c.opened.max(from) + STANDING)
    }

    /// One is there still, or was there so shortly ago that the next try may only come.
    pub(super) fn settles(&self, now: f64) -> bool {
        self.0
            .iter()
            .any(|c| c.closed.is_none_or(|closed| now - closed < STANDING))
    }

    /// One has stood for long enough since the return, and stands.
    pub(super) fn stands(&self, now: f64, up: Option<f64>) -> bool {
        let up = up.unwrap_or(f64::NEG_INFINITY);
        self.0
            .iter()
            .any(|c| c.closed.is_none() && now - c.opened.max(up) >= STANDING)
    }
}

impl Losses {
    pub(super) fn between(&self, from: f64, to: f64) -> Option<f64> {
        self.0.iter().copied().find(|at| (from..=to).contains(at))
    }

    /// How many came after this instant.
    pub(super) fn after(&self, at: f64) -> usize {
        self.0.iter().filter(|t| **t > at).count()
    }
}
