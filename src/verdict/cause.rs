//! What modules and the play say in words: `VOID name: …` and `FAILED name: …`, wherever in a message.

use super::{Finding, Grade, Name};

/// Every verdict that a message names, in its order.
pub(super) fn findings(message: &str) -> Vec<Finding> {
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
        found.push(
            Finding::new(name, sentence(own))
                .of("", "", &actor(own))
                .because(own),
        );
        rest = after;
    }
    found
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

/// The first unit, or name of Pulp's list, that a text speaks of.
fn actor(text: &str) -> String {
    let listed = [
        "reserved_resource_worker-",
        "resource_manager@",
        "scheduler@",
    ];
    let is_one = |word: &&str| {
        word.ends_with(".service") || listed.iter().any(|name| word.starts_with(name))
    };
    let mut words = text.split(|c: char| c.is_whitespace() || ",;:`'\"()".contains(c));
    words.find(is_one).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(message: &str) -> Vec<(Name, String, String)> {
        let found = findings(message).into_iter();
        found.map(|f| (f.name, f.actor, f.what)).collect()
    }

    #[test]
    fn a_message_names_who_and_what() {
        let message = "FAILED service_exited: pulp_worker-1.service exited with status 1; a service of Pulp must not \
                       exit; see `journalctl -u pulp_worker-1.service`";
        let what = "pulp_worker-1.service exited with status 1; a service of Pulp must not exit";
        let expected = (
            Name::ServiceExited,
            "pulp_worker-1.service".to_owned(),
            what.to_owned(),
        );
        assert_eq!(names(message), [expected]);
    }

    #[test]
    fn several_in_one_message_are_all_found() {
        let message = "pulp1: FAILED broker_not_restored: no answer; FAILED services_not_restored: pulp_celerybeat.service \
                       does not run; pulp2: VOID host_unreachable: pulp2 cannot be reached";
        let found: Vec<Name> = names(message).into_iter().map(|(name, ..)| name).collect();
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
            assert_eq!(names(message), [], "{message}");
        }
    }
}
