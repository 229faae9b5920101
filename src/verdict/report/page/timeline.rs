//! The picture of one scenario: a lane for each service, endpoint and check, all counted from the instant
//! at which each host lost the broker, so that no clock has to be right.

use std::fmt::Write as _;

use super::{Esc, LaneOrigin, Scale, rows};
use crate::verdict::results::Scene;
use crate::verdict::{Judgement, Service};

/// With more lanes a host's services share one, and only those that stand out have their own.
const MOST_LANES: usize = 48;

/// So much of the time before the outage is shown, in seconds, where nothing happened in it.
const BEFORE: f64 = 8.0;

/// Endpoints that are shown then.
const FEW_APIS: usize = 4;

/// Of those that stand out, so many.
const MOST_OUTSTANDING: usize = 32;

/// The whole picture; empty where nothing was observed.
pub(super) fn of(judgement: &Judgement<'_>, scenario: &str) -> String {
    let places = places(judgement, scenario);
    let services: Vec<&Service<'_>> = judgement
        .services
        .iter()
        .filter(|s| s.scenario == scenario && !is_idle(s))
        .collect();
    // The first who saw all of the outage tells of it, else who saw it begin. Of equals this takes the last.
    let Some(first) = places
        .iter()
        .rev()
        .max_by_key(|p| (p.watch.up_at.is_some(), p.watch.down_at.is_some()))
    else {
        return String::new();
    };
    let scale = scale(first, &places, &services);
    let mut rows = rows::broker(first, &scale);
    let many = services.len() > MOST_LANES;
    let mut apis = if many { FEW_APIS } else { MOST_LANES };
    for place in &places {
        if places.len() > 1 && !many {
            // Writing to a string does not fail.
            let _ = write!(rows, "<h4>{}</h4>", Esc(&place.host.name));
        }
        rows += &lanes_of(place, &services, many, &scale);
        for api in place.watch.apis() {
            if apis > 0 {
                apis -= 1;
                rows += &rows::api(place, &api, &scale);
            }
        }
        rows += &rows::health(place, &scale);
    }
    if many {
        rows += &outstanding(&services, &scale);
    }
    let labels = scale.axis();
    let since = if scale.lost {
        "the loss"
    } else {
        "the observer began"
    };
    format!(
        "<div class=tl role=group aria-label=\"What happened when, in seconds since {since}\">\
         <div class=\"row ax\"><div class=lb>seconds since {since}</div><svg aria-hidden=true>{labels}</svg><div></div></div>\
         {rows}\
         <div class=\"row ax\"><div></div><svg aria-hidden=true>{labels}</svg><div></div></div></div>"
    )
}

/// The hosts on which something was observed.
fn places<'a>(judgement: &'a Judgement<'_>, scenario: &'a str) -> Vec<LaneOrigin<'a>> {
    let place = |(host, scene): (_, &'a Scene)| {
        let watch = scene.watch.as_ref()?;
        let observed = !watch.entries.is_empty() || !watch.actors.is_empty();
        observed.then(|| LaneOrigin {
            host,
            scene,
            watch,
            zero: watch.down_at.unwrap_or_default(),
        })
    };
    judgement.run.scenes(scenario).filter_map(place).collect()
}

/// A lane for each service of this host, or one for all of them.
fn lanes_of(
    place: &LaneOrigin<'_>,
    services: &[&Service<'_>],
    many: bool,
    scale: &Scale,
) -> String {
    let here: Vec<&Service<'_>> = services
        .iter()
        .copied()
        .filter(|s| s.host.name == place.host.name)
        .collect();
    if many {
        return rows::host(place, &here, scale);
    }
    let lane = |service: &&Service<'_>| rows::service(service, place.zero, scale);
    here.iter().map(lane).collect()
}

/// Those that stand out of many.
fn outstanding(services: &[&Service<'_>], scale: &Scale) -> String {
    let lanes: String = services
        .iter()
        .filter(|s| s.name.is_some_and(rows::stands_out))
        .take(MOST_OUTSTANDING)
        .map(|s| rows::service(s, s.watch.down_at.unwrap_or_default(), scale))
        .collect();
    if lanes.is_empty() {
        return lanes;
    }
    format!("<h4>Those that stand out</h4>{lanes}")
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

/// From shortly before anything happened until the last of it.
fn scale(first: &LaneOrigin<'_>, places: &[LaneOrigin<'_>], services: &[&Service<'_>]) -> Scale {
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
        if let Some((begin, reply)) = place.check() {
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
        lost: first.watch.down_at.is_some(),
        up,
    }
}
