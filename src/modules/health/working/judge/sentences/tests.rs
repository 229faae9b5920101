//! Each verdict names the task, its queue, what it locks and what to do, and no symptom before its cause.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::pulp::TaskState;

const RM: &str = "resource_manager@h";
const BEAT: &str = "scheduler@h";
const W0: &str = "reserved_resource_worker-0@h";
const W1: &str = "reserved_resource_worker-1@h";
const LOCKED: &str = "pulp-broker-test-ab-1";

fn seen<'a>() -> WorkSeen<'a> {
    let alive = [RM, BEAT, W0, W1].map(|name| Worker {
        name: name.to_owned(),
        heartbeat: Some("12:00".to_owned()),
    });
    WorkSeen {
        base: "https://p",
        sent: 6,
        unproven: Vec::new(),
        resource_manager: RM,
        alive: Some(alive.into()),
        lying: Vec::new(),
        on_the_way: 0,
        has_more_to_send: false,
        failed: Vec::new(),
        others: Vec::new(),
        queues: Err("there is no rabbitmqctl".to_owned()),
        is_worker: |name| name.starts_with("reserved_"),
        unit: |name| name.split('@').next().unwrap_or_default().to_owned(),
    }
}

fn lying(word: &str, worker: Option<&str>) -> Lying {
    Lying {
        task: Task {
            id: "t1".to_owned(),
            word: word.to_owned(),
            worker: worker.map(str::to_owned),
            started_at: (word == "running").then(|| "11:59".to_owned()),
            ..Task::default()
        },
        still: Duration::from_secs(47),
        queue: None,
        locks: LOCKED.to_owned(),
    }
}

fn without<'a>(mut seen: WorkSeen<'a>, name: &str) -> WorkSeen<'a> {
    if let Some(alive) = &mut seen.alive {
        alive.retain(|worker| worker.name != name);
    }
    seen
}

fn queue(name: &str, ready: u64, unacknowledged: u64, consumers: u64) -> BTreeMap<String, Queue> {
    let queue = Queue {
        ready,
        unacknowledged,
        consumers,
    };
    [(name.to_owned(), queue)].into()
}

/// The only failure; its text has all these words.
#[track_caller]
fn only(found: &[Failure], name: &str, actor: &str, words: &[&str]) {
    let [failure] = found else {
        panic!("{found:#?}")
    };
    let of = failure.actor.as_ref().and_then(|a| a.worker.as_deref());
    let named = failure.name.map_or("", Name::word);
    assert_eq!((named, of.unwrap_or_default()), (name, actor));
    for word in words {
        assert!(failure.text.contains(word), "{word}: {}", failure.text);
    }
}

#[test]
fn a_worker_that_lets_its_task_lie_is_idle() {
    let seen = WorkSeen {
        unproven: vec![W1],
        lying: vec![lying("waiting", Some(W1))],
        queues: Ok(queue(&format!("{W1}.dq2"), 0, 2, 1)),
        ..seen()
    };
    only(
        &of_tasks(&seen),
        "connected_but_idle",
        W1,
        &[
            "heard of `reserved_resource_worker-1@h` at 12:00",
            "task `t1`",
            "47 s ago",
            LOCKED,
            "queue `reserved_resource_worker-1@h.dq2` holds 0 messages",
            "2 that somebody was",
            "systemctl restart reserved_resource_worker-1",
        ],
    );
}

#[test]
fn a_worker_that_nobody_hears_of_is_missing_whatever_it_was_given() {
    let seen = WorkSeen {
        unproven: vec![W1],
        lying: vec![lying("waiting", Some(W1))],
        failed: vec![Task {
            id: "t0".to_owned(),
            word: "canceled".to_owned(),
            state: TaskState::Failed,
            worker: Some(W1.to_owned()),
            ..Task::default()
        }],
        ..without(seen(), W1)
    };
    only(
        &of_tasks(&seen),
        "worker_missing",
        W1,
        &[
            "has not heard of",
            "task `t0`",
            "`canceled`",
            "no rabbitmqctl",
        ],
    );
}

#[test]
fn a_task_that_has_begun_and_does_not_get_on_is_stuck() {
    for unproven in [vec![W1], vec![]] {
        let seen = WorkSeen {
            unproven,
            lying: vec![lying("running", Some(W1))],
            ..seen()
        };
        only(
            &of_tasks(&seen),
            "task_stuck",
            W1,
            &["task `t1`", "`running`", "47 s", LOCKED],
        );
    }
}

#[test]
fn a_task_that_nobody_has_is_lost() {
    for queues in [
        Ok(queue("resource_manager", 0, 0, 1)),
        Err("there is no rabbitmqctl".to_owned()),
    ] {
        let seen = WorkSeen {
            unproven: vec![W0, W1],
            lying: vec![lying("waiting", None)],
            queues,
            ..seen()
        };
        only(
            &of_tasks(&seen),
            "task_lost",
            RM,
            &[
                "without a worker",
                "queue `resource_manager`",
                LOCKED,
                "--task-id t1",
            ],
        );
    }
}

#[test]
fn a_message_that_the_resource_manager_leaves_lying_is_not_lost() {
    for (ready, unacknowledged, consumers) in [(1, 0, 1), (1, 0, 0), (0, 3, 1)] {
        let seen = WorkSeen {
            unproven: vec![W0, W1],
            lying: vec![lying("waiting", None)],
            queues: Ok(queue("resource_manager", ready, unacknowledged, consumers)),
            ..seen()
        };
        only(
            &of_tasks(&seen),
            "connected_but_idle",
            RM,
            &["gives it to nobody although 2 workers have no task"],
        );
    }
    let seen = WorkSeen {
        unproven: vec![W0, W1],
        lying: vec![lying("waiting", None)],
        ..without(seen(), RM)
    };
    only(&of_tasks(&seen), "worker_missing", RM, &["t1", LOCKED]);
}

#[test]
fn a_resource_manager_that_finds_no_free_worker_waits_rightly() {
    let other = |id: &str, worker: &str| Task {
        id: id.to_owned(),
        word: "running".to_owned(),
        worker: Some(worker.to_owned()),
        ..Task::default()
    };
    let seen = WorkSeen {
        unproven: vec![W0, W1],
        lying: vec![lying("waiting", None)],
        others: vec![other("o1", W0), other("o2", W1)],
        queues: Ok(queue("resource_manager", 0, 1, 1)),
        ..seen()
    };
    only(
        &of_tasks(&seen),
        "task_stuck",
        RM,
        &[
            "every worker has a task already",
            "`o1` (running), `o2` (running)",
        ],
    );
}

#[test]
fn while_a_round_is_being_handed_out_no_worker_is_accused() {
    for (on_the_way, has_more_to_send) in [(3, false), (0, true)] {
        let seen = WorkSeen {
            unproven: vec![W1],
            on_the_way,
            has_more_to_send,
            ..seen()
        };
        let words =
            format!("{on_the_way} of our 6 tasks were being handed out; set a longer `timeout`");
        only(&of_tasks(&seen), "", W1, &["the time was over", &words]);
    }
    // Who lets a task lie does not work, whatever else is on the way.
    let seen = WorkSeen {
        unproven: vec![W1],
        lying: vec![lying("waiting", Some(W1))],
        on_the_way: 1,
        ..seen()
    };
    only(&of_tasks(&seen), "connected_but_idle", W1, &["47 s ago"]);
}

#[test]
fn a_worker_that_is_given_nothing_is_named_with_what_it_has_instead() {
    let mut seen = WorkSeen {
        unproven: vec![W1],
        ..seen()
    };
    only(
        &of_tasks(&seen),
        "connected_but_idle",
        W1,
        &["none of our 6 tasks"],
    );
    seen.others = vec![Task {
        id: "o1".to_owned(),
        word: "running".to_owned(),
        worker: Some(W1.to_owned()),
        ..Task::default()
    }];
    only(&of_tasks(&seen), "task_stuck", W1, &["`o1` (running)"]);
}

#[test]
fn tasks_that_end_badly_tell_pulps_reason() {
    let seen = WorkSeen {
        unproven: vec![W1],
        failed: vec![Task {
            id: "t0".to_owned(),
            word: "error".to_owned(),
            worker: Some(W1.to_owned()),
            error: Some("No space left on device".to_owned()),
            ..Task::default()
        }],
        ..seen()
    };
    only(
        &of_tasks(&seen),
        "health_failed",
        W1,
        &["`t0`", "No space left on device"],
    );
}

fn late(runs: Option<u64>) -> Late<'static> {
    Late {
        name: BEAT,
        schedule: "s1",
        due: UNIX_EPOCH + Duration::from_secs(1_600_000_000),
        overdue: Duration::from_mins(2),
        runs,
    }
}

#[test]
fn a_scheduler_that_sends_nothing_is_dead_whatever_its_heartbeat() {
    let found: Vec<_> = of_scheduler(&seen(), &late(Some(0))).into_iter().collect();
    only(
        &found,
        "scheduler_dead",
        BEAT,
        &[
            "`s1`, which fell due 120 s ago, at 2020-09-13T12:26:40Z",
            "counts no run",
            "lists it with a fresh heartbeat",
            "systemctl restart scheduler",
        ],
    );
    let unlisted: Vec<_> = of_scheduler(&without(seen(), BEAT), &late(None))
        .into_iter()
        .collect();
    only(&unlisted, "scheduler_dead", BEAT, &["does not list it"]);
    let lost: Vec<_> = of_scheduler(&seen(), &late(Some(1))).into_iter().collect();
    only(&lost, "scheduler_dead", BEAT, &["lost on the way"]);
}

#[test]
fn a_scheduler_that_had_no_time_is_not_called_dead() {
    let late = Late {
        overdue: Duration::from_secs(3),
        ..late(Some(0))
    };
    let found: Vec<_> = of_scheduler(&seen(), &late).into_iter().collect();
    only(&found, "", BEAT, &["set a longer `timeout`"]);
}

#[test]
fn what_idle_workers_did_not_take_is_not_the_schedulers_fault() {
    let seen = WorkSeen {
        unproven: vec![W1],
        ..seen()
    };
    assert_eq!(of_scheduler(&seen, &late(Some(2))), None);
    assert!(of_scheduler(&seen, &late(Some(0))).is_some());
}
