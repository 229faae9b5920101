//! Arming: the timer first, then the record and the script, then a dry run that shows that the undo can
//! be reached. Only when all of it stands may anything be taken away.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    BY_HAND, DIR, HEAL, MADE_RUN, Record, TIMER_PREFIX, Taken, end_alarm, give_back, instant,
    make_run, record, record_path, refuse_other_run, remove_state, write,
};
use crate::host::wait::{Deadline, Pace, until};
use crate::host::{files, identity, process};
use crate::names::VerdictError;
use crate::names::option;
use crate::names::verdict::Name;
use crate::service::{self, Manager, Unit};

/// What the script's dry run writes: the undo can be reached and runs.
const HEARTBEAT: &str = "/run/pulp_broker/heartbeat";

/// What the names of the units of dry runs begin with.
const DRY_PREFIX: &str = "pulp_broker-dry-";

/// How long giving back may take when the earlier undo fired in between.
const GIVE_BACK_LIMIT: Duration = Duration::from_mins(2);

/// How long the dry run may take.
const DRY_LIMIT: Duration = Duration::from_secs(15);

/// What is about to be taken away, and what could be lost with it.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    pub(crate) broker: Option<Taken>,
    /// Those that run are recorded.
    pub(crate) services: &'a [Unit],
}

/// Arms the undo for what is about to be taken away, together with what this run took before.
///
/// # Errors
/// It cannot be armed; nothing may then be taken. `VOID undo_fired` when the undo of this very run is
/// at work.
pub(crate) fn arm(run_id: &str, taking: Taking<'_>, restore_after: Duration) -> Result<Record> {
    refuse_other_run(run_id)?;
    let before = record()?;
    let manager =
        service::require().context("failed to arm the undo, so nothing was taken away")?;
    if let Some(before) = &before
        && manager.alarm_fires(&before.alarm(manager))?
    {
        bail!(VerdictError::new(Name::UndoFired, fired(before)));
    }
    let armed = plan(before.as_ref(), run_id, taking, restore_after)?;
    let begins_after = restore_after.saturating_sub(armed.lead());
    if let Err(error) = write_and_schedule(before.as_ref(), &armed, begins_after, manager) {
        manager.end_alarm(&armed.alarm(manager));
        return Err(match &before {
            None => {
                // Only what is ours: another run may have been quicker.
                match record() {
                    Ok(Some(found)) if found.timer == armed.timer => {
                        let _ = remove_state(&armed);
                    }
                    // An empty one only.
                    _ => drop(std::fs::remove_dir(DIR)),
                }
                error.context("failed to arm the undo, so nothing was taken away")
            }
            Some(before) => {
                let _ = write(before, manager);
                error.context(format!(
                    "failed to arm the undo anew, so nothing more was taken away; what was taken before \
                     comes back at {}, or by `{BY_HAND}`",
                    before.restores_at
                ))
            }
        });
    }
    if let Some(before) = &before {
        replace(before, &armed, manager)?;
    }
    Ok(armed)
}

/// Ends the earlier undo, which may have fired while this one was armed: it then removed whatever record
/// it found, or was at it.
fn replace(before: &Record, armed: &Record, manager: &dyn Manager) -> Result<()> {
    let fires = manager.alarm_fires(&before.alarm(manager))?;
    end_alarm(before);
    let stands = record()?.is_some_and(|found| found.timer == armed.timer);
    match (stands, fires) {
        (true, false) => Ok(()),
        (true, true) => Err(give_back(&anyhow!(fired(before)), armed, GIVE_BACK_LIMIT)),
        (false, _) => {
            manager.end_alarm(&armed.alarm(manager));
            bail!(VerdictError::new(Name::UndoFired, fired(before)))
        }
    }
}

fn fired(record: &Record) -> String {
    format!(
        "the undo of run `{}` is giving everything back (due at {}); set a longer \
         `{}` and run the test again",
        record.run_id,
        record.restores_at,
        option("restore_after")
    )
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

/// Whenever this is cut short, the timer that came first finds what to do: nothing was taken yet, or all
/// of it stands in the script.
fn write_and_schedule(
    before: Option<&Record>,
    armed: &Record,
    delay: Duration,
    manager: &dyn Manager,
) -> Result<()> {
    let alarm = armed.alarm(manager);
    manager.set_alarm(&alarm, delay)?;
    if before.is_none() {
        let made_run = make_run(Path::new("/"))?;
        files::private_dir(Path::new(DIR))?;
        if made_run {
            files::replace(Path::new(MADE_RUN), 0o600, "")?;
        }
        files::claim(&record_path(), 0o600, &serde_json::to_string(armed)?)
            .or_else(|error| refuse_other_run(&armed.run_id).and(Err(error)))?;
    }
    write(armed, manager)?;
    manager.prove_alarm(&alarm, Deadline::after(DRY_LIMIT))?;
    run_dry(armed, manager)
}

/// The script is run as it would be in earnest, but gives nothing back: it says that it was reached.
fn run_dry(armed: &Record, manager: &dyn Manager) -> Result<()> {
    let _ = std::fs::remove_file(HEARTBEAT);
    let unit = armed.timer.replace(TIMER_PREFIX, DRY_PREFIX);
    process::run_ok(&["/bin/sh", "-n", HEAL], Duration::from_secs(5))?;
    manager.run_apart(&unit, &["/bin/sh", HEAL, "dry"])?;
    let what = "the dry run of the undo to write its heartbeat";
    until(what, Deadline::after(DRY_LIMIT), Pace::QUICK, || {
        Ok(Path::new(HEARTBEAT).exists().then_some(()))
    })
    .with_context(|| {
        manager.forget(&unit);
        format!(
            "`{unit}` could not run `{HEAL} dry`; see {}; where SELinux denies it, see `ausearch -m avc`",
            service::log_of(&unit)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{sample, taken};
    use super::*;

    #[test]
    fn a_second_taking_of_the_run_keeps_the_first_and_never_another_broker() {
        let before = sample();
        let taking = Taking {
            broker: Some(taken("qpidd.service")),
            services: &[],
        };
        let after = plan(Some(&before), "r1", taking, Duration::from_secs(9)).unwrap();
        assert_eq!(after.broker, before.broker);
        assert_eq!(after.services, before.services);
        assert_eq!(after.since, before.since);
        assert_ne!(after.timer, before.timer);
        assert_eq!(
            after.lead(),
            Duration::from_secs(7),
            "it has to boot by then"
        );
    }
}
