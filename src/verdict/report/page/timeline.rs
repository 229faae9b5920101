//! The picture of one scenario: a lane for each service, endpoint and check, all counted from the instant
//! at which each host lost the broker, so that no clock has to be right.

use std::collections::BTreeMap;

use super::{Esc, Scale, lanes};
use crate::verdict::name::{Grade, Name};
use crate::verdict::results::{Host, Scene, Watch};
use crate::verdict::{Judgement, Service, shown};

/// With more lanes a host's services share one, and only those that stand out have their own.
const MOST_LANES: usize = 48;

/// So much of the time before the outage is shown, in seconds, where nothing happened in it.
const BEFORE: f64 = 8.0;

/// Of those that stand out, so many.
const MOST_OUTSTANDING: usize = 32;

/// Where the lanes of one host begin to count.
struct Place<'a> {
    host: &'a Host,
    scene: &'a Scene,
    watch: &'a Watch,
    zero: f64,
}

/// The whole picture; empty where nothing was observed.
pub(super) fn of(judgement: &Judgement<'_>, scenario: &str) -> String {
    let places: Vec<Place<'_>> = judgement
        .run
        .scenes(scenario)
        .filter_map(|(host, scene)| {
            let watch = scene
                .watch
                .as_ref()
                .filter(|watch| !watch.entries.is_empty() || !watch.actors.is_empty())?;
            let zero = watch.down_at.unwrap_or_default();
            Some(Place {
                host,
                scene,
                watch,
                zero,
            })
        })
        .collect();
    let services: Vec<&Service<'_>> = judgement
        .services
        .iter()
        .filter(|s| s.scenario == scenario && !is_idle(s))
        .collect();
    let Some(first) = places
        .iter()
        .find(|p| p.watch.up_at.is_some())
        .or(places.first())
    else {
        return String::new();
    };
    let scale = scale(first, &places, &services);
    let mut rows = broker_row(first, &scale);
    let many = services.len() > MOST_LANES;
    for place in &places {
        let here: Vec<&Service<'_>> = services
            .iter()
            .copied()
            .filter(|s| s.host.name == place.host.name)
            .collect();
        if places.len() > 1 && !many {
            rows += &format!("<h4>{}</h4>", Esc(&place.host.name));
        }
        if many {
            rows += &host_row(place, &here, &scale);
        } else {
            for service in here {
                rows += &service_row(service, place.zero, &scale);
            }
        }
        if !many {
            for api in place.watch.apis() {
                rows += &api_row(place, &api, &scale);
            }
        }
        rows += &health_row(place, &scale);
    }
    if many {
        let outstanding = services.iter().filter(|s| s.name.is_some_and(stands_out));
        let rows_of: Vec<String> = outstanding
            .take(MOST_OUTSTANDING)
            .map(|s| service_row(s, s.watch.down_at.unwrap_or_default(), &scale))
            .collect();
        if !rows_of.is_empty() {
            rows += &format!("<h4>Those that stand out</h4>{}", rows_of.concat());
        }
    }
    let axis = scale.axis();
    format!(
        "<div class=tl role=group aria-label=\"What happened when, in seconds since the broker was lost\">\
         <div class=\"row ax\"><div class=lb>seconds since the loss</div><svg aria-hidden=true>{axis}</svg><div></div></div>\
         {rows}\
         <div class=\"row ax\"><div></div><svg aria-hidden=true>{axis}</svg><div></div></div></div>"
    )
}

/// What the marks mean.
pub(super) const LEGEND: &str = "<ul class=legend>\
    <li><svg aria-hidden=true><rect class=c y=3 width=100% height=12 rx=2 /></svg>connected</li>\
    <li><svg aria-hidden=true><rect class=l y=8 width=100% height=2 /></svg>main process runs</li>\
    <li><svg aria-hidden=true><rect class=o width=100% height=18 /></svg>broker away</li>\
    <li><svg aria-hidden=true><svg x=50% y=9 class=r><path d=\"M0-4V4\"/></svg></svg>tried to connect</li>\
    <li><svg aria-hidden=true><svg x=50% y=9 class=p><path d=\"M0-6 6 0 0 6-6 0z\"/></svg></svg>predicted return</li>\
    <li><svg aria-hidden=true><svg x=50% y=9 class=x><path d=\"M-5-5 5 5M5-5-5 5\"/></svg></svg>exited</li>\
    <li><svg aria-hidden=true><rect class=u y=7 width=100% height=4 /></svg>taken for lost by Pulp</li>\
    <li><svg aria-hidden=true><rect class=a y=11 width=100% height=6 /></svg>API answers</li>\
    <li><svg aria-hidden=true><rect class=s y=5 width=100% height=12 /></svg>slow</li>\
    <li><svg aria-hidden=true><rect class=h width=100% height=18 /></svg>no answer</li>\
    <li><svg aria-hidden=true><rect class=e width=100% height=18 /></svg>error</li></ul>";

/// A unit that never ran, such as one that only starts others, says nothing.
fn is_idle(service: &Service<'_>) -> bool {
    let actor = service.actor;
    actor.running == Some(false) && actor.exits.is_empty() && !actor.met()
}

fn stands_out(name: Name) -> bool {
    name.grade() <= Grade::Defect
}

/// From shortly before anything happened until the last of it.
fn scale(first: &Place<'_>, places: &[Place<'_>], services: &[&Service<'_>]) -> Scale {
    let up = first.watch.up_at.map(|at| at - first.zero);
    let mut from: f64 = -3.0;
    let mut to = up.unwrap_or_default() + 8.0;
    for service in services {
        let actor = service.actor;
        let zero = service.watch.down_at.unwrap_or_default();
        let exits = actor.exits.iter().filter_map(|exit| exit.at);
        let instants = [
            actor.settled_at,
            actor.connected_at,
            actor.predicted_at,
            actor.listed_at,
        ];
        let latest = instants
            .into_iter()
            .flatten()
            .chain(exits)
            .fold(f64::MIN, f64::max);
        to = to.max(latest - zero);
        if actor.role.consumes() && !actor.has_recovered() {
            to = to.max(service.watch.known_until() - zero);
        }
    }
    for place in places {
        for api in place.watch.apis() {
            let bad = api.stretches.iter().filter(|s| s.kind.is_bad());
            for stretch in bad {
                from = from.min(stretch.from - place.zero);
                to = to.max(stretch.to - place.zero);
            }
        }
        if let Some((begin, reply)) = check_of(place) {
            let seconds: f64 = reply.steps.iter().map(|s| s.seconds).sum();
            to = to.max(begin + seconds);
        }
        from = from
            .min(-place.zero.min(BEFORE))
            .max(-place.zero.max(BEFORE));
    }
    let margin = (to - from) * 0.02;
    Scale {
        from: (from - margin).max(-60.0),
        to: (to + margin).min(4000.0),
        up,
    }
}

/// A health check and when it began. Where nobody knows, right after the observation.
fn check_of<'a>(place: &Place<'a>) -> Option<(f64, &'a crate::verdict::results::Reply)> {
    let reply = place
        .scene
        .health
        .as_ref()
        .filter(|reply| !reply.steps.is_empty())?;
    let known = reply
        .healthy_at
        .zip(place.watch.wall)
        .map(|(at, wall)| at - wall - reply.seconds.unwrap_or_default() - place.zero);
    let after = place.watch.known_until() - place.zero;
    // A clock that was set meanwhile is not believed.
    let believable = known.filter(|at| *at >= after - 1.0 && *at < after + 600.0);
    Some((believable.unwrap_or(after), reply))
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

fn broker_row(place: &Place<'_>, scale: &Scale) -> String {
    let away = scale.up.map_or("not seen back".to_owned(), |up| {
        format!("away {}", shown(up))
    });
    let picture = scale.ground() + &lanes::broker(place.watch, scale, place.zero);
    let title = format!("The broker as seen from {}: {away}", place.host.name);
    let class = if scale.up.is_some() { "" } else { "bad" };
    row(
        "broker",
        &place.watch.broker,
        &picture,
        &title,
        (class, &away, ""),
    )
}

fn service_row(service: &Service<'_>, zero: f64, scale: &Scale) -> String {
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

fn api_row(place: &Place<'_>, api: &crate::verdict::results::Api, scale: &Scale) -> String {
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
    let outcomes: Vec<String> = distinct(api);
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

fn distinct(api: &crate::verdict::results::Api) -> Vec<String> {
    let mut counts: BTreeMap<&str, ()> = BTreeMap::new();
    for stretch in &api.stretches {
        counts.insert(&stretch.outcome, ());
    }
    counts.keys().map(|outcome| (*outcome).to_owned()).collect()
}

fn health_row(place: &Place<'_>, scale: &Scale) -> String {
    let Some((begin, reply)) = check_of(place) else {
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
fn host_row(place: &Place<'_>, services: &[&Service<'_>], scale: &Scale) -> String {
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
