//! The three sentences that a person reads first: is Pulp as it was before, the verdict, what the users
//! felt; and what to do next.

use super::{Api, Finding, Judgement, Run, Value, WatchReply, judge, shown};
use crate::names::Actor;
use crate::names::verdict::Name;

/// Everything that was taken away is there again, as far as anybody looked.
pub(super) fn is_restored(run: &Run) -> bool {
    let takes_away = run.outages().next().is_some();
    let here = run.hosts.iter().all(|host| host.not_restored.is_empty());
    let all = match &run.left {
        Some(left) => left.is_empty(),
        None => !takes_away,
    };
    here && all
}

/// `findings` are what is not as it was although everything was given back.
pub(super) fn as_before(run: &Run, findings: &[Finding]) -> String {
    const BEGIN: &str = "Pulp is as it was before:";
    if !is_restored(run) {
        let of_hosts = run
            .hosts
            .iter()
            .filter(|host| !host.not_restored.is_empty());
        let of_hosts: Vec<String> = of_hosts
            .map(|host| format!("{}: {}", host.name, host.not_restored))
            .collect();
        let why = match run.left.as_deref() {
            Some(left) if !left.is_empty() => left.to_owned(),
            _ if !of_hosts.is_empty() => of_hosts.join("; "),
            _ => "nobody told whether everything was given back".to_owned(),
        };
        return format!("{BEGIN} NO, {} ({why})", what_is_not(run));
    }
    let mut how = if run.restored_at.is_empty() {
        "nothing was taken away".to_owned()
    } else {
        format!("checked {} UTC", run.restored_at)
    };
    if !run.restarted_hosts.is_empty() {
        how = format!(
            "{how}, after a restart of the services on {}",
            run.restarted_hosts.join(", ")
        );
    }
    let is_new = |f: &&Finding| f.name == Name::AgentRepliesLost && !f.stood_before();
    let but = match findings.iter().find(is_new) {
        Some(finding) => format!(
            ", but for the replies of agents, which {} does not read any more",
            Some(finding.actor_word())
                .filter(|word| !word.is_empty())
                .unwrap_or("the web server")
        ),
        None => String::new(),
    };
    format!("{BEGIN} yes ({how}){but}")
}

/// The gravest of what is not as before, in few words.
fn what_is_not(run: &Run) -> String {
    let found = judge::not_restored(run);
    let Some(gravest) = found.iter().map(|f| f.name).min() else {
        return "nobody knows what is not".to_owned();
    };
    let of_it = || found.iter().filter(|f| f.name == gravest);
    let mut actors: Vec<&str> = of_it().map(Finding::actor_word).collect();
    actors.retain(|actor| !actor.is_empty());
    actors.dedup();
    let broker = judge::broker(run);
    let broker = broker.as_ref().map_or("the broker", Actor::word);
    let services = actors.join(", ");
    let (services, does) = match actors.len() {
        0 => ("not every service of Pulp".to_owned(), "works"),
        1 => (services, "does not work"),
        _ => (services, "do not work"),
    };
    match gravest {
        Name::BrokerNotRestored => format!("{broker} is not back"),
        Name::BrokerRefuses => format!("{broker} is back and does not serve Pulp"),
        Name::HostUnreachable => "a host could not be reached".to_owned(),
        Name::WorkerMissing | Name::SchedulerDead if !actors.is_empty() => {
            format!("Pulp has not heard of {}", actors.join(", "))
        }
        _ => format!("{services} {does} as before"),
    }
}

/// The verdict in one sentence.
pub(super) fn verdict(judgement: &Judgement<'_>) -> String {
    let run = judgement.run;
    let scenarios: Vec<&str> = run.outages().collect();
    if let Some(first) = judgement.first() {
        // With one host alone everybody knows where.
        let host = if run.hosts.len() > 1 {
            first.host.as_str()
        } else {
            ""
        };
        let where_ = match (host, first.scenario.as_str()) {
            ("", "") => String::new(),
            ("", scenario) => format!(" ({scenario})"),
            (host, "") => format!(" (on {host})"),
            (host, scenario) => format!(" ({scenario}, on {host})"),
        };
        let what = format!("{}{}", first.what, others(judgement, first));
        let name = first.name;
        return match judgement.value {
            Value::SurvivedWithDefects => {
                format!("Pulp survived, with defects: {name}: {what}{where_}")
            }
            Value::Void => format!("VOID {name}: {what}{where_}"),
            Value::Failed | Value::Survived => format!("FAILED {name}: {what}{where_}"),
        };
    }
    if scenarios.is_empty() {
        return "Pulp does its job; no outage was tested".to_owned();
    }
    format!(
        "Pulp survived {}: {}",
        scenarios.join(" and "),
        recovered(judgement)
    )
}

/// Of whom else the same was found.
fn others(judgement: &Judgement<'_>, first: &Finding) -> String {
    let mut named: Vec<&str> = Vec::new();
    for finding in judgement.findings.iter().filter(|f| f.name == first.name) {
        let word = finding.actor_word();
        if !word.is_empty() && word != first.actor_word() && !named.contains(&word) {
            named.push(word);
        }
    }
    if named.is_empty() {
        String::new()
    } else {
        format!("; the same of {}", named.join(", "))
    }
}

/// Who came back, and the slowest of them.
fn recovered(judgement: &Judgement<'_>) -> String {
    let consumers = || {
        judgement
            .services
            .iter()
            .filter(|s| s.actor.role.consumes())
    };
    let slowest = consumers()
        .filter_map(|s| Some((s.recovery()?, s)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let mut names: Vec<(&str, &str)> = consumers()
        .map(|s| (s.host.name.as_str(), s.actor.name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let all = match names.len() {
        0 => {
            return "it does its job as before, and no worker has to do with what was away"
                .to_owned();
        }
        1 => "the one service that holds a connection came back by itself".to_owned(),
        n => format!("all {n} services that hold a connection came back by themselves"),
    };
    match slowest {
        Some((after, service)) => format!(
            "{all}, the last ({}) {} after the broker",
            service.actor.name,
            shown(after)
        ),
        None => format!("{all}, or never lost it"),
    }
}

pub(super) fn next_step(judgement: &Judgement<'_>) -> String {
    match judgement.first() {
        Some(first) => first.next_step(),
        None if judgement.run.outages().next().is_none() => {
            "Nothing is wrong. To test an outage: `--tags reconnect`.".to_owned()
        }
        None => "Nothing has to be done.".to_owned(),
    }
}

/// What somebody who used Pulp meanwhile noticed. Described, not judged.
pub(super) fn felt(run: &Run) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for scenario in run.outages() {
        if run.is_unbegun(scenario) {
            parts.push(format!("{scenario}: nothing; it did not begin"));
            continue;
        }
        let watches = run
            .scenes(scenario)
            .filter_map(|(_, scene)| scene.watch.as_ref());
        let worst = watches
            .filter_map(|watch| Some((watch, watch.down_at?, watch.up_at?)))
            .flat_map(|(watch, down, up)| {
                let apis = watch.apis().into_iter();
                apis.map(move |api| Felt::of(watch, &api, down, up))
            })
            .max_by(|a, b| a.bad.total_cmp(&b.bad));
        let away = run
            .scenes(scenario)
            .filter_map(|(_, s)| s.watch.as_ref())
            .find_map(|w| Some(w.up_at? - w.down_at?));
        let Some(away) = away else {
            parts.push(format!("{scenario}: nobody measured it"));
            continue;
        };
        let api = worst.map_or("nobody asked the API".to_owned(), |felt| felt.words());
        parts.push(format!(
            "{scenario}: the broker was away for {}; {api}",
            shown(away)
        ));
    }
    let unlisted = run
        .outages()
        .flat_map(|scenario| run.scenes(scenario))
        .filter_map(|(_, scene)| scene.watch.as_ref())
        .flat_map(|watch| &watch.actors)
        .filter(|actor| actor.unlisted_at.is_some())
        .count();
    if unlisted > 0 {
        parts.push(format!(
            "Pulp took workers for lost ({unlisted} times); tasks that they had are canceled"
        ));
    }
    if parts.is_empty() {
        parts.push("nothing; no outage was made".to_owned());
    }
    parts
}

/// How one endpoint answered around an outage.
struct Felt {
    bad: f64,
    /// Until when after the broker's return.
    until: f64,
    outcomes: Vec<String>,
    slowest: u32,
    any: bool,
}

impl Felt {
    fn of(watch: &WatchReply, api: &Api, down: f64, up: f64) -> Self {
        // In `connect` the web server is stopped before the broker is.
        let begin = api
            .stretches
            .iter()
            .filter(|s| s.from < down && s.to >= down && s.kind.is_bad())
            .map(|s| s.from)
            .fold(down, f64::min);
        let end = watch.known_until();
        let within = || api.between(begin, end);
        let mut outcomes: Vec<String> = Vec::new();
        for stretch in within().filter(|s| s.kind.is_bad()) {
            if !outcomes.contains(&stretch.outcome) {
                outcomes.push(stretch.outcome.clone());
            }
        }
        let last_bad = within().filter(|s| s.kind.is_bad()).map(|s| s.to);
        Self {
            bad: api.bad_seconds(begin, end),
            until: last_bad.fold(f64::MIN, f64::max) - up,
            outcomes,
            slowest: within()
                .filter(|s| !s.kind.is_bad())
                .map(|s| s.milliseconds)
                .max()
                .unwrap_or_default(),
            any: within().next().is_some(),
        }
    }

    fn words(&self) -> String {
        let slowest = f64::from(self.slowest) / 1000.0;
        if !self.any {
            return "nobody asked the API".to_owned();
        }
        if self.bad <= 0.0 {
            return format!("the API answered all the time, in {slowest:.2} s at the slowest");
        }
        let until = if self.until > 0.0 {
            format!(", until {} after the broker was back", shown(self.until))
        } else {
            String::new()
        };
        format!(
            "the API was of no use for {} ({}){until}, and answered in {slowest:.2} s at the slowest otherwise",
            shown(self.bad),
            self.outcomes.join(", ")
        )
    }
}
