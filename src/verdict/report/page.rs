//! The report as one page that needs nothing else: no script, no font, no request. Its order is that of
//! the questions: is Pulp as it was before, what is the verdict, what did the users feel, what to do now;
//! then the picture, the numbers, the evidence.

mod findings;
mod lanes;
mod notes;
mod place;
mod rows;
mod scale;
mod tables;
mod text;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Comparison, away};
use crate::names::verdict::Name;
use crate::verdict::{Judgement, Value, shown};
use place::LaneOrigin;
use scale::Scale;
use text::{Prose, Text};

const STYLE: &str = include_str!("page/style.css");

pub(super) fn of(judgement: &Judgement<'_>, comparison: Option<&Comparison>, line: &str) -> String {
    let title = judgement.value.word().replace('_', " ");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) ": Pulp broker test" }
                style { (PreEscaped(STYLE)) }
            }
            body class=(class(judgement.value)) {
                main {
                    (hero(judgement))
                    @for scenario in judgement.run.outages() { (section(judgement, comparison, scenario)) }
                    (findings::of(judgement))
                    @if let Some(comparison) = comparison {
                        section { h2 { "Beside the run before" } p { (Prose(&comparison.sentence())) } }
                    }
                    (notes::of(judgement))
                }
                footer { (facts(judgement)) p { code { (Text(line)) } } }
            }
        }
    };
    page.into_string() + "\n"
}

fn class(value: Value) -> &'static str {
    match value {
        Value::Survived => "good",
        Value::SurvivedWithDefects => "warn",
        Value::Failed => "bad",
        Value::Void => "void",
    }
}

fn hero(judgement: &Judgement<'_>) -> Markup {
    let (restored, sign) = if judgement.restored {
        ("good", "M3 9l4 4 8-9")
    } else {
        ("bad", "M9 2v8M9 14v1")
    };
    let word = match judgement.value {
        Value::Survived => "Survived",
        Value::SurvivedWithDefects => "Survived, with defects",
        Value::Failed => "Failed",
        Value::Void => "Void: cannot tell",
    };
    let after = judgement.sentence.split_once(": ");
    let sentence = match judgement.value {
        Value::Survived => judgement.sentence.as_str(),
        _ => after.map_or("", |(_, sentence)| sentence),
    };
    html! {
        header .hero {
            p class={ "before " (restored) } {
                svg viewBox="0 0 18 18" aria-hidden="true" { path d=(sign) {} }
                span { (Prose(&judgement.as_before)) }
            }
            h1 { (word) @if let Some(first) = judgement.first() { " " code { (first.name.word()) } } }
            p .lead { (Prose(sentence)) "." }
            div .felt {
                h2 { "What your users felt" }
                ul { @for scenario in &judgement.felt { li { (Prose(scenario)) "." } } }
            }
            @if judgement.first().is_some() {
                p .next { b { "Do this next" } " " (Prose(&judgement.next_step)) }
            }
            div .tiles { @for (number, what) in tiles(judgement) { div { b { (number) } (what) } } }
        }
    }
}

/// The few numbers that one remembers.
fn tiles(judgement: &Judgement<'_>) -> Vec<(String, String)> {
    let mut tiles: Vec<(String, String)> = Vec::new();
    let outages: Vec<String> = judgement
        .run
        .outages()
        .filter_map(|scenario| away(judgement, scenario))
        .map(shown)
        .collect();
    if !outages.is_empty() {
        tiles.push((outages.join(" + "), "the broker was away".to_owned()));
    }
    // Of whom nobody can tell, nothing is counted.
    let consumers = || {
        judgement
            .services
            .iter()
            .filter(|s| s.actor.role.consumes() && s.name != Some(Name::NotExercised))
    };
    // Who exited is back by itself only where that is how it is meant to be, by its supervisor; else it has a name.
    let well = consumers()
        .filter(|s| s.actor.came_back() && (s.actor.exits.is_empty() || s.name.is_none()));
    if consumers().count() > 0 {
        let seen = judgement
            .run
            .outages()
            .filter(|name| consumers().any(|s| s.scenario == *name));
        let of = format!(
            "came back by themselves in {}",
            seen.collect::<Vec<_>>().join(" and ")
        );
        tiles.push((format!("{} of {}", well.count(), consumers().count()), of));
    }
    let slowest = consumers()
        .filter_map(|s| Some((s.recovery()?, s.predicted())))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((after, predicted)) = slowest {
        let predicted = predicted.map_or("the slowest return".to_owned(), |p| {
            format!("the slowest return; predicted {}", shown(p.max(0.0)))
        });
        tiles.push((shown(after.max(0.0)), predicted));
    }
    tiles
}

fn section(judgement: &Judgement<'_>, comparison: Option<&Comparison>, scenario: &str) -> Markup {
    let what = match scenario {
        "connect" => "Pulp's services start while there is no broker",
        _ => "the broker goes away under running services",
    };
    let picture = timeline::of(judgement, scenario);
    let table = tables::recovery(judgement, comparison, scenario);
    let why = if judgement.run.is_unbegun(scenario) {
        "It did not begin: the run ended before it."
    } else {
        "Nothing was observed in this scenario."
    };
    let first = judgement.run.outages().next() == Some(scenario);
    html! {
        section {
            h2 { (scenario) " " small { (what) } }
            @if picture.is_none() && table.is_none() { p .dim { (why) } }
            @if let Some(picture) = picture {
                (picture)
                @if first { (timeline::legend()) }
            }
            @if let Some(table) = table { (table) }
        }
    }
}

/// Which run this is.
fn facts(judgement: &Judgement<'_>) -> Markup {
    let run = judgement.run;
    let hosts = match run.hosts.as_slice() {
        [] => String::new(),
        [one] => one.name.clone(),
        many => format!("{} hosts", many.len()),
    };
    // What was wished and never done is no fact.
    let taken = run.outages().next().is_some();
    let (method, side) = if taken {
        (run.method.as_str(), run.apply_at.as_str())
    } else {
        ("", "")
    };
    let facts = [
        ("Run", run.id.as_str()),
        ("began", &run.began),
        ("ended", &run.ended),
        ("Pulp", &run.pulp_version),
        ("at", &run.pulp_url),
        ("on", &hosts),
        ("broker taken away by", method),
        ("from the side of", side),
        ("pulp_broker", &run.tool),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty());
    html! {
        p .facts { @for (key, value) in facts { span { (key) " " b { (Text(value)) } } } }
    }
}
