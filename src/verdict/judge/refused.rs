//! The cause behind the symptom: where a broker that is back does not serve Pulp, and says why, its clients' exits and waits are the
//! consequence. It is named only where the broker itself says so to us, or where each consumer that did not come back, and each service
//! that is to blame for a failure and speaks of one, has the same refusal as its last word.

use serde_json::json;

use crate::names::verdict::{Grade, Name};
use crate::names::{Actor, Role};
use crate::timeline::{ActorState, BrokerRefusal, Reason};
use crate::verdict::Finding;
use crate::verdict::results::{Host, Run, WatchReply};

/// Of so many services the units are told.
const NAMED: usize = 4;

/// What marks a finding that follows from the broker's refusal.
const CONSEQUENCE: &str = "consequence_of";

/// Puts the refusals before everything that was found.
pub(super) fn judge(run: &Run, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    let unit = super::broker(run);
    for scenario in run.outages() {
        let seen: Vec<(&Host, &WatchReply)> = run
            .scenes(scenario)
            .filter_map(|(host, scene)| Some((host, scene.watch.as_ref()?)))
            .collect();
        let counts = |actor: &ActorState| actor.role.consumes() || is_blamed(actor, findings);
        let consumers = seen.iter().flat_map(|(host, watch)| {
            let consumers = watch.actors.iter().filter(|actor| counts(actor));
            consumers.map(|actor| (host.name.as_str(), actor))
        });
        let consumers: Vec<Consumer<'_>> = consumers.map(Consumer::of).collect();
        let asked = seen.iter().find_map(|(host, watch)| {
            Some((
                host.name.as_str(),
                watch.asked.as_ref()?,
                "it said so itself",
            ))
        });
        if let Some((host, refusal, how)) = refusal(asked, &consumers) {
            let who = consumers.iter().filter(|c| c.fate != Fate::Recovered);
            let who: Vec<&str> = who.map(|c| c.unit).collect();
            let kind = seen.iter().find_map(|(host, _)| {
                Some(host.broker_kind.as_str()).filter(|kind| !kind.is_empty())
            });
            found.push(
                finding(refusal, &who, kind, unit.as_ref())
                    .because(how)
                    .of(scenario, host),
            );
        }
    }
    findings.splice(0..0, found);
}

/// It is to blame for a failure and has a refusal as its last word: the API of a Pulp 3 holds a connection too.
fn is_blamed(actor: &ActorState, findings: &[Finding]) -> bool {
    let is_it = |finding: &Finding| finding.actor.as_ref().is_some_and(|who| who.is(actor));
    let mut failed = findings.iter().filter(|f| f.grade() == Grade::Failed);
    actor.refused.is_some() && failed.any(is_it)
}

/// What became of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    Recovered,
    Refused(&'a BrokerRefusal),
    /// It did not come back, and its log has no refusal of the broker's.
    Silent,
}

struct Consumer<'a> {
    host: &'a str,
    unit: &'a str,
    fate: Fate<'a>,
}

impl<'a> Consumer<'a> {
    fn of((host, actor): (&'a str, &'a ActorState)) -> Self {
        let back = actor.came_back() && actor.running != Some(false);
        let fate = match &actor.refused {
            // A refusal that came after a connection that stood is its last word.
            Some(last) if !back || actor.settled_at.is_some_and(|then| then < last.at) => {
                Fate::Refused(&last.refusal)
            }
            _ if back => Fate::Recovered,
            _ => Fate::Silent,
        };
        Self {
            host,
            unit: actor.unit(),
            fate,
        }
    }
}

/// Which refusal is the cause, where it was seen and how it is known. `asked` is what the broker said to us.
fn refusal<'a>(
    asked: Option<(&'a str, &'a BrokerRefusal, &'static str)>,
    consumers: &[Consumer<'a>],
) -> Option<(&'a str, &'a BrokerRefusal, &'static str)> {
    let back = consumers.iter().any(|c| c.fate == Fate::Recovered);
    // Whoever is connected was let in: then we were refused for another reason, such as settings that were edited since.
    if let Some(asked) = asked.filter(|(_, refusal, _)| !(back && refusal.keeps_out())) {
        return Some(asked);
    }
    let mut refused = consumers.iter().filter_map(|c| match c.fate {
        Fate::Refused(refusal) => Some((c.host, refusal)),
        _ => None,
    });
    let (host, first) = refused.next()?;
    let alike = refused.all(|(_, other)| other.reason == first.reason);
    let silent = consumers.iter().any(|c| c.fate == Fate::Silent);
    // A limit lets some in and others not.
    let explained = !back || first.reason == Reason::Limit;
    let how = "the last such word in the log of each consumer that did not come back";
    (alike && !silent && explained).then_some((host, first, how))
}

fn finding(
    refusal: &BrokerRefusal,
    who: &[&str],
    kind: Option<&str>,
    unit: Option<&Actor>,
) -> Finding {
    let broker = unit.map_or("the broker", Actor::word);
    let named = who.get(..NAMED).unwrap_or(who).join(", ");
    let more = match who.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let consequence = if who.is_empty() {
        String::new()
    } else {
        format!("; that {named}{more} did not come back is its consequence")
    };
    let words = &refusal.words;
    let what = format!(
        "{broker} {}: it says `{words}`{consequence}",
        refusal.reason.told()
    );
    let remedy = refusal.reason.remedy(kind.unwrap_or_default(), broker);
    Finding::new(Name::BrokerRefuses, what)
        .advised(&remedy)
        .with("reason", json!(refusal.reason))
        .with("words", words.as_str())
}

/// Says of what follows from a refusal that it does.
pub(super) fn tell_consequences(findings: &mut [Finding]) {
    let refused = findings.iter().filter(|f| f.name == Name::BrokerRefuses);
    let refused: Vec<(String, String)> = refused
        .map(|f| (f.scenario.clone(), f.actor_word().to_owned()))
        .collect();
    for finding in findings.iter_mut() {
        let cause = refused.iter().find(|(scenario, _)| {
            scenario.is_empty() || finding.scenario.is_empty() || *scenario == finding.scenario
        });
        let follows = finding.name > Name::BrokerRefuses
            && (finding.grade() == Grade::Failed || finding.name == Name::RestartedBySupervisor);
        let Some((_, broker)) = cause.filter(|_| follows) else {
            continue;
        };
        let broker = match broker.as_str() {
            "" => "the broker",
            unit => unit,
        };
        let of_service = |actor: &Actor| !matches!(actor.role, Role::Broker | Role::Database);
        if finding.actor.as_ref().is_some_and(of_service) {
            finding.what = format!("{}; a consequence: {broker} refuses", finding.what);
            finding.advice =
                format!("Nothing of its own is known to be wrong: cure {broker} first.");
        }
        let word = Name::BrokerRefuses.word().into();
        finding.attributes.insert(CONSEQUENCE.to_owned(), word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> BrokerRefusal {
        BrokerRefusal {
            reason,
            words: "x".to_owned(),
        }
    }

    fn consumer(fate: Fate<'_>) -> Consumer<'_> {
        Consumer {
            host: "h",
            unit: "pulp_worker-0.service",
            fate,
        }
    }

    fn named(asked: Option<&BrokerRefusal>, fates: &[Fate<'_>]) -> Option<Reason> {
        let consumers: Vec<Consumer<'_>> = fates.iter().map(|fate| consumer(*fate)).collect();
        let asked = asked.map(|refusal| ("h", refusal, "asked"));
        refusal(asked, &consumers).map(|(_, refusal, _)| refusal.reason)
    }

    #[test]
    fn a_refusal_is_named_only_where_all_that_did_not_come_back_say_it() {
        let (login, limit) = (refused(Reason::Login), refused(Reason::Limit));
        let (login, limit) = (Fate::Refused(&login), Fate::Refused(&limit));
        for (fates, expected) in [
            (vec![login, login], Some(Reason::Login)),
            (vec![login, limit], None),
            // One that says nothing failed of something else, or of the same: it cannot be told.
            (vec![login, Fate::Silent], None),
            (vec![Fate::Silent], None),
            (vec![login, Fate::Recovered], None),
            (vec![limit, Fate::Recovered], Some(Reason::Limit)),
            (vec![Fate::Recovered], None),
            (vec![], None),
        ] {
            assert_eq!(named(None, &fates), expected, "{fates:?}");
        }
    }

    #[test]
    fn the_brokers_own_word_counts_unless_it_has_let_somebody_in() {
        let login = refused(Reason::Login);
        let read_only = refused(Reason::ReadOnly);
        assert_eq!(named(Some(&login), &[Fate::Silent]), Some(Reason::Login));
        assert_eq!(named(Some(&login), &[Fate::Recovered, Fate::Silent]), None);
        let connected = [Fate::Recovered];
        assert_eq!(named(Some(&read_only), &connected), Some(Reason::ReadOnly));
    }
}
