//! When the broker was away, as the observer's own questions to it tell.

use serde::Serialize;

use super::{Event, Timeline};

/// What the broker says when it can be used.
const ANSWERS: &str = "answers";

/// Two stretches with less than this between them are one: a broker that starts may stumble.
const STUMBLE: f64 = 2.0;

/// The stretch in which the broker did not answer, as seen from this host: the one that lasts still, or
/// else the longest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Outage {
    /// Seconds since the observer began; none when the broker answered all the time.
    pub(crate) down_at: Option<f64>,
    /// None while it lasts.
    pub(crate) up_at: Option<f64>,
}

impl Outage {
    /// Finds it among what was seen.
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut stretches: Vec<(f64, Option<f64>)> = Vec::new();
        for (at, answer) in answers(timeline) {
            match (answer == ANSWERS, stretches.last_mut()) {
                (true, Some((_, up @ None))) => *up = Some(at),
                (true, _) | (false, Some((_, None))) => {}
                (false, Some((_, up))) if up.is_some_and(|up| at - up < STUMBLE) => *up = None,
                (false, _) => stretches.push((at, None)),
            }
        }
        let length = |(down, up): &(f64, Option<f64>)| up.map_or(f64::INFINITY, |up| up - down);
        stretches
            .into_iter()
            .max_by(|a, b| length(a).total_cmp(&length(b)))
            .map_or_else(Self::default, |(down, up)| Self {
                down_at: Some(down),
                up_at: up,
            })
    }

    /// Nothing of it is left to wait for.
    pub(crate) fn is_over(self) -> bool {
        self.down_at.is_none() || self.up_at.is_some()
    }
}

fn answers(timeline: &Timeline) -> impl Iterator<Item = (f64, &str)> {
    timeline
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Broker { answer, .. } => Some((entry.at, answer.as_str())),
            _ => None,
        })
}

/// What the broker did at an instant.
pub(super) fn answer_at(timeline: &Timeline, at: f64) -> Option<String> {
    answers(timeline)
        .take_while(|(since, _)| *since <= at)
        .last()
        .map(|(_, answer)| answer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::timeline;

    fn outage(answers: &[(f64, &str)]) -> Outage {
        let broker = |answer: &str| Event::Broker {
            answer: answer.to_owned(),
            words: String::new(),
        };
        Outage::of(&timeline(answers.iter().map(|(at, a)| (*at, broker(a)))))
    }

    #[test]
    fn the_outage_begins_with_the_first_failure_and_ends_with_the_answer() {
        let seen = [
            (0.0, "answers"),
            (3.0, "refused"),
            (40.0, "starting"),
            (41.5, "answers"),
        ];
        let expected = Outage {
            down_at: Some(3.0),
            up_at: Some(41.5),
        };
        assert_eq!(outage(&seen), expected);
        // One late answer long afterwards is no outage beside it, and a stumble at the start is part of it.
        let stumbled = [
            &seen[..],
            &[(42.0, "refused"), (43.0, "answers")],
            &[(80.0, "silent"), (81.2, "answers")],
        ];
        assert_eq!(outage(&stumbled.concat()).up_at, Some(43.0));
    }

    #[test]
    fn an_outage_that_lasts_has_no_end() {
        let seen = outage(&[
            (0.0, "answers"),
            (3.0, "refused"),
            (9.0, "answers"),
            (20.0, "silent"),
        ]);
        assert_eq!(seen.down_at, Some(20.0));
        assert!(!seen.is_over());
        assert!(outage(&[(0.0, "answers")]).is_over());
    }
}
