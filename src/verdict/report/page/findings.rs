//! What was found: each with its evidence and the next step, the cause first.

use maud::{Markup, html};

use super::Prose;
use crate::names::verdict::Grade;
use crate::verdict::{Finding, Judgement};

/// More of one kind are counted only.
const MOST: usize = 40;

/// More evidence of one finding is a log, and that stands elsewhere.
const MOST_EVIDENCE: usize = 8;

pub(super) fn of(judgement: &Judgement<'_>) -> Markup {
    let more = judgement.findings.len().saturating_sub(MOST);
    html! {
        @if !judgement.findings.is_empty() {
            section {
                h2 { "What was found" }
                @for finding in judgement.findings.iter().take(MOST) { (card(finding)) }
                @if more > 0 { p .dim { (more) " more stand in the JSON report." } }
            }
        }
    }
}

fn card(finding: &Finding) -> Markup {
    let entry = finding.name.entry();
    let class = match finding.grade() {
        Grade::Failed => "bad",
        Grade::Void => "void",
        Grade::Defect => "warn",
        Grade::Told => "dim",
    };
    let mut places = vec![
        finding.scenario.as_str(),
        &finding.host,
        finding.actor_word(),
    ];
    places.retain(|place| !place.is_empty());
    // Where a message is all that is known, it stands above already.
    let evidence = finding
        .evidence
        .iter()
        .filter(|line| **line != finding.what);
    let mut evidence = evidence.take(MOST_EVIDENCE).peekable();
    html! {
        article class=(class) {
            header {
                span class={ "chip " (class) } { (finding.grade().word()) }
                code { (finding.name.word()) }
                small { (places.join(" · ")) }
            }
            p { (Prose(&capital(&finding.what))) "." }
            dl {
                @if evidence.peek().is_some() {
                    dt { "Evidence" }
                    dd { ul { @for line in evidence { li { (Prose(line)) } } } }
                }
                dt { "Next" }
                dd { (Prose(&finding.next_step())) }
            }
            details {
                summary { "What this name means" }
                dl {
                    dt { "Meaning" }
                    dd { (Prose(entry.meaning)) }
                    dt { "Said when" }
                    dd { (Prose(&capital(entry.evidence))) "." }
                    @if !entry.catalogue.is_empty() {
                        dt { "Looks like" }
                        dd { (entry.catalogue.join(", ")) " (see docs/verdicts.md)" }
                    }
                }
            }
        }
    }
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
