//! Every order in which a small Pulp may give our tasks to its workers, in which they may end them, and in which we may look: whenever
//! the time is over, nobody is accused who is well; and once nothing moves any more, whoever is not well is. The rounds and
//! the judgement are those that ship; only Pulp is a model. A service that is well gets on with its next task within
//! 5 s, however many there are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::sentences::{self, Lying, WorkSeen};
use crate::modules::health::aged::Aged;
use crate::modules::health::working::canaries::rounds::{self, Bench, HeldTask, NextStep};
use crate::pulp::{Task, TaskState, Worker};

const MANAGER: &str = "resource_manager@h";
const WORKERS: [&str; 3] = ["worker-0@h", "worker-1@h", "worker-2@h"];
const REPOSITORIES: [&str; 3] = ["a", "b", "c"];
const TASKS: [&str; 12] = [
    "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11",
];

/// One tick of the model's clock.
const TICK: Duration = Duration::from_secs(5);

/// Ages are told apart up to this many ticks: then a task has had its time.
const OLD: u8 = 2;

/// Who is there, and who of them does nothing.
struct Pulp {
    workers: usize,
    repositories: usize,
    idle: &'static [usize],
    manager_is_idle: bool,
    rounds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Item {
    repository: usize,
    worker: Option<usize>,
    has_ended: bool,
    /// By ourselves.
    is_canceled: bool,
    /// Ticks since it got on.
    age: u8,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    items: Vec<Item>,
    rounds: u32,
    /// Who got on since the last tick: the resource manager, then the workers.
    got_on: [bool; 4],
}

impl State {
    fn aged(&self) -> Vec<Aged<'static>> {
        let ours = self.items.iter().filter(|item| !item.is_canceled);
        ours.map(Item::aged).collect()
    }

    fn unproven(&self, pulp: &Pulp) -> BTreeSet<&'static str> {
        let is_proof = |item: &&Item| item.has_ended && !item.is_canceled;
        let proven: BTreeSet<usize> = self
            .items
            .iter()
            .filter(is_proof)
            .filter_map(|item| item.worker)
            .collect();
        let all = 0..pulp.workers;
        all.filter(|worker| !proven.contains(worker))
            .map(|worker| WORKERS[worker])
            .collect()
    }

    fn step(&self, pulp: &Pulp) -> Option<NextStep<'static>> {
        let unproven = self.unproven(pulp);
        if unproven.is_empty() {
            return None;
        }
        let aged = self.aged();
        let open = || {
            self.items
                .iter()
                .zip(TASKS)
                .filter(|(item, _)| !item.has_ended)
        };
        let benches: Vec<Bench<'static>> = (0..pulp.repositories)
            .map(|repository| Bench {
                id: REPOSITORIES[repository],
                held_by: open()
                    .filter(|(item, _)| item.repository == repository)
                    .map(|(item, task)| HeldTask {
                        task,
                        worker: item.worker.map(|worker| WORKERS[worker]),
                        lies: item.aged().has_had_time(&aged),
                    })
                    .collect(),
            })
            .collect();
        rounds::next(&benches, &unproven, &WORKERS[..pulp.workers], self.rounds)
    }

    /// Who is accused where the time is over now.
    fn accused(&self, pulp: &Pulp) -> BTreeSet<String> {
        let unproven = self.unproven(pulp);
        let aged = self.aged();
        let open = self.items.iter().filter(|item| !item.has_ended);
        let (lying, fresh): (Vec<&Item>, Vec<&Item>) =
            open.partition(|item| item.aged().has_had_time(&aged));
        let lives = |name: &str| Worker {
            name: name.to_owned(),
            heartbeat: None,
        };
        let seen = WorkSeen {
            base: "https://p",
            sent: self.items.len(),
            unproven: unproven.into_iter().collect(),
            resource_manager: MANAGER,
            alive: Some(
                WORKERS
                    .iter()
                    .chain(&[MANAGER])
                    .map(|name| lives(name))
                    .collect(),
            ),
            lying: lying.into_iter().map(Item::lying).collect(),
            on_the_way: fresh.len(),
            has_more_to_send: self.step(pulp).is_some(),
            failed: Vec::new(),
            others: Vec::new(),
            queues: Ok(BTreeMap::new()),
            is_worker: |name| name.starts_with("worker-"),
            unit: str::to_owned,
        };
        let found = sentences::of_tasks(&seen).into_iter();
        let named = found.filter(|failure| failure.name.is_some());
        named
            .map(|failure| {
                failure
                    .actor
                    .and_then(|actor| actor.worker)
                    .unwrap_or_default()
            })
            .collect()
    }

    /// The states that may come next.
    fn next(&self, pulp: &Pulp) -> Vec<Self> {
        let mut next = Vec::new();
        let mut all_got_on = true;
        if let Some(index) = self.first(|item| item.worker.is_none())
            && !pulp.manager_is_idle
        {
            all_got_on &= self.got_on[0];
            for worker in self.may_get(pulp, self.items[index].repository) {
                next.push(self.with(0, index, |item| item.worker = Some(worker)));
            }
        }
        for worker in (0..pulp.workers).filter(|worker| !pulp.idle.contains(worker)) {
            if let Some(index) = self.first(|item| item.worker == Some(worker)) {
                all_got_on &= self.got_on[worker + 1];
                next.push(self.with(worker + 1, index, |item| item.has_ended = true));
            }
        }
        match self.step(pulp) {
            Some(NextStep::Cancel(left)) => {
                let mut canceled = self.clone();
                let ids = canceled.items.iter_mut().zip(TASKS);
                for (item, _) in ids.filter(|(_, id)| left.contains(id)) {
                    (item.has_ended, item.is_canceled) = (true, true);
                }
                next.push(canceled);
            }
            Some(NextStep::Send(round)) if self.rounds < pulp.rounds => {
                let mut sent = self.clone();
                sent.rounds += 1;
                let is_sent = |r: &usize| round.ids.contains(&REPOSITORIES[*r]);
                for repository in (0..pulp.repositories).filter(is_sent) {
                    let item = Item::new(repository);
                    sent.items.extend((0..round.each).map(|_| item.clone()));
                }
                next.push(sent);
            }
            _ => {}
        }
        if all_got_on {
            let mut later = self.clone();
            later.got_on = [false; 4];
            for item in &mut later.items {
                item.age = OLD.min(item.age + 1);
            }
            if later != *self {
                next.push(later);
            }
        }
        next
    }

    fn first(&self, which: impl Fn(&Item) -> bool) -> Option<usize> {
        let is_it = |item: &Item| !item.has_ended && which(item);
        self.items.iter().position(is_it)
    }

    /// Pulp's rule: who has reserved the repository, else who has nothing, else anybody.
    fn may_get(&self, pulp: &Pulp, repository: usize) -> Vec<usize> {
        let held = || self.items.iter().filter(|item| !item.has_ended);
        let mut reserved = held().filter(|item| item.repository == repository);
        if let Some(worker) = reserved.find_map(|item| item.worker) {
            return vec![worker];
        }
        let busy: BTreeSet<usize> = held().filter_map(|item| item.worker).collect();
        let free: Vec<usize> = (0..pulp.workers).filter(|w| !busy.contains(w)).collect();
        if free.is_empty() {
            (0..pulp.workers).collect()
        } else {
            free
        }
    }

    fn with(&self, who: usize, index: usize, change: impl Fn(&mut Item)) -> Self {
        let mut next = self.clone();
        next.got_on[who] = true;
        change(&mut next.items[index]);
        next.items[index].age = 0;
        next
    }
}

impl Item {
    fn new(repository: usize) -> Self {
        Self {
            repository,
            worker: None,
            has_ended: false,
            is_canceled: false,
            age: 0,
        }
    }

    fn aged(&self) -> Aged<'static> {
        Aged {
            worker: self.worker.map(|worker| WORKERS[worker]),
            is_open: !self.has_ended,
            still: TICK * u32::from(self.age),
        }
    }

    fn lying(&self) -> Lying {
        Lying {
            task: Task {
                word: "waiting".to_owned(),
                state: TaskState::Open,
                worker: self.worker.map(|worker| WORKERS[worker].to_owned()),
                ..Task::default()
            },
            still: TICK * u32::from(self.age),
            queue: None,
            locks: REPOSITORIES[self.repository].to_owned(),
        }
    }
}

/// Goes through all orders; the number of states that there are.
#[track_caller]
fn every_order(pulp: &Pulp) -> usize {
    let workers = pulp.idle.iter().map(|worker| WORKERS[*worker]);
    let manager = pulp.manager_is_idle.then_some(MANAGER);
    let not_well: BTreeSet<String> = workers.chain(manager).map(str::to_owned).collect();
    let mut known = HashSet::from([State::default()]);
    let mut coming = vec![State::default()];
    while let Some(state) = coming.pop() {
        let accused = state.accused(pulp);
        assert!(accused.is_subset(&not_well), "{accused:?} in {state:#?}");
        let next = state.next(pulp);
        if next.is_empty() && state.step(pulp).is_none() {
            assert_eq!(accused.is_empty(), not_well.is_empty(), "{state:#?}");
        }
        for state in next {
            if known.insert(state.clone()) {
                coming.push(state);
            }
        }
    }
    known.len()
}

#[test]
fn in_no_order_of_events_is_anybody_accused_who_is_well() {
    let pulp = |workers, repositories, idle, rounds| Pulp {
        workers,
        repositories,
        idle,
        manager_is_idle: false,
        rounds,
    };
    assert!(every_order(&pulp(2, 2, &[], 2)) > 1000);
    assert!(every_order(&pulp(2, 2, &[1], 2)) > 100);
    assert!(every_order(&pulp(3, 3, &[], 1)) > 100);
    // What lies at the one that is idle is canceled before the other one is sent more.
    assert!(every_order(&pulp(3, 2, &[1], 2)) > 1000);
    assert!(every_order(&pulp(3, 3, &[1, 2], 2)) > 1000);
    let idle_manager = Pulp {
        manager_is_idle: true,
        ..pulp(2, 2, &[], 2)
    };
    every_order(&idle_manager);
}
