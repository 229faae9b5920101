//! The report as JSON. `docs/report.schema.json` describes it; what is in it stays, what is new is added.

use serde_json::{Value as Json, json};

use super::{Comparison, away, rounded};
use crate::verdict::results::{Host, Scene};
use crate::verdict::{Judgement, Service, Wishes};

/// Of the format, not of the tool.
const VERSION: u32 = 1;

pub(super) fn of(
    judgement: &Judgement<'_>,
    comparison: Option<&Comparison>,
    wishes: Wishes,
    line: &str,
) -> Json {
    let run = judgement.run;
    let hosts: Vec<&str> = run.hosts.iter().map(|h| h.name.as_str()).collect();
    let scenarios: Vec<Json> = run.outages().map(|s| scenario(judgement, s)).collect();
    json!({
        "version": VERSION,
        "line": line,
        "run": {
            "id": run.id,
            "began": run.began,
            "ended": run.ended,
            "tool": run.tool,
            "pulp_url": run.pulp_url,
            "pulp_version": run.pulp_version,
            "method": run.method,
            "apply_at": run.apply_at,
            "scenarios": run.scenarios,
            "hosts": hosts,
        },
        "verdict": judgement.json(wishes),
        "scenarios": scenarios,
        "comparison": comparison.map(Comparison::json),
    })
}

fn scenario(judgement: &Judgement<'_>, name: &str) -> Json {
    let of_it = |s: &&Service<'_>| s.scenario == name;
    let services = judgement.services.iter().filter(of_it).map(service);
    let steps = judgement
        .run
        .scenes(name)
        .flat_map(|(host, _)| steps(host, name));
    json!({
        "name": name,
        "away_seconds": rounded(away(judgement, name)),
        "services": services.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn service(service: &Service<'_>) -> Json {
    let actor = service.actor;
    let (down, up) = (service.watch.down_at, service.watch.up_at);
    let since =
        |at: Option<f64>, from: Option<f64>| rounded(at.zip(from).map(|(at, from)| at - from));
    let (recovery, predicted) = (service.recovery(), service.predicted());
    let difference = recovery.zip(predicted).map(|(r, p)| r - p.max(0.0));
    json!({
        "host": service.host.name,
        "name": actor.name,
        "worker": actor.worker.as_deref().unwrap_or_default(),
        "role": actor.role.words(),
        "verdict": service.verdict(),
        "words": service.words,
        "met": actor.met.as_ref().map_or("", |met| met.how.as_str()),
        "lost_seconds": since(actor.lost_at, down),
        "recovery_seconds": rounded(recovery),
        "predicted_seconds": rounded(predicted),
        "difference_seconds": rounded(difference),
        "predicted_from": actor.predicted_from,
        "lag_seconds": rounded(Some(actor.lag)),
        "no_prediction": actor.prediction,
        "settled_seconds": since(actor.settled_at, up),
        "listed_seconds": since(actor.listed_at, up),
        "further_losses": actor.further_losses,
        "exits": actor.exits.len(),
        "restarts": actor.restarts,
    })
}

fn steps(host: &Host, scenario: &str) -> Vec<Json> {
    let replies = host
        .scenes
        .get(scenario)
        .into_iter()
        .flat_map(Scene::replies);
    replies
        .map(|(name, reply)| {
            json!({
                "host": host.name,
                "name": name,
                "ok": !reply.failed && !reply.unreachable && reply.healthy != Some(false),
                "seconds": reply.seconds,
                "message": reply.msg,
            })
        })
        .collect()
}
