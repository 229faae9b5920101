//! Asks the broker for its protocol, again and again, never twice at once.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Change, Scene};
use crate::broker::{Broker, Kept, ProbeAnswer};
use crate::host::wait;
use crate::timeline::Event;

pub(super) const NAME: &str = "broker";

/// From one question to the next. A refusal costs nobody anything, and when the broker is back is to be
/// known well.
const PACE: Duration = Duration::from_millis(200);
const REFUSED: Duration = Duration::from_millis(100);

/// The least that lies between an answer and the next question.
const BREATH: Duration = Duration::from_millis(20);

pub(super) async fn sample(scene: Rc<Scene>, broker: Arc<Broker>) {
    let mut last: Option<(&'static str, String)> = None;
    let mut asked_before = Instant::now();
    let mut kept = Kept::default();
    loop {
        let asked = Instant::now();
        let one = Arc::clone(&broker);
        let question = move || {
            let answer = one.ask_again(&mut kept);
            (answer, kept)
        };
        let Ok((answer, still)) = tokio::task::spawn_blocking(question).await else {
            return;
        };
        kept = still;
        let now = Instant::now();
        let told = told(&answer);
        if last.as_ref() != Some(&told) {
            let up = answer.is_up();
            scene.change.set(Some(Change {
                not_before: asked_before,
                seen: now,
                up,
            }));
            let (answer, words) = told.clone();
            // A question that got no answer got none from the start.
            let at = if up { now } else { asked };
            let answer = answer.to_owned();
            scene.note(at, Event::Broker { answer, words });
            last = Some(told);
        }
        scene.looked(NAME);
        asked_before = asked;
        let pace = if answer == ProbeAnswer::Refused {
            REFUSED
        } else {
            PACE
        };
        wait::pass(pace.saturating_sub(asked.elapsed()).max(BREATH)).await;
    }
}

fn told(answer: &ProbeAnswer) -> (&'static str, String) {
    let (word, words) = match answer {
        ProbeAnswer::Answers(_) => ("answers", ""),
        ProbeAnswer::Starting(words) => ("starting", words.as_str()),
        ProbeAnswer::Refused => ("refused", ""),
        ProbeAnswer::Silent => ("silent", ""),
        ProbeAnswer::NoConnection => ("no_connection", ""),
        ProbeAnswer::Other(words) | ProbeAnswer::Unreachable(words) => {
            ("unreachable", words.as_str())
        }
    };
    (word, words.to_owned())
}
