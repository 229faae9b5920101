//! One outage as it is done and seen: taken away, proven away through the whole hold, given back. Each
//! half proves itself with the same probe, and what was done stays in sight: the same processes gone
//! or stopped, the same rules in force.

mod firewall;
pub(crate) mod guard;
pub(crate) mod methods;
pub(crate) mod plan;
mod taken;
pub(crate) mod undo;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail};
use serde::Serialize;

use crate::broker::{Broker, Kept, PROBE_LIMIT, ProbeAnswer};
use crate::host::processes::ProcessState;
use crate::host::wait::{Deadline, Pace, until};
use crate::host::{files, process};
use crate::names::verdict::Name;
use crate::names::{Failure, VerdictError, verdict_of};
use crate::service::{self, Verb};
use methods::{COMMAND_LIMIT, Command, Method, OutageStep};
pub(crate) use taken::Taken;

/// How often an absent broker is asked; far shorter than any reconnect of a client.
const HOLD_INTERVAL: Pace = Pace {
    first: Duration::from_millis(200),
    last: Duration::from_millis(200),
};

/// How often the rules are read again, because somebody may reload the firewall, and systemd is asked
/// whether somebody starts the broker.
const STANDS_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time between two probes: in more than that a broker could come and go unseen, and a
/// client with it.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// How often a starting broker is asked.
const UP_PACE: Pace = Pace {
    first: Duration::from_millis(20),
    last: Duration::from_millis(80),
};

/// How often the service manager is asked whether a starting broker's unit has failed.
const UNIT_INTERVAL: Duration = Duration::from_secs(1);

/// What was seen while the broker was held away.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HeldAway {
    /// How long it was watched, in seconds.
    pub(crate) watched_seconds: f64,
    /// How often it was asked; it never answered.
    pub(crate) probes: u32,
    /// The longest time between two of these, in seconds: what was not watched.
    pub(crate) longest_gap_seconds: f64,
    /// What came of asking it last, in words.
    pub(crate) answer: String,
}

/// Takes each step in turn.
///
/// # Errors
/// A step that has to succeed does not, or not in time. `VOID outage_interrupted` when somebody started the
/// broker's unit while it was being stopped.
pub(crate) fn inject(steps: &[OutageStep], method: Method, deadline: Deadline) -> Result<()> {
    for step in steps {
        match step {
            OutageStep::Run(command) => {
                process::run_ok(&words(command), deadline.remaining())
                    .map_err(|error| canceled(error, method))?;
            }
            OutageStep::Try(command) => {
                process::run(&words(command), deadline.remaining())?;
            }
            OutageStep::Write { path, text } => files::drop_in(std::path::Path::new(path), text)?,
        }
    }
    Ok(())
}

/// systemd cancels a stop when it is asked to start the same unit: `Job for X canceled.`
fn canceled(error: Error, method: Method) -> Error {
    let said = format!("{error:#}");
    if method.ends_processes() && said.contains(" canceled.") {
        let text = format!("somebody started the broker while it was being stopped: {said}");
        return interrupted(&text, Some(method));
    }
    error
}

fn words(command: &Command) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// What the rules say by now; each command with its exit code and output.
///
/// # Errors
/// A command cannot be run.
pub(crate) fn rules(commands: &[Command]) -> Result<Vec<String>> {
    commands
        .iter()
        .map(|command| {
            let said = process::run(&words(command), COMMAND_LIMIT)?;
            Ok(format!("{}: {}", said.code, said.text.trim()))
        })
        .collect()
}

/// The broker as seen from this host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrokerView<'a> {
    pub(crate) broker: &'a Broker,
    /// What this host did to it; nothing where another host did.
    pub(crate) taken: Option<&'a Taken>,
}

impl BrokerView<'_> {
    /// Waits until the broker is away as it should be.
    ///
    /// # Errors
    /// `VOID outage_not_proven`, with what was seen at the deadline.
    pub(crate) fn prove_down(&self, kept: &mut Kept, deadline: Deadline) -> Result<()> {
        let what = format!("the broker at {} to be away", self.broker.endpoint);
        let mut doubt = None;
        until(&what, deadline, Pace::QUICK, || {
            doubt = self.doubt(&self.broker.ask_again(kept))?;
            Ok(doubt.is_none().then_some(()))
        })
        .map_err(|error| {
            let doubt = doubt.as_deref().unwrap_or("the outage was interrupted");
            error.context(VerdictError::new(Name::OutageNotProven, doubt))
        })
    }

    /// Asks through the whole time and fails as soon as it answers, or what was done stands no more.
    ///
    /// # Errors
    /// `VOID outage_interrupted` and by whom; `VOID outage_not_proven` when nobody watched for too long;
    /// or a signal.
    pub(crate) fn hold(&self, kept: &mut Kept, length: Duration) -> Result<HeldAway> {
        let begin = Instant::now();
        let mut last = begin;
        let mut looked = begin;
        let mut held = HeldAway::default();
        let mut longest = Duration::ZERO;
        let end = Deadline::after(length + PROBE_LIMIT * 3);
        until("the end of the outage", end, HOLD_INTERVAL, || {
            let answer = self.broker.ask_again(kept);
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
            held.probes += 1;
            held.answer = answer.to_string();
            if let Some(doubt) = self.doubt(&answer)? {
                return Err(self.interrupted(&doubt, now - begin));
            }
            if longest > LONGEST_GAP {
                bail!(verdict_of!(
                    OutageNotProven,
                    "nobody watched the broker for {:.1} s of the outage, more than the \
                     {} s allowed; the host was too busy or asleep: run the test again",
                    longest.as_secs_f64(),
                    LONGEST_GAP.as_secs()
                ));
            }
            let over = now - begin >= length;
            if over || now - looked >= STANDS_INTERVAL {
                looked = now;
                let doubt = match self.rules_doubt()? {
                    None => self.unit_doubt()?,
                    doubt => doubt,
                };
                if let Some(doubt) = doubt {
                    return Err(self.interrupted(&doubt, now - begin));
                }
            }
            Ok(over.then_some(()))
        })?;
        held.watched_seconds = seconds(last - begin);
        held.longest_gap_seconds = seconds(longest);
        Ok(held)
    }

    /// Why this is not the outage that it should be, if it is not.
    fn doubt(&self, answer: &ProbeAnswer) -> Result<Option<String>> {
        let endpoint = &self.broker.endpoint;
        if answer.is_life() {
            return Ok(Some(format!(
                "the broker at {endpoint} should be away, but {answer}"
            )));
        }
        let Some(taken) = self.taken else {
            return Ok(None);
        };
        if !taken.method.explains(answer) {
            return Ok(Some(format!(
                "the broker at {endpoint} should be away so that {}, but {answer}",
                taken.method.effect()
            )));
        }
        if taken.method.ends_processes() && self.broker.listening()? {
            return Ok(Some(format!("something still listens at {endpoint}")));
        }
        Ok(processes_doubt(taken))
    }

    /// The rules are not what they were when they were made.
    fn rules_doubt(&self) -> Result<Option<String>> {
        let Some(taken) = self.taken.filter(|t| !t.rules.is_empty()) else {
            return Ok(None);
        };
        if rules(&taken.rules)? == taken.rules_said {
            return Ok(None);
        }
        Ok(Some(
            "the rules that cut its packets were changed or removed (a reload of the firewall does that)"
                .to_owned(),
        ))
    }

    /// Somebody starts it, though it does not listen yet.
    fn unit_doubt(&self) -> Result<Option<String>> {
        let unit = self.taken.filter(|t| t.method.ends_processes());
        let Some(unit) = unit.and_then(|t| t.unit.clone()) else {
            return Ok(None);
        };
        let seen = service::observe(&[unit])?;
        let started = seen.iter().find(|u| u.running || u.is_up());
        Ok(started.map(|u| {
            format!(
                "`{}` is {} again with process {}",
                u.name, u.active_state, u.main_pid
            )
        }))
    }

    fn interrupted(&self, doubt: &str, held: Duration) -> Error {
        let endpoint = &self.broker.endpoint;
        let who = match self.broker.listener() {
            Ok(Some(l)) => format!(
                "process {} of {} listens at {endpoint}",
                l.pid,
                l.unit.as_deref().unwrap_or("no unit")
            ),
            _ => format!("nothing of this host listens at {endpoint} by now"),
        };
        // It was taken before this call where that only holds it.
        let into = self.taken.and_then(Taken::age).unwrap_or(held).max(held);
        let text = format!(
            "{:.1} s into the outage {doubt} ({who})",
            into.as_secs_f64()
        );
        interrupted(&text, self.taken.map(|taken| taken.method))
    }
}

/// Somebody else ended the outage. What is to be looked for depends on how the broker was taken away.
pub(crate) fn interrupted(text: &str, method: Option<Method>) -> Error {
    let next_step = match method {
        Some(method) if method.ends_processes() => {
            "find what started the broker (a package's script, a watchdog, puppet, a colleague), keep it off for \
             the test, and run it again"
        }
        Some(Method::Freeze) => {
            "find what let the broker's processes go on or ended them (a signal, a watchdog), keep it off for the \
             test, and run it again"
        }
        Some(_) => {
            "find what changed the firewall's rules (a reload of the firewall, a configuration management), keep it \
             off for the test, and run it again"
        }
        None => "see on the broker's own host what gave it back, and run the test again",
    };
    let capital = next_step[..1].to_uppercase() + &next_step[1..] + ".";
    let failure = Failure {
        name: Some(Name::OutageInterrupted),
        actor: None,
        text: text.to_owned(),
        next_step: Some(capital),
    };
    verdict_of!(OutageInterrupted, "{text}; {next_step}")
        .with(failure)
        .into()
}

/// A process is there that should be gone, or goes on that should be stopped.
fn processes_doubt(taken: &Taken) -> Option<String> {
    let wanted = match taken.method {
        Method::Stop | Method::Kill => ProcessState::Gone,
        Method::Freeze => ProcessState::Stopped,
        Method::Partition | Method::Reset => return None,
    };
    // A client's process that ended just before is not stopped, as long as the broker's others are.
    let holds = |state| taken.processes.iter().any(|p| p.state() == state);
    let may_be_gone = wanted == ProcessState::Stopped && holds(ProcessState::Stopped);
    let other = taken.processes.iter().find(|p| {
        let state = p.state();
        state != wanted && !(may_be_gone && state == ProcessState::Gone)
    })?;
    let is = match other.state() {
        ProcessState::Runs => "runs",
        ProcessState::Stopped => "is stopped",
        ProcessState::Gone => "is gone",
    };
    let should = match wanted {
        ProcessState::Gone => "be gone",
        _ => "be stopped",
    };
    Some(format!(
        "its process {} ({}) should {should}, but {is}",
        other.pid, other.name
    ))
}

/// Takes back what was done, and starts the broker's unit if the broker does not answer then; waits
/// until it does. Returns how long that took; nothing when it answered already.
///
/// # Errors
/// Something of the injection is left, the unit fails, or the broker does not answer by the deadline.
pub(crate) fn heal(
    broker: &Broker,
    taken: Option<&Taken>,
    unit: Option<&str>,
    deadline: Deadline,
) -> Result<Option<Duration>> {
    let begin = Instant::now();
    if is_given_back(broker, taken)? {
        return Ok(None);
    }
    if let Some(taken) = taken {
        take_back(taken, deadline)?;
    }
    // Frozen or cut off it should still run; if it has ended meanwhile, it is started after all.
    let mut needs_start = taken.is_none_or(|t| t.method.ends_processes());
    let mut started = false;
    let mut unit_asked = begin;
    let what = format!(
        "the broker at {}{} to answer its protocol",
        broker.endpoint,
        unit.map_or_else(String::new, |u| format!(" ({u})"))
    );
    let mut last = None;
    let mut kept = Kept::default();
    until(&what, deadline, UP_PACE, || {
        if let Some(unit) = unit.filter(|_| needs_start && !started) {
            start(unit, deadline)?;
            started = true;
        }
        let answer = broker.ask_again(&mut kept);
        if answer.is_up() {
            return Ok(Some(()));
        }
        last = Some(answer);
        if let Some(unit) = unit.filter(|_| unit_asked.elapsed() >= UNIT_INTERVAL) {
            unit_asked = Instant::now();
            if started {
                refuse_failed(unit)?;
            }
            needs_start = started || !service::require()?.is_active(unit)?;
        }
        Ok(None)
    })
    .with_context(|| {
        let last = last.map_or_else(|| "it was not asked".to_owned(), |a| a.to_string());
        format!("last answer: {last}")
    })?;
    Ok(Some(begin.elapsed()))
}

/// Whether there is nothing to do: the broker answers, and nothing of what was done is left.
///
/// # Errors
/// A command that looks for what is left cannot be run.
pub(crate) fn is_given_back(broker: &Broker, taken: Option<&Taken>) -> Result<bool> {
    Ok(broker.ask().is_up() && taken.map_or(Ok(None), Taken::left)?.is_none())
}

fn take_back(taken: &Taken, deadline: Deadline) -> Result<()> {
    for command in &taken.undo {
        // Which of them had something to do is not known; what is left is looked for below.
        let _ = process::run(&words(command), deadline.remaining().max(COMMAND_LIMIT));
    }
    match taken.left()? {
        None => Ok(()),
        Some(left) => bail!(
            "failed to take back `{}` of the broker's outage: `{left}` still finds something of it",
            taken.method.word()
        ),
    }
}

fn start(unit: &str, deadline: Deadline) -> Result<()> {
    // A unit that is not failed has nothing to reset; some versions of systemd call that an error.
    let manager = service::require()?;
    let _ = manager.apply(Verb::ResetFailed, &[unit.to_owned()], deadline.remaining());
    manager.begin(Verb::Start, unit)
}

fn refuse_failed(unit: &str) -> Result<()> {
    let seen = service::observe(&[unit.to_owned()])?;
    if let Some(failed) = seen.iter().find(|u| u.active_state == "failed") {
        bail!(
            "failed to start `{unit}`: its main process {}; see {}",
            failed.last_exit,
            service::log_of(unit)
        );
    }
    Ok(())
}

/// Seconds for people: to the millisecond.
fn seconds(length: Duration) -> f64 {
    (length.as_secs_f64() * 1000.0).round() / 1000.0
}
