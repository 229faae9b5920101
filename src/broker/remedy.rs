//! What helps where a broker does not serve. Never a start of one that runs.

use super::ProbeAnswer;
use crate::names::option;
use crate::service::{self, Verb};

/// What to do, by what came of asking it and by what its unit does. Without a unit it is not of this host.
pub(crate) fn remedy(answer: &ProbeAnswer, unit: Option<&str>) -> String {
    let observed = unit.and_then(|unit| service::observe(&[unit.to_owned()]).ok());
    let runs = observed.is_some_and(|units| units.iter().any(|unit| unit.running));
    words(answer, unit, runs)
}

fn words(answer: &ProbeAnswer, unit: Option<&str>, runs: bool) -> String {
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
        (ProbeAnswer::Refused, Some(unit)) if runs => format!(
            "`{unit}` runs and does not listen there: {log}, or set `{}`",
            option("broker_url")
        ),
        (ProbeAnswer::Refused, _) => format!("start it{}", command(Verb::Start)),
        (ProbeAnswer::Starting(_) | ProbeAnswer::Answers(_), _) => {
            format!("wait until it is ready, or {log}")
        }
        (ProbeAnswer::Silent, Some(_)) if !runs => format!("start it{}", command(Verb::Start)),
        (ProbeAnswer::Silent, _) => {
            format!("it hangs: {log}, or restart it{}", command(Verb::Restart))
        }
        (ProbeAnswer::NoConnection, _) => {
            "packets are lost on the way: look at the firewalls of both hosts".to_owned()
        }
        (ProbeAnswer::Other(_), _) => format!(
            "see what listens there (`ss -tlnp`), and say by `{}` how Pulp speaks with its broker (`amqps` and `qpids` are \
             with TLS)",
            option("broker_url")
        ),
        (ProbeAnswer::Unreachable(_), _) => {
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
            ProbeAnswer::Starting("57P03".to_owned()),
            ProbeAnswer::Silent,
            ProbeAnswer::NoConnection,
            ProbeAnswer::Other("it speaks TLS".to_owned()),
            ProbeAnswer::Unreachable("no route to host".to_owned()),
            ProbeAnswer::Answers(Duration::ZERO),
            ProbeAnswer::Refused,
        ];
        for answer in others {
            let said = words(&answer, unit, true);
            assert!(
                !said.contains(" start ") && !said.starts_with("start "),
                "{answer}: {said}"
            );
            assert!(!said.is_empty());
        }
        assert!(words(&ProbeAnswer::Refused, unit, false).starts_with("start it (`"));
        assert_eq!(words(&ProbeAnswer::Refused, None, false), "start it");
    }
}
