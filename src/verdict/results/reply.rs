//! What a module replied, as Ansible registered it.

use serde_json::Value;

use super::actor::actor;
use super::{flag, instant, list, number, text};
use crate::names::Actor;
use crate::names::verdict::Name;

/// One reply.
#[derive(Debug, Default)]
pub(crate) struct ModuleReply {
    pub(crate) failed: bool,
    pub(crate) unreachable: bool,
    pub(crate) msg: String,
    /// The verdict that the module reached by itself, and what it says of it.
    pub(crate) verdict: Option<(Name, String)>,
    /// Who failed in what, beside the message for a person.
    pub(crate) failures: Vec<ReportedFailure>,
    pub(crate) outage: Option<OutageReply>,
    /// Of the health check.
    pub(crate) healthy: Option<bool>,
    pub(crate) failed_step: String,
    /// The name with which the module refused.
    pub(crate) void: String,
    pub(crate) steps: Vec<StepReply>,
    /// What is left behind, each with its remedy.
    pub(crate) leftovers: Vec<String>,
    /// Tasks that ended in another way than they were meant to: `id: state`.
    pub(crate) canceled: Vec<String>,
    /// When it ended, seconds since 1970 by that host's clock.
    pub(crate) healthy_at: Option<f64>,
    pub(crate) seconds: Option<f64>,
    /// Of the work of each worker: Pulp's name of it and how long its task took.
    pub(crate) workers: Vec<(String, Option<f64>)>,
    /// Whether a schedule of ours fired, and why it cannot be told.
    pub(crate) fired: Option<bool>,
    pub(crate) fired_why_not: String,
}

/// What a reply says of itself, as Ansible registered it and before anything else is read of it.
pub(crate) trait Replied {
    /// Nobody asked: the step was skipped, or it did not come to that.
    fn is_skipped(&self) -> bool;
    fn has_failed(&self) -> bool;
    fn is_unreachable(&self) -> bool;
    /// Its message, or what is said where there is none.
    fn message(&self, none: &str) -> String;
}

impl Replied for Value {
    fn is_skipped(&self) -> bool {
        self.as_object().is_none_or(serde_json::Map::is_empty)
            || flag(&self["skipped"]) == Some(true)
    }

    fn has_failed(&self) -> bool {
        flag(&self["failed"]) == Some(true)
    }

    fn is_unreachable(&self) -> bool {
        flag(&self["unreachable"]) == Some(true)
    }

    fn message(&self, none: &str) -> String {
        let msg = Some(text(&self["msg"])).filter(|msg| !msg.is_empty());
        msg.unwrap_or_else(|| none.to_owned())
    }
}

/// A verdict that a module reached by itself.
#[derive(Debug, Clone)]
pub(crate) struct ReportedFailure {
    pub(crate) name: Name,
    /// None: no service in particular.
    pub(crate) actor: Option<Actor>,
    pub(crate) text: String,
    /// What to do, where the module knows that better than the name alone.
    pub(crate) next_step: String,
}

/// The failures of a reply. What has no name is told by the message alone.
pub(crate) fn failures(value: &Value) -> Vec<ReportedFailure> {
    let failure = |value: &Value| {
        let said = Some(text(&value["text"])).filter(|said| !said.is_empty());
        Some(ReportedFailure {
            name: Name::of(&text(&value["name"]))?,
            actor: actor(&value["actor"]),
            // A refusal of the pre-flight has its text as a message.
            text: said.unwrap_or_else(|| text(&value["msg"])),
            next_step: text(&value["next_step"]),
        })
    };
    list(value).iter().filter_map(failure).collect()
}

/// One step of the health check.
#[derive(Debug)]
pub(crate) struct StepReply {
    pub(crate) name: String,
    pub(crate) ok: bool,
    pub(crate) seconds: f64,
    pub(crate) error: String,
}

/// What the broker's own host tells of an outage.
#[derive(Debug)]
pub(crate) struct OutageReply {
    pub(crate) unit: String,
    pub(crate) method: String,
    pub(crate) answer: String,
    pub(crate) control: String,
    pub(crate) held_seconds: Option<f64>,
    pub(crate) probes: Option<f64>,
    pub(crate) longest_gap_seconds: Option<f64>,
    pub(crate) boot_seconds: Option<f64>,
    pub(crate) taken_by_this_run: Option<bool>,
}

impl ModuleReply {
    /// None where there is no reply: the step was skipped, or nobody came so far.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let reply = value.as_object().filter(|reply| !reply.is_empty())?;
        let get = |key: &str| reply.get(key).unwrap_or(&Value::Null);
        if flag(get("skipped")) == Some(true) {
            return None;
        }
        let scheduler = get("scheduler");
        Some(Self {
            failed: flag(get("failed")) == Some(true),
            unreachable: flag(get("unreachable")) == Some(true),
            msg: text(get("msg")),
            verdict: verdict(get("verdict")),
            failures: failures(get("failures")),
            outage: get("outage")
                .as_object()
                .map(|_| OutageReply::read(get("outage"))),
            healthy: flag(get("healthy")),
            failed_step: text(get("failed_step")),
            void: text(get("void")),
            steps: list(get("steps"))
                .iter()
                .filter_map(StepReply::read)
                .collect(),
            leftovers: list(get("leftovers")).iter().map(leftover).collect(),
            canceled: list(get("tasks")).iter().filter_map(canceled).collect(),
            healthy_at: instant(get("healthy_at")),
            seconds: number(get("duration_seconds")),
            workers: list(get("workers")).iter().filter_map(worker).collect(),
            fired: flag(&scheduler["fired"]),
            fired_why_not: text(&scheduler["why_not"]),
        })
    }
}

/// A name of a later version is none.
fn verdict(value: &Value) -> Option<(Name, String)> {
    Some((Name::of(&text(&value["name"]))?, text(&value["msg"])))
}

impl StepReply {
    fn read(value: &Value) -> Option<Self> {
        let name = text(&value["name"]);
        (!name.is_empty()).then(|| Self {
            ok: flag(&value["ok"]) == Some(true),
            seconds: number(&value["duration_seconds"]).unwrap_or_default(),
            error: text(&value["error"]),
            name,
        })
    }
}

impl OutageReply {
    fn read(value: &Value) -> Self {
        Self {
            unit: text(&value["unit"]),
            method: text(&value["method"]),
            answer: text(&value["answer"]),
            control: text(&value["positive_control"]),
            held_seconds: number(&value["held_seconds"]),
            probes: number(&value["probes"]),
            longest_gap_seconds: number(&value["longest_gap_seconds"]),
            boot_seconds: number(&value["boot_seconds"]),
            taken_by_this_run: flag(&value["taken_by_this_run"]),
        }
    }
}

fn leftover(value: &Value) -> String {
    match value {
        Value::String(_) => text(value),
        _ => format!(
            "{} `{}` ({}): {}",
            text(&value["kind"]),
            text(&value["id"]),
            text(&value["cause"]),
            text(&value["remedy"])
        ),
    }
}

fn canceled(task: &Value) -> Option<String> {
    let state = text(&task["state"]);
    state
        .starts_with("cancel")
        .then(|| format!("task {} is {state}", text(&task["task_id"])))
}

fn worker(value: &Value) -> Option<(String, Option<f64>)> {
    let name = text(&value["name"]);
    // Without the time at which it worked, the entry says only that somebody asked.
    let worked = !value["worked_at"].is_null();
    (worked && !name.is_empty()).then(|| (name, number(&value["seconds"])))
}
