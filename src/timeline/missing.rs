//! When Pulp 2 calls a worker missing and cancels its tasks, predicted before an outage. What counts is not how
//! long the broker is away: a worker writes its next heartbeat at its first retry after the broker's return.

use super::backoff::{self, Retry};

/// Pulp's `worker_timeout`, unless its configuration says otherwise.
const WORKER_TIMEOUT: f64 = 30.0;

/// How far the broker's next start may be from its last one, as a factor.
const START_DIFFERS: f64 = 1.5;

/// Seconds of an outage beyond its hold: Ansible's steps between the loss and the hold, and up to the return. A lab on a
/// busy machine took 3 to 9.
const AROUND_THE_HOLD: f64 = 8.0;

/// How a version of Pulp 2 decides that a worker is missing. All in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    /// Between two heartbeats.
    heartbeat: f64,
    /// The silence after which it is missing.
    limit: f64,
    /// Between two looks of the scheduler, which cancels.
    look: f64,
}

impl Rule {
    /// The rule of this version, with its `[tasks] worker_timeout`. Pulp before 2.6 does not say its version.
    pub(crate) fn of(version: Option<&str>, worker_timeout: Option<u32>) -> Self {
        match version.and_then(minor).unwrap_or_default() {
            16.. => {
                let timeout = worker_timeout.map_or(WORKER_TIMEOUT, f64::from);
                let heartbeat = timeout / 5.0;
                Self {
                    heartbeat,
                    limit: timeout - heartbeat,
                    look: heartbeat,
                }
            }
            12..16 => Self {
                heartbeat: 5.0,
                limit: 25.0,
                look: 5.0,
            },
            _ => Self {
                heartbeat: 30.0,
                limit: 300.0,
                look: 60.0,
            },
        }
    }
}

/// The `21` of `2.21.5`.
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

/// Whether Pulp cancels the tasks that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cancels {
    Will,
    May,
    WillNot,
}

impl Cancels {
    const fn words(self) -> &'static str {
        match self {
            Self::Will => "Pulp will cancel running tasks",
            Self::May => "Pulp may cancel running tasks",
            Self::WillNot => "Pulp will not cancel running tasks",
        }
    }
}

/// What an outage with refused connections means for the tasks that run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) cancels: Cancels,
    planned: PlannedOutage,
    /// The first retry that may succeed, in seconds after the loss. Without end where the workers have given up by then.
    first: f64,
    /// The last one, where the broker's start is known.
    last: Option<f64>,
}

/// An outage that is planned, of a Pulp 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlannedOutage {
    /// For how many seconds the broker is held away.
    pub(crate) hold: f64,
    /// How many seconds its last start took: zero where it does not have to start, `None` where nobody knows.
    pub(crate) start: Option<f64>,
    pub(crate) rule: Rule,
    /// How its workers try again.
    pub(crate) retry: Retry,
}

/// Predicts it.
pub(crate) fn outlook(planned: PlannedOutage) -> Outlook {
    let PlannedOutage {
        hold,
        start,
        rule,
        retry,
    } = planned;
    // Beyond the last try nobody comes back.
    let back = |away: f64| backoff::next_try(retry, 0.0, away).unwrap_or(f64::INFINITY);
    let first = back(hold + start.unwrap_or_default() / START_DIFFERS);
    let last = start.map(|start| back(hold + start * START_DIFFERS + AROUND_THE_HOLD));
    // The last heartbeat before the loss may be a whole interval old, and the scheduler's next look a whole one away.
    let cancels = if first >= rule.limit + rule.look {
        Cancels::Will
    } else if last.is_some_and(|last| last + rule.heartbeat < rule.limit) {
        Cancels::WillNot
    } else {
        Cancels::May
    };
    Outlook {
        cancels,
        planned,
        first,
        last,
    }
}

impl Outlook {
    /// What the page before a run says.
    pub(crate) fn sentence(&self) -> String {
        let PlannedOutage {
            hold, start, rule, ..
        } = self.planned;
        let away = match start {
            None => format!("{hold} s and its start, whose time is not known"),
            Some(0.0) => format!("{hold} s"),
            Some(start) => format!("{hold} s and its start ({start:.0} s the last time)"),
        };
        let silent = match self.last {
            _ if self.first.is_infinite() => {
                "ever again, because they have given up by then".to_owned()
            }
            Some(last) if last.is_finite() => {
                format!("for {:.0} to {:.0} s", self.first, last + rule.heartbeat)
            }
            _ => format!("for {:.0} s or more", self.first),
        };
        format!(
            "{}: its workers write no heartbeat {silent}, and its limit is {:.0} s; the broker is away for {away}, \
             and workers retry {} after the loss",
            self.cancels.words(),
            rule.limit,
            self.retries(),
        )
    }

    /// The retries as far as they matter, such as `2, 6, 12, 20, 30 s`; of many the last eight.
    fn retries(&self) -> String {
        let to = self.last.unwrap_or(self.first);
        let tries = self.planned.retry.tries().skip(1);
        let shown: Vec<String> = tries
            .take_while(|at| *at <= to)
            .map(|at| format!("{at:.0}"))
            .collect();
        if shown.is_empty() {
            return "only at once".to_owned();
        }
        let from = shown.len().saturating_sub(8);
        let before = if from == 0 { "" } else { "… " };
        format!("{before}{} s", shown[from..].join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Option<&str> = Some("2.21.5");

    fn outlook(hold: f64, start: Option<f64>, rule: Rule) -> Outlook {
        super::outlook(PlannedOutage {
            hold,
            start,
            rule,
            retry: Retry::default(),
        })
    }

    fn cancels(hold: f64, start: f64) -> Cancels {
        outlook(hold, Some(start), Rule::of(TODAY, None)).cancels
    }

    /// Outages of a real Pulp 2.21.5: how long the broker was held away, how long it took to start, and whether the
    /// task that ran was canceled.
    const MEASURED: [(f64, f64, bool); 5] = [
        (3.0, 0.0, false),
        (12.0, 15.0, true),
        (23.0, 0.0, true),
        (30.0, 12.0, true),
        (75.0, 12.0, true),
    ];

    #[test]
    fn outages_of_a_real_pulp_ended_as_predicted() {
        for (hold, start, canceled) in MEASURED {
            let expected = if canceled {
                Cancels::Will
            } else {
                Cancels::WillNot
            };
            assert_eq!(cancels(hold, start), expected, "{hold} s and {start} s");
        }
    }

    #[test]
    fn what_counts_is_the_retry_and_not_how_long_the_broker_is_away() {
        // Longer by a second, silent for longer by 8 or 10 s.
        assert_eq!(cancels(4.0, 0.0), Cancels::WillNot);
        assert_eq!(cancels(5.0, 0.0), Cancels::May);
        assert_eq!(cancels(20.0, 0.0), Cancels::May);
        assert_eq!(cancels(21.0, 0.0), Cancels::Will, "long before 24 s");
        // A start that is quicker or slower than the last one.
        assert_eq!(cancels(10.0, 9.0), Cancels::May);
    }

    #[test]
    fn a_start_that_nobody_knows_leaves_the_better_end_open() {
        let rule = Rule::of(TODAY, None);
        assert_eq!(outlook(30.0, None, rule).cancels, Cancels::Will);
        let open = outlook(1.0, None, rule);
        assert_eq!(open.cancels, Cancels::May);
        let said = open.sentence();
        assert!(
            said.contains("for 2 s or more, and its limit is 24 s"),
            "{said}"
        );
        assert!(
            said.contains("1 s and its start, whose time is not known"),
            "{said}"
        );
    }

    #[test]
    fn each_version_has_its_rule() {
        let limit = |version, timeout| Rule::of(version, timeout).limit;
        assert!((limit(TODAY, None) - 24.0).abs() < f64::EPSILON);
        assert!((limit(Some("2.16.0"), Some(300)) - 240.0).abs() < f64::EPSILON);
        assert!((limit(Some("2.15.2"), Some(300)) - 25.0).abs() < f64::EPSILON);
        assert!((limit(Some("2.11.0"), None) - 300.0).abs() < f64::EPSILON);
        assert!((limit(None, None) - 300.0).abs() < f64::EPSILON);
        let patient = Rule::of(TODAY, Some(300));
        assert_eq!(outlook(30.0, Some(12.0), patient).cancels, Cancels::WillNot);
        let old = Rule::of(Some("2.8.7"), None);
        assert_eq!(outlook(90.0, Some(12.0), old).cancels, Cancels::WillNot);
        assert_eq!(outlook(300.0, Some(12.0), old).cancels, Cancels::May);
        assert_eq!(outlook(400.0, Some(12.0), old).cancels, Cancels::Will);
    }

    #[test]
    fn the_sentence_says_why() {
        let rule = Rule::of(TODAY, None);
        assert_eq!(
            outlook(30.0, Some(8.6), rule).sentence(),
            "Pulp will cancel running tasks: its workers write no heartbeat for 42 to 62 s, and its limit is 24 s; the \
             broker is away for 30 s and its start (9 s the last time), and workers retry 2, 6, 12, 20, 30, 42, 56 s \
             after the loss"
        );
        assert_eq!(
            outlook(3.0, Some(0.0), rule).sentence(),
            "Pulp will not cancel running tasks: its workers write no heartbeat for 6 to 18 s, and its limit is 24 s; \
             the broker is away for 3 s, and workers retry 2, 6, 12 s after the loss"
        );
    }

    #[test]
    fn who_has_given_up_by_then_writes_no_heartbeat_ever() {
        let planned = |hold, retry| PlannedOutage {
            hold,
            start: Some(0.0),
            rule: Rule::of(TODAY, None),
            retry,
        };
        let few = Retry {
            most: Some(2),
            ..Retry::default()
        };
        let none = Retry {
            retries: false,
            ..few
        };
        let without_end = Retry { most: None, ..few };
        for (hold, retry, cancels, words) in [
            (
                5000.0,
                Retry::default(),
                Cancels::Will,
                "no heartbeat ever again, because they have given up",
            ),
            (
                7.0,
                few,
                Cancels::Will,
                "workers retry 2, 6 s after the loss",
            ),
            (1.0, few, Cancels::May, "for 2 s or more"),
            (
                1.0,
                none,
                Cancels::Will,
                "workers retry only at once after the loss",
            ),
            (5000.0, without_end, Cancels::Will, "for 5008 to 5014 s"),
        ] {
            let found = super::outlook(planned(hold, retry));
            let said = found.sentence();
            assert_eq!(found.cancels, cancels, "{said}");
            assert!(said.contains(words), "{said}");
        }
    }
}
