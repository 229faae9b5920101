//! The marks of one lane: what a service, the broker, an endpoint or the health check did when.

use maud::{Markup, html};

use super::Scale;
use crate::timeline::Event;
use crate::verdict::Service;
use crate::verdict::results::{Api, Availability, ModuleReply, WatchReply};

/// Marks nearer than this, in percent of the width, cannot be told apart.
const TOUCHING: f64 = 0.25;

/// More in one lane nobody can read.
const MOST: usize = 150;

/// A stretch with its place, of a class of the style sheet.
type Bar = (f64, f64, &'static str);

/// Draws stretches; those of one class that touch become one.
fn bars(stretches: impl IntoIterator<Item = Bar>, scale: &Scale, y: u8, height: u8) -> Markup {
    let mut merged: Vec<Bar> = Vec::new();
    for (from, to, class) in stretches {
        let Some((x, width)) = scale.span(from, to) else {
            continue;
        };
        match merged.last_mut() {
            Some((last_x, last_width, last_class))
                if *last_class == class && x - (*last_x + *last_width) < TOUCHING =>
            {
                *last_width = (x + width - *last_x).max(*last_width);
            }
            _ => merged.push((x, width, class)),
        }
    }
    merged.truncate(MOST);
    for (_, width, _) in &mut merged {
        *width = (width.max(TOUCHING) * 100.0).round() / 100.0;
    }
    html! {
        @for (x, width, class) in merged {
            rect class=(class) x={ (x) "%" } y=(y) width={ (width) "%" } height=(height) rx="2" {}
        }
    }
}

/// A mark of its own shape at an instant.
fn mark(scale: &Scale, at: f64, class: &str, path: &str) -> Markup {
    html! {
        @if (scale.from..=scale.to).contains(&at) {
            svg x={ (scale.x(at)) "%" } y="16" class=(class) { path d=(path) {} }
        }
    }
}

pub(super) const CROSS: &str = "M-5-5 5 5M5-5-5 5";
pub(super) const DIAMOND: &str = "M0-6 6 0 0 6-6 0z";
pub(super) const TICK: &str = "M0-4V4";

/// A service's connection, its tries, its exits. `zero` is when its host lost the broker.
pub(super) fn service(service: &Service<'_>, scale: &Scale, zero: f64) -> Markup {
    let (actor, watch) = (service.actor, service.watch);
    let end = watch.known_until() - zero;
    let unlisted = actor.unlisted_at.map(|at| {
        let until = actor.listed_at.map_or(end, |at| at - zero);
        (at - zero, until, "u")
    });
    // Tries that cannot be told apart are one.
    let mut tries: Vec<f64> = actor.retries.iter().map(|at| at - zero).collect();
    tries.dedup_by(|at, before| scale.x(*at) - scale.x(*before) < TOUCHING * 2.0);
    // Who has exited tries no more.
    let predicted = actor.predicted_at.filter(|_| actor.exits.is_empty());
    let exits = actor.exits.iter().take(10).map(|exit| exit.at);
    html! {
        (bars(lives(service, zero, end), scale, 15, 2))
        (bars(connections(service, zero, end), scale, 9, 14))
        (bars(unlisted, scale, 27, 4))
        @for at in tries { (mark(scale, at, "r", TICK)) }
        @if let Some(at) = predicted { (mark(scale, at - zero, "p", DIAMOND)) }
        @for at in exits { (mark(scale, at - zero, "x", CROSS)) }
    }
}

/// When the unit had a main process.
fn lives(service: &Service<'_>, zero: f64, end: f64) -> Vec<Bar> {
    let mut spans = Vec::new();
    let mut since: Option<f64> = None;
    let mut any = false;
    for entry in &service.watch.entries {
        if let Event::Unit { unit, main_pid, .. } = &entry.event
            && *unit == service.actor.name
        {
            any = true;
            let at = entry.at - zero;
            match (*main_pid != 0, since) {
                (true, None) => since = Some(at),
                (false, Some(from)) => {
                    spans.push((from, at, "l"));
                    since = None;
                }
                _ => {}
            }
        }
    }
    if let Some(from) = since {
        spans.push((from, end, "l"));
    }
    if !any && service.actor.running == Some(true) {
        spans.push((f64::MIN / 4.0, end, "l"));
    }
    spans
}

/// When it held a connection: as seen, or else as the actor's story tells.
fn connections(service: &Service<'_>, zero: f64, end: f64) -> Vec<Bar> {
    let mut spans: Vec<Bar> = Vec::new();
    let mut open: Vec<u64> = Vec::new();
    let mut since = 0.0;
    let mut any = false;
    for entry in &service.watch.entries {
        let at = entry.at - zero;
        match &entry.event {
            Event::Opened {
                unit,
                socket,
                child: false,
                ..
            } if *unit == service.actor.name => {
                any = true;
                if open.is_empty() {
                    since = at;
                }
                open.push(*socket);
            }
            Event::Closed { unit, socket } if *unit == service.actor.name => {
                let was_open = !open.is_empty();
                open.retain(|s| s != socket);
                if was_open && open.is_empty() {
                    spans.push((since, at, "c"));
                }
            }
            _ => {}
        }
    }
    if !open.is_empty() {
        spans.push((since, end, "c"));
    }
    if any {
        return spans;
    }
    let actor = service.actor;
    let begin = -zero;
    match (actor.lost_at, actor.connected_at) {
        _ if actor.survived_connection => spans.push((begin, end, "c")),
        (Some(lost), _) => spans.push((begin, lost - zero, "c")),
        _ => {}
    }
    if let Some(at) = actor.connected_at {
        spans.push((at - zero, end, "c"));
    }
    spans
}

/// What the broker said to this host.
pub(super) fn broker(watch: &WatchReply, scale: &Scale, zero: f64) -> Markup {
    let mut spans: Vec<Bar> = Vec::new();
    for entry in &watch.entries {
        if let Event::Broker { answer, .. } = &entry.event {
            let at = entry.at - zero;
            if let Some(last) = spans.last_mut() {
                last.1 = at;
            }
            let class = match answer.as_str() {
                "answers" => "c",
                "starting" => "s",
                _ => "d",
            };
            spans.push((at, watch.known_until() - zero, class));
        }
    }
    if spans.is_empty()
        && let (Some(down), Some(up)) = (watch.down_at, watch.up_at)
    {
        let (down, up) = (down - zero, up - zero);
        spans = vec![
            (-zero, down, "c"),
            (down, up, "d"),
            (up, watch.known_until().max(up + zero) - zero, "c"),
        ];
    }
    bars(spans, scale, 9, 14)
}

/// What an endpoint answered, and how fast: the taller, the slower.
pub(super) fn api(api: &Api, scale: &Scale, zero: f64) -> Markup {
    let bars_of = |kind, class, y, height| {
        let of_kind = api.stretches.iter().filter(|s| s.kind == kind);
        let spans = of_kind.map(|s| (s.from - zero, s.to - zero, class));
        bars(spans, scale, y, height)
    };
    html! {
        (bars_of(Availability::Answers, "a", 19, 6))
        (bars_of(Availability::Slow, "s", 12, 13))
        (bars_of(Availability::Silent, "h", 6, 19))
        (bars_of(Availability::Error, "e", 6, 19))
    }
}

/// The steps of a health check that began then.
pub(super) fn health(reply: &ModuleReply, scale: &Scale, begin: f64) -> Markup {
    let mut at = begin;
    let steps = reply.steps.iter().enumerate().take(MOST);
    let drawn = steps.filter_map(|(index, step)| {
        let class = match (step.ok, index % 2) {
            (false, _) => "e",
            (true, 0) => "k",
            (true, _) => "k2",
        };
        let from = at;
        at += step.seconds;
        scale.span(from, at).map(|place| (step, class, place))
    });
    html! {
        @for (step, class, (x, width)) in drawn {
            rect class=(class) x={ (x) "%" } y="9" width={ (width.max(0.3)) "%" } height="14" {
                title { (step.name) ": " (format_args!("{:.2}", step.seconds)) " s" }
            }
        }
    }
}

/// All services of a host together: connected until the first was lost, in part until the last is back.
pub(super) fn host(services: &[&&Service<'_>], scale: &Scale, zero: f64) -> Markup {
    let instants = |of: fn(&Service<'_>) -> Option<f64>| -> Vec<f64> {
        services
            .iter()
            .filter_map(|s| of(s))
            .map(|at| at - zero)
            .collect()
    };
    let least = |of: &[f64]| of.iter().copied().fold(f64::MAX, f64::min);
    let most = |of: &[f64]| of.iter().copied().fold(f64::MIN, f64::max);
    let back = instants(|s| s.actor.connected_at);
    let end = services
        .iter()
        .map(|s| s.watch.known_until() - zero)
        .fold(0.0, f64::max);
    // Where nobody lost a connection, the first to end one is who was stopped first.
    let lost = services
        .iter()
        .filter_map(|s| connections(s, zero, end).first().copied())
        .map(|(_, to, _)| to)
        .filter(|to| *to < end)
        .fold(end, f64::min);
    let all = back.len() == services.len();
    let mut spans: Vec<Bar> = Vec::new();
    spans.push((-zero, lost, "c"));
    if !back.is_empty() {
        let complete = if all { most(&back) } else { end };
        spans.push((least(&back), complete, "c2"));
        spans.push((complete, end, "c"));
    }
    let exits = instants(|s| s.actor.exits.first().map(|exit| exit.at));
    html! {
        (bars(spans, scale, 9, 14))
        @for at in exits.into_iter().take(10) { (mark(scale, at, "x", CROSS)) }
    }
}
