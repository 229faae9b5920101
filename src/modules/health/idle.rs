//! `state: idle`: nobody else's task runs or waits. It only asks. In check mode it asks once and
//! returns what it would refuse, so that a page before the run can show every refusal at once.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use serde_json::json;

use super::settled::{self, Service};
use super::{
    PACE, Params, RESOURCE_MANAGER, SCHEDULER, WORKER, is_alive, listed, named, seconds,
    seconds_or_none,
};
use crate::ansible::{Call, Outcome, reported};
use crate::host::wait::{Deadline, TimedOut, until};
use crate::names::VerdictError;
use crate::pulp::others::{Refusal, tasks_of_others};
use crate::pulp::{self, Pulp, Status, Task};
use crate::timeline::Retry;
use crate::timeline::missing::{self, Outlook, PlannedOutage, Rule};

/// What Pulp said.
struct Seen {
    refusals: Vec<Refusal>,
    /// `None`: it could not be asked.
    status: Option<Status>,
    answered_in: Duration,
    /// `None`: they could not be listed.
    tasks: Option<Vec<Task>>,
    /// What Pulp's list has to settle in before anything may be taken away.
    open: Vec<Refusal>,
}

/// An outage that is planned.
#[derive(Clone, Copy)]
struct Planned {
    hold: Duration,
    /// See [`Outlook`].
    broker_start: Option<f64>,
    worker_timeout: Option<u32>,
    retry: Retry,
}

impl Planned {
    fn of(params: &Params) -> Result<Option<Self>> {
        let Some(hold) = params.hold else {
            return Ok(None);
        };
        let broker_start = params.broker_start;
        if let Some(start) = broker_start.filter(|start| !start.is_finite() || *start < 0.0) {
            bail!("failed to use broker_start `{start}`: it is a number of seconds from 0 up");
        }
        let worker_timeout = params.worker_timeout;
        let worker_timeout = worker_timeout.map(|value| seconds("worker_timeout", value));
        let worker_timeout = worker_timeout.transpose()?.map(|timeout| timeout.as_secs());
        Ok(Some(Self {
            hold: seconds_or_none("hold", hold)?,
            broker_start,
            worker_timeout: worker_timeout.and_then(|timeout| u32::try_from(timeout).ok()),
            retry: params.retry.unwrap_or_default(),
        }))
    }

    /// What becomes of the tasks that run; nothing where no Pulp 2 answers.
    fn outlook(self, status: Option<&Status>) -> Option<Outlook> {
        let status = status.filter(|status| status.three.is_none())?;
        Some(missing::outlook(PlannedOutage {
            hold: self.hold.as_secs_f64(),
            start: self.broker_start,
            rule: Rule::of(status.version.as_deref(), self.worker_timeout),
            retry: self.retry,
        }))
    }
}

/// What the user wants done about tasks of others.
struct Wish {
    drain: Duration,
    accept_task_loss: bool,
}

pub(super) fn run(call: &Call, params: &Params) -> Result<Outcome> {
    let wish = Wish {
        drain: seconds_or_none("drain", params.drain)?,
        accept_task_loss: params.accept_task_loss,
    };
    let planned = Planned::of(params)?;
    let wait = if call.check_mode {
        Duration::ZERO
    } else {
        wish.drain
    };
    let whole = seconds("timeout", params.timeout)? + wait;
    let begun = Instant::now();
    let mut seen = match params
        .door()
        .and_then(|door| Ok((door, params.access.site()?)))
    {
        Ok((door, site)) => {
            let mut pulp = Pulp::new(door, site);
            let services = params.actors.as_deref().unwrap_or_default();
            let mut seen = look(&mut pulp, wait, Deadline::after(whole));
            if !call.check_mode {
                seen.settle(&mut pulp, services)?;
            }
            seen.compare(services, &pulp.door.base);
            seen
        }
        Err(cause) => Seen::nothing(&cause),
    };
    let waits = call.check_mode && !wish.drain.is_zero();
    let busy = seen.tasks.as_deref().filter(|tasks| !tasks.is_empty());
    if let Some(tasks) = busy.filter(|_| !wish.accept_task_loss && !waits) {
        let refusal = Refusal::busy(tasks.to_vec(), &params.pulp_url, wait);
        seen.refusals.push(refusal);
    }
    let outlook = planned.and_then(|planned| planned.outlook(seen.status.as_ref()));
    let outlook = outlook.map(|it| json!({"cancels": it.cancels, "msg": it.sentence()}));
    let reply = reply(call, params, &seen, &wish, begun.elapsed());
    Ok(reply.with("outlook", outlook))
}

impl Seen {
    fn nothing(cause: &anyhow::Error) -> Self {
        Self {
            refusals: vec![Refusal::unhealthy(cause)],
            status: None,
            answered_in: Duration::ZERO,
            tasks: None,
            open: Vec::new(),
        }
    }

    /// Waits until Pulp lists those who run, and nobody else. What no wait changes is not waited for.
    fn settle(&mut self, pulp: &mut Pulp, services: &[Service]) -> Result<()> {
        let Some(patience) = self.status.as_ref().map(settled::patience) else {
            return Ok(());
        };
        let deadline = Deadline::after(patience);
        let status = &mut self.status;
        let waited = until("Pulp to list who runs", deadline, PACE, || {
            let differs = status
                .as_ref()
                .map(|status| settled::differences(services, status))
                .unwrap_or_default();
            if differs.open.is_empty() || !differs.refusals.is_empty() {
                return Ok(Some(()));
            }
            // One that does not answer for a moment has said what is known.
            if let Ok(now) = pulp.status(deadline) {
                *status = Some(now);
            }
            Ok(None)
        });
        match waited {
            Err(error) if !error.is::<TimedOut>() => Err(error),
            _ => Ok(()),
        }
    }

    /// Holds the services against the list, and what Pulp says of itself against what a test needs.
    fn compare(&mut self, services: &[Service], base: &str) {
        let Some(status) = &self.status else {
            return;
        };
        let found = settled::differences(services, status);
        let missing = pulp::missing(status);
        let is_waited_for = missing.as_ref().is_some_and(|missing| {
            let roles = found.open.iter().filter_map(|r| r.actor.as_ref());
            roles
                .map(|actor| actor.role)
                .any(|role| role == missing.role)
        });
        let objection = pulp::objection(status).filter(|_| !is_waited_for);
        let objection = objection
            .map(|why| Refusal::unhealthy_of(missing, format!("failed to use `{base}`: {why}")));
        // Who is missing is more than that somebody is.
        self.refusals
            .splice(0..0, found.refusals.into_iter().chain(objection));
        self.open = found.open;
    }
}

/// Asks for Pulp's status, then for its tasks until there is none of others or `wait` is over.
fn look(pulp: &mut Pulp, wait: Duration, deadline: Deadline) -> Seen {
    let begun = Instant::now();
    let status = match pulp.patient_status(deadline) {
        Ok(status) => status,
        Err(cause) => return Seen::nothing(&cause),
    };
    let answered_in = begun.elapsed();
    let mut seen = Seen {
        refusals: Vec::new(),
        answered_in,
        tasks: None,
        open: Vec::new(),
        // Without its database it lists no task, and takes half a minute to say so.
        status: Some(status),
    };
    if seen
        .status
        .as_ref()
        .is_some_and(|s| s.database == Some(false))
    {
        return seen;
    }
    let mut open = None;
    let waited = until(
        "tasks of others to end",
        deadline.at_most(wait),
        PACE,
        || {
            let tasks = tasks_of_others(pulp, deadline)?;
            let idle = tasks.is_empty();
            open = Some(tasks);
            Ok(idle.then_some(()))
        },
    );
    match waited {
        Err(cause) if !cause.is::<TimedOut>() => {
            seen.refusals.push(Refusal::unhealthy(&cause));
        }
        _ => seen.tasks = open,
    }
    seen
}

fn reply(call: &Call, params: &Params, seen: &Seen, wish: &Wish, took: Duration) -> Outcome {
    let told = tasks_line(seen, wish, call.check_mode);
    let status = seen.status.as_ref();
    let outcome = Outcome {
        msg: Some(told.clone()),
        ..Outcome::default()
    }
    .with("pulp_url", params.pulp_url.as_str())
    .with("pulp_version", status.and_then(|s| s.version.as_deref()))
    .with("workers", alive(status))
    .with("tasks_of_others", seen.tasks.as_deref().map(listed))
    .with("waited_seconds", took.as_secs())
    .with("lines", lines(seen, params, told));
    if call.check_mode {
        let refusals: Vec<_> = seen
            .refusals
            .iter()
            .map(|r| json!({"name": r.name, "msg": r.msg, "actor": r.actor}))
            .collect();
        let unsettled: Vec<_> = seen.open.iter().map(|r| r.msg.as_str()).collect();
        return outcome
            .with("refusals", refusals)
            .with("unsettled", unsettled);
    }
    let refusals: Vec<&Refusal> = seen.refusals.iter().chain(&seen.open).collect();
    let failures: Vec<_> = refusals.iter().map(|r| r.failure()).collect();
    match refusals.first() {
        None => outcome,
        Some(Refusal { name, msg, .. }) => Outcome {
            failed: true,
            msg: Some(VerdictError::new(*name, &**msg).to_string()),
            ..outcome
        }
        .with("void", name.word())
        .with("verdict", reported(*name, msg))
        .with("failures", json!(failures)),
    }
}

/// For the page before the run.
fn lines(seen: &Seen, params: &Params, told: String) -> Vec<String> {
    let mut lines = vec![found_line(seen, &params.pulp_url), told];
    let patience = seen.status.as_ref().map(settled::patience);
    let texts: Vec<_> = seen.open.iter().map(|r| r.msg.as_str()).collect();
    if !texts.is_empty() {
        lines.push(format!(
            "UNSETTLED {}; the run waits up to {} s for Pulp's list to settle, and takes nothing away before",
            texts.join("; "),
            patience.unwrap_or_default().as_secs()
        ));
    }
    lines
}

/// The names of those that have said lately that they live, by the server's own clock.
fn alive(status: Option<&Status>) -> Vec<&str> {
    let Some(Status {
        workers: Some(workers),
        at,
        ..
    }) = status
    else {
        return Vec::new();
    };
    let now = at.unwrap_or_else(SystemTime::now);
    workers
        .iter()
        .filter(|worker| is_alive(worker, now))
        .map(|worker| worker.name.as_str())
        .collect()
}

fn found_line(seen: &Seen, url: &str) -> String {
    let Some(status) = &seen.status else {
        return format!("FOUND no Pulp that can be asked at `{url}`");
    };
    let names = alive(Some(status));
    if let Some(three) = &status.three {
        return format!(
            "FOUND Pulp {} at `{url}`, which answers after {:.2} s and lists {} workers and {} \
             content apps",
            status.version.as_deref().unwrap_or("3"),
            seen.answered_in.as_secs_f64(),
            names.len(),
            three.content.as_ref().map_or(0, Vec::len),
        );
    }
    let of = |prefix: &str| names.iter().filter(|n| n.starts_with(prefix)).count();
    let one = |prefix: &str, name: &str| {
        let there = if of(prefix) == 0 { "no" } else { "a" };
        format!("{there} {name}")
    };
    format!(
        "FOUND Pulp {} at `{url}`, which answers after {:.2} s and lists {} workers, {} and {}",
        status.version.as_deref().unwrap_or("2, before 2.6"),
        seen.answered_in.as_secs_f64(),
        of(WORKER),
        one(RESOURCE_MANAGER, "resource manager"),
        one(SCHEDULER, "scheduler"),
    )
}

fn tasks_line(seen: &Seen, wish: &Wish, check_mode: bool) -> String {
    match seen.tasks.as_deref() {
        None => "TASKS not known, because Pulp does not list them".to_owned(),
        Some([]) => "TASKS none of others runs or waits".to_owned(),
        Some(tasks) => {
            let drain = wish.drain.as_secs();
            let mut then = Vec::new();
            if check_mode && drain > 0 {
                then.push(format!("the run waits up to {drain} s for them"));
            }
            if wish.accept_task_loss {
                then.push("what then still runs is lost, which was accepted".to_owned());
            }
            let listed = named(tasks);
            let then = if then.is_empty() {
                String::new()
            } else {
                format!("; {}", then.join(", "))
            };
            format!("TASKS {} of others: {listed}{then}", tasks.len())
        }
    }
}
