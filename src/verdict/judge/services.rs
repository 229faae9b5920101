//! Each of Pulp's services: whether it met the outage, and what became of it.

use serde_json::json;

use crate::names::verdict::Name;
use crate::names::{Generation, Role};
use crate::timeline::ActorState;
use crate::verdict::results::{Host, ModuleReply, ReportedFailure, Run, WatchReply};
use crate::verdict::{Finding, Service, shown};

/// A connection later than this after the predicted retry is late, and later than the lag of its host explains.
const LATE_AFTER_PREDICTED: f64 = 2.0;

/// The same, after the broker's return, where nothing can be predicted.
const LATE_AFTER_BROKER: f64 = 45.0;

/// RabbitMQ costs that many further losses right after the first connection.
const NORMAL_LOSSES: usize = 2;

/// What marks a finding of which the end of the observation is the reason, and not the service.
pub(super) const BROKEN_OFF: &str = "broken_off";

/// Where something was seen.
pub(super) struct ServicesSeen<'a> {
    pub(super) run: &'a Run,
    pub(super) scenario: &'a str,
    pub(super) host: &'a Host,
    pub(super) watch: &'a WatchReply,
    /// How the wait for the recovery ended; None: it did not come to that, or nobody told.
    pub(super) recovered: Option<&'a ModuleReply>,
    /// The scenario came to its hold: all that it starts without a broker was started.
    pub(super) held: bool,
}

/// What was proven by use, on whichever host it was tried.
pub(super) struct Proof {
    healthy: bool,
    fired: Option<bool>,
    fired_why_not: String,
    workers: Vec<(String, Option<f64>)>,
}

impl Proof {
    pub(super) fn of(run: &Run, scenario: &str) -> Self {
        let scenes = || run.scenes(scenario).map(|(_, scene)| scene);
        let working = || scenes().filter_map(|scene| scene.working.as_ref());
        Self {
            healthy: scenes().any(|s| s.health.as_ref().is_some_and(|h| h.healthy == Some(true))),
            fired: working().find_map(|reply| reply.fired),
            fired_why_not: working()
                .map(|reply| reply.fired_why_not.clone())
                .find(|why| !why.is_empty())
                .unwrap_or_default(),
            workers: working().flat_map(|reply| reply.workers.clone()).collect(),
        }
    }

    fn worked(&self, actor: &ActorState) -> Option<&(String, Option<f64>)> {
        let worker = actor.worker.as_ref()?;
        self.workers.iter().find(|(name, _)| name == worker)
    }
}

/// Judges each service of one host in one scenario.
pub(super) fn judge<'a>(
    seen: &ServicesSeen<'a>,
    proof: &Proof,
) -> (Vec<Finding>, Vec<Service<'a>>) {
    let mut findings = Vec::new();
    let mut services = Vec::new();
    for actor in &seen.watch.actors {
        let found = findings_of(seen, actor);
        let exited = found.iter().any(|f| f.name == Name::ServiceExited);
        let (name, words) = if exited || actor.role.consumes() {
            (None, consumer_words(seen, actor, proof))
        } else {
            by_use(actor, proof)
        };
        services.push(Service {
            scenario: seen.scenario,
            host: seen.host,
            watch: seen.watch,
            actor,
            name,
            words,
        });
        findings.extend(found);
    }
    (findings, services)
}

fn findings_of(seen: &ServicesSeen<'_>, actor: &ActorState) -> Vec<Finding> {
    let mut found: Vec<Finding> = exit(seen, actor).into_iter().collect();
    let exited = found.iter().any(|f| f.name == Name::ServiceExited);
    if actor.role.consumes() && !exited {
        found.extend(recovery(seen, actor));
    }
    let place = |f: Finding| f.of(seen.scenario, &seen.host.name).by(actor.actor.clone());
    found.into_iter().map(place).collect()
}

/// An exit of the main process, as Pulp 2 must not have one and Pulp 3 may.
fn exit(seen: &ServicesSeen<'_>, actor: &ActorState) -> Option<Finding> {
    let gone = actor.running == Some(false);
    // One that was never seen to run, in a scenario that ended before its hold, was not started yet.
    if actor.exits.is_empty() && !(gone && seen.held) {
        return None;
    }
    let name = &actor.name;
    let how = match actor.exits.first() {
        Some(exit) => exit.how.clone(),
        None => "has no main process".to_owned(),
    };
    let when = when(seen.watch, actor);
    let restarted = !gone && actor.running.is_some();
    let comes = gone && actor.supervision.given_up == Some(false);
    let times = actor.exits.len().max(1);
    let again = match (restarted, times) {
        (true, 1) => "; it was started again",
        (true, _) => "; it was started again each time",
        (false, _) if comes => "; it is about to be started again",
        (false, _) => "",
    };
    let often = if times > 1 {
        format!(" ({times} times in all)")
    } else {
        String::new()
    };
    let pulp_3 = seen.run.is_pulp_3() || Generation::may_exit(name);
    // Whether it recovered then is a question of its own.
    let verdict = if pulp_3 && (restarted || comes) {
        Name::RestartedBySupervisor
    } else {
        Name::ServiceExited
    };
    let kept_down = if restarted || comes {
        String::new()
    } else {
        kept_down(actor)
    };
    let finding = Finding::new(
        verdict,
        format!("{name} {how}{when}{often}{again}{kept_down}"),
    )
    .with("restarted", restarted)
    .with("restart_setting", &*actor.supervision.restart_setting)
    .with("exit_code", json!(exit_code(actor)))
    .with("times", times);
    Some(actor.exits.iter().fold(finding, |finding, exit| {
        let (at, how) = (exit.at, &exit.how);
        finding.because(format!("at {at:.2} s of the observation {name} {how}"))
    }))
}

/// When it exited first, as seen from the outage.
fn when(watch: &WatchReply, actor: &ActorState) -> String {
    let first_at = actor.exits.first().map(|exit| exit.at);
    match (first_at, watch.down_at, watch.up_at) {
        (Some(at), Some(down), _) if at < down => {
            format!(", {} before the broker was lost", shown(down - at))
        }
        (Some(at), Some(down), up) if up.is_none_or(|up| at < up) => {
            format!(", {} after the broker was lost", shown(at - down))
        }
        (Some(at), _, Some(up)) => format!(", {} after the broker was back", shown(at - up)),
        _ => String::new(),
    }
}

/// The status with which it exited last; none where it was killed.
fn exit_code(actor: &ActorState) -> Option<u32> {
    let how = &actor.exits.last()?.how;
    how.strip_prefix("exited with status ")?.parse().ok()
}

/// Why nothing started it again, as far as its unit tells.
fn kept_down(actor: &ActorState) -> String {
    match (actor.supervision.restart_setting.as_str(), exit_code(actor)) {
        ("", _) => String::new(),
        ("on-failure", Some(0)) => {
            "; its unit has Restart=on-failure, which does not start it again after status 0"
                .to_owned()
        }
        (setting, _) => format!("; its unit has Restart={setting}"),
    }
}

/// Whether a consumer came back, and how.
fn recovery(seen: &ServicesSeen<'_>, actor: &ActorState) -> Vec<Finding> {
    let name = &actor.name;
    let watch = seen.watch;
    if actor.met.is_none() {
        let what = format!(
            "{name} runs, and nothing shows that it met the outage: no lost connection, no word of it in its log"
        );
        return vec![Finding::new(Name::NotExercised, what)];
    }
    // One that is on its way back is not accused, and what it lost meanwhile is told.
    if !actor.came_back()
        && let Some(finding) = not_recovered(seen, actor)
    {
        return vec![finding];
    }
    let mut found = Vec::new();
    if actor.survived_connection {
        let what = format!("{name} kept its connection through the outage");
        let how = actor.met.as_ref().map_or("", |met| met.how.as_str());
        found.push(Finding::new(Name::ConnectionSurvived, what).because(how));
    }
    if actor.further_losses > NORMAL_LOSSES {
        let what = format!(
            "{name} lost its new connection {} more times before one stood",
            actor.further_losses
        );
        found.push(Finding::new(Name::Flapping, what).with("further_losses", actor.further_losses));
    }
    found.extend(late(watch, actor));
    if let Some(unlisted) = actor.unlisted_at {
        let after = watch.down_at.map_or(String::new(), |down| {
            format!(" {} after the broker was lost", shown(unlisted - down))
        });
        let what = format!("Pulp took {name} for lost{after}, and cancels the tasks that it has");
        found.push(Finding::new(Name::CanceledByPulp, what));
    }
    found
}

/// Whether the wait for the recovery accused this service; None: nobody waited, or nobody told.
fn accused(seen: &ServicesSeen<'_>, actor: &ActorState) -> Option<bool> {
    let wait = seen.recovered?;
    let by_name = |f: &ReportedFailure| {
        let named = f.actor.as_ref().is_some_and(|a| a.is(&actor.actor));
        named && f.name == Name::NotRecovered
    };
    Some(wait.failures.iter().any(by_name))
}

/// A service without a connection that has stood. It is accused where the wait accused it, or where it
/// had all the time that it needs and is not on the way back either.
fn not_recovered(seen: &ServicesSeen<'_>, actor: &ActorState) -> Option<Finding> {
    let (name, watch) = (&actor.name, seen.watch);
    // An observer that was killed saw nothing of what came after, and one that was ended early, because the
    // play failed of something else, too little.
    let waited = watch.up_at.map(|up| (watch.known_until() - up).max(0.0));
    let predicted = actor.predicted(watch.up_at);
    let due = predicted.map_or(LATE_AFTER_BROKER, |s| s + LATE_AFTER_PREDICTED + actor.lag);
    let looked = watch.ended_at().is_some() && waited.is_some_and(|s| s >= due);
    let accused = accused(seen, actor);
    let wait_failed = seen.recovered.is_some_and(|wait| wait.failed);
    if accused != Some(true) && (wait_failed || actor.settling || !looked) {
        // The wait was over and it was back.
        if actor.settling && looked && !wait_failed {
            return None;
        }
        let when = match (waited, predicted) {
            _ if wait_failed && actor.settling => {
                "the wait ended, because another service failed, while it settled".to_owned()
            }
            _ if wait_failed && looked => {
                "the wait ended early, because another service failed".to_owned()
            }
            (Some(waited), Some(due)) if waited < due => format!(
                "the observation ends {} after the broker was back, and its next try was due after {}",
                shown(waited),
                shown(due)
            ),
            _ => format!(
                "the observation ends {} after it began",
                shown(watch.known_until())
            ),
        };
        let what = format!("{name} was not judged, nobody saw whether it came back: {when}");
        return Some(Finding::new(Name::NotExercised, what).with(BROKEN_OFF, true));
    }
    let waited_words = waited.map_or(String::new(), |s| format!(" within {}", shown(s)));
    let expected = predicted.map_or(String::new(), |s| {
        format!(
            ", although its next try was due after {}",
            shown(s.max(0.0))
        )
    });
    let what = match actor.recovery(watch.up_at) {
        Some(after) => format!(
            "{name} connected {} after the broker was back and did not keep a connection{waited_words}",
            shown(after)
        ),
        None => format!("{name} did not connect to the broker again{waited_words}{expected}"),
    };
    Some(
        Finding::new(Name::NotRecovered, what)
            .because(process(actor))
            .because(tries(actor))
            .with("seconds", json!(waited))
            .with("predicted_seconds", json!(predicted)),
    )
}

fn process(actor: &ActorState) -> String {
    let pid = actor.main_pid;
    match actor.state.as_str() {
        _ if pid == 0 => String::new(),
        "" => format!("its main process {pid} runs"),
        state => format!("its main process {pid} is in state {state}"),
    }
}

fn tries(actor: &ActorState) -> String {
    match actor.retries.as_slice() {
        [] => "its log shows no try to connect".to_owned(),
        [.., last] => format!(
            "its log shows {} tries to connect, the last at {last:.1} s of the observation",
            actor.retries.len()
        ),
    }
}

fn late(watch: &WatchReply, actor: &ActorState) -> Option<Finding> {
    if actor.survived_connection {
        return None;
    }
    let name = &actor.name;
    let after = actor.recovery(watch.up_at)?;
    let predicted = actor.predicted(watch.up_at);
    let what = match predicted {
        Some(due) if after > due.max(0.0) + LATE_AFTER_PREDICTED + actor.lag => format!(
            "{name} came back {} after the broker, {} later than its backoff explains",
            shown(after),
            shown(after - due.max(0.0))
        ),
        None if after > LATE_AFTER_BROKER => {
            format!("{name} came back only {} after the broker", shown(after))
        }
        _ => return None,
    };
    let explained = match actor.predicted_from.as_str() {
        "" => String::new(),
        from => format!(
            "predicted from {from}; the lag of its host explains {} more",
            shown(actor.lag)
        ),
    };
    Some(
        Finding::new(Name::Late, what)
            .because(&actor.prediction)
            .because(explained)
            .with("seconds", after)
            .with("predicted_seconds", json!(predicted))
            .with("lag_seconds", actor.lag),
    )
}

/// What is known of a consumer, in few words.
fn consumer_words(seen: &ServicesSeen<'_>, actor: &ActorState, proof: &Proof) -> String {
    let worked = proof.worked(actor);
    let mut words = Vec::new();
    if actor.survived_connection {
        words.push("its connection stood through".to_owned());
    }
    match actor.further_losses {
        0 => {}
        1 => words.push("lost it once more".to_owned()),
        n => words.push(format!("lost it {n} more times")),
    }
    if let (Some(listed), Some(up)) = (actor.listed_at, seen.watch.up_at) {
        words.push(format!("known to Pulp after {}", shown(listed - up)));
    }
    if let Some((_, seconds)) = worked {
        let took = seconds.map_or(String::new(), |s| format!(" in {}", shown(s)));
        words.push(format!("did a task{took}"));
    }
    words.join(", ")
}

/// A service without a standing connection is proven by what it does; what nobody could try is told, and
/// does not make the whole run void.
fn by_use(actor: &ActorState, proof: &Proof) -> (Option<Name>, String) {
    let not_tried = |why: &str| (Some(Name::NotExercised), why.to_owned());
    match actor.role {
        Role::Scheduler => match proof.fired {
            Some(true) => (None, "a schedule of ours fired".to_owned()),
            Some(false) | None if !proof.fired_why_not.is_empty() => {
                not_tried(&proof.fired_why_not)
            }
            Some(false) => (
                Some(Name::SchedulerDead),
                "a schedule did not fire".to_owned(),
            ),
            None => not_tried("no schedule was tried"),
        },
        Role::Web if proof.healthy => (None, "served the health check's requests".to_owned()),
        Role::Bystander if proof.healthy => (None, "has nothing to do with the cache".to_owned()),
        Role::Content if proof.healthy => (None, "served the package".to_owned()),
        Role::Web | Role::Content | Role::Bystander => not_tried("no health check used it"),
        Role::Worker | Role::ResourceManager | Role::Broker | Role::Database | Role::Other => {
            (None, "runs".to_owned())
        }
    }
}
