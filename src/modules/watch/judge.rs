//! Whether all that should be connected again is, by what the observer has seen so far.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::host::processes;
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::verdict::Name;
use crate::names::{Actor, VerdictError, verdict_of};
use crate::observe;
use crate::service;
use crate::timeline::{ActorState, Outage, Timeline};

/// How often what was seen so far is read.
const PACE: Pace = Pace {
    first: Duration::from_millis(250),
    last: Duration::from_millis(250),
};

/// A worker of Pulp 3 that has crashed while it was busy stays "active" for up to 28 s, until its task's child
/// has ended; before that nothing is known of it.
const PULP_3_SETTLES: f64 = 30.0;

/// Seconds since the observer of this host began; none when it does not observe any more.
pub(super) fn now() -> Option<f64> {
    let alive = observe::standing().ok().flatten().is_some_and(|s| s.alive);
    let begin = observe::read().ok().flatten()?.begin.monotonic;
    alive.then(|| observe::monotonic() - begin)
}

/// Until when one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules) enum Until {
    /// Every consumer is connected again; whether that stands is seen later. Pulp 3's have to have recovered.
    Connected,
    Recovered,
}

impl Until {
    fn is_reached(self, actor: &ActorState) -> bool {
        actor.has_recovered() || self == Self::Connected && actor.is_connected()
    }
}

/// Whoever is on the way back when the wait is over has this much longer: a try after 2 s, and the 5 s for
/// which a connection has to stand.
const SETTLES: Duration = Duration::from_secs(8);

/// Waits until every consumer is connected again, or has recovered. Whoever is back at the end is not accused, nor is a service
/// that lost its new connection a moment before.
///
/// # Errors
/// `FAILED service_exited` as soon as a service's main process has ended, `FAILED not_recovered` when the
/// deadline finds a consumer without a connection; both name it. `VOID not_exercised` when the
/// observer was gone before.
pub(in crate::modules) fn wait_recovered(
    main_pids: &BTreeMap<String, u32>,
    until_when: Until,
    deadline: Deadline,
) -> Result<()> {
    for deadline in [Some(deadline), None] {
        let settles = deadline.is_none();
        let deadline = deadline.unwrap_or_else(|| Deadline::after(SETTLES));
        let mut last: Option<(Box<Timeline>, f64)> = None;
        let what = "every consumer to hold a standing connection to the broker";
        let reached = until(what, deadline, PACE, || {
            let (timeline, at) = match look(main_pids, until_when)? {
                Look::Recovered => return Ok(Some(())),
                Look::NotYet(timeline, at) => (timeline, at),
            };
            last = Some((timeline, at));
            Ok(None)
        });
        let (error, (timeline, at)) = match (reached, last) {
            (Err(error), Some(last)) if error.is::<TimedOut>() => (error, last),
            (reached, _) => return reached,
        };
        match not_recovered(&timeline, main_pids, at) {
            Some(failed) => return Err(error.context(failed)),
            // Pulp 3's own wait is part of the first.
            None if settles => return Ok(()),
            None => {}
        }
    }
    Ok(())
}

/// What was seen so far.
enum Look {
    Recovered,
    NotYet(Box<Timeline>, f64),
}

fn look(main_pids: &BTreeMap<String, u32>, until_when: Until) -> Result<Look> {
    let now = now();
    let Some(timeline) = observe::read()? else {
        bail!(VerdictError::new(
            Name::NotExercised,
            "the observer has left nothing that can be read"
        ));
    };
    let at = now.unwrap_or_else(|| timeline.last_at());
    let actors = timeline.actors(main_pids, at);
    refuse_exited(&actors)?;
    let recovered = timeline.outage().is_over()
        && actors
            .iter()
            .filter(|a| a.role.consumes())
            .all(|actor| until_when.is_reached(actor))
        && is_settled(&timeline, &actors, at);
    if recovered {
        return Ok(Look::Recovered);
    }
    if now.is_none() {
        bail!(verdict_of!(
            NotExercised,
            "the observer has ended ({}) before every consumer had recovered, so \
             nothing tells whether they did",
            timeline.end().unwrap_or("it was killed")
        ));
    }
    Ok(Look::NotYet(Box::new(timeline), at))
}

/// Whether a Pulp 3 has had the time to show what became of it, and all of it runs.
fn is_settled(timeline: &Timeline, actors: &[ActorState], now: f64) -> bool {
    let mut pulp_3 = actors.iter().filter(|a| a.may_exit()).peekable();
    let up = timeline.outage().up_at;
    let looked = up.is_none_or(|up| now - up >= PULP_3_SETTLES);
    pulp_3.peek().is_none() || looked && pulp_3.all(ActorState::runs)
}

/// A service must not exit; one that was started again has exited. Pulp 3's may, if it is started again.
fn refuse_exited(actors: &[ActorState]) -> Result<()> {
    let lost: Vec<&ActorState> = actors.iter().filter(|a| a.is_lost()).collect();
    let Some(first) = lost.first() else {
        return Ok(());
    };
    let exited: Vec<(Actor, String)> = lost
        .iter()
        .map(|a| (a.actor.clone(), format!("{} {}", a.unit(), a.ending())))
        .collect();
    let rule = if first.may_exit() {
        "a service of Pulp 3 may exit when it loses its broker, and its unit has to start it again \
         (Restart=always)"
    } else {
        "a service of Pulp must not exit because its broker is away, it must wait and retry"
    };
    let message = format!(
        "{}; {rule}; see {}",
        texts(&exited, "; "),
        service::log_of(first.unit())
    );
    Err(VerdictError::of(Name::ServiceExited, message, exited).into())
}

/// What is said of each, one after the other.
fn texts(named: &[(Actor, String)], between: &str) -> String {
    let texts: Vec<&str> = named.iter().map(|(_, text)| text.as_str()).collect();
    texts.join(between)
}

/// Who is to hold a standing connection and is not on the way to one. A service that lost its new
/// connection is connected again with its next try: RabbitMQ costs one or two such losses.
fn is_accused(actor: &ActorState) -> bool {
    let missing =
        actor.role.consumes() && !actor.has_recovered() && !(actor.runs() && actor.settling);
    missing || actor.may_exit() && !actor.runs()
}

/// What the end of the wait finds; `None`: nobody is accused.
fn not_recovered(
    timeline: &Timeline,
    main_pids: &BTreeMap<String, u32>,
    now: f64,
) -> Option<VerdictError> {
    let broker = &timeline.begin.broker;
    let Outage { down_at, up_at } = timeline.outage();
    if let (Some(down), None) = (down_at, up_at) {
        let message = format!(
            "the broker at {broker} has not answered since {}",
            clock(timeline, down)
        );
        return Some(VerdictError::new(Name::BrokerNotRestored, message));
    }
    // What the logs say tells when each tries next.
    let mut told = timeline.clone();
    told.add(observe::said(timeline).unwrap_or_default());
    let actors = told.actors(main_pids, now);
    let late: Vec<&ActorState> = actors.iter().filter(|a| is_accused(a)).collect();
    let first = late.first()?;
    let runs = if late.iter().all(|a| a.runs()) {
        ", although the main process runs"
    } else {
        ""
    };
    let named: Vec<(Actor, String)> = late
        .iter()
        .map(|a| {
            let next = match processes::odd_state(a.main_pid) {
                "" => next(a, &told, now),
                state => format!(", in state {state}"),
            };
            let text = format!("{} (main process {}{next})", a.unit(), a.main_pid);
            (a.actor.clone(), text)
        })
        .collect();
    let message = format!(
        "{}: expected a standing connection to the broker at {broker}, which is back, \
         but saw none in {:.0} s{runs}; see {}",
        texts(&named, ", "),
        now - up_at.unwrap_or_default(),
        service::log_of(first.unit())
    );
    Some(VerdictError::of(Name::NotRecovered, message, named))
}

/// When it tries next, if it still does; or that it has nothing to try for.
fn next(actor: &ActorState, timeline: &Timeline, now: f64) -> String {
    if actor.keeps_silence() {
        return ", which has its connection from before the outage, but nothing moved on it since"
            .to_owned();
    }
    let coming = actor.predicted_at.and_then(|_| actor.next_try(now));
    // Who has let the try go by that had to succeed does not wait for the next.
    match (coming, actor.predicted_at) {
        (Some(at), Some(predicted)) if predicted >= now => {
            format!(", waiting for its next retry at {}", clock(timeline, at))
        }
        (_, Some(predicted)) if predicted < now => {
            format!(", predicted to be back at {}", clock(timeline, predicted))
        }
        _ => String::new(),
    }
}

fn clock(timeline: &Timeline, at: f64) -> String {
    humantime::format_rfc3339_seconds(timeline.instant(at)).to_string()
}

/// How long each consumer of this host took, by what was seen so far.
pub(in crate::modules) fn recoveries() -> Option<String> {
    let mut timeline = observe::read().ok().flatten()?;
    timeline.add(observe::said(&timeline).unwrap_or_default());
    let actors = timeline.actors(
        &BTreeMap::new(),
        now().unwrap_or_else(|| timeline.last_at()),
    );
    Some(told(&actors, &timeline))
}

/// The same of these.
pub(super) fn told(actors: &[ActorState], timeline: &Timeline) -> String {
    let up = timeline.outage().up_at;
    let each: Vec<String> = actors
        .iter()
        .filter(|a| a.role.consumes())
        .map(|a| format!("{} {}", a.unit(), recovery(a, up)))
        .collect();
    if each.is_empty() {
        "RECOVERED: no consumer runs on this host".to_owned()
    } else {
        format!("RECOVERED: {}", each.join(", "))
    }
}

fn recovery(actor: &ActorState, up: Option<f64>) -> String {
    let after = |at: f64| (at - up.unwrap_or(at)).max(0.0);
    match (actor.connected_at, actor.predicted_at) {
        _ if actor.survived_connection => "kept its connection".to_owned(),
        (Some(_), _) if up.is_none() => "is connected".to_owned(),
        (Some(at), Some(predicted)) => {
            format!(
                "after {:.1} s (predicted {:.1} s)",
                after(at),
                after(predicted)
            )
        }
        (Some(at), None) => format!("after {:.1} s", after(at)),
        (None, _) => "is connected".to_owned(),
    }
}
