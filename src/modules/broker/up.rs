//! `state: up`: what was done is taken back, and the broker answers its protocol. What was begun is
//! finished: a signal does not keep the broker away.

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use serde_json::json;

use super::{ANSWERS, reply, shown_at};
use crate::ansible::Outcome;
use crate::broker::{Broker, remedy};
use crate::host::syslog;
use crate::host::wait::Deadline;
use crate::modules::diff;
use crate::names;
use crate::outage::undo::{self, Record};
use crate::outage::{self, Taken};

pub(super) fn give_back(
    broker: &Broker,
    run_id: Option<&str>,
    timeout: Duration,
    check_mode: bool,
) -> Result<Outcome> {
    // A record that cannot be read is told after the broker is back.
    let record = undo::record_of(run_id);
    let known = record.as_ref().ok().and_then(Option::as_ref);
    let taken = known.and_then(|r| r.broker.as_ref());
    if taken.is_none() && !broker.local {
        return remote(broker, known, check_mode);
    }
    let unit = match taken {
        Some(taken) => taken.unit.as_deref(),
        None => broker.unit.as_deref(),
    };
    if taken.is_none() {
        may_be_started(broker, unit, run_id.is_some() && record.is_ok())?;
    }
    let was = match taken {
        Some(taken) => format!("away by {}", taken.method.word()),
        None => "does not answer".to_owned(),
    };
    let diff = Some(diff(&shown_at(broker), &was, ANSWERS));
    if check_mode {
        let changes = !outage::is_given_back(broker, taken)?;
        return Ok(Outcome {
            diff,
            ..reply(broker, "local", changes)
        });
    }
    let after = outage::heal(broker, taken, unit, Deadline::for_cleanup(timeout))?;
    let up_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let detail = json!({
        "unit": unit,
        "up_at": up_at,
        "boot_seconds": after.map(|a| a.as_secs_f64()),
        "taken_by_this_run": taken.is_some(),
    });
    let msg = told(broker, taken, unit, after);
    let undo_state = match record? {
        Some(record) => undo::settle_broker(record)?,
        None => "none",
    };
    Ok(Outcome {
        msg: Some(msg),
        diff,
        ..reply(broker, "local", after.is_some())
    }
    .with("outage", detail)
    .with("undo", undo_state))
}

/// A broker that is away, and that nobody's record names, is started where no run is meant by it and its unit is known.
fn may_be_started(broker: &Broker, unit: Option<&str>, by_another: bool) -> Result<()> {
    let answer = broker.ask_patiently();
    if answer.is_up() {
        return Ok(());
    }
    if by_another {
        bail!(
            "failed to give back the broker at {}: {answer}, but this run did not take it away; {}{}",
            broker.endpoint,
            remedy(&answer, unit),
            if names::is_play() {
                ""
            } else {
                ", or leave out `run_id`"
            }
        );
    }
    broker.unit().map(|_| ())
}

/// Nothing was done to the broker here.
fn remote(broker: &Broker, record: Option<&Record>, check_mode: bool) -> Result<Outcome> {
    let outcome = reply(broker, "remote", false);
    match record {
        Some(record) if !check_mode => Ok(outcome.with("undo", undo::settle(record, true)?)),
        _ => Ok(outcome),
    }
}

fn told(
    broker: &Broker,
    taken: Option<&Taken>,
    unit: Option<&str>,
    after: Option<Duration>,
) -> String {
    let who = unit.map_or_else(|| "the broker".to_owned(), str::to_owned);
    let endpoint = &broker.endpoint;
    let Some(after) = after else {
        return format!("UP {who} at {endpoint} answers already");
    };
    let seconds = after.as_secs_f64();
    let msg = match taken {
        Some(taken) if !taken.method.ends_processes() => format!(
            "UP {who} at {endpoint} answers ({seconds:.2} s after {} ended)",
            taken.method.word()
        ),
        _ => format!("UP {who} at {endpoint} answers (boot {seconds:.1} s)"),
    };
    syslog::note(&format!("the Pulp broker test gave the broker back: {msg}"));
    msg
}
