//! The matrix: each module, how it is brought to each outcome, and by what it is known to have come there.

use rustix::process::Signal;
use serde_json::json;

use super::call::{End, Made, Seen};
use super::canary::Canary;
use super::ways;

pub(crate) const MODULES: &[&str] = &[
    "pulp_facts",
    "pulp_services",
    "pulp_broker",
    "pulp_watch",
    "pulp_health",
    "pulp_report",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    Panic,
    Verbose,
    NoLog,
    Interrupted,
}

impl Outcome {
    pub(crate) const ALL: [Self; 6] = [
        Self::Success,
        Self::Failure,
        Self::Panic,
        Self::Verbose,
        Self::NoLog,
        Self::Interrupted,
    ];
}

type Make = fn(&Canary) -> Made;

/// A module at an outcome, by each of these ways.
pub(crate) struct Cell {
    pub(crate) module: &'static str,
    pub(crate) outcome: Outcome,
    ways: &'static [(&'static str, Make)],
}

const fn cell(
    module: &'static str,
    outcome: Outcome,
    ways: &'static [(&'static str, Make)],
) -> Cell {
    Cell {
        module,
        outcome,
        ways,
    }
}

/// Ways that succeed and ways that fail, wherever the tests run.
const FACTS: &[(&str, Make)] = &[("ok", ways::facts)];
const FACTS_BAD: &[(&str, Make)] = &[("fails", ways::facts_bad)];
const FACTS_ALL: &[(&str, Make)] = &[("ok", ways::facts), ("fails", ways::facts_bad)];
const SERVICES: &[(&str, Make)] = &[("fails", ways::services_bad)];
const BROKER: &[(&str, Make)] = &[("ok", ways::broker)];
const BROKER_BAD: &[(&str, Make)] = &[
    ("fails: url", ways::broker_bad),
    ("fails: choice", ways::broker_choice),
];
const BROKER_ALL: &[(&str, Make)] = &[("ok", ways::broker), ("fails", ways::broker_bad)];
const WATCH: &[(&str, Make)] = &[("fails", ways::watch_bad)];
const HEALTH: &[(&str, Make)] = &[
    ("ok", ways::health),
    ("ok: 2", ways::health_2),
    ("ok: key", ways::health_key),
];
const HEALTH_BAD: &[(&str, Make)] = &[
    ("fails: echo", ways::health_echo),
    ("fails: echo of 2", ways::health_2_echo),
    ("fails: key", ways::health_key_bad),
];
const HEALTH_ALL: &[(&str, Make)] = &[("ok", ways::health), ("fails", ways::health_echo)];
const REPORT: &[(&str, Make)] = &[("ok", ways::report)];
const REPORT_BAD: &[(&str, Make)] = &[("fails", ways::report_bad)];
const REPORT_ALL: &[(&str, Make)] = &[("ok", ways::report), ("fails", ways::report_bad)];

pub(crate) const CELLS: &[Cell] = &[
    cell("pulp_facts", Outcome::Success, FACTS),
    cell("pulp_facts", Outcome::Failure, FACTS_BAD),
    cell("pulp_facts", Outcome::Verbose, FACTS_ALL),
    cell("pulp_facts", Outcome::NoLog, FACTS_ALL),
    cell(
        "pulp_facts",
        Outcome::Interrupted,
        &[("ok", ways::facts), ("asking", ways::facts_asking)],
    ),
    cell("pulp_services", Outcome::Failure, SERVICES),
    cell("pulp_services", Outcome::Verbose, SERVICES),
    cell("pulp_services", Outcome::NoLog, SERVICES),
    cell("pulp_services", Outcome::Interrupted, SERVICES),
    cell("pulp_broker", Outcome::Success, BROKER),
    cell("pulp_broker", Outcome::Failure, BROKER_BAD),
    cell("pulp_broker", Outcome::Verbose, BROKER_ALL),
    cell("pulp_broker", Outcome::NoLog, BROKER_ALL),
    cell(
        "pulp_broker",
        Outcome::Interrupted,
        &[("ok", ways::broker), ("asking", ways::broker_asking)],
    ),
    cell("pulp_watch", Outcome::Failure, WATCH),
    cell("pulp_watch", Outcome::Verbose, WATCH),
    cell("pulp_watch", Outcome::NoLog, WATCH),
    cell("pulp_watch", Outcome::Interrupted, WATCH),
    cell("pulp_health", Outcome::Success, HEALTH),
    cell("pulp_health", Outcome::Failure, HEALTH_BAD),
    cell(
        "pulp_health",
        Outcome::Panic,
        &[("no thread", ways::health_without_threads)],
    ),
    cell("pulp_health", Outcome::Verbose, HEALTH_ALL),
    cell("pulp_health", Outcome::NoLog, HEALTH_ALL),
    cell(
        "pulp_health",
        Outcome::Interrupted,
        &[
            ("ok", ways::health),
            ("asking", ways::health_asking),
            ("killed", ways::health_killed),
        ],
    ),
    cell("pulp_report", Outcome::Success, REPORT),
    cell("pulp_report", Outcome::Failure, REPORT_BAD),
    cell("pulp_report", Outcome::Verbose, REPORT_ALL),
    cell("pulp_report", Outcome::NoLog, REPORT_ALL),
    cell("pulp_report", Outcome::Interrupted, REPORT),
];

/// What cannot be brought about on any host: services need a service manager; and nothing that a user can do makes the other
/// modules panic, whose hook is the same.
const HOOK: &str = "src/ansible/panics.rs";
const LAB: &str = "molecule/secrets/test_secrets.py";
pub(crate) const ELSEWHERE: &[(&str, Outcome, &str)] = &[
    ("pulp_services", Outcome::Success, LAB),
    ("pulp_watch", Outcome::Success, LAB),
    ("pulp_facts", Outcome::Panic, HOOK),
    ("pulp_services", Outcome::Panic, HOOK),
    ("pulp_broker", Outcome::Panic, HOOK),
    ("pulp_watch", Outcome::Panic, HOOK),
    ("pulp_report", Outcome::Panic, HOOK),
];

/// One way to come to an outcome.
pub(crate) struct Variant {
    module: &'static str,
    outcome: Outcome,
    way: &'static str,
    make: Make,
    /// How an interruption comes that the way does not bring itself.
    interruption: Option<Signal>,
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            module,
            outcome,
            way,
            interruption,
            ..
        } = self;
        write!(f, "{module} {outcome:?} ({way}, {interruption:?})")
    }
}

impl Cell {
    pub(crate) fn variants(&self) -> Vec<Variant> {
        let interruptions = match self.outcome {
            Outcome::Interrupted => vec![
                Some(Signal::HUP),
                Some(Signal::INT),
                Some(Signal::TERM),
                None,
            ],
            _ => vec![None],
        };
        let with = |interruption: Option<Signal>| {
            let variant = move |(way, make): &(&'static str, Make)| Variant {
                module: self.module,
                outcome: self.outcome,
                way,
                make: *make,
                interruption,
            };
            // One that brings its own needs no other.
            let brings = |way: &str| matches!(way, "asking" | "killed");
            let ways = self.ways.iter();
            ways.filter(move |(way, _)| interruption.is_none() || !brings(way))
                .map(variant)
        };
        interruptions.into_iter().flat_map(with).collect()
    }
}

impl Variant {
    pub(crate) fn make(&self, canary: &Canary) -> Made {
        let mut made = (self.make)(canary);
        match self.outcome {
            Outcome::Verbose => {
                made.call = made
                    .call
                    .param("_ansible_verbosity", 4)
                    .param("_ansible_debug", true);
                made.call = made.call.param("_ansible_tracebacks_for", json!(["error"]));
            }
            Outcome::NoLog => made.call = made.call.param("_ansible_no_log", true),
            Outcome::Interrupted => match (&made.end, self.interruption) {
                (End::Itself, Some(signal)) => made.end = End::Signal(signal),
                (End::Itself, None) => made.end = End::NobodyReads,
                _ => {}
            },
            Outcome::Success | Outcome::Failure | Outcome::Panic => {}
        }
        made.call = made.call.param("_ansible_diff", true);
        made
    }

    /// In what the call did not come to its outcome.
    pub(crate) fn missed(&self, tells: &str, seen: &Seen) -> Option<String> {
        let failed = seen.reply.as_ref().map(|reply| reply["failed"] == true);
        let told = |key: &str| {
            seen.reply
                .as_ref()
                .is_some_and(|reply| reply.contains_key(key))
        };
        let is_bug = seen.line.contains("this is a bug in pulp_broker");
        let reached = match self.outcome {
            Outcome::Success => failed == Some(false) && told("invocation"),
            Outcome::Failure => failed == Some(true) && !is_bug,
            Outcome::Panic => failed == Some(true) && is_bug,
            Outcome::Verbose => failed == Some(!self.way.starts_with("ok")),
            Outcome::NoLog => failed == Some(!self.way.starts_with("ok")) && !told("invocation"),
            // Who is killed leaves what is no secret.
            Outcome::Interrupted if self.way == "killed" => seen.signal == Some(9),
            // Who hears a signal leaves nothing; where only the reader went, Ansible is there to clean up.
            Outcome::Interrupted if seen.reply.is_some() => seen.left.is_empty(),
            Outcome::Interrupted => self.interruption.is_none() && seen.signal.is_none(),
        };
        if seen.args_left {
            return Some(format!("the args file is left: {seen:?}"));
        }
        // Without the parameters, or a reader, there is nothing to hold it in.
        let is_shown = seen.reply.is_some() && self.outcome != Outcome::NoLog;
        let untold = is_shown && !seen.line.contains(tells);
        (!reached || untold).then(|| format!("not reached: {seen:?}"))
    }
}
