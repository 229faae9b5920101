//! Looks at Pulp's status as its users would: one request at a time, less often the slower it answers, so
//! that what is measured is not caused. A status of a Pulp 2 whose broker is frozen takes seconds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::{Change, Scene};
use crate::host::wait;
use crate::pulp::Status;
use crate::pulp::onlooker::{Glance, Onlooker};
use crate::timeline::Event;

pub(super) const NAME: &str = "api";

/// What lies between an answer and the next question: at least so much, and as long as the answer took.
const PACE: Duration = Duration::from_millis(500);

/// An answer that took longer than this is followed by a longer pause.
const SLOW: Duration = Duration::from_secs(2);
const AFTER_SLOW: Duration = Duration::from_secs(5);

/// A latency is told anew when it differs by so much, and by as much again.
const DIFFERENCE: u32 = 250;

/// How often the sums are kept.
const KEEP: Duration = Duration::from_secs(5);

/// Half of what a server's clock, which tells whole seconds, is late on the average.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// What each address said, in sum.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    urls: BTreeMap<String, Sum>,
}

#[derive(Debug, Default, Serialize)]
struct Sum {
    answers: u64,
    /// How often each outcome but 200.
    errors: BTreeMap<String, u64>,
    slowest_milliseconds: u32,
}

/// What was written down last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    outcome: String,
    broker: Option<bool>,
    database: Option<bool>,
    milliseconds: u32,
}

pub(super) async fn sample(scene: Rc<Scene>, onlooker: Onlooker, told: Rc<RefCell<Told>>) {
    let mut last: Option<Written> = None;
    let mut workers = List::default();
    let mut kept = Instant::now();
    loop {
        let asked = Instant::now();
        let glance = onlooker.look().await;
        let (now, took) = (Instant::now(), asked.elapsed());
        let written = Written::of(&glance, took);
        told.borrow_mut().add(&onlooker.base, &written);
        if last.as_ref().is_none_or(|last| written.differs(last)) {
            scene.note(now, written.event(&onlooker.base));
            last = Some(written);
        }
        if let Some(status) = &glance.status {
            let change = scene.change.get();
            for event in workers.events(status, scene.wall_at(now), change, |at| scene.wall_at(at))
            {
                scene.note(now, event);
            }
        }
        scene.looked(NAME);
        if kept.elapsed() >= KEEP {
            scene.keep(&told.borrow());
            kept = Instant::now();
        }
        wait::pass(if took > SLOW {
            AFTER_SLOW
        } else {
            took.max(PACE)
        })
        .await;
    }
}

impl Told {
    fn add(&mut self, url: &str, written: &Written) {
        let sum = self.urls.entry(url.to_owned()).or_default();
        sum.answers += 1;
        if written.outcome != "200" {
            *sum.errors.entry(written.outcome.clone()).or_default() += 1;
        }
        sum.slowest_milliseconds = sum.slowest_milliseconds.max(written.milliseconds);
    }
}

impl Written {
    fn of(glance: &Glance, took: Duration) -> Self {
        let status = glance.status.as_ref();
        Self {
            outcome: glance.outcome.clone(),
            broker: status.and_then(|s| s.messaging),
            database: status.and_then(|s| s.database),
            milliseconds: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn differs(&self, last: &Self) -> bool {
        let latency = self.milliseconds.abs_diff(last.milliseconds);
        let same = Self {
            milliseconds: last.milliseconds,
            ..self.clone()
        };
        same != *last || latency > DIFFERENCE.max(self.milliseconds.min(last.milliseconds))
    }

    fn event(&self, url: &str) -> Event {
        Event::Api {
            url: url.to_owned(),
            outcome: self.outcome.clone(),
            milliseconds: self.milliseconds,
            broker: self.broker,
            database: self.database,
        }
    }
}

/// Whom Pulp lists, and since which change of the broker each was told to live.
#[derive(Debug, Default)]
struct List(BTreeMap<String, (Option<Change>, String)>);

impl List {
    /// What changed in the list. The server's clock is held against this host's.
    fn events(
        &mut self,
        status: &Status,
        now: SystemTime,
        change: Option<Change>,
        wall_at: impl Fn(Instant) -> SystemTime,
    ) -> Vec<Event> {
        let Some(workers) = &status.workers else {
            return Vec::new();
        };
        let mut events: Vec<Event> = Vec::new();
        self.0.retain(|name, _| {
            let stays = workers.iter().any(|w| w.name == *name);
            if !stays {
                events.push(Event::Unlisted {
                    worker: name.clone(),
                });
            }
            stays
        });
        for worker in workers {
            let words = worker.heartbeat.clone().unwrap_or_default();
            let beat = status
                .at
                .and_then(|server| local(&words, server + HALF_A_SECOND, now));
            let newer = match self.0.get(&worker.name) {
                None => true,
                Some((told, _)) if *told == change => false,
                Some((_, before)) => match (beat, change) {
                    (Some(beat), Some(change)) => beat > wall_at(change.seen),
                    _ => words != *before,
                },
            };
            if newer {
                let heartbeat = beat.map_or_else(
                    || words.clone(),
                    |beat| humantime::format_rfc3339_millis(beat).to_string(),
                );
                let name = worker.name.clone();
                events.push(Event::Listed {
                    worker: name.clone(),
                    heartbeat,
                });
                self.0.insert(name, (change, words));
            }
        }
        events
    }
}

/// An instant in a server's words by this host's clock: the server's says `server` where this one says
/// `now`.
fn local(words: &str, server: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let there = humantime::parse_rfc3339_weak(words).ok()?;
    match server.duration_since(there) {
        Ok(ago) => now.checked_sub(ago),
        Err(ahead) => now.checked_add(ahead.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pulp::Worker;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    fn status(server: &str, heartbeats: &[(&str, &str)]) -> Status {
        Status {
            version: None,
            database: None,
            messaging: None,
            workers: Some(
                heartbeats
                    .iter()
                    .map(|(name, heartbeat)| Worker {
                        name: (*name).to_owned(),
                        heartbeat: Some((*heartbeat).to_owned()),
                    })
                    .collect(),
            ),
            at: Some(at(server)),
            three: None,
        }
    }

    #[test]
    fn a_heartbeat_is_newer_by_the_servers_clock_not_by_ours() {
        let mut workers = List::default();
        let seen = Instant::now();
        let change = Change {
            not_before: seen,
            seen,
            up: true,
        };
        // The server's clock is an hour ahead of ours.
        let back = at("2026-01-01T10:00:30Z");
        let mut events = |server: &str, heartbeat: &str, now: &str, change| {
            let status = status(server, &[("w@a", heartbeat)]);
            workers.events(&status, at(now), change, |_| back)
        };
        let first = events(
            "2026-01-01T11:00:10Z",
            "2026-01-01T11:00:05Z",
            "2026-01-01T10:00:10Z",
            None,
        );
        assert_eq!(first.len(), 1);
        let same = events(
            "2026-01-01T11:00:20Z",
            "2026-01-01T11:00:15Z",
            "2026-01-01T10:00:20Z",
            None,
        );
        assert_eq!(same, []);
        // Listed still, by a row from before the broker's return.
        let stale = events(
            "2026-01-01T11:00:40Z",
            "2026-01-01T11:00:15Z",
            "2026-01-01T10:00:40Z",
            Some(change),
        );
        assert_eq!(stale, []);
        let alive = events(
            "2026-01-01T11:00:45Z",
            "2026-01-01T11:00:42Z",
            "2026-01-01T10:00:45Z",
            Some(change),
        );
        let [Event::Listed { heartbeat, .. }] = &alive[..] else {
            panic!("{alive:?}")
        };
        assert_eq!(heartbeat, "2026-01-01T10:00:41.500Z");
        let once = events(
            "2026-01-01T11:00:50Z",
            "2026-01-01T11:00:48Z",
            "2026-01-01T10:00:50Z",
            Some(change),
        );
        assert_eq!(once, []);
        let gone = workers.events(
            &status("2026-01-01T11:01:00Z", &[]),
            back,
            Some(change),
            |_| back,
        );
        assert_eq!(
            gone,
            [Event::Unlisted {
                worker: "w@a".to_owned()
            }]
        );
    }

    #[test]
    fn only_a_latency_that_differs_much_is_told_anew() {
        let written = |milliseconds| Written {
            outcome: "200".to_owned(),
            broker: Some(true),
            database: None,
            milliseconds,
        };
        assert!(!written(40).differs(&written(200)));
        assert!(written(40).differs(&written(400)));
        assert!(!written(4000).differs(&written(4900)));
        assert!(written(4000).differs(&written(9000)));
    }
}
