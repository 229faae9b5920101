//! The recovery table: what was predicted, what was measured, what it was the time before.

use std::cmp::Reverse;

use super::{Comparison, Esc, Prose};
use crate::verdict::name::Grade;
use crate::verdict::{Judgement, Service, shown};

/// More rows are folded.
const SHOWN_ROWS: usize = 24;

pub(super) fn recovery(
    judgement: &Judgement<'_>,
    comparison: Option<&Comparison>,
    scenario: &str,
) -> String {
    let mut services: Vec<&Service<'_>> = judgement
        .services
        .iter()
        .filter(|s| s.scenario == scenario)
        .collect();
    if services.is_empty() {
        return String::new();
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
    let rows: Vec<String> = services
        .iter()
        .map(|service| row(service, comparison.filter(|_| compares), hosts))
        .collect();
    let (first, rest) = rows.split_at(rows.len().min(SHOWN_ROWS));
    let first = table(&first.concat(), compares);
    if rest.is_empty() {
        return first;
    }
    format!(
        "{first}<details><summary>{} more services</summary>{}</details>",
        rest.len(),
        table(&rest.concat(), compares)
    )
}

fn table(rows: &str, compares: bool) -> String {
    let before = if compares {
        "<th class=n>run before"
    } else {
        ""
    };
    format!(
        "<table><thead><tr><th>service<th>verdict<th class=n>back after<th class=n>predicted\
         <th class=n>difference{before}<th>what else is known</thead><tbody>{rows}</tbody></table>"
    )
}

fn row(service: &Service<'_>, comparison: Option<&Comparison>, hosts: bool) -> String {
    let actor = service.actor;
    let on = if hosts {
        format!("<i>{}</i>", Esc(&service.host.name))
    } else {
        String::new()
    };
    let (recovery, predicted) = (service.recovery(), service.predicted());
    let difference = recovery
        .zip(predicted)
        .map(|(r, p)| r.max(0.0) - p.max(0.0));
    let before = comparison.map_or(String::new(), |c| cell("run before", c.before(service), ""));
    let mut words = service.words.clone();
    if actor.role.consumes() && predicted.is_none() && !actor.prediction.is_empty() {
        if !words.is_empty() {
            words.push_str("; ");
        }
        words = format!("{words}no prediction: {}", actor.prediction);
    }
    if let Some(from) = actor.predicted_otherwise().filter(|_| predicted.is_some()) {
        if !words.is_empty() {
            words.push_str("; ");
        }
        words = format!("{words}predicted from {from}");
    }
    let grade = match service.name.map(|n| (n, n.grade())) {
        None => "good",
        Some((_, Grade::Failed)) => "bad",
        Some((_, Grade::Defect)) => "warn",
        Some(_) => "dim",
    };
    format!(
        "<tr><th scope=row>{}{on}<td data-l=verdict><span class=\"chip {grade}\">{}</span>\
         {}{}{}{before}<td class=w data-l=\"what else\">{}",
        Esc(actor.name.trim_end_matches(".service")),
        service.verdict().replace('_', " "),
        cell("back after", recovery.map(|s| s.max(0.0)), ""),
        cell("predicted", predicted.map(|s| s.max(0.0)), ""),
        cell("difference", difference, "+"),
        Prose(&words)
    )
}

/// A number with its unit; on a phone none is shown where there is none.
fn cell(label: &str, seconds: Option<f64>, plus: &str) -> String {
    match seconds {
        Some(s) => {
            let plus = if s >= 0.05 { plus } else { "" };
            format!("<td class=n data-l=\"{label}\">{plus}{}", shown(s))
        }
        None => "<td class=\"n z\">–".to_owned(),
    }
}
