//! `pulp_broker`: the broker is down, proven, with the undo armed first; or up, answering its own
//! protocol.
//!
//! `hold` and `restore_after` are seconds; `timeout` is how long the broker may take to go or to
//! come, in seconds, the hold not counted. `changed` means that its unit was stopped or started. On
//! a host that is not the broker's, `role` is `remote` and only the undo is armed, for Pulp's services
//! that could be lost with the broker.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::json;

use super::{BROKER_UNIT, BROKER_URL, BY_HAND, RESTORE_AFTER, RESTORE_MARGIN, RUN_ID};
use super::{discover, seconds, typed};
use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::undo::{self, Record, TakenBroker, Taking};
use crate::broker::{Answer, Broker, stop};
use crate::host::identity;
use crate::host::wait::Deadline;
use crate::service::{PULP, Unit, systemd};

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
    if restore_after < undo::SHORTEST || restore_after <= hold {
        bail!(
            "value of restore_after must be greater than hold ({} s) and at least {}, got: {}; the undo \
             would end the outage",
            hold.as_secs(),
            undo::SHORTEST.as_secs(),
            restore_after.as_secs()
        );
    }
    // Pulp's configuration is readable to root alone, so this comes before looking for the broker.
    identity::require_root("stop or start the broker")?;
    let broker = discover(params.broker_url.as_deref(), params.broker_unit.as_deref())?.context(
        "failed to find a broker: expected `[tasks] broker_url` in /etc/pulp/server.conf, or a unit \
         rabbitmq-server or qpidd on this host; set `broker_url` or `broker_unit`",
    )?;
    let run_id = params.run_id.as_deref();
    match params.state {
        State::Down => {
            let outage = Outage {
                broker: &broker,
                run_id: run_id.unwrap_or(BY_HAND),
                method: &params.method,
                hold,
                timeout,
                restore_after,
            };
            outage.begin(call.check_mode)
        }
        State::Up => up(&broker, run_id, timeout, call.check_mode),
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
    run_id: &'a str,
    method: &'a str,
    hold: Duration,
    timeout: Duration,
    restore_after: Duration,
}

impl Outage<'_> {
    fn begin(&self, check_mode: bool) -> Result<Outcome> {
        undo::refuse_other_run(self.run_id)?;
        let services = pulp_services()?;
        if !self.broker.local {
            return self.elsewhere(&services, check_mode);
        }
        let taken = undo::record()?.and_then(|r| r.broker);
        let unit = match &taken {
            Some(taken) => taken.unit.clone(),
            None => self.broker.unit()?.to_owned(),
        };
        let answer = self.broker.ask();
        let answers = matches!(answer, Answer::Answers(_));
        if check_mode {
            return Ok(self.planned(&unit, answers));
        }
        let first = taken.is_none();
        let control = match taken {
            Some(taken) => taken.control,
            None if answers => answer.to_string(),
            None => bail!(
                "VOID outage_not_proven: the broker at {} ({}) should have answered before it is taken \
                 away, but {answer}; start it (`systemctl start {unit}`) and run the test again",
                self.broker.endpoint,
                self.broker.source
            ),
        };
        let taking = Taking {
            broker: Some(TakenBroker {
                unit: unit.clone(),
                port: self.broker.endpoint.port().unwrap_or_default(),
                control: control.clone(),
            }),
            services: &services,
        };
        let record = undo::arm(self.run_id, taking, self.restore_after)?;
        let outcome = if answers && !first {
            Err(anyhow!(
                "VOID outage_interrupted: the broker at {} was taken away by this run but answers again; \
                 find what started it and run the test again",
                self.broker.endpoint
            ))
        } else {
            self.inject_and_hold(&unit, first, &control, &record)
        };
        outcome.map_err(|error| undo::give_back(&error, &record, self.timeout))
    }

    /// The broker is on another host; this host's services could be lost with it all the same.
    fn elsewhere(&self, services: &[Unit], check_mode: bool) -> Result<Outcome> {
        let outcome = reply(self.broker, "remote", false);
        if check_mode || !services.iter().any(Unit::is_up) {
            return Ok(outcome);
        }
        let taking = Taking {
            broker: None,
            services,
        };
        let record = undo::arm(self.run_id, taking, self.restore_after)?;
        Ok(outcome.with("restores_at", record.restores_at))
    }

    fn planned(&self, unit: &str, answers: bool) -> Outcome {
        let plan = format!(
            "would stop {unit} for {} s; the undo would give it back after {} s",
            self.hold.as_secs(),
            self.restore_after.as_secs()
        );
        Outcome {
            msg: Some(plan),
            ..reply(self.broker, "local", answers)
        }
    }

    fn inject_and_hold(
        &self,
        unit: &str,
        first: bool,
        control: &str,
        record: &Record,
    ) -> Result<Outcome> {
        let deadline = Deadline::after(self.timeout);
        let begin = Instant::now();
        if first {
            stop::inject(unit, deadline)?;
        }
        stop::prove_down(self.broker, deadline)?;
        let down_at = SystemTime::now();
        let stopped_after = begin.elapsed();
        let held = stop::hold(self.broker, self.hold)?;
        let msg = format!(
            "DOWN {unit} at {}: proven: nothing listens, the protocol is not answered; everything comes back \
             by itself at {} (or by `{}`)",
            self.broker.endpoint,
            record.restores_at,
            undo::BY_HAND
        );
        let outage = json!({
            "method": self.method,
            "unit": unit,
            "positive_control": control,
            "down_at": humantime::format_rfc3339_millis(down_at).to_string(),
            "stop_seconds": stopped_after.as_secs_f64(),
            "held_seconds": held.watched_seconds,
            "probes": held.probes,
            "longest_gap_seconds": held.longest_gap_seconds,
            "restores_at": record.restores_at,
        });
        Ok(Outcome {
            msg: Some(msg),
            ..reply(self.broker, "local", first)
        }
        .with("outage", outage))
    }
}

fn up(
    broker: &Broker,
    run_id: Option<&str>,
    timeout: Duration,
    check_mode: bool,
) -> Result<Outcome> {
    // A record that cannot be read is told after the broker is back.
    let record = undo::record_of(run_id);
    let taken = record.as_ref().ok().and_then(Option::as_ref);
    let role = if broker.local { "local" } else { "remote" };
    if !broker.local {
        return match (taken, check_mode) {
            (Some(record), false) => {
                Ok(reply(broker, role, false).with("undo", undo::settle(record, true)?))
            }
            _ => Ok(reply(broker, role, false)),
        };
    }
    let taken = taken.and_then(|r| r.broker.as_ref());
    let unit = match taken {
        Some(taken) => taken.unit.as_str(),
        None => broker.unit()?,
    };
    let answers = matches!(broker.ask(), Answer::Answers(_));
    if !answers && run_id.is_some() && taken.is_none() && record.is_ok() {
        bail!(
            "failed to give back `{unit}`: the broker at {} does not answer, but this run did not take it \
             away; start it (`systemctl start {unit}`) or leave out `run_id`",
            broker.endpoint
        );
    }
    if check_mode {
        return Ok(reply(broker, role, !answers));
    }
    // What was begun is finished: a signal does not keep the broker down.
    let boot = stop::heal(broker, unit, Deadline::for_cleanup(timeout))?;
    let up_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
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
        "taken_by_this_run": taken.is_some(),
    });
    let undo_state = match record? {
        Some(record) => undo::settle(&record, true)?,
        None => "none",
    };
    Ok(Outcome {
        msg: Some(msg),
        ..reply(broker, role, boot.is_some())
    }
    .with("outage", outage)
    .with("undo", undo_state))
}

/// Pulp's services on this host, none where there is no systemd to run an undo.
fn pulp_services() -> Result<Vec<Unit>> {
    if !systemd::is_manager() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = PULP.iter().map(|n| (*n).to_owned()).collect();
    systemd::observe(&names)
}
