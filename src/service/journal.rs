//! What units wrote to systemd's journal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::host::process;

/// How long `journalctl` may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How many lines are read at the most, the newest.
const LINES: &str = "--lines=2000";

/// One line and the unit that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) unit: String,
    pub(crate) message: String,
}

/// The lines of units since an instant of the monotonic clock.
///
/// # Errors
/// `journalctl` fails or the clock cannot be read.
pub(crate) fn since(units: &[&str], monotonic: Duration, now: SystemTime) -> Result<Vec<Line>> {
    let since = format!("--since=@{}", wall_clock(monotonic, uptime()?, now));
    let mut argv = vec![
        "journalctl",
        "--no-pager",
        "--quiet",
        "--output=json",
        LINES,
        &since,
    ];
    for unit in units {
        argv.extend(["--unit", unit]);
    }
    Ok(parse(&process::run_ok(&argv, ANSWER_LIMIT)?))
}

/// Whole seconds of the wall clock, rounded down, for an instant of the monotonic clock.
fn wall_clock(monotonic: Duration, uptime: Duration, now: SystemTime) -> u64 {
    let ago = uptime.saturating_sub(monotonic);
    now.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .saturating_sub(ago)
        .as_secs()
}

fn uptime() -> Result<Duration> {
    std::fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .map(Duration::from_secs_f64)
        .context("failed to read `/proc/uptime`")
}

/// A message that is no text is left out: systemd shows it as a list of bytes.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: String,
    #[serde(rename = "MESSAGE")]
    message: String,
}

fn parse(text: &str) -> Vec<Line> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .map(|entry| Line {
            unit: entry.unit,
            message: entry.message,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_text_or_no_json_are_left_out() {
        let text = "{\"_SYSTEMD_UNIT\":\"a.service\",\"MESSAGE\":\"x\",\"PRIORITY\":\"6\"}\n\
                    {\"_SYSTEMD_UNIT\":\"a.service\",\"MESSAGE\":[1,2]}\nnoise\n";
        let expected = Line {
            unit: "a.service".to_owned(),
            message: "x".to_owned(),
        };
        assert_eq!(parse(text), [expected]);
    }

    #[test]
    fn a_unit_that_started_ten_seconds_ago_is_read_from_ten_seconds_ago() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let at = wall_clock(Duration::from_secs(90), Duration::from_secs(100), now);
        assert_eq!(at, 990);
    }
}
