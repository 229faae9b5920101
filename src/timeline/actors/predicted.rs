//! When a service is to be connected again: by the last try that its own log tells, else by its loss. And by how much this
//! host's lag may put that off, learnt from the earlier tries of the same outage.

use super::{ActorState, Main, SLACK, Story};
use crate::names::Generation;
use crate::timeline::backoff::{
    Known, Prediction, Retry, Tried, lateness, next_after, next_try, predict,
};
use crate::timeline::{Event, Outage, Said, answer_at};

/// What is learnt from the tries of all services of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lag(Option<f64>);

impl Lag {
    /// Each service's latest try counts, and of all services the middle one: a single slow service is no slow host.
    pub(super) fn of(stories: &[Story<'_>]) -> Self {
        Self::of_worst(stories.iter().filter_map(Story::worst_lateness).collect())
    }

    fn of_worst(mut worst: Vec<f64>) -> Self {
        worst.sort_by(f64::total_cmp);
        let middle = worst.len().saturating_sub(1) / 2;
        Self(worst.get(middle).copied())
    }

    /// By how much it explains that a service came later than predicted. Where no log tells, that may be a whole interval: nobody
    /// knows how far the tries have drifted since the loss.
    fn explains(self, prediction: &Prediction) -> f64 {
        let each: f64 = (0..prediction.tries)
            .map(|_| self.0.unwrap_or_default())
            .sum();
        match (self.0, prediction.by_log) {
            _ if prediction.at.is_none() => 0.0,
            (lag, true) => lag.unwrap_or_default(),
            (Some(_), false) => each,
            (None, false) => prediction.wait,
        }
    }
}

/// A prediction, what it rests on, and what may put it off.
pub(super) struct Predicted {
    pub(super) at: Option<f64>,
    pub(super) words: String,
    pub(super) from: &'static str,
    pub(super) lag: f64,
}

impl ActorState {
    /// When it tries next, by its log.
    pub(crate) fn next_try(&self, now: f64) -> Option<f64> {
        match self.last_try {
            Some(last) => next_after(last, now),
            None => next_try(Retry::default(), *self.retries.first()?, now),
        }
    }
}

impl Story<'_> {
    /// Its failed tries of which its log names the next one.
    fn tries(&self) -> impl Iterator<Item = Tried> {
        self.events().filter_map(|(at, event)| match event {
            Event::Said {
                unit,
                what: Said::Retries,
                seconds: Some(wait),
            } if unit == self.unit => Some(Tried { at, wait: *wait }),
            _ => None,
        })
    }

    pub(super) fn last_try(&self) -> Option<Tried> {
        self.tries().last()
    }

    /// The latest of its tries while the broker refused.
    fn worst_lateness(&self) -> Option<f64> {
        let Outage {
            down_at: Some(down),
            up_at,
        } = self.outage
        else {
            return None;
        };
        let up = up_at.unwrap_or(self.now);
        let tried: Vec<Tried> = self
            .tries()
            .filter(|tried| (down - SLACK..up).contains(&tried.at))
            .collect();
        let refused = |at| answer_at(self.timeline, at).as_deref() == Some("refused");
        lateness(&tried, refused).into_iter().max_by(f64::total_cmp)
    }

    pub(super) fn predicted(&self, prediction: Prediction, lag: Lag) -> Predicted {
        let met = || !self.said(Said::Met).is_empty();
        let from = match (prediction.at, prediction.by_log) {
            (None, _) => "",
            (Some(_), true) => "its log",
            (Some(_), false) if met() => "its loss, because its log has no dates",
            (Some(_), false) => "its loss, because its log names no next try",
        };
        Predicted {
            at: prediction.at.map(rounded),
            lag: rounded(lag.explains(&prediction)),
            from,
            words: prediction.words,
        }
    }

    pub(super) fn prediction(
        &self,
        consumes: bool,
        lost_at: Option<f64>,
        retries: &[f64],
        mains: &[Main],
        lag: Lag,
    ) -> Prediction {
        let Outage {
            down_at: Some(down),
            up_at: Some(up),
        } = self.outage
        else {
            return Prediction::none("the broker was not seen to go and to come back");
        };
        if !consumes {
            return Prediction::none("it connects when it has something to say");
        }
        if Generation::of_unit(self.unit) == Some(Generation::Three) {
            return Prediction::none("it does not connect by kombu's backoff");
        }
        // Another process has begun anew.
        let ends = mains.iter().filter_map(|main| main.until.as_ref());
        let before = ends.map(|end| end.at).filter(|at| *at < up);
        let from = before.fold(down - SLACK, f64::max);
        let tried: Vec<Tried> = self.tries().filter(|tried| tried.at >= from).collect();
        let first = retries.iter().copied().find(|t| (from..up).contains(t));
        let Some(lost) = first.or(lost_at) else {
            return Prediction::none("neither a loss nor a refused try was seen");
        };
        let known = Known {
            lost,
            tried: &tried,
            lag: lag.0.unwrap_or_default(),
            retry: self.timeline.begin.retry.unwrap_or_default(),
        };
        predict(&known, up, |at| answer_at(self.timeline, at))
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_service_is_no_slow_host() {
        let lag = |worst: &[f64]| Lag::of_worst(worst.to_vec()).0;
        assert_eq!(lag(&[5.0, 0.01, 0.02]), Some(0.02));
        assert_eq!(lag(&[5.0, 0.01]), Some(0.01));
        assert_eq!(lag(&[2.0, 2.1, 1.9]), Some(2.0));
        assert_eq!(lag(&[2.0]), Some(2.0));
        assert_eq!(lag(&[]), None);
    }
}
