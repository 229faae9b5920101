//! When the broker was away, as the observer's own questions to it tell.

use serde::Serialize;

use super::{Event, Timeline};

/// What the broker says when it can be used.
const ANSWERS: &str = "answers";

/// Two stretches with less than this between them are one: a broker that starts may stumble.
const STUMBLE: f64 = 2.0;

/// What it says when it accepts a connection and no word comes within the second that a question has.
const SILENT: &str = "silent";

/// A busy broker, on a busy host, may let some questions in a row wait for longer than that.
const LATE_ANSWER: f64 = 5.0;

/// The stretch in which the broker did not answer, as seen from this host: the one that lasts still, or
/// else the longest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Outage {
    /// Seconds since the observer began; none when the broker answered all the time.
    pub(crate) down_at: Option<f64>,
    /// None while it lasts.
    pub(crate) up_at: Option<f64>,
}

/// A stretch in which the broker did not answer.
struct Stretch {
    down: f64,
    up: Option<f64>,
    /// It said nothing, and that is all that is known.
    silent: bool,
}

impl Stretch {
    /// One that lasts is as long as any, unless the observation ended while a single answer may have been late.
    fn length(&self, ended_at: Option<f64>) -> f64 {
        let so_far = ended_at.map(|end| end - self.down);
        match (self.up, so_far) {
            (Some(up), _) => up - self.down,
            (None, Some(so_far)) if self.silent && so_far < LATE_ANSWER => so_far,
            _ => f64::INFINITY,
        }
    }
}

impl Outage {
    /// Finds it among what was seen.
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (at, answer) in answers(timeline) {
            let silent = answer == SILENT;
            match (answer == ANSWERS, stretches.last_mut()) {
                (true, Some(last @ Stretch { up: None, .. })) => last.up = Some(at),
                (true, _) => {}
                (false, Some(last @ Stretch { up: None, .. })) => last.silent &= silent,
                (false, Some(last)) if last.up.is_some_and(|up| at - up < STUMBLE) => {
                    last.up = None;
                    last.silent &= silent;
                }
                (false, _) => stretches.push(Stretch {
                    down: at,
                    up: None,
                    silent,
                }),
            }
        }
        let ended_at = timeline.end().map(|_| timeline.last_at());
        stretches
            .into_iter()
            .max_by(|a, b| a.length(ended_at).total_cmp(&b.length(ended_at)))
            .map_or_else(Self::default, |Stretch { down, up, .. }| Self {
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
        Outage::of(&timeline(events(answers)))
    }

    /// The same of an observation that ended at this instant.
    fn outage_until(end: f64, answers: &[(f64, &str)]) -> Outage {
        let why = "told".to_owned();
        let over = (end, Event::End { why });
        Outage::of(&timeline(events(answers).chain([over])))
    }

    fn events(answers: &[(f64, &str)]) -> impl Iterator<Item = (f64, Event)> {
        let broker = |answer: &str| Event::Broker {
            answer: answer.to_owned(),
            words: String::new(),
        };
        answers.iter().map(move |(at, a)| (*at, broker(a)))
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

    #[test]
    fn a_late_answer_in_the_end_is_no_outage_beside_the_one_that_was() {
        let was = [(0.0, "answers"), (3.0, "refused"), (40.0, "answers")];
        let then = |answer| [&was[..], &[(60.0, answer)]].concat();
        assert_eq!(outage_until(61.0, &then("silent")).up_at, Some(40.0));
        assert_eq!(outage_until(66.0, &then("silent")).up_at, None);
        assert_eq!(outage_until(60.1, &then("refused")).up_at, None);
        // As long as it is observed it may be the next one; and where nothing was before, it is the outage that begins.
        assert_eq!(outage(&then("silent")).up_at, None);
        assert_eq!(outage_until(0.5, &[(0.0, "silent")]).down_at, Some(0.0));
    }
}
