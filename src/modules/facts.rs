//! `pulp_facts`: what of Pulp is on this host, and where its broker is. Changes nothing.
//!
//! Pulp's configuration is read first, then units and listening sockets. `pulp_url` overrides the
//! URL that is derived from `[server] server_name` or the host's name.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BROKER_UNIT, BROKER_URL, discover, typed};
use crate::ansible::spec::{Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::{Answer, Broker, settings, undo};
use crate::host::identity;
use crate::service::{PULP, Unit, systemd};

pub(super) const MODULE: Module = Module {
    name: "pulp_facts",
    spec: &[Opt::new("pulp_url", Kind::Str), BROKER_URL, BROKER_UNIT],
    work: run,
};

#[derive(Debug, Deserialize)]
struct Params {
    pulp_url: Option<String>,
    broker_url: Option<String>,
    broker_unit: Option<String>,
}

fn run(call: &Call) -> Result<Outcome> {
    let params: Params = typed(call)?;
    identity::require_root("read Pulp's configuration and its processes")?;
    let settings = settings::read()?;
    let broker = discover(params.broker_url.as_deref(), params.broker_unit.as_deref())?;
    let units = pulp_units()?;
    let url = match (params.pulp_url, &settings) {
        (Some(url), _) => url,
        (None, Some(found)) if found.server_name.is_some() => {
            format!(
                "https://{}",
                found.server_name.as_deref().unwrap_or_default()
            )
        }
        (None, _) => format!("https://{}", identity::host_name()?),
    };
    let deployment = json!({
        "found": settings.is_some() || !units.is_empty(),
        "service_manager": if systemd::is_manager() { "systemd" } else { "unknown" },
        "pulp_url": url,
        "api": units.iter().any(|u| u.name == "httpd.service" && u.is_up()),
        "services": &units,
        "running": running(&units),
        "broker": broker.as_ref().map(describe),
        "taken": taken()?,
    });
    Ok(Outcome::default().with("ansible_facts", json!({ "pulp_deployment": deployment })))
}

/// Pulp's units on this host. A web server or anything else alone is no Pulp.
fn pulp_units() -> Result<Vec<Unit>> {
    if !systemd::is_manager() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = PULP.iter().map(|n| (*n).to_owned()).collect();
    let units: Vec<Unit> = systemd::observe(&names)?
        .into_iter()
        .filter(|u| u.found)
        .collect();
    let pulp = units.iter().any(|u| u.name.starts_with("pulp_"))
        || std::path::Path::new(settings::SERVER_CONF).exists();
    Ok(if pulp { units } else { Vec::new() })
}

/// The names of the units that do what a start brings about.
fn running(units: &[Unit]) -> Vec<&str> {
    units
        .iter()
        .filter(|u| u.is_up())
        .map(|u| u.name.as_str())
        .collect()
}

/// What a run of the broker test has taken away and not given back yet.
fn taken() -> Result<Option<Value>> {
    Ok(undo::record()?.map(|record| {
        json!({
            "run_id": record.run_id,
            "since": record.since,
            "restores_at": record.restores_at,
        })
    }))
}

fn describe(broker: &Broker) -> Value {
    let answer = broker.ask();
    let mut value = json!(broker);
    value["answers"] = matches!(answer, Answer::Answers(_)).into();
    value["answer"] = answer.to_string().into();
    value
}
