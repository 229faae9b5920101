//! What the reader of the evidence should know of it: how the outage was proven, how the health check
//! went, which clocks differ, what could not be read.

use maud::{Markup, html};

use super::{Prose, Text};
use crate::verdict::results::{Host, ModuleReply, OutageReply, Scene, WatchReply};
use crate::verdict::{Judgement, shown};

/// Clocks nearer than this are not worth a word.
const CLOCKS_AGREE: f64 = 2.0;

pub(super) fn of(judgement: &Judgement<'_>) -> Markup {
    let run = judgement.run;
    let mut notes: Vec<String> = Vec::new();
    let mut checks: Vec<Markup> = Vec::new();
    for scenario in run.outages() {
        let mut reference: Option<(&str, f64)> = None;
        for (host, scene) in run.scenes(scenario) {
            let proof = scene.outage().map(|outage| proven(scenario, host, outage));
            notes.extend(proof);
            notes.extend(boot(scenario, host, scene));
            if let Some(watch) = &scene.watch {
                notes.extend(clocks(host, watch, &mut reference));
                notes.extend(unread(scenario, host, watch));
                notes.extend(watch.unknown.iter().map(|why| format!("{scenario}: {why}")));
            }
            if let Some(reply) = &scene.health {
                checks.extend(health(scenario, host, reply));
            }
        }
    }
    let alarms = run.hosts.iter().map(|host| &host.alarms_unknown);
    notes.extend(alarms.filter(|why| !why.is_empty()).cloned());
    notes.dedup();
    html! {
        @if !notes.is_empty() || !checks.is_empty() {
            section {
                h2 { "How this is known" }
                ul .notes { @for note in notes { li { (Prose(&note)) } } }
                @for check in checks { (check) }
            }
        }
    }
}

fn proven(scenario: &str, host: &Host, outage: &OutageReply) -> String {
    let mut words = vec![format!("{scenario}: on {} the broker", host.name)];
    if !outage.unit.is_empty() {
        words.push(format!("(`{}`)", outage.unit));
    }
    if !outage.method.is_empty() {
        words.push(format!("was taken away by {}", outage.method));
    }
    if !outage.control.is_empty() {
        words.push(format!(
            "right after the probe was told: {};",
            outage.control
        ));
    }
    if let (Some(probes), Some(held)) = (outage.probes, outage.held_seconds) {
        words.push(format!("{probes} probes in {} got no answer", shown(held)));
    }
    if !outage.answer.is_empty() {
        words.push(format!("({})", outage.answer));
    }
    if let Some(gap) = outage.longest_gap_seconds {
        words.push(format!(
            "and never was it unwatched for more than {gap:.2} s"
        ));
    }
    words.join(" ")
}

fn boot(scenario: &str, host: &Host, scene: &Scene) -> Option<String> {
    let seconds = scene.up.as_ref()?.outage.as_ref()?.boot_seconds?;
    Some(format!(
        "{scenario}: given back on {}, the broker answered after {}",
        host.name,
        shown(seconds)
    ))
}

/// Hosts see the loss of one broker at one instant; what their clocks say then tells them apart.
fn clocks<'a>(
    host: &'a Host,
    watch: &WatchReply,
    reference: &mut Option<(&'a str, f64)>,
) -> Option<String> {
    let at = watch.wall? + watch.down_at?;
    let Some((first, first_at)) = *reference else {
        *reference = Some((&host.name, at));
        return None;
    };
    let ahead = at - first_at;
    let word = if ahead > 0.0 { "ahead of" } else { "behind" };
    (ahead.abs() > CLOCKS_AGREE).then(|| {
        format!(
            "the clock of {} is {} {word} that of {first}; every time here is counted from when a host itself lost the broker",
            host.name,
            shown(ahead.abs())
        )
    })
}

fn unread(scenario: &str, host: &Host, watch: &WatchReply) -> Option<String> {
    let cut = watch.torn || watch.ended_at().is_none();
    let name = &host.name;
    match (cut, watch.unread) {
        _ if watch.entries.is_empty() => {
            Some(format!("{scenario}: no journal came back from {name}"))
        }
        (true, _) => Some(format!(
            "{scenario}: the observer on {name} did not end in order; what is known of it ends {} after it began",
            shown(watch.known_until())
        )),
        (false, n) if n > 0 => Some(format!(
            "{scenario}: {n} entries of the journal of {name} are of a kind that is not known here"
        )),
        _ => None,
    }
}

fn health(scenario: &str, host: &Host, reply: &ModuleReply) -> Option<Markup> {
    if reply.steps.is_empty() {
        return None;
    }
    Some(html! {
        h3 { "Health check after " (scenario) ", on " (Text(&host.name)) }
        ol .steps {
            @for step in &reply.steps {
                li class=(if step.ok { "good" } else { "bad" }) {
                    (step.name.replace('_', " ")) " " i { (format_args!("{:.2} s", step.seconds)) }
                    @if !step.ok { ": " (Prose(&step.error)) }
                }
            }
        }
    })
}
