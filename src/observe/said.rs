//! What the units' logs say of their connections, read once, when the journal is collected.

use anyhow::Result;

use crate::service::{self, LogLine};
use crate::timeline::{BrokerRefusal, Entry, Event, Said, Timeline, celery};

/// The further entries of a timeline, from the logs of its units.
///
/// # Errors
/// The logs cannot be read.
pub(crate) fn said(timeline: &Timeline) -> Result<Vec<Entry>> {
    let units: Vec<&str> = timeline.begin.units.iter().map(String::as_str).collect();
    let lines = service::lines_since(&units, timeline.instant(0.0))?;
    let begin = timeline.begin.monotonic;
    let mut told: Vec<Entry> = lines.iter().flat_map(|line| entries(line, begin)).collect();
    let last = |unit| last_failure(&lines, unit, begin);
    told.extend(timeline.begin.units.iter().filter_map(|unit| last(unit)));
    let kind = &timeline.begin.kind;
    let refused = |unit| last_refusal(&lines, unit, kind, begin);
    told.extend(timeline.begin.units.iter().filter_map(|unit| refused(unit)));
    Ok(told)
}

/// The levels of a log line that tell of a failure, the graver one first.
const LEVELS: [&str; 2] = ["CRITICAL", "ERROR"];

/// The last line of the gravest level that the unit wrote since the observer began.
fn last_failure(lines: &[LogLine], unit: &str, begin: f64) -> Option<Entry> {
    let line = LEVELS
        .iter()
        .find_map(|level| own(lines, unit, begin).rfind(|line| has_level(&line.message, level)))?;
    let first = line.message.lines().next().unwrap_or_default();
    Some(Entry {
        at: instant(line, begin),
        event: Event::Logged {
            unit: unit.to_owned(),
            line: first.to_owned(),
        },
    })
}

/// The last line in which a broker of this kind says why it refuses the unit.
fn last_refusal(lines: &[LogLine], unit: &str, kind: &str, begin: f64) -> Option<Entry> {
    let told = |line: &LogLine| {
        let mut each = line.message.lines().rev();
        let refusal = each.find_map(|text| BrokerRefusal::of(kind, text))?;
        Some(Entry {
            at: instant(line, begin),
            event: Event::Refused {
                unit: unit.to_owned(),
                refusal,
            },
        })
    };
    own(lines, unit, begin).rev().find_map(told)
}

/// The unit's lines since the observer began; those without an instant are left out.
fn own<'a>(
    lines: &'a [LogLine],
    unit: &'a str,
    begin: f64,
) -> impl DoubleEndedIterator<Item = &'a LogLine> {
    let own = lines.iter().filter(move |line| line.unit == unit);
    own.filter(move |line| line.dated && instant(line, begin) >= 0.0)
}

/// When a line was written, in seconds since the observer began.
fn instant(line: &LogLine, begin: f64) -> f64 {
    let at = std::time::Duration::from_micros(line.at_us).as_secs_f64() - begin;
    (at * 1000.0).round() / 1000.0
}

/// As Pulp writes it (`celery.worker:CRITICAL: …`) and as Celery itself does (`ERROR/MainProcess`).
fn has_level(message: &str, level: &str) -> bool {
    message.match_indices(level).any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = message[at + level.len()..].chars().next();
        before.is_none_or(|c| matches!(c, ':' | ' ' | '[')) && matches!(after, Some(':' | '/'))
    })
}

fn entries(line: &LogLine, begin: f64) -> Vec<Entry> {
    let at = std::time::Duration::from_micros(line.at_us).as_secs_f64() - begin;
    if at < 0.0 {
        return Vec::new();
    }
    let told = |what: Said| match what {
        _ if line.dated => Some(what),
        Said::Lost | Said::Refused => Some(Said::Met),
        _ => None,
    };
    let entry = |(what, seconds): (Said, Option<f64>)| {
        Some(Entry {
            at: (at * 1000.0).round() / 1000.0,
            event: Event::Said {
                unit: line.unit.clone(),
                what: told(what)?,
                seconds: seconds.filter(|_| line.dated),
            },
        })
    };
    celery::said(&line.message).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, at_us: u64) -> Vec<(f64, Said, Option<f64>)> {
        said_by(message, at_us, true)
    }

    fn said_by(message: &str, at_us: u64, dated: bool) -> Vec<(f64, Said, Option<f64>)> {
        let line = LogLine {
            unit: "pulp_worker-0.service".to_owned(),
            message: message.to_owned(),
            at_us,
            dated,
        };
        let entries = entries(&line, 10.0);
        let told = |entry: Entry| match entry.event {
            Event::Said { what, seconds, .. } => (entry.at, what, seconds),
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(told).collect()
    }

    #[test]
    fn a_refused_try_and_the_next_are_read_from_one_message() {
        let message = "consumer: Cannot connect to amqp://guest:**@127.0.0.1:5672//: [Errno 111] Connection \
                       refused.\nTrying again in 4.00 seconds... (2/100)\n";
        let expected = [(2.5, Said::Refused, None), (2.5, Said::Retries, Some(4.0))];
        assert_eq!(said(message, 12_500_000), expected);
    }

    #[test]
    fn the_seconds_until_the_next_try_are_read_as_celery_writes_them() {
        let next = |words: &str| said(words, 11_000_000).first().and_then(|told| told.2);
        assert_eq!(
            next("Trying again in 32.00 seconds... (16/100)"),
            Some(32.0)
        );
        assert_eq!(next("Trying again in 1.50 minutes..."), Some(90.0));
        let beat = "beat: Connection error: [Errno 111] refused. Trying again in 2.0 seconds...";
        assert_eq!(said(beat, 11_000_000)[1].2, Some(2.0));
        // Words that nobody knows name no time.
        for other in [
            "Trying again in 2,00 Sekunden...",
            "Trying again in a while",
            "Trying again in NaN seconds",
        ] {
            assert_eq!(next(other), None, "{other}");
        }
    }

    #[test]
    fn a_log_without_instants_tells_that_the_outage_was_met_and_nothing_to_reckon_with() {
        let message =
            "Cannot connect to amqp://guest:**@b:5672//: refused.\nTrying again in 4.00 seconds...";
        assert_eq!(
            said_by(message, 12_500_000, false),
            [(2.5, Said::Met, None)]
        );
        assert_eq!(said_by("Connected to amqp://b", 12_500_000, false), []);
    }

    #[test]
    fn the_last_critical_line_of_a_unit_is_told_or_else_its_last_error() {
        let line = |unit: &str, message: &str, at_us| LogLine {
            unit: unit.to_owned(),
            message: message.to_owned(),
            at_us,
            dated: true,
        };
        let died = "celery.worker:CRITICAL: (1-2) Unrecoverable error: TypeError(\"'NoneType' object is not callable\",)";
        let lines = [
            line("a.service", "celery:CRITICAL: before the run", 9_000_000),
            line("a.service", died, 11_000_000),
            line(
                "a.service",
                "[x: ERROR/MainProcess] more\nTraceback",
                12_000_000,
            ),
            line(
                "b.service",
                "[x: ERROR/MainProcess] more\nTraceback",
                12_000_000,
            ),
            line("b.service", "an ERROR of which somebody speaks", 13_000_000),
        ];
        let told = |unit| match last_failure(&lines, unit, 10.0).map(|entry| entry.event) {
            Some(Event::Logged { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(told("a.service"), died);
        assert_eq!(told("b.service"), "[x: ERROR/MainProcess] more");
        assert!(last_failure(&lines, "c.service", 10.0).is_none());
    }

    #[test]
    fn the_last_refusal_of_a_unit_is_told_in_the_brokers_words() {
        let line = |unit: &str, message: &str, at_us, dated| LogLine {
            unit: unit.to_owned(),
            message: message.to_owned(),
            at_us,
            dated,
        };
        let refused = "x: CRITICAL\nAccessRefused(403, 'ACCESS_REFUSED - Login was refused using PLAIN')\nmore";
        let lines = [
            line(
                "a.service",
                "NOT_ALLOWED - vhost / not found",
                11_000_000,
                true,
            ),
            line("a.service", refused, 12_000_000, true),
            line(
                "a.service",
                "celery:ERROR: something else",
                13_000_000,
                true,
            ),
            line("b.service", refused, 9_000_000, true),
            line("c.service", refused, 12_000_000, false),
        ];
        let told = |unit| last_refusal(&lines, unit, "rabbitmq", 10.0);
        let Some(Entry {
            at,
            event: Event::Refused { refusal, .. },
        }) = told("a.service")
        else {
            panic!("{:?}", told("a.service"))
        };
        assert_eq!(
            (at.to_bits(), refusal.reason),
            (2.0_f64.to_bits(), crate::timeline::Reason::Login)
        );
        assert!(
            refusal.words.starts_with("AccessRefused(403"),
            "{}",
            refusal.words
        );
        // Before the observation, and in a log without instants, nothing is known to be of this outage.
        assert!(told("b.service").is_none() && told("c.service").is_none());
        assert!(last_refusal(&lines, "a.service", "redis", 10.0).is_none());
    }

    #[test]
    fn what_others_connect_to_and_what_was_said_before_are_left_out() {
        assert_eq!(
            said("Connected to amqp://guest:**@b:5672//", 11_000_000).len(),
            1
        );
        assert_eq!(said("Connected to mongodb://b", 11_000_000), []);
        assert_eq!(said("Connection to broker lost", 9_000_000), []);
        assert_eq!(said("nothing", 11_000_000), []);
    }
}
