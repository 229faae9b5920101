//! What Celery and kombu write to a log of their connection to the broker: the one table of their words.

use super::Said;

/// After `Connected to` and `Cannot connect to` comes a URL.
const WORDS: &[(&str, Said)] = &[
    ("Connection to broker lost", Said::Lost),
    ("Cannot connect to ", Said::Refused),
    ("beat: Connection error", Said::Refused),
    ("Trying again in ", Said::Retries),
    ("Connected to ", Said::Connected),
    ("Unrecoverable error", Said::GaveUp),
];

/// What URLs of brokers begin with. A database or a feed has others.
const SCHEMES: &[&str] = &["amqp", "pyamqp", "librabbitmq", "qpid", "redis", "sentinel"];

/// Everything that a message says, each with the seconds until the next try where it names them.
pub(crate) fn said(message: &str) -> impl Iterator<Item = (Said, Option<f64>)> {
    WORDS.iter().filter_map(move |(words, what)| {
        let (_, after) = message.split_once(words)?;
        let is_url = || SCHEMES.iter().any(|scheme| after.starts_with(scheme));
        let is_told = !words.ends_with(" to ") || is_url();
        let seconds = (*what == Said::Retries).then(|| seconds(after)).flatten();
        is_told.then_some((*what, seconds))
    })
}

/// Whether a message says that the broker is away, or does not accept who wrote it. A bare "Connection refused" may be about a
/// database.
pub(crate) fn tells_of_outage(message: &str) -> bool {
    said(message).any(|(what, _)| matches!(what, Said::Lost | Said::Refused))
}

/// As Celery writes it: `2.00 seconds...`, and from a minute on `1.07 minutes...`.
fn seconds(after: &str) -> Option<f64> {
    let mut words = after.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    let unit = words.next()?.trim_end_matches(['.', 's']);
    let each = match unit {
        "second" => 1.0,
        "minute" => 60.0,
        "hour" => 3600.0,
        _ => return None,
    };
    Some(number * each).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_the_broker_tells_of_an_outage() {
        for (message, tells) in [
            ("consumer: Cannot connect to pyamqp://h: refused.", true),
            ("consumer: Cannot connect to qpid://h: refused.", true),
            ("consumer: Connection to broker lost.", true),
            ("Cannot connect to https://feed/", false),
            ("[Errno 111] Connection refused", false),
            ("Connected to amqp://h", false),
        ] {
            assert_eq!(tells_of_outage(message), tells, "{message}");
        }
        let again: Vec<_> = said("Trying again in 1.50 minutes... (4/100)").collect();
        assert_eq!(again, [(Said::Retries, Some(90.0))]);
    }
}
