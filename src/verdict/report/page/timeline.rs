//! The picture of one scenario: a lane for each service, endpoint and check, all counted from the instant
//! at which each host lost the broker, so that no clock has to be right.

use maud::{Markup, html};

use super::{LaneOrigin, Scale, Text, lanes, rows};
use crate::verdict::results::{Api, Scene};
use crate::verdict::{Judgement, Service};

/// With more lanes a host's services share one, and only those that stand out have their own.
const MOST_LANES: usize = 48;

/// So much of the time before the outage is shown, in seconds, where nothing happened in it.
const BEFORE: f64 = 8.0;

/// Endpoints that are shown then.
const FEW_APIS: usize = 4;

/// Of those that stand out, so many.
const MOST_OUTSTANDING: usize = 32;

/// The whole picture, unless nothing was observed.
pub(super) fn of(judgement: &Judgement<'_>, scenario: &str) -> Option<Markup> {
    let places = places(judgement, scenario);
    let services: Vec<&Service<'_>> = judgement
        .services
        .iter()
        .filter(|s| s.scenario == scenario && !is_idle(s))
        .collect();
    // The first who saw all of the outage tells of it, else who saw it begin. Of equals this takes the last.
    let first = places
        .iter()
        .rev()
        .max_by_key(|p| (p.watch.up_at.is_some(), p.watch.down_at.is_some()))?;
    let scale = scale(first, &places, &services);
    let many = services.len() > MOST_LANES;
    let mut apis = if many { FEW_APIS } else { MOST_LANES };
    let since = if scale.lost {
        "the loss"
    } else {
        "the observer began"
    };
    let label = format!("What happened when, in seconds since {since}");
    Some(html! {
        div .tl role="group" aria-label=(label) {
            div .row.ax { div .lb { "seconds since " (since) } svg aria-hidden="true" { (scale.axis()) } div {} }
            (rows::broker(first, &scale))
            @for place in &places {
                @if places.len() > 1 && !many { h4 { (Text(&place.host.name)) } }
                (lanes_of(place, &services, many, &scale))
                @for api in shown_apis(place, &mut apis) { (rows::api(place, &api, &scale)) }
                (rows::health(place, &scale))
            }
            @if many { (outstanding(&services, &scale)) }
            div .row.ax { div {} svg aria-hidden="true" { (scale.axis()) } div {} }
        }
    })
}

/// The endpoints that are still shown, of which there are only so many.
fn shown_apis(place: &LaneOrigin<'_>, left: &mut usize) -> Vec<Api> {
    let shown: Vec<Api> = place.watch.apis().into_iter().take(*left).collect();
    *left -= shown.len();
    shown
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
) -> Markup {
    let here: Vec<&Service<'_>> = services
        .iter()
        .copied()
        .filter(|s| s.host.name == place.host.name)
        .collect();
    html! {
        @if many { (rows::host(place, &here, scale)) }
        @else { @for service in here { (rows::service(service, place.zero, scale)) } }
    }
}

/// Those that stand out of many.
fn outstanding(services: &[&Service<'_>], scale: &Scale) -> Markup {
    let outstanding = services
        .iter()
        .filter(|s| s.name.is_some_and(rows::stands_out));
    let mut lanes = outstanding.take(MOST_OUTSTANDING).peekable();
    html! {
        @if lanes.peek().is_some() { h4 { "Those that stand out" } }
        @for service in lanes { (rows::service(service, service.watch.down_at.unwrap_or_default(), scale)) }
    }
}

/// What the marks mean.
pub(super) fn legend() -> Markup {
    let bar = |class, y, height| html! { rect class=(class) y=(y) width="100%" height=(height) {} };
    let mark = |class, path| html! { svg x="50%" y="9" class=(class) { path d=(path) {} } };
    let meanings = [
        (bar("c", 3, 12), "connected"),
        (bar("l", 8, 2), "main process runs"),
        (bar("o", 0, 18), "broker away"),
        (mark("r", lanes::TICK), "tried to connect"),
        (mark("p", lanes::DIAMOND), "predicted return"),
        (mark("x", lanes::CROSS), "exited"),
        (bar("u", 7, 4), "taken for lost by Pulp"),
        (bar("a", 11, 6), "API answers"),
        (bar("s", 5, 12), "slow"),
        (bar("h", 0, 18), "no answer"),
        (bar("e", 0, 18), "error"),
    ];
    html! {
        ul .legend {
            @for (drawn, meaning) in meanings { li { svg aria-hidden="true" { (drawn) } (meaning) } }
        }
    }
}

/// A unit that never ran, such as one that only starts others, says nothing.
fn is_idle(service: &Service<'_>) -> bool {
    let actor = service.actor;
    actor.running == Some(false) && actor.exits.is_empty() && actor.met.is_none()
}

/// From shortly before anything happened until the last of it.
fn scale(first: &LaneOrigin<'_>, places: &[LaneOrigin<'_>], services: &[&Service<'_>]) -> Scale {
    let up = first.watch.up_at.map(|at| at - first.zero);
    let mut from: f64 = -3.0;
    let mut to = up.unwrap_or_default() + 8.0;
    for service in services {
        let actor = service.actor;
        let zero = service.watch.down_at.unwrap_or_default();
        let exits = actor.exits.iter().map(|exit| exit.at);
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
        if actor.role.consumes() && !actor.came_back() {
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
