//! Which repository is published next, and how often. Pulp gives a task to a worker that has nothing
//! reserved, and often to the first such; so all repositories are published at once, which keeps those
//! workers busy that have shown already that they work, and more often each time that was not enough.

use std::collections::BTreeSet;

/// After so many rounds a worker that was given nothing will not be given anything.
pub(in crate::modules::health::working) const MOST: u32 = 12;

/// How many tasks are sent for one repository in one round at the most.
const LONGEST: u32 = 8;

/// A repository, and its tasks that have not ended.
pub(in crate::modules::health::working) struct Bench<'a> {
    pub(in crate::modules::health::working) id: &'a str,
    pub(in crate::modules::health::working) held_by: Vec<HeldTask<'a>>,
}

/// A task that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules::health::working) struct HeldTask<'a> {
    pub(in crate::modules::health::working) task: &'a str,
    /// None: no worker was given it yet.
    pub(in crate::modules::health::working) worker: Option<&'a str>,
    /// It has had its time, and is to be canceled before more is sent.
    pub(in crate::modules::health::working) lies: bool,
}

/// What is done next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::modules::health::working) enum NextStep<'a> {
    /// What an earlier round left is canceled, by its tasks' ids.
    Cancel(Vec<&'a str>),
    Send(Round<'a>),
}

/// The tasks to send.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::modules::health::working) struct Round<'a> {
    pub(in crate::modules::health::working) ids: Vec<&'a str>,
    pub(in crate::modules::health::working) each: u32,
}

/// None as long as what was sent may still show something, and when more of the same would not.
pub(in crate::modules::health::working) fn next<'a>(
    benches: &[Bench<'a>],
    unproven: &BTreeSet<&str>,
    listed: &[&str],
    rounds: u32,
) -> Option<NextStep<'a>> {
    let held = || benches.iter().flat_map(|bench| &bench.held_by);
    let mut holders = BTreeSet::new();
    for held in held() {
        match held.worker {
            // It waits for a worker that lets it lie, and holds no other up.
            Some(worker) if unproven.contains(worker) => holders.insert(worker),
            _ => return None,
        };
    }
    let mut may_get_one = unproven
        .iter()
        .filter(|name| listed.contains(name) && !holders.contains(*name));
    // The first round asks nothing of the list: an old Pulp has none.
    if rounds > 0 && !unproven.is_empty() && may_get_one.next().is_none() || rounds >= MOST {
        return None;
    }
    let left: Vec<_> = held().filter(|held| held.lies).map(|h| h.task).collect();
    if !left.is_empty() {
        return Some(NextStep::Cancel(left));
    }
    let idle = benches.iter().filter(|bench| bench.held_by.is_empty());
    let ids: Vec<_> = idle.map(|bench| bench.id).collect();
    (!ids.is_empty()).then(|| {
        NextStep::Send(Round {
            ids,
            each: LONGEST.min(1 << rounds),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench<'a>(id: &'a str, held_by: &[Option<&'a str>]) -> Bench<'a> {
        let held = |worker: Option<&'a str>| HeldTask {
            task: id,
            worker,
            lies: false,
        };
        Bench {
            id,
            held_by: held_by.iter().copied().map(held).collect(),
        }
    }

    /// What is sent next; what is left is not canceled.
    fn sent<'a>(
        benches: &[Bench<'a>],
        unproven: &BTreeSet<&str>,
        listed: &[&str],
        rounds: u32,
    ) -> Option<Round<'a>> {
        match next(benches, unproven, listed, rounds)? {
            NextStep::Send(round) => Some(round),
            NextStep::Cancel(left) => panic!("{left:?}"),
        }
    }

    #[test]
    fn all_are_published_at_once_and_more_often_each_time() {
        let benches = [bench("a", &[]), bench("b", &[])];
        let unproven = BTreeSet::from(["w1"]);
        let each = |rounds| sent(&benches, &unproven, &["w0", "w1"], rounds).map(|r| r.each);
        assert_eq!(each(0), Some(1));
        assert_eq!(each(2), Some(4));
        assert_eq!(each(9), Some(8));
        assert_eq!(each(MOST), None);
    }

    #[test]
    fn what_is_under_way_is_waited_for() {
        let unproven = BTreeSet::from(["w1"]);
        for held in [None, Some("w0")] {
            let benches = [bench("a", &[held]), bench("b", &[])];
            assert_eq!(
                sent(&benches, &unproven, &["w0", "w1"], 1),
                None,
                "{held:?}"
            );
        }
    }

    #[test]
    fn a_worker_that_lets_its_task_lie_holds_up_no_other() {
        let benches = [bench("a", &[Some("w1")]), bench("b", &[]), bench("c", &[])];
        let unproven = BTreeSet::from(["w1", "w2"]);
        let round = sent(&benches, &unproven, &["w0", "w1", "w2"], 1);
        assert_eq!(round.map(|r| r.ids), Some(vec!["b", "c"]));
        let alone = BTreeSet::from(["w1"]);
        assert_eq!(sent(&benches, &alone, &["w0", "w1"], 1), None);
    }

    #[test]
    fn what_a_round_left_is_canceled_before_the_next() {
        let mut benches = [bench("a", &[Some("w1")]), bench("b", &[])];
        benches[0].held_by[0].lies = true;
        let unproven = BTreeSet::from(["w1", "w2"]);
        let listed = ["w0", "w1", "w2"];
        let step = next(&benches, &unproven, &listed, 1);
        assert_eq!(step, Some(NextStep::Cancel(vec!["a"])));
        // It stays as long as nothing more is sent: it is the evidence.
        let alone = BTreeSet::from(["w1"]);
        assert_eq!(next(&benches, &alone, &listed, 1), None);
        assert_eq!(next(&benches, &unproven, &listed, MOST), None);
    }

    #[test]
    fn a_worker_that_is_not_listed_cannot_be_given_any() {
        let benches = [bench("a", &[]), bench("b", &[])];
        let unproven = BTreeSet::from(["w1"]);
        assert_eq!(sent(&benches, &unproven, &["w0"], 1), None);
    }

    #[test]
    fn a_pulp_that_names_nobody_is_given_one_task() {
        let benches = [bench("a", &[])];
        let round = sent(&benches, &BTreeSet::new(), &[], 0);
        assert_eq!(round.map(|r| r.each), Some(1));
    }
}
