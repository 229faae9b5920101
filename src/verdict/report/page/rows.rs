//! One row of the picture: who, the lane, and what came of it.

use std::collections::BTreeSet;

use super::{Esc, LaneOrigin, Scale, lanes};
use crate::verdict::name::{Grade, Name};
use crate::verdict::results::Api;
use crate::verdict::{Service, shown};

/// A name that the reader should see.
pub(super) fn stands_out(name: Name) -> bool {
    name.grade() <= Grade::Defect
}

/// One lane: who, what is drawn, and what came of it. `class` colours the outcome.
fn row(name: &str, sub: &str, picture: &str, title: &str, end: (&str, &str, &str)) -> String {
    let (class, outcome, note) = end;
    format!(
        "<div class=row><div class=lb><b>{}</b><i>{}</i></div>\
         <svg role=img><title>{}</title>{picture}</svg>\
         <div class=\"en {class}\">{}<i>{}</i></div></div>",
        Esc(name),
        Esc(sub),
        Esc(title),
        Esc(outcome),
        Esc(note)
    )
}

pub(super) fn broker(place: &LaneOrigin<'_>, scale: &Scale) -> String {
    let (class, away) = match (scale.lost, scale.up) {
        (false, _) => ("dim", "not seen to go".to_owned()),
        (true, None) => ("bad", "not seen back".to_owned()),
        (true, Some(up)) => ("", format!("away {}", shown(up))),
    };
    let picture = scale.ground() + &lanes::broker(place.watch, scale, place.zero);
    let title = format!("The broker as seen from {}: {away}", place.host.name);
    row(
        "broker",
        &place.watch.broker,
        &picture,
        &title,
        (class, &away, ""),
    )
}

pub(super) fn service(service: &Service<'_>, zero: f64, scale: &Scale) -> String {
    let actor = service.actor;
    let name = actor.name.trim_end_matches(".service");
    let predicted = service.predicted().map_or(String::new(), |s| {
        format!("predicted {}", shown(s.max(0.0)))
    });
    let (class, outcome) = outcome(service);
    let note = if service.recovery().is_some() {
        predicted
    } else {
        String::new()
    };
    let picture = scale.ground() + &lanes::service(service, scale, zero);
    let title = format!(
        "{name} on {}: {outcome}; {}; {note}",
        service.host.name, service.words
    );
    row(
        name,
        actor.role.words(),
        &picture,
        &title,
        (class, &outcome, &note),
    )
}

fn outcome(service: &Service<'_>) -> (&'static str, String) {
    let actor = service.actor;
    let back = service
        .recovery()
        .map(|s| format!("back after {}", shown(s.max(0.0))));
    match service.name {
        Some(Name::NotExercised) => ("dim", "not tested".to_owned()),
        Some(Name::ServiceExited) => ("bad", "exited".to_owned()),
        Some(Name::NotRecovered) => ("bad", "did not come back".to_owned()),
        Some(name) => {
            let class = if name.grade() == Grade::Defect {
                "warn"
            } else {
                "bad"
            };
            (class, back.unwrap_or_else(|| name.word().replace('_', " ")))
        }
        None if actor.survived_connection => ("good", "kept its connection".to_owned()),
        None if actor.role.consumes() => ("good", back.unwrap_or_else(|| "recovered".to_owned())),
        None => ("good", "works".to_owned()),
    }
}

pub(super) fn api(place: &LaneOrigin<'_>, api: &Api, scale: &Scale) -> String {
    let (from, to) = (scale.from + place.zero, scale.to + place.zero);
    let bad = api.bad_seconds(from, to);
    let slowest = api
        .between(from, to)
        .filter(|s| !s.kind.is_bad())
        .map(|s| s.milliseconds)
        .max();
    let slowest = slowest.map_or(String::new(), |ms| {
        format!("slowest {:.2} s", f64::from(ms) / 1000.0)
    });
    let (class, outcome) = if bad > 0.0 {
        ("warn", format!("of no use {}", shown(bad)))
    } else {
        ("good", "answered".to_owned())
    };
    let outcomes: BTreeSet<&str> = api.stretches.iter().map(|s| s.outcome.as_str()).collect();
    let outcomes: Vec<&str> = outcomes.into_iter().collect();
    let title = format!(
        "{} answered {}; {outcome}; {slowest}",
        api.url,
        outcomes.join(", ")
    );
    let picture = scale.ground() + &lanes::api(api, scale, place.zero);
    row(
        "API",
        &tail(&api.url),
        &picture,
        &title,
        (class, &outcome, &slowest),
    )
}

/// The end of a path tells endpoints apart.
fn tail(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [host, _, .., before, last] => format!("{host} …/{before}/{last}/"),
        _ => rest.to_owned(),
    }
}

pub(super) fn health(place: &LaneOrigin<'_>, scale: &Scale) -> String {
    let Some((begin, reply)) = place.check() else {
        return String::new();
    };
    let seconds: f64 = reply.steps.iter().map(|s| s.seconds).sum();
    let (class, outcome) = if reply.healthy == Some(true) {
        ("good", "passed".to_owned())
    } else {
        ("bad", format!("failed at {}", reply.failed_step))
    };
    let note = format!("{} steps in {}", reply.steps.len(), shown(seconds));
    let picture = scale.ground() + &lanes::health(reply, scale, begin);
    let title = format!("Health check on {}: {outcome}; {note}", place.host.name);
    row(
        "health check",
        "create, sync, publish, download",
        &picture,
        &title,
        (class, &outcome, &note),
    )
}

/// All of a host's services in one lane.
pub(super) fn host(place: &LaneOrigin<'_>, services: &[&Service<'_>], scale: &Scale) -> String {
    let consumers: Vec<&&Service<'_>> = services
        .iter()
        .filter(|s| s.actor.role.consumes())
        .collect();
    if consumers.is_empty() {
        return String::new();
    }
    let back: Vec<f64> = consumers.iter().filter_map(|s| s.recovery()).collect();
    let (fastest, slowest) = back.iter().fold((f64::MAX, 0.0_f64), |(min, max), s| {
        (min.min(*s), max.max(*s))
    });
    let stuck = consumers
        .iter()
        .filter(|s| s.name.is_some_and(stands_out))
        .count();
    let (class, outcome) = match stuck {
        0 => ("good", format!("{} back", consumers.len())),
        n => ("bad", format!("{n} of {} not well", consumers.len())),
    };
    let note = if back.is_empty() {
        String::new()
    } else {
        format!("{} to {}", shown(fastest.max(0.0)), shown(slowest))
    };
    let picture = scale.ground() + &lanes::host(&consumers, scale, place.zero);
    let title = format!(
        "{} services on {}: {outcome}; {note}",
        consumers.len(),
        place.host.name
    );
    let sub = format!("{} services", consumers.len());
    row(
        &place.host.name,
        &sub,
        &picture,
        &title,
        (class, &outcome, &note),
    )
}
