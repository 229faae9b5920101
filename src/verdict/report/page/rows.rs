//! One row of the picture: who, the lane, and what came of it.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{LaneOrigin, Scale, Text, lanes};
use crate::names::verdict::{Grade, Name};
use crate::verdict::results::Api;
use crate::verdict::{Service, shown};

/// A name that the reader should see.
pub(super) fn stands_out(name: Name) -> bool {
    name.grade() <= Grade::Defect
}

/// One lane: who, what is drawn on the outage's ground, and what came of it. `class` colours the outcome.
struct Row<'a> {
    name: &'a str,
    sub: &'a str,
    picture: Markup,
    title: String,
    class: &'static str,
    outcome: &'a str,
    note: &'a str,
}

impl Row<'_> {
    fn drawn(&self, scale: &Scale) -> Markup {
        html! {
            div .row {
                div .lb { b { (Text(self.name)) } i { (Text(self.sub)) } }
                svg role="img" { title { (Text(&self.title)) } (scale.ground()) (self.picture) }
                div class={ "en " (self.class) } { (Text(self.outcome)) i { (Text(self.note)) } }
            }
        }
    }
}

pub(super) fn broker(place: &LaneOrigin<'_>, scale: &Scale) -> Markup {
    let (class, away) = match (scale.lost, scale.up) {
        (false, _) => ("dim", "not seen to go".to_owned()),
        (true, None) => ("bad", "not seen back".to_owned()),
        (true, Some(up)) => ("", format!("away {}", shown(up))),
    };
    let picture = lanes::broker(place.watch, scale, place.zero);
    let title = format!("The broker as seen from {}: {away}", place.host.name);
    Row {
        name: "broker",
        sub: &place.watch.broker,
        picture,
        title,
        class,
        outcome: &away,
        note: "",
    }
    .drawn(scale)
}

pub(super) fn service(service: &Service<'_>, zero: f64, scale: &Scale) -> Markup {
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
    let picture = lanes::service(service, scale, zero);
    let title = format!(
        "{name} on {}: {outcome}; {}; {note}",
        service.host.name, service.words
    );
    Row {
        name,
        sub: actor.role.words(),
        picture,
        title,
        class,
        outcome: &outcome,
        note: &note,
    }
    .drawn(scale)
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

pub(super) fn api(place: &LaneOrigin<'_>, api: &Api, scale: &Scale) -> Markup {
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
    let picture = lanes::api(api, scale, place.zero);
    Row {
        name: "API",
        sub: &tail(&api.url),
        picture,
        title,
        class,
        outcome: &outcome,
        note: &slowest,
    }
    .drawn(scale)
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

pub(super) fn health(place: &LaneOrigin<'_>, scale: &Scale) -> Markup {
    let Some((begin, reply)) = place.check() else {
        return html! {};
    };
    let seconds: f64 = reply.steps.iter().map(|s| s.seconds).sum();
    let (class, outcome) = if reply.healthy == Some(true) {
        ("good", "passed".to_owned())
    } else {
        ("bad", format!("failed at {}", reply.failed_step))
    };
    let note = format!("{} steps in {}", reply.steps.len(), shown(seconds));
    let picture = lanes::health(reply, scale, begin);
    let title = format!("Health check on {}: {outcome}; {note}", place.host.name);
    Row {
        name: "health check",
        sub: "create, sync, publish, download",
        picture,
        title,
        class,
        outcome: &outcome,
        note: &note,
    }
    .drawn(scale)
}

/// All of a host's services in one lane.
pub(super) fn host(place: &LaneOrigin<'_>, services: &[&Service<'_>], scale: &Scale) -> Markup {
    let consumers: Vec<&&Service<'_>> = services
        .iter()
        .filter(|s| s.actor.role.consumes())
        .collect();
    if consumers.is_empty() {
        return html! {};
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
    let picture = lanes::host(&consumers, scale, place.zero);
    let title = format!(
        "{} services on {}: {outcome}; {note}",
        consumers.len(),
        place.host.name
    );
    let sub = format!("{} services", consumers.len());
    Row {
        name: &place.host.name,
        sub: &sub,
        picture,
        title,
        class,
        outcome: &outcome,
        note: &note,
    }
    .drawn(scale)
}
