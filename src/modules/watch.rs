//! `pulp_watch`: one continuous observation of this host, from before the outage to after the recovery.
//!
//! `present` starts the observer, which goes on when the module has ended; `absent` collects what it saw,
//! and with `wait_for: recovered` judges it: each worker and the resource manager is to hold a connection
//! to the broker that was made after its return and has stood for 5 s, or the one that was never lost.
//! Durations are seconds.

mod judge;
mod witness;

pub(super) use judge::{Until, recoveries, wait_recovered};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ASK_PULP, BROKER_UNIT, BROKER_URL, BY_HAND, BrokerParams, RUN_ID, TARGET, diff, seconds, typed,
};
use crate::ansible::secrets;
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::Broker;
use crate::broker::settings;
use crate::evidence::redact;
use crate::host::wait::Deadline;
use crate::host::{identity, processes, sockets};
use crate::names::VerdictError;
use crate::names::all_units;
use crate::names::verdict::Name;
use crate::observe::{self, ObservedPulp, Order, Standing};
use crate::outage::undo;
use crate::pulp::TlsMinimum;
use crate::pulp::options::TLS_MINIMUM;
use crate::service;
use crate::timeline::{ActorState, Entry, Event, Retry, Timeline};
use crate::verdict;

pub(super) const MODULE: Module = Module {
    name: "pulp_watch",
    spec: &[
        Opt::new("state", Kind::Str)
            .default(Default::Str("present"))
            .choices(&["present", "absent"]),
        Opt::new("wait_for", Kind::Str).choices(&["recovered"]),
        Opt::new("timeout", Kind::Int).default(Default::Int(90)),
        Opt::new("deadline", Kind::Int).default(Default::Int(900)),
        Opt::new("lease", Kind::Int),
        Opt::new("main_pids", Kind::Dict),
        Opt::new("listeners", Kind::Dict),
        Opt::new("retry", Kind::Dict),
        Opt::list_of("met", Kind::Str),
        Opt::list_of("name", Kind::Str),
        RUN_ID,
        BROKER_URL,
        BROKER_UNIT,
        TARGET,
        ASK_PULP,
        Opt::new("pulp_url", Kind::Str),
        Opt::new("pulp_api_root", Kind::Str).default(Default::Str("/pulp/")),
        Opt::new("ca_path", Kind::Path),
        TLS_MINIMUM,
        Opt::new("validate_certs", Kind::Bool).default(Default::Bool(true)),
        Opt::new("evidence", Kind::Bool).default(Default::Bool(false)),
    ],
    work: run,
};

/// An observation shorter than this sees nothing stand.
const SHORTEST: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
struct Params {
    state: State,
    wait_for: Option<String>,
    timeout: i64,
    deadline: i64,
    lease: Option<i64>,
    main_pids: Option<BTreeMap<String, u32>>,
    met: Option<Vec<String>>,
    listeners: Option<BTreeMap<String, u64>>,
    retry: Option<Retry>,
    name: Option<Vec<String>>,
    run_id: Option<String>,
    #[serde(flatten)]
    broker: BrokerParams,
    pulp_url: Option<String>,
    pulp_api_root: String,
    ca_path: Option<PathBuf>,
    tls_minimum: TlsMinimum,
    validate_certs: bool,
    evidence: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Present,
    Absent,
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let timeout = seconds("timeout", params.timeout)?;
    let deadline = seconds("deadline", params.deadline)?;
    if deadline < SHORTEST {
        bail!(
            "value of deadline must be at least {}, got: {}",
            SHORTEST.as_secs(),
            params.deadline
        );
    }
    let lease = params
        .lease
        .map(|lease| seconds("lease", lease))
        .transpose()?;
    if let Some(lease) = lease.filter(|lease| *lease < undo::SHORTEST) {
        bail!(
            "value of lease must be at least {}, got: {}",
            undo::SHORTEST.as_secs(),
            lease.as_secs()
        );
    }
    identity::require_root("observe services")?;
    service::require()?;
    match params.state {
        State::Present if params.wait_for.is_some() => wait(call, &params, timeout),
        State::Present => {
            let listeners = params.listeners.clone();
            begin(call, order(params, deadline, lease), listeners)
        }
        State::Absent => collect(call, &params, timeout),
    }
}

/// What `--diff` is about, and its state without one.
const OBSERVER: &str = "observer of this host";
const NOBODY: &str = "none";

fn whose(observer: Option<&Standing>) -> String {
    observer.map_or_else(|| NOBODY.to_owned(), |o| format!("of run `{}`", o.run_id))
}

/// What is to be observed, but for what is looked at right before it begins.
fn order(params: Params, deadline: Duration, lease: Option<Duration>) -> Order {
    let pulp = params.pulp_url.map(|url| ObservedPulp {
        url,
        ca_path: params.ca_path,
        tls_minimum: params.tls_minimum,
        validate_certs: params.validate_certs,
        api_root: params.pulp_api_root,
    });
    Order {
        run_id: params.run_id.unwrap_or_else(|| BY_HAND.to_owned()),
        deadline_seconds: deadline.as_secs(),
        lease_seconds: lease.map(|lease| lease.as_secs()),
        names: params.name.unwrap_or_else(all_units),
        broker_url: params.broker.broker_url,
        broker_unit: params.broker.broker_unit,
        target: params.broker.target,
        ask_pulp: params.broker.ask_pulp,
        pulp,
        listeners: BTreeMap::new(),
        retry: params.retry,
    }
}

/// `listeners` are those that were counted just before, if they were.
fn begin(
    call: &Call,
    mut order: Order,
    listeners: Option<BTreeMap<String, u64>>,
) -> Result<Outcome> {
    let units = order.units()?;
    let main_pids: BTreeMap<&str, u32> = units
        .iter()
        .filter(|u| u.running)
        .map(|u| (u.name.as_str(), u.main_pid))
        .collect();
    let running = observe::standing()?.filter(|s| s.alive);
    let diff = diff(
        OBSERVER,
        &whose(running.as_ref()),
        &format!("of run `{}`", order.run_id),
    );
    if let Some(running) = running {
        if running.run_id == order.run_id {
            return Ok(observing(&running, false).with("main_pids", json!(main_pids)));
        }
        // It holds nothing away: a run that died leaves its observer, which must not be in the next one's way.
        undo::refuse_other_run(&order.run_id)?;
        if !call.check_mode {
            observe::end(&running)?;
            observe::remove()?;
        }
    }
    // What cannot be looked at is better known now than from the observer.
    let broker = order.broker()?;
    order.onlooker()?;
    if let Some(broker) = &broker {
        let pids: Vec<u32> = main_pids.values().copied().collect();
        sockets::connections(&pids, broker.addresses())?;
    }
    if !call.check_mode {
        order.listeners = listeners.unwrap_or_else(|| witness::listeners(broker.as_ref()));
    }
    let named: Vec<&str> = units.iter().map(|u| u.name.as_str()).collect();
    let what = what(&named, broker.as_ref());
    let outcome = if call.check_mode {
        Outcome {
            changed: true,
            msg: Some(format!("WOULD OBSERVE {what}")),
            diff: Some(diff),
            ..Outcome::default()
        }
    } else {
        let started = observe::launch(&order)?;
        Outcome {
            msg: Some(format!("OBSERVING {what}")),
            diff: Some(diff),
            ..observing(&started, true)
        }
    };
    Ok(outcome
        .with("units", json!(named))
        .with("main_pids", json!(main_pids)))
}

/// The units and the broker that are observed.
fn what(units: &[&str], broker: Option<&Broker>) -> String {
    let at = broker.map_or_else(
        || "no broker, for none is known here".to_owned(),
        |broker| format!("the broker at {}", broker.endpoint),
    );
    if units.is_empty() {
        format!("no unit; {at}")
    } else {
        format!("{}; {at}", units.join(", "))
    }
}

fn observing(observer: &Standing, changed: bool) -> Outcome {
    Outcome {
        changed,
        msg: Some(format!("OBSERVING already, by process {}", observer.pid)),
        ..Outcome::default()
    }
    .with(
        "observer",
        json!({ "run_id": observer.run_id, "pid": observer.pid }),
    )
}

/// Judges what is observed so far; the observer goes on.
fn wait(call: &Call, params: &Params, timeout: Duration) -> Result<Outcome> {
    if call.check_mode {
        return Ok(Outcome::default());
    }
    let ours = |s: &Standing| params.run_id.as_ref().is_none_or(|id| *id == s.run_id);
    if !observe::standing()?.is_some_and(|standing| ours(&standing)) {
        bail!(VerdictError::new(
            Name::NotExercised,
            "nobody observes this host for this run, so nothing tells whether its services \
             recover; begin with state=present before the outage"
        ));
    }
    let main_pids = params.main_pids.clone().unwrap_or_default();
    let recovered = wait_recovered(&main_pids, Until::Recovered, Deadline::after(timeout));
    let now = judge::now();
    let Some(mut timeline) = observe::read()? else {
        return recovered.map(|()| Outcome::default());
    };
    timeline.add(said(&timeline).unwrap_or_default());
    let actors = actors(
        &timeline,
        &main_pids,
        now.unwrap_or_else(|| timeline.last_at()),
    );
    Ok(match &recovered {
        Ok(()) => Outcome {
            msg: Some(judge::told(&actors, &timeline)),
            ..Outcome::default()
        },
        Err(error) => Outcome::of_error(error),
    }
    .with("broker", json!(timeline.outage()))
    .with("actors", json!(actors)))
}

fn collect(call: &Call, params: &Params, timeout: Duration) -> Result<Outcome> {
    let Some(observer) = observe::standing()? else {
        if !call.check_mode {
            // What has no owner was never begun.
            observe::remove()?;
        }
        return Ok(Outcome {
            msg: Some("nobody observes this host".to_owned()),
            ..Outcome::default()
        });
    };
    let is_another = |run_id: &String| *run_id != observer.run_id;
    if params.run_id.as_ref().is_some_and(is_another) {
        return Ok(Outcome {
            msg: Some(format!(
                "run `{}` observes this host, by process {}; its observer is left alone",
                observer.run_id, observer.pid
            )),
            ..Outcome::default()
        });
    }
    let diff = Some(diff(OBSERVER, &whose(Some(&observer)), NOBODY));
    if call.check_mode {
        return Ok(Outcome {
            diff,
            msg: Some(format!(
                "WOULD COLLECT the observer of run `{}`",
                observer.run_id
            )),
            ..observing(&observer, true)
        });
    }
    settings::mask_secrets(params.broker.ask_pulp);
    let main_pids = params.main_pids.clone().unwrap_or_default();
    let waits = params.wait_for.is_some();
    let recovered =
        waits.then(|| wait_recovered(&main_pids, Until::Recovered, Deadline::after(timeout)));
    Ok(Outcome {
        changed: true,
        diff,
        ..collected(params, &observer, &main_pids, recovered)?
    })
}

/// Ends the observer, and tells what it has seen.
fn collected(
    params: &Params,
    observer: &Standing,
    main_pids: &BTreeMap<String, u32>,
    recovered: Option<Result<()>>,
) -> Result<Outcome> {
    let now = judge::now();
    observe::end(observer)?;
    let Some(mut timeline) = observe::read()? else {
        observe::remove()?;
        let words = "the observer left nothing that can be read: expected at least its first line";
        return Err(recovered
            .and_then(Result::err)
            .unwrap_or_else(|| anyhow!(VerdictError::new(Name::NotExercised, words))));
    };
    let mut warnings: Vec<String> = Vec::new();
    match said(&timeline) {
        Ok(said) => timeline.add(said),
        Err(error) => warnings.push(format!("{error:#}")),
    }
    if timeline.end().is_none() {
        warnings.push(
            "the observer was killed before it was collected: what came after its last line was not seen"
                .to_owned(),
        );
    }
    let api = observe::api();
    observe::remove()?;
    let now = now.map_or(timeline.last_at(), |now| now.max(timeline.last_at()));
    let (after, asked) = witness::listeners_after(params, &timeline, now);
    timeline.seen_met = params.met.clone().unwrap_or_default();
    let actors = actors(&timeline, main_pids, now);
    let judged = match &recovered {
        None => told("COLLECTED what was observed".to_owned()),
        Some(Ok(())) => told(judge::told(&actors, &timeline)),
        Some(Err(error)) => Outcome::of_error(error),
    };
    let queues = json!({ "before": &timeline.begin.listeners, "after": after, "seconds": asked.as_secs_f64() });
    let reply = seen(judged, &timeline, &actors, api).with("queues", queues);
    Ok(with_causes(reply, params, &timeline, warnings))
}

/// Where something failed: what the broker says to it, and what this host shows.
fn with_causes(
    reply: Outcome,
    params: &Params,
    timeline: &Timeline,
    mut warnings: Vec<String>,
) -> Outcome {
    let failed = params.evidence || verdict::fails(&json!(reply.data));
    let word = failed.then(|| witness::refusal(params)).flatten();
    warnings.extend(word.iter().flat_map(|word| word.unknown.clone()));
    let mut reply = reply.with("asked", json!(word));
    reply.warnings = warnings;
    if !failed {
        return reply.with("refuses", "").with("evidence", "");
    }
    let refuses = verdict::refuses(&json!(reply.data));
    let evidence = witness::evidence(&timeline.begin, params);
    reply
        .with("refuses", refuses)
        .with("evidence", json!(evidence))
}

/// No line of a log is told at greater length.
const LONGEST: usize = 300;

/// What the logs say. A line may hold what nobody else is to read.
fn said(timeline: &Timeline) -> Result<Vec<Entry>> {
    let mut said = observe::said(timeline)?;
    for entry in &mut said {
        match &mut entry.event {
            Event::Logged { line, .. } => *line = shown(line),
            Event::Refused { refusal, .. } => refusal.words = shown(&refusal.words),
            _ => {}
        }
    }
    Ok(said)
}

/// Cut when the secrets are out, because half a secret would not be known as one.
fn shown(line: &str) -> String {
    let mut line = redact::text(line);
    if let Some((mut end, _)) = line.char_indices().nth(LONGEST) {
        while let Some((begin, _)) = secrets::across(&line, end) {
            end = begin;
        }
        line.truncate(end);
    }
    line
}

/// The stories, with what each main process does now.
fn actors(timeline: &Timeline, main_pids: &BTreeMap<String, u32>, now: f64) -> Vec<ActorState> {
    let mut actors = timeline.actors(main_pids, now);
    for actor in &mut actors {
        processes::odd_state(actor.main_pid).clone_into(&mut actor.state);
    }
    actors
}

fn told(msg: String) -> Outcome {
    Outcome {
        msg: Some(msg),
        ..Outcome::default()
    }
}

fn seen(judged: Outcome, timeline: &Timeline, actors: &[ActorState], api: Value) -> Outcome {
    judged
        .with("broker", json!(timeline.outage()))
        .with("actors", json!(actors))
        .with(
            "api",
            if api.is_null() {
                json!({ "urls": {} })
            } else {
                api
            },
        )
        .with("ended", json!(timeline.end()))
        .with("timeline", json!(timeline))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known to be one is masked when the reply is, and half of it would not be.
    #[test]
    fn no_half_of_a_known_secret_is_left_where_a_line_is_cut() {
        let secret = "Canary-3f9b-Canary";
        secrets::add(secret);
        for before in LONGEST - secret.len() - 1..=LONGEST {
            let line = shown(&format!("{}{secret} more", "x".repeat(before)));
            assert_eq!(
                line.contains("Can"),
                line.contains(secret),
                "{before}: {line}"
            );
        }
    }

    #[test]
    fn a_password_in_a_log_line_is_out_before_the_line_is_cut() {
        let word = "x".repeat(LONGEST - 20);
        for begin in ["celery:CRITICAL: cannot reach", word.as_str()] {
            let line = shown(&format!("{begin} amqp://pulp:Canary-7c1e@mq.example.com//"));
            assert!(!line.contains("Can"), "{line}");
            assert!(line.chars().count() <= LONGEST);
        }
    }
}
