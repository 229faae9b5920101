//! What this host shows of an outage that went wrong, as one text for a person: taken before anything is
//! restarted, because a restart destroys it. Every source has a limit of time and of size, and one that
//! cannot be read says why; nothing here can fail a run. No environment of a process is read, and what
//! looks like a password is masked.

mod own_log;
mod processes;
pub(crate) mod redact;
mod sockets;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::ansible::secrets;
use crate::broker::{self, Broker, rabbitmqctl};
use crate::host::wait::Deadline;
use crate::pulp::{self, Door};
use crate::service;

/// The most that is kept of one source, and of all, in bytes.
const SOURCE_CAP: usize = 1024 * 1024;
const WHOLE_CAP: usize = 4 * 1024 * 1024;

/// How long Pulp's status may take: with a frozen broker it takes 4 s.
const STATUS_LIMIT: Duration = Duration::from_secs(10);

/// The largest status document that is read.
const STATUS_CAP: u64 = 1024 * 1024;

/// Of what evidence is wanted.
pub(crate) struct EvidenceScope<'a> {
    /// Pulp's services on this host.
    pub(crate) units: &'a [String],
    /// Microseconds of the monotonic clock from which on logs are of interest.
    pub(crate) since_us: u64,
    pub(crate) broker: Option<&'a Broker>,
    /// Where Pulp is asked for its status, and below which path Pulp 3 has its API.
    pub(crate) pulp: Option<(&'a Door, &'a str)>,
}

/// Which end of a text that is too long says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Beginning,
    End,
}

/// Reads all of it.
pub(crate) fn collect(wanted: &EvidenceScope) -> String {
    let units = all_units(wanted);
    let mut text = format!(
        "Evidence of this host, taken at {}\n",
        humantime::format_rfc3339_millis(SystemTime::now())
    );
    if let Some((pulp, api_root)) = wanted.pulp {
        let said = status(pulp, api_root);
        add(&mut text, "Pulp's status", Keep::Beginning, said);
    }
    add(
        &mut text,
        "Processes",
        Keep::Beginning,
        Ok(processes::tree(&units)),
    );
    let table = match wanted.broker {
        None => Ok("no broker is known on this host".to_owned()),
        Some(broker) => sockets::table(broker),
    };
    add(&mut text, "Sockets of the broker", Keep::Beginning, table);
    let asked = match wanted.broker {
        // Another broker's tool would tell of another broker.
        Some(broker) if broker.has_rabbitmqctl() => rabbitmq(),
        _ => Vec::new(),
    };
    for (question, answer) in asked {
        let title = format!("rabbitmqctl {question}");
        add(&mut text, &title, Keep::Beginning, answer);
    }
    if let Some(log) = wanted.broker.and_then(own_log::newest) {
        add(&mut text, "The broker's own log", Keep::End, log);
    }
    for (number, unit) in units.iter().enumerate() {
        let log = service::require().and_then(|manager| manager.log(unit, wanted.since_us));
        // What is left is shared by the logs that are left; the newest lines of each say most.
        let room = WHOLE_CAP.saturating_sub(text.len()) / (units.len() - number);
        add_within(&mut text, &format!("Log of {unit}"), Keep::End, log, room);
    }
    text
}

/// Each worker's own unit, and the broker's.
fn all_units(wanted: &EvidenceScope) -> Vec<String> {
    let mut names = wanted.units.to_vec();
    names.extend(wanted.broker.and_then(|broker| broker.unit.clone()));
    let Ok(units) = service::observe(&names) else {
        return names;
    };
    let found = units.into_iter().filter(|unit| unit.found);
    let names: BTreeSet<String> = found.map(|unit| unit.name).collect();
    names.into_iter().collect()
}

fn status(pulp: &Door, api_root: &str) -> Result<String> {
    let [two, three] = pulp::status_paths(api_root)?;
    said(pulp, &two).or_else(|no_two| {
        said(pulp, &three).map_err(|no_three| no_two.context(format!("{no_three:#}")))
    })
}

fn said(pulp: &Door, path: &str) -> Result<String> {
    let url = format!("{}{path}", pulp.base);
    let deadline = Deadline::for_cleanup(STATUS_LIMIT);
    let answer = pulp.content(&url, STATUS_CAP, deadline)?;
    String::from_utf8(answer.body).context("failed to read Pulp's status: it is no text")
}

/// What the broker says of its clients; elsewhere than on its own host it cannot be asked.
fn rabbitmq() -> Vec<(&'static str, Result<String>)> {
    rabbitmqctl::lists(&broker::pulps_virtual_host())
}

fn add(text: &mut String, title: &str, keep: Keep, source: Result<String>) {
    let room = WHOLE_CAP.saturating_sub(text.len());
    add_within(text, title, keep, source, room);
}

fn add_within(text: &mut String, title: &str, keep: Keep, source: Result<String>, room: usize) {
    let body = match source {
        Ok(body) => redact::text(&body),
        Err(cause) => redact::text(&format!("could not be told: {cause:#}")),
    };
    let title = format!("\n=== {title}\n");
    let room = room.saturating_sub(title.len()).min(SOURCE_CAP);
    // Writing to a string does not fail.
    let _ = writeln!(text, "{title}{}", cut(body.trim_end(), keep, room));
}

/// At most `room` bytes, and how many are missing.
fn cut(text: &str, keep: Keep, room: usize) -> String {
    const NOTE: usize = 64;
    if text.len() <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(NOTE);
    match keep {
        Keep::Beginning => {
            let mut end = text.floor_char_boundary(room);
            while let Some((begin, _)) = secrets::across(text, end) {
                end = begin;
            }
            format!("{}\n[{} bytes more]", &text[..end], text.len() - end)
        }
        Keep::End => {
            let mut start = text.ceil_char_boundary(text.len() - room);
            while let Some((_, end)) = secrets::across(text, start) {
                start = end;
            }
            format!("[{start} bytes before]\n{}", &text[start..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        let text = format!("first{}last", "ä".repeat(500));
        let beginning = cut(&text, Keep::Beginning, 200);
        assert!(beginning.starts_with("first") && beginning.ends_with("bytes more]"));
        let end = cut(&text, Keep::End, 200);
        assert!(end.starts_with('[') && end.ends_with("last"), "{end}");
        for cut in [beginning, end] {
            assert!(cut.len() <= 200, "{}", cut.len());
        }
        assert_eq!(cut(&text, Keep::End, 5000), text);
    }

    #[test]
    fn no_half_of_a_known_secret_is_left_at_a_cut() {
        let secret = "Canary-88ad-Canary";
        secrets::add(secret);
        let text = secret.repeat(50);
        for room in 200..200 + secret.len() {
            for keep in [Keep::Beginning, Keep::End] {
                let shown = cut(&text, keep, room);
                assert!(!shown.replace(secret, "").contains("ary"), "{shown}");
            }
        }
    }

    #[test]
    fn all_of_it_stays_within_its_limit() {
        let mut text = String::new();
        let long = "x".repeat(SOURCE_CAP + 7);
        for _ in 0..6 {
            add(&mut text, "Log", Keep::End, Ok(long.clone()));
        }
        assert!(text.len() <= WHOLE_CAP + 1024, "{}", text.len());
        assert!(text.contains("bytes before]"));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let mut text = String::new();
        let cause = anyhow::anyhow!("failed to run `x`: no such file");
        add(&mut text, "Sockets", Keep::Beginning, Err(cause));
        assert_eq!(
            text,
            "\n=== Sockets\ncould not be told: failed to run `x`: no such file\n"
        );
    }

    #[test]
    fn a_host_without_anything_gives_a_text_all_the_same() {
        let wanted = EvidenceScope {
            units: &["pulp_nonsuch.service".to_owned()],
            since_us: 0,
            broker: None,
            pulp: None,
        };
        let text = collect(&wanted);
        for title in ["=== Processes", "=== Sockets of the broker"] {
            assert!(text.contains(title), "{text}");
        }
    }
}
