//! What to do about a service that failed, from what its own log says and what its process does. The
//! name's own advice is for where neither tells more.

use crate::names::verdict::Name;
use crate::timeline::ActorState;
use crate::verdict::Finding;
use crate::verdict::results::Run;

/// What a log says when the tries to connect are used up. Source: kombu 4 and later raise it as their own.
const BUDGET: &[&str] = &["OperationalError", "max_retries", "MaxRetriesExceeded"];

/// What Celery 4.0.2 dies of at each start while messages wait in its queue. Pulp's own packages have the
/// fix since July 2018.
const UNREADY: &str = "'NoneType' object is not callable";

/// More of a log's line stands in the log.
const SHOWN: usize = 160;

/// Adds the service's own log line to what is told of it, and advice that fits.
pub(super) fn give(run: &Run, findings: &mut [Finding]) {
    let lost: Vec<_> = findings
        .iter()
        .filter(|f| f.name == Name::ServicesNotRestored)
        .filter_map(|f| Some((f.host.clone(), f.actor.clone()?)))
        .collect();
    for finding in findings {
        let Some(seen) = story(run, finding) else {
            continue;
        };
        let dies_again = seen.exits.len() > 1
            || lost.iter().any(|(host, actor)| {
                let here = host.is_empty() || finding.host.is_empty() || *host == finding.host;
                here && actor.is(&seen.actor)
            });
        let advice = match finding.name {
            Name::ServiceExited | Name::ServiceDidNotStart => of_the_dead(seen, dies_again),
            Name::NotRecovered
            | Name::ConnectedButIdle
            | Name::WorkerMissing
            | Name::SchedulerDead => of_the_living(seen),
            _ => continue,
        };
        if !seen.log.is_empty() {
            let line: String = seen.log.chars().take(SHOWN).collect();
            finding.what = format!("{}; its log: `{line}`", finding.what);
            finding
                .evidence
                .push(format!("the last such line of its log: {}", seen.log));
            let log = seen.log.as_str().into();
            finding.attributes.insert("log".to_owned(), log);
        }
        if finding.advice.is_empty() {
            finding.advice = advice;
        }
    }
}

/// What was seen of the service of which something was found, in that scenario.
fn story<'a>(run: &'a Run, finding: &Finding) -> Option<&'a ActorState> {
    let actor = finding.actor.as_ref()?;
    let scenes = run.outages().flat_map(|scenario| {
        let here = finding.scenario.is_empty() || finding.scenario == scenario;
        run.scenes(scenario).filter(move |_| here)
    });
    let watches = scenes.filter_map(|(host, scene)| {
        let here = finding.host.is_empty() || finding.host == host.name;
        scene.watch.as_ref().filter(|_| here)
    });
    let mut seen = watches.flat_map(|watch| &watch.actors);
    seen.find(|seen| actor.is(&seen.actor))
}

fn of_the_dead(seen: &ActorState, dies_again: bool) -> String {
    let (unit, log) = (seen.unit(), seen.log.as_str());
    let says = |words: &&str| log.contains(*words);
    if log.contains(UNREADY) {
        return format!(
            "This is Celery 4.0.2 without Pulp's fix of July 2018 (Celery's pull request 3752): it dies at each start \
             while messages wait in its queue. Update `python-celery` from Pulp's repository, then \
             `systemctl start {unit}`."
        );
    }
    if log.is_empty() {
        return if dies_again {
            format!(
                "Read with `journalctl -u {unit}` what it dies of, and cure that: started again it died again."
            )
        } else {
            String::new()
        };
    }
    let start = if dies_again {
        "a start alone does not help, it died again".to_owned()
    } else {
        format!("then `systemctl start {unit}`")
    };
    if BUDGET.iter().any(says) {
        return format!(
            "Its retry budget is spent: let it try for longer than an outage lasts (Celery's \
             `broker_connection_max_retries`, 100 by itself; `journalctl -u {unit}`); {start}."
        );
    }
    format!("It says what it died of: `{log}`. Cure that (`journalctl -u {unit}`); {start}.")
}

fn of_the_living(seen: &ActorState) -> String {
    match (seen.state.chars().next(), seen.main_pid) {
        (Some('T'), pid @ 1..) => format!(
            "Its process is in state T (stopped): somebody sent it SIGSTOP. Find out who did (a debugger, an \
             administrator), and let it go on: `kill -CONT {pid}`."
        ),
        _ => String::new(),
    }
}
