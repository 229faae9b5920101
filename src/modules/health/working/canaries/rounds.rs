//! Which repository is published next, and how often. Pulp gives a task to a worker that has nothing
//! reserved, and often to the first such; so all repositories are published at once, which keeps those
//! workers busy that have shown already that they work, and more often each time that was not enough.

use std::collections::BTreeSet;

/// After so many rounds a worker that was given nothing will not be given anything.
pub(super) const MOST: u32 = 12;

/// How many tasks are sent for one repository in one round at the most.
const LONGEST: u32 = 8;

/// A repository, and the workers of its tasks that have not ended.
pub(super) struct Bench<'a> {
    pub(super) id: &'a str,
    pub(super) held_by: Vec<Option<&'a str>>,
}

/// The tasks to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) each: u32,
}

/// None as long as what was sent may still show something, and when more of the same would not.
pub(super) fn next<'a>(
    benches: &[Bench<'a>],
    unproven: &BTreeSet<&str>,
    listed: &[&str],
    rounds: u32,
) -> Option<Round<'a>> {
    let mut holders = BTreeSet::new();
    for held in benches.iter().flat_map(|bench| &bench.held_by) {
        match held {
            // It waits for a worker that lets it lie, and holds no other up.
            Some(worker) if unproven.contains(worker) => holders.insert(*worker),
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
    let idle = benches.iter().filter(|bench| bench.held_by.is_empty());
    let ids: Vec<_> = idle.map(|bench| bench.id).collect();
    (!ids.is_empty()).then(|| Round {
        ids,
        each: LONGEST.min(1 << rounds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench<'a>(id: &'a str, held_by: &[Option<&'a str>]) -> Bench<'a> {
        Bench {
            id,
            held_by: held_by.to_vec(),
        }
    }

    #[test]
    fn all_are_published_at_once_and_more_often_each_time() {
        let benches = [bench("a", &[]), bench("b", &[])];
        let unproven = BTreeSet::from(["w1"]);
        let each = |rounds| next(&benches, &unproven, &["w0", "w1"], rounds).map(|r| r.each);
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
                next(&benches, &unproven, &["w0", "w1"], 1),
                None,
                "{held:?}"
            );
        }
    }

    #[test]
    fn a_worker_that_lets_its_task_lie_holds_up_no_other() {
        let benches = [bench("a", &[Some("w1")]), bench("b", &[]), bench("c", &[])];
        let unproven = BTreeSet::from(["w1", "w2"]);
        let round = next(&benches, &unproven, &["w0", "w1", "w2"], 1);
        assert_eq!(round.map(|r| r.ids), Some(vec!["b", "c"]));
        let alone = BTreeSet::from(["w1"]);
        assert_eq!(next(&benches, &alone, &["w0", "w1"], 1), None);
    }

    #[test]
    fn a_worker_that_is_not_listed_cannot_be_given_any() {
        let benches = [bench("a", &[]), bench("b", &[])];
        let unproven = BTreeSet::from(["w1"]);
        assert_eq!(next(&benches, &unproven, &["w0"], 1), None);
    }

    #[test]
    fn a_pulp_that_names_nobody_is_given_one_task() {
        let benches = [bench("a", &[])];
        let round = next(&benches, &BTreeSet::new(), &[], 0);
        assert_eq!(round.map(|r| r.each), Some(1));
    }
}
