//! What was found: each with its evidence and the next step, the cause first.

use super::{Esc, Prose};
use crate::verdict::name::Grade;
use crate::verdict::{Finding, Judgement};

/// More of one kind are counted only.
const MOST: usize = 40;

/// More evidence of one finding is a log, and that stands elsewhere.
const MOST_EVIDENCE: usize = 8;

pub(super) fn of(judgement: &Judgement<'_>) -> String {
    if judgement.findings.is_empty() {
        return String::new();
    }
    let cards: Vec<String> = judgement.findings.iter().take(MOST).map(card).collect();
    let more = match judgement.findings.len().saturating_sub(MOST) {
        0 => String::new(),
        n => format!("<p class=dim>{n} more stand in the JSON report.</p>"),
    };
    format!(
        "<section><h2>What was found</h2>{}{more}</section>",
        cards.concat()
    )
}

fn card(finding: &Finding) -> String {
    let entry = finding.name.entry();
    let class = match finding.grade() {
        Grade::Failed => "bad",
        Grade::Void => "void",
        Grade::Defect => "warn",
        Grade::Told => "dim",
    };
    let places = [
        finding.scenario.as_str(),
        finding.host.as_str(),
        finding.actor_word(),
    ];
    let places: Vec<String> = places
        .into_iter()
        .filter(|place| !place.is_empty())
        .map(|place| Esc(place).to_string())
        .collect();
    let evidence: Vec<String> = finding
        .evidence
        .iter()
        // Where a message is all that is known, it stands above already.
        .filter(|line| **line != finding.what)
        .take(MOST_EVIDENCE)
        .map(|line| format!("<li>{}", Prose(line)))
        .collect();
    let evidence = if evidence.is_empty() {
        String::new()
    } else {
        format!("<dt>Evidence<dd><ul>{}</ul>", evidence.concat())
    };
    let known = if entry.catalogue.is_empty() {
        String::new()
    } else {
        format!(
            "<dt>Looks like<dd>{} (see docs/verdicts.md)",
            entry.catalogue.join(", ")
        )
    };
    format!(
        "<article class={class}><header><span class=\"chip {class}\">{}</span><code>{}</code><small>{}</small></header>\
         <p>{}.</p><dl>{evidence}<dt>Next<dd>{}</dl>\
         <details><summary>What this name means</summary><dl><dt>Meaning<dd>{}<dt>Said when<dd>{}.{known}</dl></details></article>",
        finding.grade().word(),
        finding.name,
        places.join(" · "),
        Prose(&capital(&finding.what)),
        Prose(&finding.next_step()),
        Prose(entry.meaning),
        Prose(&capital(entry.evidence)),
    )
}

/// A sentence begins so; a unit's name stays as it is.
fn capital(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if word.chars().all(|c| c.is_ascii_lowercase()) => {
            first.to_ascii_uppercase().to_string() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}
