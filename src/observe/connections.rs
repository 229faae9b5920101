//! Looks at the connections to the broker, ten times a second, and whose each is. For new ones the kernel
//! walks through all sockets of the host: that is done ten times a second while they are to be expected,
//! twice a second when nothing has happened for a while, and at once when one is gone. `/proc` is searched
//! only for a socket that is new: first the units' main processes, and for one that stands for a moment
//! and is none of theirs, all. What comes and goes between two looks at others than main processes is
//! not written down: such connections are made when there is something to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Change, Scene};
use crate::broker::Broker;
use crate::host::sockets::diag::{Connection, Key, Table, Traffic};
use crate::host::sockets::owners::{self, Owner};
use crate::host::wait;
use crate::service::Unit;
use crate::timeline::Event;

pub(super) const NAME: &str = "connections";

const PACE: Duration = Duration::from_millis(100);

/// From one look for new sockets to the next while nothing happens.
const CALM: Duration = Duration::from_millis(500);

/// How long something has happened after the broker or a connection changed.
const STIR: Duration = Duration::from_mins(2);

/// How long a socket of nobody known stands until all processes are asked for it.
const MOMENT: Duration = Duration::from_secs(1);

/// How long it is remembered how much had moved when: longer than one question to the broker takes.
const MEMORY: Duration = Duration::from_secs(3);

/// Whose a socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    NotKnown,
    /// No observed unit's.
    Others,
    Of(String),
}

#[derive(Debug)]
struct Known {
    since: Instant,
    asked: Instant,
    key: Option<Key>,
    whose: Whose,
    /// How much had moved by when, each time that it had changed.
    traffic: VecDeque<(Instant, Traffic)>,
    /// The change of the broker since which bytes were told to have moved.
    told: Option<Change>,
}

pub(super) async fn sample(scene: Rc<Scene>, broker: Arc<Broker>) {
    let mut table = Table::open();
    let mut known: BTreeMap<u64, Known> = BTreeMap::new();
    let mut stirred: Option<Instant> = None;
    let mut walked: Option<Instant> = None;
    loop {
        if let Some(change) = scene.change.get() {
            stirred = stirred.max(Some(change.seen));
        }
        // Nobody connects to one that refuses.
        let stirs = stirred.is_some_and(|at| at.elapsed() < STIR);
        let is_up = scene.change.get().is_none_or(|c| c.up);
        let expects = stirs && is_up && one_is_missing(&scene, &known);
        let is_calm = walked.is_some_and(|at| !expects && at.elapsed() < CALM);
        let same = is_calm.then(|| again(&table, &known)).flatten();
        let looked = if let Some(seen) = same {
            look(&scene, &table, &mut known, &seen, false)
        } else {
            walked = Some(Instant::now());
            let seen = match broker.endpoint.socket() {
                Some(path) => table.of_path(path),
                None => table.of_addresses(broker.addresses()),
            };
            seen.and_then(|seen| look(&scene, &table, &mut known, &seen, true))
        };
        if scene.tried(NAME, looked) == Some(true) {
            stirred = Some(Instant::now());
        }
        scene.looked(NAME);
        wait::pass(PACE).await;
    }
}

/// A consumer holds no connection, so that a new one is to be noticed at once. To find it all sockets of the
/// host are gone through, a millisecond of the kernel's time where its table of them is large.
fn one_is_missing(scene: &Scene, known: &BTreeMap<u64, Known>) -> bool {
    let holds = |unit: &Unit| {
        let mut sockets = known.values();
        sockets.any(|it| matches!(&it.whose, Whose::Of(name) if *name == unit.name))
    };
    let units = scene.units.borrow();
    let mut consumers = units.values().filter(|unit| unit.consumes());
    consumers.any(|unit| !holds(unit))
}

/// The units' known connections, if all of them are there still and can be asked for.
fn again(table: &Table, known: &BTreeMap<u64, Known>) -> Option<Vec<Connection>> {
    known
        .iter()
        .filter(|(_, it)| matches!(it.whose, Whose::Of(_)))
        .map(|(socket, it)| table.again(it.key?).filter(|c| c.inode == *socket))
        .collect()
}

/// Notes what changed; whether a unit's connection is gone. What is none of a unit's is only in sight where
/// all was looked through.
fn look(
    scene: &Scene,
    table: &Table,
    known: &mut BTreeMap<u64, Known>,
    seen: &[Connection],
    all: bool,
) -> Result<bool> {
    let now = Instant::now();
    let mut lost = false;
    let there: BTreeSet<u64> = seen.iter().map(|c| c.inode).collect();
    known.retain(|socket, it| {
        let stays = there.contains(socket);
        let Whose::Of(unit) = &it.whose else {
            return stays || !all;
        };
        if !stays {
            let unit = unit.clone();
            lost = true;
            scene.note(
                now,
                Event::Closed {
                    unit,
                    socket: *socket,
                },
            );
        }
        stays
    });
    let mut new = BTreeSet::new();
    for connection in seen {
        if known.contains_key(&connection.inode) {
            continue;
        }
        new.insert(connection.inode);
        known.insert(
            connection.inode,
            Known {
                since: now,
                asked: now,
                key: connection.key,
                whose: Whose::NotKnown,
                traffic: VecDeque::new(),
                told: scene.change.get(),
            },
        );
    }
    if !new.is_empty() {
        ask_main_processes(scene, known, &new);
    }
    if all {
        ask_everybody(scene, known, now)?;
    }
    for connection in seen {
        if let (Some(it), Some(traffic)) = (known.get_mut(&connection.inode), connection.traffic) {
            it.watch(scene, table, connection.inode, traffic, now);
        }
    }
    Ok(lost)
}

fn ask_main_processes(scene: &Scene, known: &mut BTreeMap<u64, Known>, new: &BTreeSet<u64>) {
    let units = scene.units.borrow();
    let running = || units.values().filter(|u| u.running && u.main_pid != 0);
    // The questions to the broker are connections too.
    let pids = std::iter::once(std::process::id()).chain(running().map(|u| u.main_pid));
    for (socket, pid) in owners::among(pids, new) {
        let Some(it) = known.get_mut(&socket) else {
            continue;
        };
        match running().find(|u| u.main_pid == pid) {
            Some(unit) => it.is_of(scene, socket, unit, pid),
            None => it.whose = Whose::Others,
        }
    }
}

/// Whose those are that have stood for a moment and are no main process's.
fn ask_everybody(scene: &Scene, known: &mut BTreeMap<u64, Known>, now: Instant) -> Result<()> {
    let wanted: BTreeSet<u64> = known
        .iter()
        .filter(|(_, it)| it.whose == Whose::NotKnown && now - it.asked >= MOMENT)
        .map(|(socket, _)| *socket)
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let found = owners::anywhere(&wanted)?;
    let units = scene.units.borrow();
    for socket in wanted {
        let Some(it) = known.get_mut(&socket) else {
            continue;
        };
        it.asked = now;
        let owner = found.get(&socket);
        match owner.and_then(|owner| Some((owner.pid, unit_of(owner, &units)?))) {
            Some((pid, unit)) if unit.running => it.is_of(scene, socket, unit, pid),
            // It was started just now, and its main process is not known yet.
            Some(_) => {}
            None => it.whose = Whose::Others,
        }
    }
    Ok(())
}

/// By its control group, or where there is none by the main process above it.
fn unit_of<'a>(owner: &Owner, units: &'a BTreeMap<String, Unit>) -> Option<&'a Unit> {
    let by_group = owner.unit.as_ref().and_then(|name| units.get(name));
    by_group.or_else(|| {
        let family = || std::iter::once(owner.pid).chain(owner.above.iter().copied());
        units
            .values()
            .find(|u| u.running && family().any(|pid| pid == u.main_pid))
    })
}

impl Known {
    fn is_of(&mut self, scene: &Scene, socket: u64, unit: &Unit, pid: u32) {
        self.whose = Whose::Of(unit.name.clone());
        let event = Event::Opened {
            unit: unit.name.clone(),
            pid,
            child: pid != unit.main_pid,
            socket,
        };
        scene.note(self.since, event);
    }

    /// Whether there was a sign of life since the broker's last change: bytes in both directions. An idle
    /// connection may have none for a minute; where the broker that answers is on this host, it is alive when the
    /// broker holds the other end.
    fn watch(&mut self, scene: &Scene, table: &Table, socket: u64, traffic: Traffic, now: Instant) {
        if self.traffic.back().is_none_or(|(_, last)| *last != traffic) {
            self.traffic.push_back((now, traffic));
        }
        while self
            .traffic
            .get(1)
            .is_some_and(|(at, _)| now - *at > MEMORY)
        {
            self.traffic.pop_front();
        }
        let (Some(change), Whose::Of(unit)) = (scene.change.get(), &self.whose) else {
            return;
        };
        if self.told == Some(change) {
            return;
        }
        // What moved before it went away was no sign of life; what moved before the first answer was seen
        // may be.
        let from = if change.up {
            change.not_before
        } else {
            change.seen
        };
        let earlier = self.traffic.iter().rev().find(|(at, _)| *at <= from);
        let Some((_, before)) = earlier.or(self.traffic.front()) else {
            return;
        };
        let moved = traffic.acked > before.acked && traffic.received > before.received;
        let held = || self.key.is_some_and(|key| table.is_held_at_both_ends(key));
        if moved || change.up && held() {
            let unit = unit.clone();
            scene.note(now, Event::Moved { unit, socket });
            self.told = Some(change);
        }
    }
}
