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

use super::{Comparison, away};
use crate::verdict::name::Name;
use crate::verdict::{Judgement, Value, shown};
use place::LaneOrigin;
use scale::Scale;
use text::{Esc, Prose};

const STYLE: &str = include_str!("page/style.css");

pub(super) fn of(judgement: &Judgement<'_>, comparison: Option<&Comparison>, line: &str) -> String {
    let run = judgement.run;
    let scenarios: Vec<String> = run
        .outages()
        .map(|scenario| section(judgement, comparison, scenario))
        .collect();
    let title = format!(
        "{}: Pulp broker test",
        judgement.value.word().replace('_', " ")
    );
    let compared = comparison.map_or(String::new(), |c| {
        format!(
            "<section><h2>Beside the run before</h2><p>{}</p></section>",
            Prose(&c.sentence())
        )
    });
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta name=color-scheme content=\"light dark\">\
         <title>{}</title><style>{STYLE}</style></head>\n<body class={}><main>\n{}\n{}\n{}\n{}\n{}\n</main>\n\
         <footer>{}<p><code>{}</code></p></footer></body></html>\n",
        Esc(&title),
        class(judgement.value),
        hero(judgement),
        scenarios.concat(),
        findings::of(judgement),
        compared,
        notes::of(judgement),
        facts(judgement),
        Esc(line),
    )
}

fn class(value: Value) -> &'static str {
    match value {
        Value::Survived => "good",
        Value::SurvivedWithDefects => "warn",
        Value::Failed => "bad",
        Value::Void => "void",
    }
}

fn hero(judgement: &Judgement<'_>) -> String {
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
    let name = judgement.first().map_or(String::new(), |first| {
        format!(" <code>{}</code>", first.name)
    });
    let sentence = judgement
        .sentence
        .split_once(": ")
        .map_or("", |(_, after)| after);
    let sentence = if judgement.value == Value::Survived {
        judgement.sentence.as_str()
    } else {
        sentence
    };
    let next = if judgement.first().is_some() {
        format!(
            "<p class=next><b>Do this next</b> {}</p>",
            Prose(&judgement.next_step)
        )
    } else {
        String::new()
    };
    format!(
        "<header class=hero><p class=\"before {restored}\"><svg viewBox=\"0 0 18 18\" aria-hidden=true><path d=\"{sign}\"/></svg>\
         <span>{}</span></p><h1>{word}{name}</h1><p class=lead>{}.</p><div class=felt>{}</div>{next}{}</header>",
        Prose(&judgement.as_before),
        Prose(sentence),
        felt(&judgement.felt),
        tiles(judgement)
    )
}

/// What the users felt: a line for each scenario.
fn felt(parts: &[String]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("<li>{}.", Prose(part)))
        .collect();
    format!("<h2>What your users felt</h2><ul>{}</ul>", parts.concat())
}

/// The few numbers that one remembers.
fn tiles(judgement: &Judgement<'_>) -> String {
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
        .filter(|s| s.actor.has_recovered() && (s.actor.exits.is_empty() || s.name.is_none()));
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
    let tiles: Vec<String> = tiles
        .iter()
        .map(|(number, what)| format!("<div><b>{number}</b>{what}</div>"))
        .collect();
    format!("<div class=tiles>{}</div>", tiles.concat())
}

fn section(judgement: &Judgement<'_>, comparison: Option<&Comparison>, scenario: &str) -> String {
    let what = match scenario {
        "connect" => "Pulp's services start while there is no broker",
        _ => "the broker goes away under running services",
    };
    let picture = timeline::of(judgement, scenario);
    let table = tables::recovery(judgement, comparison, scenario);
    let first = judgement.run.outages().next() == Some(scenario);
    let legend = if first && !picture.is_empty() {
        timeline::LEGEND
    } else {
        ""
    };
    if picture.is_empty() && table.is_empty() {
        let why = if judgement.run.is_unbegun(scenario) {
            "It did not begin: the run ended before it."
        } else {
            "Nothing was observed in this scenario."
        };
        return format!(
            "<section><h2>{} <small>{what}</small></h2><p class=dim>{why}</p></section>",
            Esc(scenario)
        );
    }
    format!(
        "<section><h2>{} <small>{what}</small></h2>{picture}{legend}{table}</section>",
        Esc(scenario)
    )
}

/// Which run this is.
fn facts(judgement: &Judgement<'_>) -> String {
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
    let facts: Vec<String> = [
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
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| format!("<span>{key} <b>{}</b></span>", Esc(value)))
    .collect();
    format!("<p class=facts>{}</p>", facts.concat())
}
