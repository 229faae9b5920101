//! The verdicts that modules and the play reach by themselves. A module's reply has its verdict as data. Where only a message is there,
//! as of the play, it is `VOID name: …` or `FAILED name: …`, wherever in it.

use super::results::{ModuleReply, ReportedFailure};
use super::{Finding, Grade, Name};

/// What a module that failed says of it.
pub(super) fn of_reply(reply: &ModuleReply) -> Vec<Finding> {
    match &reply.verdict {
        Some((name, msg)) => {
            let finding = Finding::new(*name, sentence(msg)).because(msg);
            of_each(&finding, &reply.failures)
        }
        None => findings(&reply.msg, &reply.failures),
    }
}

/// Every verdict that a message names, in its order. A sentence names a verdict and never an actor: that
/// is among the `failures` which the module replied beside the sentence.
pub(super) fn findings(message: &str, failures: &[ReportedFailure]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut rest = message;
    while let Some((name, words)) = next(rest) {
        let end = (0..words.len())
            .filter(|at| words.is_char_boundary(*at))
            .find(|at| next_at(&words[*at..]).is_some())
            .unwrap_or(words.len());
        let (own, after) = words.split_at(end);
        let own = own.trim_start_matches([':', ' ']);
        let own = own.trim_end_matches([';', ' ', ',']);
        let finding = Finding::new(name, sentence(own)).because(own);
        found.extend(of_each(&finding, failures));
        rest = after;
    }
    // Some sentences name no verdict, and their data do. What stands beside a named one is told elsewhere.
    let unnamed = if found.is_empty() { failures } else { &[] };
    for failure in unnamed {
        let finding = Finding::new(failure.name, sentence(&failure.text)).because(&failure.text);
        found.push(finding.by(failure.actor.clone()));
    }
    found
}

/// What a sentence tells, once for each actor of which it is told.
fn of_each(finding: &Finding, failures: &[ReportedFailure]) -> Vec<Finding> {
    // The check before an outage fails as the one after it does, and there it says that Pulp was not healthy.
    let is_told = |f: &&ReportedFailure| {
        f.name == finding.name
            || finding.name == Name::UnhealthyBefore && f.name == Name::HealthFailed
    };
    let failures: Vec<&ReportedFailure> = failures.iter().filter(is_told).collect();
    match failures[..] {
        [] => vec![finding.clone()],
        [one] => vec![
            finding
                .clone()
                .by(one.actor.clone())
                .advised(&one.next_step),
        ],
        _ => failures
            .into_iter()
            .map(|failure| {
                let what = sentence(&failure.text);
                Finding {
                    what,
                    ..finding.clone()
                }
                .by(failure.actor.clone())
                .advised(&failure.next_step)
            })
            .collect(),
    }
}

/// The first verdict in a text, and what follows its name.
fn next(text: &str) -> Option<(Name, &str)> {
    let at = |at: usize| text.get(at..).and_then(next_at);
    (0..text.len())
        .filter(|index| {
            let before = text.get(..*index).and_then(|t| t.chars().next_back());
            before.is_none_or(|c| !c.is_alphanumeric())
        })
        .find_map(at)
}

/// The verdict with which a text begins.
fn next_at(text: &str) -> Option<(Name, &str)> {
    let (grade, after) = [("VOID ", Grade::Void), ("FAILED ", Grade::Failed)]
        .into_iter()
        .find_map(|(word, grade)| Some((grade, text.strip_prefix(word)?)))?;
    let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    let (word, rest) = after.split_at(end.unwrap_or(after.len()));
    let name = Name::of(word).filter(|name| name.grade() == grade)?;
    Some((name, rest))
}

/// What happened, without the advice that follows it.
fn sentence(text: &str) -> String {
    let end = ["; see ", "; find ", "; check ", "\n"]
        .iter()
        .filter_map(|advice| text.find(advice))
        .min();
    text[..end.unwrap_or(text.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Actor;

    fn names(message: &str, failures: &[ReportedFailure]) -> Vec<(Name, String, String)> {
        let found = findings(message, failures).into_iter();
        found
            .map(|f| (f.name, f.actor_word().to_owned(), f.what.clone()))
            .collect()
    }

    fn failure(name: Name, unit: &str, text: &str) -> ReportedFailure {
        ReportedFailure {
            name,
            actor: Some(Actor::of_unit(unit)),
            text: text.to_owned(),
            next_step: String::new(),
        }
    }

    #[test]
    fn an_actor_is_never_read_from_a_sentence() {
        // What a real Pulp said of a missing resource manager: the first name in it is another's.
        let message = "FAILED worker_missing: failed to use `https://p`: Pulp knows no running pulp_resource_manager \
                       (known_workers: scheduler@h, reserved_resource_worker-0@h)";
        let [(name, actor, _)] = &names(message, &[])[..] else {
            panic!()
        };
        assert_eq!((*name, actor.as_str()), (Name::WorkerMissing, ""));
        let failures = [failure(
            Name::WorkerMissing,
            "pulp_resource_manager.service",
            "x",
        )];
        let [(_, actor, what)] = &names(message, &failures)[..] else {
            panic!()
        };
        assert_eq!(actor, "pulp_resource_manager.service");
        assert!(what.starts_with("failed to use"), "{what}");
    }

    #[test]
    fn a_message_says_what_happened_and_its_data_who_it_was() {
        let message = "FAILED service_exited: pulp_worker-1.service exited with status 1; a service of Pulp must not \
                       exit; see `journalctl -u pulp_worker-1.service`";
        let what = "pulp_worker-1.service exited with status 1; a service of Pulp must not exit";
        let own = [failure(Name::ServiceExited, "pulp_worker-1.service", what)];
        let expected = (
            Name::ServiceExited,
            "pulp_worker-1.service".to_owned(),
            what.to_owned(),
        );
        assert_eq!(names(message, &own), [expected]);
    }

    #[test]
    fn each_of_several_actors_has_a_finding_of_its_own() {
        let message = "FAILED service_exited: a.service died, b.service died; see x";
        let own = ["a.service", "b.service"]
            .map(|unit| failure(Name::ServiceExited, unit, &format!("{unit} died")));
        let found = names(message, &own);
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|(_, actor, what)| (actor.as_str(), what.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("a.service", "a.service died"),
                ("b.service", "b.service died")
            ]
        );
    }

    #[test]
    fn what_else_is_in_the_way_is_no_second_cause() {
        let more = [
            failure(Name::UnhealthyBefore, "pulp_celerybeat.service", "x"),
            failure(Name::BrokerShared, "billing.service", "y"),
        ];
        let found = names("VOID unhealthy_before: no scheduler runs", &more);
        let told: Vec<&str> = found.iter().map(|(_, actor, _)| actor.as_str()).collect();
        assert_eq!(told, ["pulp_celerybeat.service"]);
        // A sentence without a name has what its data name.
        let found = names("failed to make every service run: x", &more[1..]);
        assert_eq!(found[0].0, Name::BrokerShared);
    }

    #[test]
    fn a_reply_names_its_verdict_as_data() {
        let reply = serde_json::json!({"failed": true, "msg": "something else", "verdict":
            {"name": "busy", "value": "void", "msg": "1 task runs; see the list of tasks"}});
        let reply = ModuleReply::read(&reply).unwrap();
        let [finding] = &of_reply(&reply)[..] else {
            panic!()
        };
        assert_eq!(
            (finding.name, finding.what.as_str()),
            (Name::Busy, "1 task runs")
        );
        // Of a version of before, or with a name of a later one.
        let said = serde_json::json!({"failed": true, "msg": "VOID busy: 1 task runs", "verdict": {"name": "novel"}});
        let reply = ModuleReply::read(&said).unwrap();
        assert_eq!(of_reply(&reply)[0].name, Name::Busy);
    }

    #[test]
    fn several_in_one_message_are_all_found() {
        let message = "pulp1: FAILED broker_not_restored: no answer; FAILED services_not_restored: pulp_celerybeat.service \
                       does not run; pulp2: VOID host_unreachable: pulp2 cannot be reached";
        let found: Vec<Name> = names(message, &[])
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        let expected = [
            Name::BrokerNotRestored,
            Name::ServicesNotRestored,
            Name::HostUnreachable,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_verdict_is_none() {
        for message in [
            "",
            "the task FAILED",
            "FAILED sung: x",
            "VOID service_exited: x",
            "AVOID busy: é",
        ] {
            assert_eq!(names(message, &[]), [], "{message}");
        }
    }
}
