//! When a consumer tries again: kombu's backoff, the same from 3.0 to 5.5 (`fxrange` in
//! `kombu.utils.functional`, `ensure_connection` in `kombu.connection`). It tries at once, then after
//! 2 s, 4 s and so on to 32 s, then every 32 s, 100 times in all. A refused connection costs no time of
//! its own, so the instant of the first reconnect follows from the loss and the broker's return. One that
//! times out does cost time, and one that the broker accepts and answers late is no failed try.

/// What the interval begins with, and what it grows by.
const STEP: f64 = 2.0;

/// What it grows to.
const LONGEST: f64 = 32.0;

/// How often it tries before it gives up: Celery's `broker_connection_max_retries`.
const TRIES: usize = 100;

/// How close to the end of the tries an outage is told to be near it.
const NEAR: f64 = 300.0;

/// What is to be expected of a consumer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prediction {
    /// The instant of the try that will succeed.
    pub(super) at: Option<f64>,
    /// Why there is none; or what else is to be told of it.
    pub(super) words: String,
}

impl Prediction {
    pub(super) fn none(why: &str) -> Self {
        Self {
            at: None,
            words: why.to_owned(),
        }
    }
}

/// The instants of all tries, in seconds after the loss.
pub(super) fn tries() -> impl Iterator<Item = f64> {
    let mut interval = 0.0;
    let mut at = 0.0;
    std::iter::once(0.0).chain((0..TRIES).map(move |_| {
        interval = f64::min(interval + STEP, LONGEST);
        at += interval;
        at
    }))
}

/// When the tries are used up, in seconds after the loss: 2,960.
pub(super) fn budget() -> f64 {
    tries().last().unwrap_or_default()
}

/// The first try at or after `at` of a consumer that lost its connection at `lost`; none when it has
/// given up by then.
pub(super) fn next_try(lost: f64, at: f64) -> Option<f64> {
    tries().map(|after| lost + after).find(|t| *t >= at)
}

/// The first reconnect of a consumer that lost its connection at `lost`, or found none for the first time,
/// where the broker answers again at `up`. `answer_at` says what the broker did at an instant.
pub(super) fn predict(lost: f64, up: f64, answer_at: impl Fn(f64) -> Option<String>) -> Prediction {
    // The first try falls into the moment in which the broker goes.
    let before = tries().skip(1).map(|after| lost + after);
    let unlike = before
        .take_while(|t| *t < up)
        .filter_map(answer_at)
        .find(|answer| answer != "refused");
    if let Some(answer) = unlike {
        return Prediction::none(match answer.as_str() {
            "silent" | "starting" => {
                "the broker accepted connections without serving them, so how long a try takes is not known"
            }
            _ => "connections were not refused but timed out, so how long a try takes is not known",
        });
    }
    match next_try(lost, up) {
        None => Prediction::none(
            "the broker came back after the 100 tries, 2,960 s, after which kombu gives up",
        ),
        Some(at) if up - lost > budget() - NEAR => Prediction {
            at: Some(at),
            words: "the outage came near the 100 tries, 2,960 s, after which kombu gives up"
                .to_owned(),
        },
        Some(at) => Prediction {
            at: Some(at),
            words: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tries_are_those_of_kombu() {
        let first: Vec<f64> = tries().take(11).collect();
        assert_eq!(
            first,
            [
                0.0, 2.0, 6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0, 110.0
            ]
        );
        assert!((budget() - 2960.0).abs() < f64::EPSILON);
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

    #[test]
    fn nine_measured_outages_ended_as_predicted() {
        for (away, expected, measured) in MEASURED {
            let lost = 7.0;
            let found = predict(lost, lost + away, |_| Some("refused".to_owned()));
            assert_eq!(found.words, "");
            let wait = found.at.unwrap() - lost - away;
            assert!((wait - expected).abs() < 0.005, "{away}: {wait}");
            assert!((wait - measured).abs() < 0.5, "{away}: {wait} {measured}");
        }
    }

    #[test]
    fn where_connects_time_out_nothing_is_predicted_and_it_says_why() {
        let found = predict(0.0, 15.0, |_| Some("no_connection".to_owned()));
        assert_eq!(found.at, None);
        assert!(found.words.contains("timed out"), "{}", found.words);
        let frozen = predict(0.0, 15.0, |_| Some("silent".to_owned()));
        assert!(frozen.words.contains("accepted"), "{}", frozen.words);
        // Too short for a try to have met it.
        assert_eq!(
            predict(0.0, 1.0, |_| Some("silent".to_owned())).at,
            Some(2.0)
        );
    }

    #[test]
    fn an_outage_near_the_end_of_the_tries_is_told() {
        let refused = |_| Some("refused".to_owned());
        let near = predict(0.0, 2900.0, refused);
        assert_eq!(near.at, Some(2928.0));
        assert!(near.words.contains("2,960 s"), "{}", near.words);
        let beyond = predict(0.0, 2961.0, refused);
        assert_eq!(beyond.at, None);
        assert!(beyond.words.contains("gives up"), "{}", beyond.words);
        assert_eq!(predict(0.0, 2000.0, refused).words, "");
    }
}
