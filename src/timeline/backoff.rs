//! When a consumer tries again. Its own log says it best: each failed try names the seconds until the next one. Where no
//! log says so, it is kombu's backoff, the same from 3.0 to 5.5 (`fxrange` in `kombu.utils.functional`,
//! `ensure_connection` in `kombu.connection`): a try at once, then after 2 s, 4 s and so on to 32 s, then every 32 s, 100
//! times in all. A refused connection costs no time of its own, so the instant of the first reconnect follows from the
//! last try, or from the loss, and from the broker's return. One that times out does cost time, and one that the broker
//! accepts and answers late is no failed try.

use serde::{Deserialize, Serialize};

/// What the interval begins with, and what it grows by.
const STEP: f64 = 2.0;

/// What it grows to.
const LONGEST: f64 = 32.0;

/// How often it tries before it gives up: Celery's `broker_connection_max_retries`.
const TRIES: u32 = 100;

/// How close to the end of the tries an outage is told to be near it.
const NEAR: f64 = 300.0;

/// A try that was due so shortly before the return, and of which the log does not say that it failed, is the one that
/// succeeds: the broker is asked a few times a second.
const UNDER_WAY: f64 = 1.0;

/// Two intervals that differ by less are the same: the log names hundredths.
const SAME: f64 = 0.02;

/// Pulp's own settings of its consumers' tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retry {
    /// Celery's `broker_connection_retry`.
    pub(crate) retries: bool,
    /// Celery's `broker_connection_max_retries`; none: without end.
    pub(crate) most: Option<u32>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: true,
            most: Some(TRIES),
        }
    }
}

/// A failed try, as the log of the service tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tried {
    pub(super) at: f64,
    /// The seconds that it names until the next try.
    pub(super) wait: f64,
}

impl Tried {
    fn due(self) -> f64 {
        self.at + self.wait
    }

    /// The tries that come after it, where each of them fails at once.
    fn following(self) -> impl Iterator<Item = f64> {
        let Self { mut at, mut wait } = self;
        std::iter::repeat_with(move || {
            at += wait;
            wait = longer(wait);
            at
        })
    }

    /// The other one is the very next try of the same process: no line between them is lost.
    fn is_followed_by(self, other: Self) -> bool {
        let late = other.at - self.due();
        // At the longest interval a lost line would not show in the intervals.
        (other.wait - longer(self.wait)).abs() < SAME && late.abs() < LONGEST / 2.0
    }
}

/// The interval after this one.
fn longer(wait: f64) -> f64 {
    (wait + STEP).min(LONGEST.max(wait))
}

/// How much later than its predecessor announced it each try came. Where the broker refuses at once, that is what the
/// host's lag cost.
pub(super) fn lateness(tried: &[Tried], is_refused: impl Fn(f64) -> bool) -> Vec<f64> {
    tried
        .windows(2)
        .filter_map(|pair| {
            let (before, this) = (*pair.first()?, *pair.last()?);
            let counts =
                before.is_followed_by(this) && is_refused(before.due()) && is_refused(this.at);
            counts.then(|| (this.at - before.due()).max(0.0))
        })
        .collect()
}

/// What is to be expected of a consumer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prediction {
    /// The instant of the try that will succeed.
    pub(super) at: Option<f64>,
    /// How many tries lie between what it is reckoned from and that one.
    pub(super) tries: usize,
    /// Until the try after that one.
    pub(super) wait: f64,
    /// It is reckoned from a try that the service's own log has.
    pub(super) by_log: bool,
    /// Why there is none; or what else is to be told of it.
    pub(super) words: String,
}

impl Prediction {
    pub(super) fn none(why: impl Into<String>) -> Self {
        Self {
            at: None,
            tries: 0,
            wait: STEP,
            by_log: false,
            words: why.into(),
        }
    }
}

impl Retry {
    /// The instants of all tries, in seconds after the loss.
    pub(super) fn tries(self) -> impl Iterator<Item = f64> {
        up_to(if self.retries { self.most } else { Some(0) })
    }
}

/// Without a number of tries they never end.
fn up_to(most: Option<u32>) -> impl Iterator<Item = f64> {
    let lost = Tried {
        at: 0.0,
        wait: STEP,
    };
    let most = most.and_then(|most| usize::try_from(most).ok());
    let further = lost.following().take(most.unwrap_or(usize::MAX));
    std::iter::once(0.0).chain(further)
}

/// How many seconds after the loss the last of so many tries comes. Pulp's setting may name billions of them: they are not counted one
/// by one.
fn budget(most: u32) -> f64 {
    let most = f64::from(most);
    let growing = most.min(LONGEST / STEP);
    STEP * growing * (growing + 1.0) / 2.0 + LONGEST * (most - growing)
}

/// The first try at or after `at` of a consumer that lost its connection at `lost`; none when it has
/// given up by then.
pub(super) fn next_try(retry: Retry, lost: f64, at: f64) -> Option<f64> {
    retry.tries().map(|after| lost + after).find(|t| *t >= at)
}

/// The try at or after `now` of a consumer that failed last as told.
pub(super) fn next_after(last: Tried, now: f64) -> Option<f64> {
    last.following()
        .take(usize::try_from(TRIES).unwrap_or_default())
        .find(|t| *t >= now)
}

/// What is known of a consumer's tries.
pub(super) struct Known<'a> {
    /// When it lost its connection, or found none for the first time.
    pub(super) lost: f64,
    /// Its failed tries of this outage, as its log tells them; empty where it tells none.
    pub(super) tried: &'a [Tried],
    /// By how much this host's lag may have put off a try.
    pub(super) lag: f64,
    pub(super) retry: Retry,
}

/// The first reconnect of this consumer where the broker answers again at `up`. `answer_at` says what the broker did at an
/// instant.
pub(super) fn predict(
    known: &Known<'_>,
    up: f64,
    answer_at: impl Fn(f64) -> Option<String>,
) -> Prediction {
    let last = known.tried.iter().rfind(|tried| tried.at < up + UNDER_WAY);
    if last.is_none() && !known.retry.retries {
        return Prediction::none(
            "Pulp's own settings tell it not to try again (`broker_connection_retry`)",
        );
    }
    let from = last.copied().unwrap_or(Tried {
        at: known.lost,
        wait: STEP,
    });
    let failed = |t: &f64| match last {
        // What failed is in the log, as far as it had the time to fail.
        Some(_) => *t < up - UNDER_WAY - known.lag,
        None => *t < up,
    };
    let unlike = from
        .following()
        .take_while(|t| *t < up)
        .filter_map(answer_at)
        .find(|answer| answer != "refused");
    if let Some(answer) = unlike {
        return Prediction::none(unlike_words(&answer));
    }
    let before = from.following().take_while(failed).count();
    let mut coming = from.following().skip(before);
    let (at, then) = (coming.next().unwrap_or(up), coming.next().unwrap_or(up));
    let predicted = Prediction {
        // One that this host's lag has put off comes now.
        at: Some(at.max(up - UNDER_WAY)),
        tries: before + 1,
        wait: then - at,
        by_log: last.is_some(),
        words: String::new(),
    };
    let Some(most) = known.retry.most else {
        return predicted;
    };
    let budget = budget(most);
    let end = format!(
        "the {most} tries, {} s, after which kombu gives up",
        grouped(budget)
    );
    if at > known.lost + budget + UNDER_WAY + known.lag {
        Prediction::none(format!("the broker came back after {end}"))
    } else if up - known.lost > budget - NEAR.min(budget / 10.0) {
        Prediction {
            words: format!("the outage came near {end}"),
            ..predicted
        }
    } else {
        predicted
    }
}

/// Why nobody knows how long a try takes where the broker did this instead of refusing it.
fn unlike_words(answer: &str) -> &'static str {
    match answer {
        "silent" | "starting" => {
            "the broker accepted connections without serving them, so how long a try takes is not known"
        }
        _ => "connections were not refused but timed out, so how long a try takes is not known",
    }
}

/// As people write it: `2,960`.
fn grouped(seconds: f64) -> String {
    let text = format!("{seconds:.0}");
    match text.len().checked_sub(3).filter(|split| *split > 0) {
        Some(split) => format!("{},{}", &text[..split], &text[split..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tries_are_those_of_kombu() {
        let tries = || Retry::default().tries();
        let first: Vec<f64> = tries().take(11).collect();
        assert_eq!(
            first,
            [
                0.0, 2.0, 6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0, 110.0
            ]
        );
        assert_eq!(tries().last(), Some(2960.0));
        assert_eq!(tries().count(), 101);
    }

    /// Seconds without a RabbitMQ, until then the next try, and until a task of a real worker had run.
    const MEASURED: [(f64, f64, f64); 9] = [
        (18.86, 1.14, 1.44),
        (24.61, 5.39, 5.70),
        (28.73, 1.27, 1.46),
        (36.08, 5.92, 6.25),
        (36.28, 5.72, 6.00),
        (39.61, 2.39, 2.66),
        (44.91, 11.09, 11.44),
        (54.58, 1.42, 1.64),
        (71.89, 0.11, 0.36),
    ];

    #[allow(clippy::unnecessary_wraps, reason = "as `predict` asks")]
    fn refused(_: f64) -> Option<String> {
        Some("refused".to_owned())
    }

    /// Of a consumer whose log tells nothing.
    fn by_loss(lost: f64, up: f64, answer_at: impl Fn(f64) -> Option<String>) -> Prediction {
        let known = Known {
            lost,
            tried: &[],
            lag: 0.0,
            retry: Retry::default(),
        };
        predict(&known, up, answer_at)
    }

    /// Of one whose log has these failed tries.
    fn by_log(tried: &[(f64, f64)], up: f64, lag: f64) -> Prediction {
        let tried = tries_of(tried);
        let known = Known {
            lost: tried[0].at,
            tried: &tried,
            lag,
            retry: Retry::default(),
        };
        predict(&known, up, refused)
    }

    fn tries_of(tried: &[(f64, f64)]) -> Vec<Tried> {
        let tried = tried.iter();
        tried
            .map(|(at, wait)| Tried {
                at: *at,
                wait: *wait,
            })
            .collect()
    }

    /// A worker of the lab, Celery 5.5.3, on a quiet machine.
    const PROMPT: [(f64, f64); 4] = [(2.109, 2.0), (4.109, 4.0), (8.112, 6.0), (14.112, 8.0)];

    /// The same where each try comes 2 s late.
    const LAGGED: [(f64, f64); 4] = [(2.1, 2.0), (6.1, 4.0), (12.1, 6.0), (20.1, 8.0)];

    #[test]
    fn the_next_try_is_the_one_that_the_log_names() {
        let found = by_log(&PROMPT, 15.187, 0.0);
        assert!(found.by_log && (found.tries, found.words.as_str()) == (1, ""));
        assert!(
            (found.at.unwrap() - 22.112).abs() < 1e-9,
            "connected at 22.118"
        );
        // On a busy machine the grid from the loss is far off by then.
        let lagged = by_log(&LAGGED, 21.0, 2.0);
        assert!((lagged.at.unwrap() - 28.1).abs() < 1e-9);
        let grid = by_loss(2.1, 21.0, refused);
        assert!((grid.at.unwrap() - 22.1).abs() < 1e-9 && !grid.by_log);
    }

    #[test]
    fn a_try_that_is_under_way_at_the_return_is_the_one_that_succeeds() {
        // The log does not say that it failed.
        assert_eq!(by_log(&PROMPT[..3], 14.3, 0.0).at, Some(8.112 + 6.0));
        // This host puts tries off by so much.
        assert_eq!(by_log(&LAGGED[..3], 20.0, 2.0).at, Some(19.0));
    }

    #[test]
    fn what_the_log_has_lost_is_reckoned_on_from_its_last_try() {
        // The next ones, at 14.112 and 22.112, failed unheard.
        let found = by_log(&PROMPT[..3], 25.0, 0.0);
        assert!((found.at.unwrap() - 32.112).abs() < 1e-9);
        assert_eq!((found.tries, found.wait), (3, 12.0));
    }

    #[test]
    fn a_last_try_that_timed_out_names_the_next_all_the_same() {
        let known = Known {
            lost: 0.0,
            tried: &tries_of(&[(4.0, 2.0), (10.0, 4.0)]),
            lag: 0.0,
            retry: Retry::default(),
        };
        let dropped = |_| Some("no_connection".to_owned());
        assert_eq!(predict(&known, 12.0, dropped).at, Some(14.0));
        // One that was under way for who knows how long does not.
        let none = predict(&known, 14.5, dropped);
        assert!(none.at.is_none() && none.words.contains("timed out"));
    }

    #[test]
    fn the_lag_is_what_each_try_came_late() {
        let late = |tried: &[(f64, f64)]| lateness(&tries_of(tried), |_| true);
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        };
        near(late(&PROMPT), &[0.0, 0.003, 0.0]);
        near(late(&LAGGED), &[2.0, 2.0, 2.0]);
        // A line is lost, another process begins anew, and at the longest interval two lines are lost.
        near(late(&[PROMPT[0], PROMPT[2]]), &[]);
        near(late(&[PROMPT[3], (60.0, 2.0), (62.5, 4.0)]), &[0.5]);
        near(late(&[(300.0, 32.0), (396.0, 32.0)]), &[]);
        // A try that timed out took its time.
        assert!(lateness(&tries_of(&LAGGED), |_| false).is_empty());
    }

    #[test]
    fn pulps_own_settings_say_how_often_it_tries() {
        let known = |retries, most| Known {
            lost: 0.0,
            tried: &[],
            lag: 0.0,
            retry: Retry { retries, most },
        };
        let never = predict(&known(false, Some(100)), 15.0, refused);
        assert!(never.at.is_none() && never.words.contains("`broker_connection_retry`"));
        let twice = predict(&known(true, Some(2)), 15.0, refused);
        assert!(twice.at.is_none() && twice.words.contains("the 2 tries, 6 s"));
        assert_eq!(predict(&known(true, Some(4)), 15.0, refused).at, Some(20.0));
        let endless = predict(&known(true, None), 5000.0, refused);
        assert!(endless.at.is_some() && endless.words.is_empty());
    }

    #[test]
    fn so_many_tries_end_when_the_last_of_them_comes() {
        for most in [0, 1, 2, 15, 16, 17, 100, 1000] {
            assert_eq!(Some(budget(most)), up_to(Some(most)).last(), "{most}");
        }
        let all = budget(u32::MAX);
        assert!(all > 1e11, "{all}");
    }

    #[test]
    fn nine_measured_outages_ended_as_predicted() {
        for (away, expected, measured) in MEASURED {
            let lost = 7.0;
            let found = by_loss(lost, lost + away, refused);
            assert_eq!(found.words, "");
            let wait = found.at.unwrap() - lost - away;
            assert!((wait - expected).abs() < 0.005, "{away}: {wait}");
            assert!((wait - measured).abs() < 0.5, "{away}: {wait} {measured}");
        }
    }

    #[test]
    fn where_connects_time_out_nothing_is_predicted_and_it_says_why() {
        let found = by_loss(0.0, 15.0, |_| Some("no_connection".to_owned()));
        assert_eq!(found.at, None);
        assert!(found.words.contains("timed out"), "{}", found.words);
        let frozen = by_loss(0.0, 15.0, |_| Some("silent".to_owned()));
        assert!(frozen.words.contains("accepted"), "{}", frozen.words);
        // Too short for a try to have met it.
        assert_eq!(
            by_loss(0.0, 1.0, |_| Some("silent".to_owned())).at,
            Some(2.0)
        );
    }

    #[test]
    fn an_outage_near_the_end_of_the_tries_is_told() {
        let near = by_loss(0.0, 2900.0, refused);
        assert_eq!(near.at, Some(2928.0));
        assert!(near.words.contains("2,960 s"), "{}", near.words);
        let beyond = by_loss(0.0, 2961.0, refused);
        assert_eq!(beyond.at, None);
        assert!(beyond.words.contains("gives up"), "{}", beyond.words);
        assert_eq!(by_loss(0.0, 2000.0, refused).words, "");
    }
}
