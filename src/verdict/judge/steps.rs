//! What failed without a name of its own, and what a step tells beside its success.

use serde_json::json;

use crate::names::Role;
use crate::names::verdict::Name;
use crate::verdict::Finding;
use crate::verdict::results::{Host, ModuleReply, QueueReport, Scene, WatchReply};

/// A step that failed, or did not reach its aim, and did not name it.
pub(super) fn unnamed(step: &str, reply: &ModuleReply) -> Option<Finding> {
    if reply.unreachable {
        // Told of the whole host.
        return None;
    }
    if step == "health check" {
        return unhealthy(reply);
    }
    if !reply.failed {
        return None;
    }
    let name = match step {
        "take the broker away" | "hold the broker away" => Name::OutageNotProven,
        // Where the broker is not back in the end, the restore step says so.
        _ => Name::NotExercised,
    };
    let why = if reply.msg.is_empty() {
        "it did not say why"
    } else {
        &reply.msg
    };
    Some(Finding::new(name, format!("the step `{step}` failed: {why}")).because(why))
}

fn unhealthy(reply: &ModuleReply) -> Option<Finding> {
    if reply.void == Name::Busy.word() {
        return Some(Finding::new(Name::Busy, first_clause(&reply.msg)).because(&reply.msg));
    }
    if reply.healthy == Some(true) && !reply.failed {
        return None;
    }
    let step = reply.steps.iter().find(|s| s.name == reply.failed_step);
    let what = match step {
        Some(step) => format!(
            "the health check's step `{}` failed after the outage: {}",
            step.name,
            first_clause(&step.error)
        ),
        None if reply.msg.is_empty() => return None,
        None => first_clause(&reply.msg),
    };
    Some(
        Finding::new(Name::HealthFailed, what)
            .because(&reply.msg)
            .with("step", reply.failed_step.as_str()),
    )
}

/// A cause that the play recorded and that has no name.
pub(super) fn unnamed_cause(cause: &str) -> Finding {
    let name = if cause.starts_with("health step ") {
        Name::HealthFailed
    } else if cause.starts_with("failed to make every service run") {
        Name::ServiceDidNotStart
    } else {
        Name::NotExercised
    };
    let what = if name == Name::NotExercised {
        format!("the test did not come to its end: {}", first_clause(cause))
    } else {
        first_clause(cause)
    };
    Finding::new(name, what).because(cause)
}

/// What the health check could not delete.
pub(super) fn leftovers(reply: &ModuleReply) -> Option<Finding> {
    let first = reply.leftovers.first()?;
    let more = match reply.leftovers.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let what = format!("the check left something of its own in Pulp: {first}{more}");
    let finding = Finding::new(Name::Leftovers, what);
    Some(reply.leftovers.iter().fold(finding, Finding::because))
}

/// The broker was given back, and by somebody else.
pub(super) fn undo_fired(scene: &Scene) -> Option<Finding> {
    let ours = scene
        .outage()
        .is_some_and(|outage| outage.taken_by_this_run != Some(false));
    let up = scene.up.as_ref()?;
    let not_by_us = up.outage.as_ref()?.taken_by_this_run == Some(false);
    (ours && not_by_us && !up.failed).then(|| {
        Finding::new(
            Name::UndoFired,
            "the undo gave the broker back before the test did",
        )
        .because(&up.msg)
    })
}

/// The queue to which agents reply.
const REPLIES: &str = "pulp.task";

/// What marks a defect that stood before the run: it is told in each run, and not held against the outage.
pub(super) const STOOD_BEFORE: &str = "stood_before";

/// A web server that does not listen to the replies of agents.
pub(super) fn agent_replies(host: &Host, scene: &Scene) -> Option<Finding> {
    let lost = |q: &&QueueReport| q.name == REPLIES && q.after == Some(0.0);
    let queue = scene.queues.iter().find(lost)?;
    // While the broker is away nobody counts; then what was found before the run has to do.
    let before = queue
        .before
        .or_else(|| host.listeners.get(REPLIES).copied());
    let stood_before = before == Some(0.0);
    let had = match before {
        Some(0.0) => "had no consumer before the run either".to_owned(),
        Some(1.0) => "had 1 consumer before the outage".to_owned(),
        Some(before) => format!("had {before} consumers before the outage"),
        None => "could not be asked before the outage".to_owned(),
    };
    let what = if stood_before {
        format!("nobody listens to the replies of agents: the queue `{REPLIES}` {had}")
    } else {
        format!(
            "nobody listens to the replies of agents any more: the queue `{REPLIES}` {had} and has no \
             consumer after it"
        )
    };
    let mut finding = Finding::new(Name::AgentRepliesLost, what)
        .with("before", json!(before))
        .with(STOOD_BEFORE, stood_before)
        .because(format!("the queue {REPLIES} {had}, and has 0 after it"));
    // They are httpd's own.
    let web = |watch: &WatchReply| {
        let web = watch.actors.iter().find(|a| a.role == Role::Web);
        web.map(|seen| seen.actor.clone())
    };
    finding.actor = scene.watch.as_ref().and_then(web);
    Some(finding)
}

/// Tasks that Pulp canceled.
pub(super) fn canceled(scene: &Scene) -> Option<Finding> {
    let replies = [&scene.health, &scene.working];
    let tasks: Vec<&String> = replies
        .into_iter()
        .flatten()
        .flat_map(|reply| &reply.canceled)
        .collect();
    let first = tasks.first()?;
    let finding = Finding::new(
        Name::CanceledByPulp,
        format!("Pulp canceled tasks: {first}"),
    );
    Some(tasks.into_iter().fold(finding, Finding::because))
}

/// What happened, without what it means and what to do.
fn first_clause(text: &str) -> String {
    text.split("; ").next().unwrap_or(text).to_owned()
}
