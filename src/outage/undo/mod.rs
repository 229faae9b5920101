//! The undo: before anything is taken away from this host, a script of plain commands stands under
//! `/run/pulp_broker/` and a transient systemd timer is set to run it, or where there is no systemd a
//! shell that watches the time. It needs nobody of ours: if the controller, the network or this module
//! dies, everything comes back by itself. The same script is the way out by hand: `sudo sh
//! /run/pulp_broker/heal`.
//!
//! There is one record a host, of one run at a time. It is written before the act and removed only
//! when the broker answers and every recorded service runs.

mod arm;
mod script;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Error, Result, bail};
use serde::{Deserialize, Serialize};

use super::Taken;
use crate::host::files;
use crate::host::wait::{Deadline, Pace, until};
use crate::names::VerdictError;
use crate::names::WORKERS;
use crate::service::{self, Alarm, Manager, Unit};

pub(crate) use arm::{Taking, arm};

/// Where the record and the script are.
const DIR: &str = "/run/pulp_broker";

/// The script, to be run by root.
const HEAL: &str = "/run/pulp_broker/heal";

/// The way out by hand; with `sh`, because `/run` may be mounted noexec.
pub(crate) const BY_HAND: &str = "sudo sh /run/pulp_broker/heal";

/// Is there when `/run` was made for this.
const MADE_RUN: &str = "/run/pulp_broker/made-run";

/// What the names of our timers begin with.
const TIMER_PREFIX: &str = "pulp_broker-heal-";

/// The shortest that an undo may wait: less, and it would run before the act.
pub(crate) const SHORTEST: Duration = Duration::from_secs(5);

/// How much earlier than promised the undo begins where only services were stopped, which start together.
const SERVICES_LEAD: Duration = Duration::from_secs(2);

/// What was taken away on this host and when it comes back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The run that took it.
    pub(crate) run_id: String,
    /// When the run took the first of it: RFC 3339, UTC.
    pub(crate) since: String,
    /// When everything comes back by itself: RFC 3339, UTC.
    pub(crate) restores_at: String,
    /// What runs the script: the transient unit's name without suffix, or the watcher's.
    timer: String,
    /// The broker, if it was taken.
    pub(crate) broker: Option<Taken>,
    /// The services that ran before, and are to run again.
    pub(crate) services: Vec<String>,
}

/// The record of this host, if a run has taken something away.
///
/// # Errors
/// It is there but cannot be read.
pub(crate) fn record() -> Result<Option<Record>> {
    let path = record_path();
    let Some(text) = files::read_if_present(&path)? else {
        return Ok(None);
    };
    let record = serde_json::from_str(&text).with_context(|| {
        format!(
            "failed to read `{}`; run `{BY_HAND}` and remove {DIR}",
            path.display()
        )
    })?;
    Ok(Some(record))
}

/// The record, if it is this run's; everything recorded counts when a person, who has no run, asks.
///
/// # Errors
/// It cannot be read.
pub(crate) fn record_of(run_id: Option<&str>) -> Result<Option<Record>> {
    Ok(record()?.filter(|r| run_id.is_none_or(|id| id == r.run_id)))
}

/// Fails if another run has taken something away on this host.
///
/// # Errors
/// It has; the error says which run, and since when.
pub(crate) fn refuse_other_run(run_id: &str) -> Result<()> {
    match record()? {
        Some(other) if other.run_id != run_id => bail!(
            "failed to begin run `{run_id}`: run `{}` has taken services of this host away since {} \
             and gives them back at {}; wait for it, or run `{BY_HAND}`",
            other.run_id,
            other.since,
            other.restores_at
        ),
        _ => Ok(()),
    }
}

impl Record {
    /// How much earlier than promised the undo begins: what takes a while to start is to be back by then.
    fn lead(&self) -> Duration {
        match &self.broker {
            Some(taken) => taken.lead,
            None => SERVICES_LEAD,
        }
    }

    /// How long may go by between the arming and the act: with half of its time to go, the undo does not come
    /// first.
    pub(crate) fn patience(&self, restore_after: Duration) -> Duration {
        restore_after.saturating_sub(self.lead()) / 2
    }

    /// What runs the script in time.
    fn alarm(&self, manager: &dyn Manager) -> Alarm {
        Alarm {
            name: self.timer.clone(),
            command: script::door(&self.timer, manager),
            script: HEAL.to_owned(),
            wanted: script::wanted(&self.timer),
            heartbeat: format!("{DIR}/watcher"),
        }
    }
}

fn write(record: &Record, manager: &dyn Manager) -> Result<()> {
    files::replace(Path::new(HEAL), 0o700, &script::text(record, manager))?;
    files::replace(&record_path(), 0o600, &serde_json::to_string(record)?)
}

/// Adds to the record what the rules say now that they are made.
///
/// # Errors
/// It cannot be written.
pub(crate) fn note_rules(record: &mut Record, said: Vec<String>) -> Result<()> {
    if let Some(taken) = &mut record.broker {
        taken.rules_said = said;
    }
    files::replace(&record_path(), 0o600, &serde_json::to_string(record)?)
}

/// Disarms the undo and removes every trace of it.
///
/// # Errors
/// The directory cannot be removed.
pub(crate) fn disarm(record: &Record) -> Result<()> {
    let removed = remove_state(record);
    end_alarm(record);
    removed
}

/// EL6 has no `/run`. The messages and playbooks of every host name it, so there it is, for as long as
/// something is taken away, what it is everywhere else: another name of `/var/run`. Says whether it was
/// made.
fn make_run(root: &Path) -> Result<bool> {
    let run = root.join("run");
    if run.exists() || !root.join("var/run").is_dir() {
        return Ok(false);
    }
    std::os::unix::fs::symlink("var/run", &run)
        .with_context(|| format!("failed to make `{}`", run.display()))?;
    Ok(true)
}

fn remove_state(record: &Record) -> Result<()> {
    let made_run = Path::new(MADE_RUN).exists();
    files::remove_dir(Path::new(DIR), &aside(record))?;
    if made_run {
        std::fs::remove_file("/run")
            .context("failed to remove `/run`, which was made for the undo")?;
    }
    Ok(())
}

/// What the directory is called while it is removed.
fn aside(record: &Record) -> PathBuf {
    PathBuf::from(format!("{DIR}.{}", record.timer))
}

/// Disarms the undo if everything that it would give back is there; says which it was.
///
/// # Errors
/// The service manager does not answer, or the traces cannot be removed.
pub(crate) fn settle(record: &Record, broker_answers: bool) -> Result<&'static str> {
    if missing(record, broker_answers)?.is_empty() {
        disarm(record)?;
        Ok("disarmed")
    } else {
        Ok("armed")
    }
}

/// As `settle`, once the broker itself is back: where services are still awaited, only they stay recorded, so
/// that the next outage of this run is a new one.
///
/// # Errors
/// As `settle`; or what stays cannot be written.
pub(crate) fn settle_broker(record: Record) -> Result<&'static str> {
    let state = settle(&record, true)?;
    if state == "armed" && record.broker.is_some() {
        let services = Record {
            broker: None,
            ..record
        };
        write(&services, service::require()?)?;
    }
    Ok(state)
}

/// Ends at once what failed or was interrupted: the undo runs now, where the end of this process does
/// not reach it, and is waited for whatever signal came. Returns the error
/// with what became of it.
pub(crate) fn give_back(error: &Error, record: &Record, timeout: Duration) -> Error {
    let again = |more: String| VerdictError::and(error, &more);
    match record_of(Some(&record.run_id)) {
        Ok(None) => return again("everything that was taken away is back already".to_owned()),
        Ok(Some(_)) => {}
        Err(unreadable) => return again(format!("{unreadable:#}")),
    }
    let begun = service::require().and_then(|manager| manager.fire_alarm(&record.alarm(manager)));
    if let Err(refused) = begun {
        return again(format!(
            "the undo could not be started at once ({refused:#}), but runs by itself at {}, or by \
             `{BY_HAND}`",
            record.restores_at
        ));
    }
    let what = "the undo to give everything back";
    let restored = until(what, Deadline::for_cleanup(timeout), Pace::QUICK, || {
        let gone = record_of(Some(&record.run_id))?.is_none();
        Ok(gone.then_some(()))
    });
    match restored {
        Ok(()) => again("everything that was taken away was given back".to_owned()),
        Err(late) => again(format!("{late:#}; it goes on, or run `{BY_HAND}`")),
    }
}

fn end_alarm(record: &Record) {
    if let Some(manager) = service::manager() {
        manager.end_alarm(&record.alarm(manager));
    }
}

fn record_path() -> PathBuf {
    Path::new(DIR).join("record.json")
}

fn instant(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// What of the record is not given back yet; empty: all is. The umbrella `pulp_workers` is no
/// evidence, so it is not asked.
fn missing(record: &Record, broker_answers: bool) -> Result<Vec<String>> {
    let taken = record.broker.as_ref();
    let broker = taken.and_then(|b| b.unit.as_deref());
    let services = record.services.iter().filter(|s| *s != WORKERS).cloned();
    let names: Vec<String> = services.chain(broker.map(str::to_owned)).collect();
    let units = service::observe(&names)?;
    let mut missing: Vec<String> = units
        .into_iter()
        .filter(|unit| !is_back(unit, Some(unit.name.as_str()) == broker, broker_answers))
        .map(|unit| unit.name)
        .collect();
    if let Some(taken) = taken {
        missing.extend(taken.left()?);
        missing.extend((!broker_answers).then(|| "the broker's answer".to_owned()));
    }
    Ok(missing)
}

/// A broker answers before its unit says that it has started.
fn is_back(unit: &Unit, is_broker: bool, answers: bool) -> bool {
    if is_broker {
        answers && (unit.running || unit.is_up() || unit.active_state == "activating")
    } else {
        unit.is_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outage::methods::Method;

    /// One that was killed.
    pub(super) fn taken(unit: &str) -> Taken {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Taken {
            method: Method::Kill,
            unit: Some(unit.to_owned()),
            port: Some(5672),
            socket: None,
            control: "it answers after 1 ms".to_owned(),
            at_ms: 0,
            processes: Vec::new(),
            undo: vec![words("nft delete table inet pulp_broker")],
            left: vec![words("nft list table inet pulp_broker")],
            rules: Vec::new(),
            rules_said: Vec::new(),
            lead: Duration::from_secs(7),
        }
    }

    #[test]
    fn a_host_without_run_gets_one_and_another_keeps_its_own() {
        let root = tempfile::tempdir().unwrap();
        assert!(!make_run(root.path()).unwrap(), "there is nothing to name");
        std::fs::create_dir_all(root.path().join("var/run/x")).unwrap();
        assert!(make_run(root.path()).unwrap());
        assert!(root.path().join("run/x").is_dir());
        assert!(!make_run(root.path()).unwrap());
    }

    /// A record with a broker, two services and a run id that tries to break out of its comment.
    pub(super) fn sample() -> Record {
        Record {
            run_id: "r1\n; rm -rf /".to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            restores_at: "2026-01-01T00:02:30Z".to_owned(),
            timer: "pulp_broker-heal-1".to_owned(),
            broker: Some(taken("rabbitmq-server.service")),
            services: vec![
                "httpd.service".to_owned(),
                WORKERS.to_owned(),
                "pulp_worker-0.service".to_owned(),
                "it's.service".to_owned(),
            ],
        }
    }
}
