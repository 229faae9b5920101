//! `state: down`: refuse, arm, take away, prove, hold.

use std::time::{Instant, SystemTime};

use anyhow::Result;
use serde_json::{Value, json};

use super::{ANSWERS, Outage, reply, shown_at};
use crate::ansible::Outcome;
use crate::broker::Kept;
use crate::host::syslog;
use crate::host::wait::Deadline;
use crate::modules::{diff, nothing_taken, pulp_units, told};
use crate::outage::Taken;
use crate::outage::guard::{Armed, Guard};
use crate::outage::methods::{ApplyAt, OutageStep};
use crate::outage::plan::{self, OutageOptions, Plan};
use crate::outage::undo::{self, Record, Taking};
use crate::outage::{self, BrokerView};
use crate::pulp::others::Look;
use crate::service::Unit;

pub(super) fn begin(outage: &Outage<'_>, look: Option<Look>, check_mode: bool) -> Result<Outcome> {
    undo::refuse_other_run(outage.run_id)?;
    let services = pulp_units(outage.pulp)?;
    let record = undo::record()?;
    // Services that this run has stopped are Pulp's all the same.
    let stopped = record.as_ref().is_some_and(|r| !r.services.is_empty());
    let acts =
        outage.wanted.apply_at == ApplyAt::Pulp && stopped || outage.wanted.acts_here(&services);
    if !acts {
        return elsewhere(outage, &services, check_mode);
    }
    if let Some(taken) = record.and_then(|r| r.broker) {
        return again(outage, taken, &services, check_mode);
    }
    let plan = plan::make(&outage.wanted, &outage.wanted.broker.ask_patiently());
    if check_mode {
        return Ok(planned(outage, plan));
    }
    let plan = plan?;
    let taking = Taking {
        broker: Some(plan.taken),
        services: &services,
    };
    let is_back = |_: &Record| Ok(outage.wanted.broker.ask().is_up());
    match guard(outage).arm(look, taking, is_back)? {
        Ok(armed) => {
            let looked = armed.looked;
            take_and_hold(outage, armed, &plan.inject, Kept::default())
                .map(|outcome| told(outcome, looked))
        }
        Err(untaken) => Ok(nothing_taken(
            untaken,
            reply(outage.wanted.broker, "local", false),
        )),
    }
}

fn guard<'a>(outage: &Outage<'a>) -> Guard<'a> {
    Guard {
        run_id: outage.run_id,
        restore_after: outage.wanted.restore_after,
        deadline: Deadline::after(outage.timeout),
        timeout: outage.timeout,
    }
}

/// This run has taken it away already, and the undo is armed anew for a further hold.
fn again(
    outage: &Outage<'_>,
    taken: Taken,
    services: &[Unit],
    check_mode: bool,
) -> Result<Outcome> {
    let mut kept = Kept::default();
    let answers = outage.wanted.broker.ask_again(&mut kept).is_life();
    if check_mode {
        let msg = format!(
            "would hold it away for {} s more",
            outage.wanted.hold.as_secs()
        );
        return Ok(Outcome {
            msg: Some(msg),
            ..reply(outage.wanted.broker, "local", false)
        });
    }
    let taking = Taking {
        broker: Some(taken),
        services,
    };
    let mut armed = guard(outage).arm_anew(taking)?;
    if answers {
        let text = format!(
            "the broker at {} was taken away by this run but answers again",
            outage.wanted.broker.endpoint
        );
        return armed.act(|record| {
            let method = record.broker.as_ref().map(|taken| taken.method);
            Err(outage::interrupted(&text, method))
        });
    }
    take_and_hold(outage, armed, &[], kept)
}

/// The broker is taken away on another host; this host's services could be lost with it all the same,
/// and it is seen from here whether they have none.
fn elsewhere(outage: &Outage<'_>, services: &[Unit], check_mode: bool) -> Result<Outcome> {
    let outcome = reply(outage.wanted.broker, "remote", false);
    if check_mode || !services.iter().any(Unit::is_up) {
        return Ok(outcome);
    }
    let taking = Taking {
        broker: None,
        services,
    };
    let mut armed = guard(outage).arm_anew(taking)?;
    let outcome = outcome.with("restores_at", armed.record.restores_at.clone());
    if outage.wanted.hold.is_zero() || !services.iter().any(Unit::consumes) {
        return Ok(outcome);
    }
    let watch = BrokerView {
        broker: outage.wanted.broker,
        taken: None,
    };
    let mut kept = Kept::default();
    let held = armed.act(|_| {
        watch.prove_down(&mut kept, Deadline::after(outage.timeout))?;
        watch.hold(&mut kept, outage.wanted.hold)
    })?;
    let msg = format!(
        "DOWN as seen from here: the broker at {} did not answer {} times in {} s: {}",
        outage.wanted.broker.endpoint, held.probes, held.watched_seconds, held.answer
    );
    Ok(Outcome {
        msg: Some(msg),
        ..outcome
    }
    .with("seen", json!(held)))
}

fn planned(outage: &Outage<'_>, plan: Result<Plan>) -> Outcome {
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            return reply(outage.wanted.broker, "local", false)
                .with("refusals", json!([plan::refusal(&error)]));
        }
    };
    let steps = plan.steps();
    let msg = format!(
        "would {} for {} s, so that {}; the undo would give it back after {} s",
        what(&outage.wanted, &plan.taken),
        outage.wanted.hold.as_secs(),
        outage.wanted.method.effect(),
        outage.wanted.restore_after.as_secs()
    );
    Outcome {
        msg: Some(msg),
        diff: Some(away(&outage.wanted)),
        ..reply(outage.wanted.broker, "local", true)
    }
    .with("refusals", json!([]))
    .with("steps", steps)
}

/// What a user is shown with `--diff`.
fn away(wanted: &OutageOptions<'_>) -> Value {
    diff(
        &shown_at(wanted.broker),
        ANSWERS,
        &format!("away by {}", wanted.method.word()),
    )
}

/// What is done, to whom, in words.
fn what(wanted: &OutageOptions<'_>, taken: &Taken) -> String {
    let unit = taken.unit.as_deref().unwrap_or("the broker");
    let method = wanted.method.word();
    if !wanted.method.cuts() {
        return format!("{method} {unit}");
    }
    let side = match wanted.apply_at {
        ApplyAt::Broker => "on its own host",
        ApplyAt::Pulp => "on this host of Pulp's alone",
    };
    format!("{method} {} {side}", wanted.broker.endpoint)
}

fn take_and_hold(
    outage: &Outage<'_>,
    mut armed: Armed,
    inject: &[OutageStep],
    kept: Kept,
) -> Result<Outcome> {
    armed.act(|record| act(outage, record, inject, kept))
}

fn act(
    outage: &Outage<'_>,
    record: &mut Record,
    inject: &[OutageStep],
    mut kept: Kept,
) -> Result<Outcome> {
    let begin = Instant::now();
    let deadline = Deadline::after(outage.timeout);
    if !inject.is_empty() {
        inject_and_note(outage, record, inject, deadline)?;
    }
    let taken = record.broker.as_ref();
    let watch = BrokerView {
        broker: outage.wanted.broker,
        taken,
    };
    watch.prove_down(&mut kept, deadline)?;
    let down_at = SystemTime::now();
    let stopped_after = begin.elapsed();
    let held = watch.hold(&mut kept, outage.wanted.hold)?;
    let what = taken.map_or_else(String::new, |taken| what(&outage.wanted, taken));
    let msg = format!(
        "DOWN {what}: proven: {}; everything comes back by itself at {} (or by `{}`)",
        outage.wanted.method.effect(),
        record.restores_at,
        undo::BY_HAND
    );
    let detail = json!({
        "method": outage.wanted.method,
        "apply_at": outage.wanted.apply_at,
        "unit": taken.and_then(|t| t.unit.as_deref()),
        "processes": taken.map(|t| &t.processes),
        "positive_control": taken.map(|t| &t.control),
        "answer": held.answer,
        "down_at": humantime::format_rfc3339_millis(down_at).to_string(),
        "stop_seconds": stopped_after.as_secs_f64(),
        "held_seconds": held.watched_seconds,
        "probes": held.probes,
        "longest_gap_seconds": held.longest_gap_seconds,
        "restores_at": record.restores_at,
    });
    Ok(Outcome {
        msg: Some(msg),
        diff: Some(away(&outage.wanted)),
        ..reply(outage.wanted.broker, "local", !inject.is_empty())
    }
    .with("outage", detail)
    .with("restores_at", record.restores_at.clone()))
}

fn inject_and_note(
    outage: &Outage<'_>,
    record: &mut Record,
    inject: &[OutageStep],
    deadline: Deadline,
) -> Result<()> {
    syslog::note(&format!(
        "run {} of the Pulp broker test takes the broker at {} away ({}); it comes back by itself at {}, or \
         by `{}`",
        record.run_id,
        outage.wanted.broker.endpoint,
        outage.wanted.method.word(),
        record.restores_at,
        undo::BY_HAND
    ));
    outage::inject(inject, outage.wanted.method, deadline)?;
    let rules = match &record.broker {
        Some(taken) if !taken.rules.is_empty() => outage::rules(&taken.rules)?,
        _ => return Ok(()),
    };
    undo::note_rules(record, rules)
}
