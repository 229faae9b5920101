//! `pulp_broker`: the broker is down, proven, with the undo armed first; or up, answering its own
//! protocol.
//!
//! `hold` and `restore_after` are seconds; `timeout` is how long the broker may take to go or to
//! come, in seconds, the hold not counted. `changed` means that its unit was stopped or started. On
//! a host that is not the broker's, nothing is done and `role` is `remote`.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use super::{BROKER_UNIT, BROKER_URL, BY_HAND, RESTORE_AFTER, RESTORE_MARGIN, RUN_ID};
use super::{discover, seconds, typed};
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::undo::{self, Record, TakenBroker, Taking};
use crate::broker::{Answer, Broker, stop};
use crate::host::identity;
use crate::host::wait::{Deadline, Pace, until};

pub(super) const MODULE: Module = Module {
    name: "pulp_broker",
    spec: &[
        Opt::new("state", Kind::Str)
            .required()
            .choices(&["down", "up"]),
        Opt::new("method", Kind::Str)
            .default(Default::Str("stop"))
            .choices(&["stop"]),
        Opt::new("hold", Kind::Int).default(Default::Int(0)),
        Opt::new("timeout", Kind::Int).default(Default::Int(120)),
        RUN_ID,
        RESTORE_AFTER,
        BROKER_URL,
        BROKER_UNIT,
    ],
    work: run,
};

#[derive(Debug, Deserialize)]
struct Params {
    state: State,
    method: String,
    hold: i64,
    timeout: i64,
    run_id: Option<String>,
    restore_after: Option<i64>,
    broker_url: Option<String>,
    broker_unit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Down,
    Up,
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    let hold = seconds("hold", params.hold)?;
    let timeout = seconds("timeout", params.timeout)?;
    let restore_after = match params.restore_after {
        Some(value) => seconds("restore_after", value)?,
        None => hold + RESTORE_MARGIN,
    };
    if restore_after <= hold {
        bail!(
            "value of restore_after must be greater than hold ({} s), got: {}; the undo would end the \
             outage",
            hold.as_secs(),
            restore_after.as_secs()
        );
    }
    // Pulp's configuration is readable to root alone, so this comes before looking for the broker.
    identity::require_root("stop or start the broker")?;
    let broker = discover(params.broker_url.as_deref(), params.broker_unit.as_deref())?.context(
        "failed to find a broker: expected `[tasks] broker_url` in /etc/pulp/server.conf, or a unit \
         rabbitmq-server or qpidd on this host; set `broker_url` or `broker_unit`",
    )?;
    if !broker.local {
        return Ok(reply(&broker, "remote", false));
    }
    let unit = broker.unit()?.to_owned();
    match params.state {
        State::Down => {
            let outage = Outage {
                broker: &broker,
                unit: &unit,
                run_id: params.run_id.as_deref().unwrap_or(BY_HAND),
                method: &params.method,
                hold,
                timeout,
                restore_after,
            };
            outage.begin(call.check_mode)
        }
        State::Up => up(
            &broker,
            &unit,
            params.run_id.as_deref(),
            timeout,
            call.check_mode,
        ),
    }
}

fn reply(broker: &Broker, role: &str, changed: bool) -> Outcome {
    Outcome {
        changed,
        ..Outcome::default()
    }
    .with("role", role)
    .with("broker", json!(broker))
}

/// One outage to be made on this host.
struct Outage<'a> {
    broker: &'a Broker,
    unit: &'a str,
    run_id: &'a str,
    method: &'a str,
    hold: Duration,
    timeout: Duration,
    restore_after: Duration,
}

impl Outage<'_> {
    fn begin(&self, check_mode: bool) -> Result<Outcome> {
        undo::refuse_other_run(self.run_id)?;
        let control = self.broker.ask();
        let recorded = undo::record()?.is_some_and(|r| r.broker.is_some());
        let answers = matches!(control, Answer::Answers(_));
        if !answers && !recorded {
            bail!(
                "VOID outage_not_proven: the broker at {} ({}) should have answered before it is taken \
                 away, but {control}; start it (`systemctl start {}`) and run the test again",
                self.broker.endpoint,
                self.broker.source,
                self.unit
            );
        }
        if check_mode {
            let plan = format!(
                "would stop {} for {} s; the undo would give it back after {} s",
                self.unit,
                self.hold.as_secs(),
                self.restore_after.as_secs()
            );
            return Ok(Outcome {
                msg: Some(plan),
                ..reply(self.broker, "local", answers)
            });
        }
        let taking = Taking::Broker(TakenBroker {
            unit: self.unit.to_owned(),
            port: self.broker.endpoint.port,
        });
        let record = undo::arm(self.run_id, taking, self.restore_after)?;
        self.inject_and_hold(&control, &record)
            .or_else(|error| give_back(&error, &record, self.timeout))
    }

    fn inject_and_hold(&self, control: &Answer, record: &Record) -> Result<Outcome> {
        let deadline = Deadline::after(self.timeout);
        let answered = matches!(control, Answer::Answers(_));
        let begin = Instant::now();
        if answered {
            stop::inject(self.unit, deadline)?;
        }
        stop::prove_down(self.broker, deadline)?;
        let down_at = SystemTime::now();
        let stopped_after = begin.elapsed();
        let held = stop::hold(self.broker, self.hold)?;
        let msg = format!(
            "DOWN {} at {}: proven: nothing listens, the protocol is not answered; everything comes back \
             by itself at {} (or by `sudo {}`)",
            self.unit,
            self.broker.endpoint,
            record.restores_at,
            undo::HEAL
        );
        let outage = json!({
            "method": self.method,
            "unit": self.unit,
            "positive_control": control.to_string(),
            "down_at": humantime::format_rfc3339_millis(down_at).to_string(),
            "stop_seconds": stopped_after.as_secs_f64(),
            "held_seconds": held.watched_seconds,
            "probes": held.probes,
            "longest_gap_seconds": held.longest_gap_seconds,
            "restores_at": record.restores_at,
        });
        Ok(Outcome {
            msg: Some(msg),
            ..reply(self.broker, "local", answered)
        }
        .with("outage", outage))
    }
}

/// An outage that could not be made or was cut short ends at once: the undo runs now, under systemd,
/// and is waited for whatever signal came.
fn give_back(error: &anyhow::Error, record: &Record, timeout: Duration) -> Result<Outcome> {
    undo::run_now(record).with_context(|| {
        format!(
            "{error:#}; the undo could not be started at once, but runs by itself at {}",
            record.restores_at
        )
    })?;
    let deadline = Deadline::for_cleanup(timeout);
    let what = "the undo to give everything back";
    let restored = until(what, deadline, Pace::QUICK, || {
        Ok(undo::record_of(Some(&record.run_id))?
            .is_none()
            .then_some(()))
    });
    match restored {
        Ok(()) => bail!("{error:#}; everything that was taken away was given back"),
        Err(e) => bail!("{error:#}; {e:#}; it goes on, or run `sudo {}`", undo::HEAL),
    }
}

fn up(
    broker: &Broker,
    unit: &str,
    run_id: Option<&str>,
    timeout: Duration,
    check_mode: bool,
) -> Result<Outcome> {
    let record = undo::record_of(run_id)?;
    let answers = matches!(broker.ask(), Answer::Answers(_));
    if !answers && run_id.is_some() && record.as_ref().is_none_or(|r| r.broker.is_none()) {
        bail!(
            "failed to give back `{unit}`: the broker at {} does not answer, but this run did not take it \
             away; start it (`systemctl start {unit}`) or leave out `run_id`",
            broker.endpoint
        );
    }
    if check_mode {
        return Ok(reply(broker, "local", !answers));
    }
    // What was begun is finished: a signal does not keep the broker down.
    let boot = stop::heal(broker, unit, Deadline::for_cleanup(timeout))?;
    let up_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let undo_state = match &record {
        Some(record) => settle(record)?,
        None => "none",
    };
    let msg = match boot {
        Some(after) => format!(
            "UP {unit} at {} answers (boot {:.1} s)",
            broker.endpoint,
            after.as_secs_f64()
        ),
        None => format!("UP {unit} at {} answers already", broker.endpoint),
    };
    let outage = json!({
        "unit": unit,
        "up_at": up_at,
        "boot_seconds": boot.map(|b| b.as_secs_f64()),
        "taken_by_this_run": record.as_ref().is_some_and(|r| r.broker.is_some()),
        "undo": undo_state,
    });
    Ok(Outcome {
        msg: Some(msg),
        ..reply(broker, "local", boot.is_some())
    }
    .with("outage", outage))
}

/// Disarms the undo if everything it would give back is there.
fn settle(record: &Record) -> Result<&'static str> {
    if undo::missing(record, true)?.is_empty() {
        undo::disarm(record)?;
        Ok("disarmed")
    } else {
        Ok("armed")
    }
}
