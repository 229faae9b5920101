//! What would have to be known and is not. It is asked when nothing else decided, so that no Pulp
//! survives for lack of data.

use crate::names::Actor;
use crate::names::verdict::Name;
use crate::verdict::results::{Host, Run, Scene};
use crate::verdict::{Finding, Service};

/// The hosts that were lost.
pub(super) fn unreachable(run: &Run) -> Vec<Finding> {
    let lost = run.hosts.iter().filter(|host| host.is_unreachable());
    let told = |host: &Host| {
        let what = format!("{} could not be reached any more", host.name);
        Finding::new(Name::HostUnreachable, what).of("", &host.name)
    };
    lost.map(told).collect()
}

/// All that is not known.
pub(super) fn not_known(run: &Run, services: &[Service<'_>]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for scenario in run.outages() {
        found.extend(of_outage(run, scenario, services));
    }
    let takes_away = run.outages().next().is_some();
    if run.scenarios.is_empty() {
        found.push(void("nobody told which scenarios were run"));
    } else if !takes_away {
        found.extend(health_alone(run));
    }
    if takes_away && run.left.is_none() {
        found.push(void("nobody told whether everything was given back"));
    }
    found
}

fn void(what: impl Into<String>) -> Finding {
    Finding::new(Name::NotExercised, what)
}

fn health_alone(run: &Run) -> Option<Finding> {
    match &run.health_before {
        Some(reply) if reply.healthy == Some(true) => None,
        Some(reply) if reply.healthy == Some(false) => {
            Some(Finding::new(Name::HealthFailed, reply.msg.as_str()).because(&reply.msg))
        }
        _ => Some(void("nobody told how the health check went")),
    }
}

fn of_outage(run: &Run, scenario: &str, services: &[Service<'_>]) -> Vec<Finding> {
    let scenes: Vec<(&Host, &Scene)> = run.scenes(scenario).collect();
    let mut found = Vec::new();
    if scenes.is_empty() {
        found.push(void(format!(
            "nothing came back of the scenario {scenario}"
        )));
    } else {
        if scenes.iter().all(|(_, scene)| scene.outage().is_none()) {
            found.push(Finding::new(
                Name::OutageNotProven,
                "no host reported that it saw the broker away",
            ));
        }
        for (what, is_there) in [
            (
                "gave the broker back",
                scenes.iter().any(|(_, s)| s.up.is_some()),
            ),
            (
                "checked Pulp's health afterwards",
                scenes.iter().any(|(_, s)| is_healthy(s)),
            ),
            (
                "saw each worker do a task",
                scenes.iter().any(|(_, s)| s.working.is_some()),
            ),
        ] {
            if !is_there {
                found.push(void(format!("no host reported that it {what}")));
            }
        }
        for host in &run.hosts {
            found.extend(of_host(host, scenario));
        }
        let consumer = |s: &Service<'_>| s.scenario == scenario && s.actor.role.works();
        if found.is_empty() && !services.iter().any(consumer) {
            found.push(void("no worker was observed on any host"));
        }
    }
    for finding in &mut found {
        scenario.clone_into(&mut finding.scenario);
    }
    found
}

fn is_healthy(scene: &Scene) -> bool {
    scene
        .health
        .as_ref()
        .is_some_and(|reply| reply.healthy == Some(true))
}

/// What is not known of one host.
fn of_host(host: &Host, scenario: &str) -> Vec<Finding> {
    let name = &host.name;
    let of = |finding: Finding| finding.of(scenario, name);
    if host.consumers.as_ref().is_some_and(Vec::is_empty) {
        return Vec::new();
    }
    let watch = host
        .scenes
        .get(scenario)
        .and_then(|scene| scene.watch.as_ref());
    let Some(watch) = watch else {
        return vec![of(void(format!("nothing was observed on {name}")))];
    };
    if watch.down_at.is_none() || watch.up_at.is_none() {
        let what = format!("the observation on {name} does not show the broker go and come back");
        return vec![of(void(what))];
    }
    let Some(consumers) = &host.consumers else {
        return vec![of(void(format!(
            "nobody told which services run on {name}"
        )))];
    };
    let unseen = consumers
        .iter()
        .filter(|unit| watch.actors.iter().all(|a| a.name != **unit));
    let told = |unit: &String| {
        let unseen = of(void(format!("{unit} on {name} was not observed")));
        unseen.by(Actor::of_unit(unit))
    };
    unseen.map(told).collect()
}
