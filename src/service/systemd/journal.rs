//! What units wrote to systemd's journal since they were started.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Deserialize;

use super::LogLine;
use crate::host::process;

/// How long `journalctl` may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How many lines are read at the most: the newest.
const LINES: &str = "--lines=2000";

/// The same where a whole outage is wanted.
const MORE_LINES: &str = "--lines=20000";

/// The newest lines of units since this boot.
///
/// # Errors
/// `journalctl` fails.
pub(crate) fn newest(units: &[&str]) -> Result<Vec<LogLine>> {
    read(units, &[LINES])
}

/// The lines of units since an instant of this boot; of very many the newest.
///
/// # Errors
/// `journalctl` fails.
pub(crate) fn since(units: &[&str], instant: SystemTime) -> Result<Vec<LogLine>> {
    let seconds = instant
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    read(units, &[MORE_LINES, &format!("--since=@{seconds}")])
}

fn read(units: &[&str], which: &[&str]) -> Result<Vec<LogLine>> {
    let mut argv = vec![
        "journalctl",
        "--boot",
        "--no-pager",
        "--quiet",
        "--output=json",
    ];
    argv.extend(which);
    for unit in units {
        argv.extend(["--unit", unit]);
    }
    Ok(parse(&process::run_ok(&argv, ANSWER_LIMIT)?))
}

/// A unit's lines of this boot from an instant of the monotonic clock on, each with the wall clock's.
///
/// # Errors
/// `journalctl` fails.
pub(crate) fn text(unit: &str, since_us: u64) -> Result<String> {
    let argv = [
        "journalctl",
        "--boot",
        "--no-pager",
        "--quiet",
        "--output=json",
        "--lines=5000",
        "--unit",
        unit,
    ];
    Ok(told(&process::run_ok(&argv, ANSWER_LIMIT)?, since_us))
}

fn told(text: &str, since_us: u64) -> String {
    let mut told = String::new();
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    for entry in entries {
        let entry: Entry = entry;
        let at: u64 = entry.at_us.parse().unwrap_or_default();
        if at < since_us {
            continue;
        }
        let wall = Duration::from_micros(entry.wall_us.parse().unwrap_or_default());
        // Writing to a string does not fail.
        let _ = writeln!(
            told,
            "{} {}",
            humantime::format_rfc3339_micros(UNIX_EPOCH + wall),
            entry.message
        );
    }
    told
}

/// A message that is no text is left out: systemd shows it as a list of bytes.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: String,
    #[serde(rename = "MESSAGE")]
    message: String,
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    at_us: String,
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    wall_us: String,
}

fn parse(text: &str) -> Vec<LogLine> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .filter_map(|entry| {
            Some(LogLine {
                unit: entry.unit,
                message: entry.message,
                at_us: entry.at_us.parse().ok()?,
                dated: true,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_text_or_no_json_are_left_out() {
        let text = "{\"_SYSTEMD_UNIT\":\"a.service\",\"MESSAGE\":\"x\",\"__MONOTONIC_TIMESTAMP\":\"7\"}\n\
                    {\"_SYSTEMD_UNIT\":\"a.service\",\"MESSAGE\":[1,2],\"__MONOTONIC_TIMESTAMP\":\"8\"}\n\
                    noise\n";
        let expected = LogLine {
            unit: "a.service".to_owned(),
            message: "x".to_owned(),
            at_us: 7,
            dated: true,
        };
        assert_eq!(parse(text), [expected]);
    }

    #[test]
    fn only_lines_of_the_window_are_told() {
        let line = |at: u32, wall: u32| {
            format!(
                "{{\"MESSAGE\":\"m{at}\",\"__MONOTONIC_TIMESTAMP\":\"{at}\",\
                 \"__REALTIME_TIMESTAMP\":\"{wall}\"}}\n"
            )
        };
        let text = format!("{}{}noise\n", line(7, 1), line(8, 2_000_001));
        assert_eq!(told(&text, 8), "1970-01-01T00:00:02.000001Z m8\n");
    }
}
