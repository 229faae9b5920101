//! From results to findings, and from findings to the one that is the cause.

mod advice;
mod api;
mod database;
mod missing;
mod refused;
mod services;
mod steps;
#[cfg(test)]
mod tests;

use super::results::{Host, Run, Scene};
use super::{Finding, Judgement, Service, Value, cause, sentences};
use crate::names::verdict::{Grade, Name};
use crate::names::{Actor, Role};

/// Judges a run.
pub(super) fn judge(run: &Run) -> Judgement<'_> {
    let mut findings = Vec::new();
    let mut services = Vec::new();
    for scenario in run.outages() {
        let proof = services::Proof::of(run, scenario);
        for (host, scene) in run.scenes(scenario) {
            if let Some(watch) = &scene.watch {
                let seen = services::ServicesSeen {
                    run,
                    scenario,
                    host,
                    watch,
                    recovered: scene.recovered.as_ref(),
                    held: scene.held.is_some(),
                };
                let (found, rows) = services::judge(&seen, &proof);
                findings.extend(found);
                services.extend(rows);
                findings.extend(api::judge(scenario, host, watch));
            }
        }
        for (host, scene) in run.scenes(scenario) {
            findings.extend(replies(scenario, host, scene));
        }
    }
    findings.extend(of_the_play(run));
    findings.extend(missing::unreachable(run));
    findings.extend(not_restored(run));
    database::judge(run, &mut findings);
    name_units(run, &mut findings);
    refused::judge(run, &mut findings);
    name_units(run, &mut findings);
    let mut findings = gathered(merged(once_before(findings)));
    if !is_decided(&findings) {
        findings.extend(missing::not_known(run, &services));
    }
    advice::give(run, &mut findings);
    refused::tell_consequences(&mut findings);
    findings.sort_by_key(|f| rank(run, f));
    name_services(&mut services, &findings);
    conclude(run, findings, services)
}

fn is_decided(findings: &[Finding]) -> bool {
    let decides = |f: &Finding| matches!(f.grade(), Grade::Void | Grade::Failed);
    findings.iter().any(decides)
}

/// The cause before its symptoms, and of the same name what a service did before what nobody could see any
/// more, and the first that happened.
fn rank(run: &Run, finding: &Finding) -> (Name, bool, usize) {
    let scenarios = &run.scenarios;
    let at = scenarios.iter().position(|s| *s == finding.scenario);
    let broken_off = finding.attributes.contains_key(services::BROKEN_OFF);
    (finding.name, broken_off, at.unwrap_or(scenarios.len()))
}

/// What the replies of one host's steps say.
fn replies(scenario: &str, host: &Host, scene: &Scene) -> Vec<Finding> {
    let mut found = Vec::new();
    for (step, reply) in scene.replies() {
        let named = if reply.failed {
            cause::of_reply(reply)
        } else {
            Vec::new()
        };
        if named.is_empty() {
            found.extend(steps::unnamed(step, reply));
        }
        found.extend(named);
        found.extend(steps::leftovers(reply));
    }
    found.extend(steps::undo_fired(scene));
    found.extend(steps::agent_replies(host, scene));
    found.extend(steps::canceled(scene));
    let placed = found.into_iter().map(|mut finding| {
        scenario.clone_into(&mut finding.scenario);
        host.name.clone_into(&mut finding.host);
        finding
    });
    placed.collect()
}

/// What the play recorded as the first cause.
fn of_the_play(run: &Run) -> Vec<Finding> {
    let mut found = cause::findings(&run.cause, &run.failures);
    if found.is_empty() && !run.cause.is_empty() {
        found.push(steps::unnamed_cause(&run.cause));
    }
    for finding in &mut found {
        run.cause_host.clone_into(&mut finding.host);
    }
    // The first of them is the cause; the reader wants to clear all of them away at once.
    if let Some(first) = found.first_mut() {
        let others = run.refused.iter().filter(|r| !run.cause.contains(*r));
        first.evidence.extend(others.cloned());
    }
    found
}

fn name_units(run: &Run, findings: &mut [Finding]) {
    for finding in findings {
        name_unit(run, finding);
    }
}

/// Pulp's own name of a worker is told as its unit, with which a person can do something; and what is wrong
/// with the API, of the web server.
fn name_unit(run: &Run, finding: &mut Finding) {
    let of_broker = matches!(
        finding.name,
        Name::BrokerNotRestored
            | Name::BrokerRefuses
            | Name::OutageNotProven
            | Name::OutageInterrupted
    );
    if of_broker && finding.actor.is_none() {
        finding.actor = broker(run);
        return;
    }
    let of_api = matches!(finding.name, Name::ApiUnavailable | Name::ApiHangs);
    let by_worker = finding.actor.as_ref().filter(|a| a.worker.is_some());
    if by_worker.is_none() && !(of_api && finding.actor.is_none()) {
        return;
    }
    let seen = run
        .outages()
        .flat_map(|scenario| run.scenes(scenario))
        .filter_map(|(host, scene)| Some((host, scene.watch.as_ref()?)));
    let unit = seen
        .flat_map(|(host, watch)| watch.actors.iter().map(move |actor| (host, actor)))
        .find(|(host, seen)| match by_worker {
            Some(actor) => seen.worker.is_some() && actor.is(&seen.actor),
            None => {
                seen.role == Role::Web && (finding.host.is_empty() || finding.host == host.name)
            }
        });
    if let Some((host, seen)) = unit {
        finding.actor = Some(seen.actor.clone());
        host.name.clone_into(&mut finding.host);
    }
}

/// The broker's own unit, as the host that took it away names it, or the one where it is.
pub(super) fn broker(run: &Run) -> Option<Actor> {
    let scenes = run.outages().flat_map(|scenario| run.scenes(scenario));
    let replies = scenes.flat_map(|(_, scene)| [&scene.held, &scene.down]);
    let outages = replies.flatten().filter_map(|reply| reply.outage.as_ref());
    let taken = outages.map(|outage| outage.unit.as_str());
    let found = run.hosts.iter().map(|host| host.broker_unit.as_str());
    let unit = taken.chain(found).find(|unit| !unit.is_empty())?;
    Some(Actor {
        role: Role::Broker,
        ..Actor::of_unit(unit)
    })
}

/// What is not as before, as the play tells it.
pub(super) fn not_restored(run: &Run) -> Vec<Finding> {
    let mut found = Vec::new();
    let of_hosts = run.hosts.iter().map(|h| {
        let failures = h.not_restored_by.as_slice();
        (h.name.as_str(), h.not_restored.as_str(), failures)
    });
    let left = ("", run.left.as_deref().unwrap_or_default(), &[][..]);
    for (host, text, failures) in of_hosts
        .chain([left])
        .filter(|(_, text, _)| !text.is_empty())
    {
        let mut named = cause::findings(text, failures);
        if named.is_empty() {
            named.push(Finding::new(Name::ServicesNotRestored, text).because(text));
        }
        for finding in &mut named {
            host.clone_into(&mut finding.host);
        }
        // What a host says itself is said for all of them once more.
        let known = |f: &Finding| found.iter().any(|k: &Finding| k.evidence == f.evidence);
        named.retain(|f| !known(f));
        found.extend(named);
    }
    found
}

/// What stood before the run is told once, and not at all where an earlier scenario of the run did it.
fn once_before(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut done: Vec<(Name, String)> = Vec::new();
    findings.retain(|finding| {
        let known = (finding.name, finding.host.clone());
        let first = !done.contains(&known);
        if finding.attributes.contains_key(steps::STOOD_BEFORE) {
            done.push(known);
        }
        first || !finding.stood_before()
    });
    findings
}

/// One finding for what is told twice: by the host that saw it, by the step that failed of it, and by the
/// play. The first knows most; what the others say is its evidence.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    let agree = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    let same_actor = |a: &Finding, b: &Finding| match (&a.actor, &b.actor) {
        (Some(a), Some(b)) => a.is(b),
        _ => true,
    };
    for finding in findings {
        let same = merged.iter_mut().find(|known| {
            known.name == finding.name
                && same_actor(known, &finding)
                && agree(&known.host, &finding.host)
                && agree(&known.scenario, &finding.scenario)
        });
        let Some(known) = same else {
            merged.push(finding);
            continue;
        };
        for (ours, theirs) in [
            (&mut known.scenario, &finding.scenario),
            (&mut known.host, &finding.host),
        ] {
            if ours.is_empty() {
                theirs.clone_into(ours);
            }
        }
        if known.actor.is_none() {
            known.actor = finding.actor;
        }
        for evidence in finding.evidence {
            if !known.evidence.iter().any(|e| e.contains(&evidence)) {
                known.evidence.push(evidence);
            }
        }
        known.attributes.extend(finding.attributes);
        if known.advice.is_empty() {
            known.advice = finding.advice;
        }
    }
    merged
}

/// So many services are named of those of which the same is told.
const NAMED: usize = 6;

/// What is told of many services of one scenario is told once.
fn gathered(findings: Vec<Finding>) -> Vec<Finding> {
    let mut gathered: Vec<(Finding, Vec<String>)> = Vec::new();
    for finding in findings {
        let same = gathered.iter_mut().find(|(first, _)| {
            finding.grade() == Grade::Told
                && first.name == finding.name
                && first.scenario == finding.scenario
        });
        match same {
            Some((_, others)) => {
                others.push(format!("{} on {}", finding.actor_word(), finding.host));
            }
            None => gathered.push((finding, Vec::new())),
        }
    }
    let told = gathered.into_iter().map(|(mut finding, others)| {
        if let Some(more) = others.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let named = others.get(..NAMED).unwrap_or_default().join(", ");
            finding = finding.because(format!("the same of {named}, and {more} more"));
        } else if !others.is_empty() {
            finding = finding.because(format!("the same of {}", others.join(", ")));
        }
        finding
    });
    told.collect()
}

/// Each service has the gravest name that was found of it.
fn name_services(services: &mut [Service<'_>], findings: &[Finding]) {
    for service in services {
        let gravest = findings.iter().find(|f| f.is_of(service));
        if let Some(finding) = gravest.filter(|f| f.grade() != Grade::Told) {
            service.name = Some(finding.name);
        }
    }
}

fn conclude<'a>(run: &'a Run, findings: Vec<Finding>, services: Vec<Service<'a>>) -> Judgement<'a> {
    let decisive = findings
        .iter()
        .map(Finding::grade)
        .find(|g| *g <= Grade::Failed);
    let has_defect = findings.iter().any(|f| f.grade() == Grade::Defect);
    let value = match decisive {
        Some(Grade::Void) => Value::Void,
        Some(_) => Value::Failed,
        None if has_defect => Value::SurvivedWithDefects,
        None => Value::Survived,
    };
    let as_before = sentences::as_before(run, &findings);
    let mut judgement = Judgement {
        run,
        value,
        findings,
        services,
        restored: sentences::is_restored(run),
        as_before,
        sentence: String::new(),
        felt: sentences::felt(run),
        next_step: String::new(),
    };
    judgement.sentence = sentences::verdict(&judgement);
    judgement.next_step = sentences::next_step(&judgement);
    judgement
}
