//! What helps where a broker does not serve. Never a start of one that runs.

use super::Answer;
use crate::names::option;
use crate::service::{self, Verb};

/// What to do, by what came of asking it and by what its unit does. Without a unit it is not of this host.
pub(crate) fn remedy(answer: &Answer, unit: Option<&str>) -> String {
    let observed = unit.and_then(|unit| service::observe(&[unit.to_owned()]).ok());
    let runs = observed.is_some_and(|units| units.iter().any(|unit| unit.running));
    words(answer, unit, runs)
}

fn words(answer: &Answer, unit: Option<&str>, runs: bool) -> String {
    let log = unit.map_or_else(
        || "see its log on its host".to_owned(),
        |unit| format!("see `journalctl -u {unit}`"),
    );
    let command = |verb| {
        unit.map_or_else(String::new, |unit| {
            format!(" (`{}`)", service::command(verb, unit))
        })
    };
    match (answer, unit) {
        (Answer::Refused, Some(unit)) if runs => format!(
            "`{unit}` runs and does not listen there: {log}, or set `{}`",
            option("broker_url")
        ),
        (Answer::Refused, _) => format!("start it{}", command(Verb::Start)),
        (Answer::Starting(_) | Answer::Answers(_), _) => {
            format!("wait until it is ready, or {log}")
        }
        (Answer::Silent, Some(_)) if !runs => format!("start it{}", command(Verb::Start)),
        (Answer::Silent, _) => format!("it hangs: {log}, or restart it{}", command(Verb::Restart)),
        (Answer::NoConnection, _) => {
            "packets are lost on the way: look at the firewalls of both hosts".to_owned()
        }
        (Answer::Other(_), _) => format!(
            "see what listens there (`ss -tlnp`), and say by `{}` how Pulp speaks with its broker (`amqps` and `qpids` are \
             with TLS)",
            option("broker_url")
        ),
        (Answer::Unreachable(_), _) => {
            format!("check its URL (`{}`), or {log}", option("broker_url"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_broker_that_does_not_run_is_to_be_started() {
        let unit = Some("mq.service");
        let others = [
            Answer::Starting("57P03".to_owned()),
            Answer::Silent,
            Answer::NoConnection,
            Answer::Other("it speaks TLS".to_owned()),
            Answer::Unreachable("no route to host".to_owned()),
            Answer::Answers(Duration::ZERO),
            Answer::Refused,
        ];
        for answer in others {
            let said = words(&answer, unit, true);
            assert!(
                !said.contains(" start ") && !said.starts_with("start "),
                "{answer}: {said}"
            );
            assert!(!said.is_empty());
        }
        assert!(words(&Answer::Refused, unit, false).starts_with("start it (`"));
        assert_eq!(words(&Answer::Refused, None, false), "start it");
    }
}
