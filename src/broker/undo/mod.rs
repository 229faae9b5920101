//! The undo: before anything is taken away from this host, a script of plain commands stands under
//! `/run/pulp_broker/` and a transient systemd timer is set to run it. It needs nobody of ours: if
//! the controller, the network or this module dies, everything comes back by itself. The same script
//! is the way out by hand: `sudo sh /run/pulp_broker/heal`.
//!
//! There is one record a host, of one run at a time. It is written before the act and removed only
//! when the broker answers and every recorded service runs.

mod script;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::host::wait::{Deadline, Pace, until};
use crate::host::{files, identity, process};
use crate::service::{Unit, Verb, WORKERS, systemd};

/// Where the record and the script are.
const DIR: &str = "/run/pulp_broker";

/// The script, to be run by root.
const HEAL: &str = "/run/pulp_broker/heal";

/// The way out by hand; with `sh`, because `/run` may be mounted noexec.
pub(crate) const BY_HAND: &str = "sudo sh /run/pulp_broker/heal";

/// What the names of our timers begin with.
const TIMER_PREFIX: &str = "pulp_broker-heal-";

/// The shortest that an undo may wait: less, and it would run before the act.
pub(crate) const SHORTEST: Duration = Duration::from_secs(5);

/// What was taken away on this host and when it comes back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The run that took it.
    pub(crate) run_id: String,
    /// When the run took the first of it: RFC 3339, UTC.
    pub(crate) since: String,
    /// When everything comes back by itself: RFC 3339, UTC.
    pub(crate) restores_at: String,
    /// The transient unit that runs the script, without suffix.
    timer: String,
    /// The broker, if it was taken.
    pub(crate) broker: Option<TakenBroker>,
    /// The services that ran before, and are to run again.
    pub(crate) services: Vec<String>,
}

/// A broker that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakenBroker {
    pub(crate) unit: String,
    pub(crate) port: u16,
    /// What it said when it was asked just before.
    pub(crate) control: String,
}

/// What is about to be taken away, and what could be lost with it.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    pub(crate) broker: Option<TakenBroker>,
    /// Those that run are recorded.
    pub(crate) services: &'a [Unit],
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

/// Arms the undo for what is about to be taken away, together with what this run took before.
///
/// # Errors
/// It cannot be armed; nothing may then be taken. `VOID undo_fired` when the undo of this very run is
/// at work.
pub(crate) fn arm(run_id: &str, taking: Taking<'_>, restore_after: Duration) -> Result<Record> {
    refuse_other_run(run_id)?;
    let before = record()?;
    if let Some(before) = &before {
        refuse_fired(before)?;
    }
    let armed = plan(before.as_ref(), run_id, taking, restore_after)?;
    if let Err(error) = write_and_schedule(&armed, restore_after) {
        return Err(match &before {
            None => {
                let _ = std::fs::remove_dir_all(DIR);
                error.context("failed to arm the undo, so nothing was taken away")
            }
            Some(before) => {
                let _ = write(before);
                error.context(format!(
                    "failed to arm the undo anew, so nothing more was taken away; what was taken before \
                     comes back at {}, or by `{BY_HAND}`",
                    before.restores_at
                ))
            }
        });
    }
    if let Some(before) = before {
        stop_units(&before);
    }
    Ok(armed)
}

fn refuse_fired(record: &Record) -> Result<()> {
    if systemd::is_active(&format!("{}.service", record.timer))? {
        bail!(
            "VOID undo_fired: the undo of run `{}` is giving everything back (due at {}); set a longer \
             `restore_after` and run the test again",
            record.run_id,
            record.restores_at
        );
    }
    Ok(())
}

fn plan(
    before: Option<&Record>,
    run_id: &str,
    taking: Taking<'_>,
    restore_after: Duration,
) -> Result<Record> {
    let now = SystemTime::now();
    let mut services = before.map_or_else(Vec::new, |b| b.services.clone());
    for unit in taking.services.iter().filter(|u| u.is_up()) {
        if !services.contains(&unit.name) {
            services.push(unit.name.clone());
        }
    }
    Ok(Record {
        run_id: run_id.to_owned(),
        since: before.map_or_else(|| instant(now), |b| b.since.clone()),
        restores_at: instant(now + restore_after),
        timer: format!("{TIMER_PREFIX}{}", identity::nonce()?),
        // What was taken first is what comes back: while it is away, another may look like it.
        broker: before.and_then(|b| b.broker.clone()).or(taking.broker),
        services,
    })
}

fn write_and_schedule(record: &Record, restore_after: Duration) -> Result<()> {
    if !systemd::is_manager() {
        bail!("this host is not run by systemd, which is what runs the undo");
    }
    write(record)?;
    process::run_ok(&["/bin/sh", "-n", HEAL], Duration::from_secs(5))?;
    systemd::schedule(&record.timer, restore_after, HEAL)
}

fn write(record: &Record) -> Result<()> {
    files::private_dir(Path::new(DIR))?;
    files::replace(Path::new(HEAL), 0o700, &script::text(record))?;
    files::replace(&record_path(), 0o600, &serde_json::to_string(record)?)
}

/// Disarms the undo and removes every trace of it.
///
/// # Errors
/// The directory cannot be removed.
pub(crate) fn disarm(record: &Record) -> Result<()> {
    stop_units(record);
    match std::fs::remove_dir_all(DIR) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("failed to remove `{DIR}`"))
        }
        _ => Ok(()),
    }
}

/// Disarms the undo if everything that it would give back is there; says which it was.
///
/// # Errors
/// systemd does not answer, or the traces cannot be removed.
pub(crate) fn settle(record: &Record, broker_answers: bool) -> Result<&'static str> {
    if missing(record, broker_answers)?.is_empty() {
        disarm(record)?;
        Ok("disarmed")
    } else {
        Ok("armed")
    }
}

/// Ends at once what failed or was interrupted: the undo runs now, in its own control group, where the
/// end of this process does not reach it, and is waited for whatever signal came. Returns the error
/// with what became of it.
pub(crate) fn give_back(error: &Error, record: &Record, timeout: Duration) -> Error {
    match record_of(Some(&record.run_id)) {
        Ok(None) => return anyhow!("{error:#}; everything that was taken away is back already"),
        Ok(Some(_)) => {}
        Err(unreadable) => return anyhow!("{error:#}; {unreadable:#}"),
    }
    if let Err(refused) = systemd::begin(Verb::Start, &format!("{}.service", record.timer)) {
        return anyhow!(
            "{error:#}; the undo could not be started at once ({refused:#}), but runs by itself at {}, \
             or by `{BY_HAND}`",
            record.restores_at
        );
    }
    let what = "the undo to give everything back";
    let restored = until(what, Deadline::for_cleanup(timeout), Pace::QUICK, || {
        let gone = record_of(Some(&record.run_id))?.is_none();
        Ok(gone.then_some(()))
    });
    match restored {
        Ok(()) => anyhow!("{error:#}; everything that was taken away was given back"),
        Err(late) => anyhow!("{error:#}; {late:#}; it goes on, or run `{BY_HAND}`"),
    }
}

/// A timer that has fired is gone already, and the script does nothing once the record is another's:
/// there is nothing to do about a failure here.
fn stop_units(record: &Record) {
    let units = [
        format!("{}.timer", record.timer),
        format!("{}.service", record.timer),
    ];
    let _ = systemd::apply(Verb::Stop, &units, Duration::from_secs(20));
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
    let broker = record.broker.as_ref().map(|b| b.unit.as_str());
    let services = record.services.iter().filter(|s| *s != WORKERS).cloned();
    let names: Vec<String> = services.chain(broker.map(str::to_owned)).collect();
    let units = systemd::observe(&names)?;
    Ok(units
        .into_iter()
        .filter(|unit| !is_back(unit, Some(unit.name.as_str()) == broker, broker_answers))
        .map(|unit| unit.name)
        .collect())
}

/// A broker answers before its unit says that it has started.
fn is_back(unit: &Unit, is_broker: bool, answers: bool) -> bool {
    if is_broker {
        answers && (unit.running || unit.is_up())
    } else {
        unit.is_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a broker, two services and a run id that tries to break out of its comment.
    pub(super) fn sample() -> Record {
        Record {
            run_id: "r1\n; rm -rf /".to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            restores_at: "2026-01-01T00:02:30Z".to_owned(),
            timer: "pulp_broker-heal-1".to_owned(),
            broker: Some(TakenBroker {
                unit: "rabbitmq-server.service".to_owned(),
                port: 5672,
                control: "it answers after 1 ms".to_owned(),
            }),
            services: vec![
                "httpd.service".to_owned(),
                WORKERS.to_owned(),
                "pulp_worker-0.service".to_owned(),
                "it's.service".to_owned(),
            ],
        }
    }

    #[test]
    fn a_second_taking_of_the_run_keeps_the_first_and_never_another_broker() {
        let before = sample();
        let taking = Taking {
            broker: Some(TakenBroker {
                unit: "qpidd.service".to_owned(),
                port: 5672,
                control: String::new(),
            }),
            services: &[],
        };
        let after = plan(Some(&before), "r1", taking, Duration::from_secs(9)).unwrap();
        assert_eq!(after.broker, before.broker);
        assert_eq!(after.services, before.services);
        assert_eq!(after.since, before.since);
        assert_ne!(after.timer, before.timer);
    }
}
