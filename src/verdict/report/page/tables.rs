//! The recovery table: what was predicted, what was measured, what it was the time before.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::{Comparison, Prose, Text};
use crate::names::verdict::{Grade, Name};
use crate::verdict::{Judgement, Service, shown};

/// More rows are folded.
const SHOWN_ROWS: usize = 24;

pub(super) fn recovery(
    judgement: &Judgement<'_>,
    comparison: Option<&Comparison>,
    scenario: &str,
) -> Option<Markup> {
    let mut services: Vec<&Service<'_>> = judgement
        .services
        .iter()
        .filter(|s| s.scenario == scenario)
        .collect();
    if services.is_empty() {
        return None;
    }
    // The worst is what one looks for.
    services.sort_by_key(|s| {
        let slowness = s.recovery().unwrap_or_default().clamp(0.0, 1e6) * 1000.0;
        (
            s.name.map_or(3, |n| n.grade() as u8),
            Reverse(format!("{slowness:012.0}")),
        )
    });
    let compares = services
        .iter()
        .any(|s| comparison.is_some_and(|c| c.before(s).is_some()));
    let hosts = judgement.run.hosts.len() > 1;
    let (first, rest) = services.split_at(services.len().min(SHOWN_ROWS));
    let table = |services| table(services, comparison.filter(|_| compares), hosts);
    Some(html! {
        (table(first))
        @if !rest.is_empty() {
            details { summary { (rest.len()) " more services" } (table(rest)) }
        }
    })
}

fn table(services: &[&Service<'_>], comparison: Option<&Comparison>, hosts: bool) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "service" }
                    th { "verdict" }
                    th .n { "back after" }
                    th .n { "predicted" }
                    th .n { "difference" }
                    @if comparison.is_some() { th .n { "run before" } }
                    th { "what else is known" }
                }
            }
            tbody { @for service in services { (row(service, comparison, hosts)) } }
        }
    }
}

fn row(service: &Service<'_>, comparison: Option<&Comparison>, hosts: bool) -> Markup {
    let (recovery, predicted) = (service.recovery(), service.predicted());
    let difference = recovery
        .zip(predicted)
        .map(|(r, p)| r.max(0.0) - p.max(0.0));
    let grade = match service.name.map(Name::grade) {
        None => "good",
        Some(Grade::Failed) => "bad",
        Some(Grade::Defect) => "warn",
        Some(_) => "dim",
    };
    html! {
        tr {
            th scope="row" {
                (Text(service.actor.name.trim_end_matches(".service")))
                @if hosts { i { (Text(&service.host.name)) } }
            }
            td data-l="verdict" { span class={ "chip " (grade) } { (service.verdict().replace('_', " ")) } }
            (cell("back after", recovery.map(|s| s.max(0.0)), ""))
            (cell("predicted", predicted.map(|s| s.max(0.0)), ""))
            (cell("difference", difference, "+"))
            @if let Some(comparison) = comparison { (cell("run before", comparison.before(service), "")) }
            td .w data-l="what else" { (Prose(&known(service))) }
        }
    }
}

/// What else is known of a service, the prediction's source among it.
fn known(service: &Service<'_>) -> String {
    let actor = service.actor;
    let mut known = vec![service.words.clone()];
    if service.predicted().is_some() {
        let from = actor.predicted_otherwise();
        known.extend(from.map(|from| format!("predicted from {from}")));
    } else if actor.role.consumes() && !actor.prediction.is_empty() {
        known.push(format!("no prediction: {}", actor.prediction));
    }
    known.retain(|words| !words.is_empty());
    known.join("; ")
}

/// A number with its unit; on a phone none is shown where there is none.
fn cell(label: &str, seconds: Option<f64>, plus: &str) -> Markup {
    html! {
        @if let Some(s) = seconds {
            td .n data-l=(label) { @if s >= 0.05 { (plus) } (shown(s)) }
        } @else {
            td .n .z { "–" }
        }
    }
}
