//! A run as it is judged, from the replies of its steps.

use serde_json::{Value, json};

use super::{LISTED, Play, WORKS};
use crate::verdict::results::{
    Host, ModuleReply, Replied, Run, Scene, WatchReply, failures, list, not_restored_by, queues,
    text,
};

/// A run by what its steps replied.
pub(crate) fn run(results: &Value) -> Option<Run> {
    let play = &Play::read(results)?;
    let cause = play.cause();
    let api = play.api_host();
    let health = play.raw("health", api);
    let checked = |text: String| if play.untouched { String::new() } else { text };
    Some(Run {
        pulp_url: text(&play.deployment(api)["pulp_url"]),
        pulp_version: text(&health["pulp_version"]),
        // Those that were run.
        scenarios: if play.untouched {
            Vec::new()
        } else {
            play.scenarios()
        },
        cause: cause.text,
        cause_said: cause.said,
        cause_host: cause.host,
        impossible: cause.is_wish,
        failures: [cause.failures, failures(&results["before"]["refusals"])].concat(),
        refused: refusals(&results["before"]["refusals"]),
        left: Some(play.left()),
        restored_at: checked(time(&results["run"]["ended"])),
        restarted_hosts: play.restarted(),
        health_before: play.reply("health", api).filter(|_| !play.untouched),
        hosts: (0..play.hosts.len()).map(|at| host(play, at)).collect(),
        ..Run::begun(results)
    })
}

fn host(play: &Play<'_>, at: usize) -> Host {
    let name = play.name(at);
    let not_restored = play.not_restored(at);
    let told = |steps| play.last(steps, at)["failures"].clone();
    let steps = json!({
        "services": play.raw("services_back", at)["failures"],
        "works": told(WORKS),
        "heard": told(LISTED),
    });
    Host {
        lost: !play.is_known(at) || play.raw("facts", at).is_unreachable(),
        alarms_unknown: text(&play.raw("broker_back", at)["alarms_unknown"]),
        not_restored_by: if play.untouched {
            Vec::new()
        } else {
            not_restored_by(&steps)
        },
        not_restored,
        scenes: play
            .raw("seen", at)
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, scene)| (name.clone(), of_scenario(scene)))
            .collect(),
        ..Host::found(name, play.deployment(at))
    }
}

/// What came of one scenario. Where nobody waited by itself, the proof of the work waited.
fn of_scenario(scene: &Value) -> Scene {
    let works = &scene["works"];
    let waited = ModuleReply::read(&scene["connected"]);
    let part = |key: &str| ModuleReply::read(&works[key]);
    Scene {
        down: ModuleReply::read(&scene["down"]),
        held: ModuleReply::read(&scene["held"]),
        up: ModuleReply::read(&scene["up"]),
        recovered: waited.or_else(|| ModuleReply::read(works)),
        watch: WatchReply::read(&scene["watch"]),
        health: part("health"),
        working: part("working").or_else(|| ModuleReply::read(works)),
        queues: queues(&scene["watch"]["queues"]),
    }
}

/// Everything that was in the way, as it is read.
fn refusals(value: &Value) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for refusal in list(value) {
        let refusal = format!("{}: {}", text(&refusal["name"]), text(&refusal["msg"]));
        if !told.contains(&refusal) {
            told.push(refusal);
        }
    }
    told
}

/// The time of an instant, as `12:34:56`.
fn time(instant: &Value) -> String {
    let instant = text(instant);
    let time = instant.split_once('T').map(|(_, time)| time);
    time.unwrap_or_default().trim_end_matches('Z').to_owned()
}
