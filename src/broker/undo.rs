//! The undo: before anything is taken away from this host, a script of plain commands stands under
//! `/run/pulp_broker/` and a transient systemd timer is set to run it. It needs nobody of ours: if
//! the controller, the network or this module dies, everything comes back by itself. The same script
//! is the way out by hand: `sudo /run/pulp_broker/heal`.
//!
//! There is one record a host, of one run at a time. It is written before the act and removed only
//! when the broker answers and every recorded service runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::host::{files, identity, process};
use crate::service::{Unit, Verb, WORKERS, systemd};

/// Where the record and the script are.
const DIR: &str = "/run/pulp_broker";

/// The script, to be run by root.
pub(crate) const HEAL: &str = "/run/pulp_broker/heal";

/// What the names of our timers begin with.
const TIMER_PREFIX: &str = "pulp_broker-heal-";

/// What was taken away on this host and when it comes back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The run that took it.
    pub(crate) run_id: String,
    /// When the run took the first of it: RFC 3339, UTC.
    pub(crate) since: String,
    /// When everything comes back by itself: RFC 3339, UTC.
    pub(crate) restores_at: String,
    /// The transient unit that runs the script, without suffix.
    timer: String,
    /// The broker's unit and port, if it was taken.
    pub(crate) broker: Option<TakenBroker>,
    /// The services that ran before.
    pub(crate) services: Vec<String>,
}

/// A broker that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakenBroker {
    pub(crate) unit: String,
    pub(crate) port: u16,
}

/// What is about to be taken away.
#[derive(Debug)]
pub(crate) enum Taking<'a> {
    Broker(TakenBroker),
    Services(&'a [Unit]),
}

/// The record of this host, if a run has taken something away.
///
/// # Errors
/// It is there but cannot be read.
pub(crate) fn record() -> Result<Option<Record>> {
    let path = record_path();
    let Some(text) = files::read_if_present(&path)? else {
        return Ok(None);
    };
    let record = serde_json::from_str(&text).with_context(|| {
        format!(
            "failed to read `{}`; run `{HEAL}` and remove {DIR}",
            path.display()
        )
    })?;
    Ok(Some(record))
}

/// The record, if it is this run's; everything recorded counts when a person, who has no run, asks.
///
/// # Errors
/// It cannot be read.
pub(crate) fn record_of(run_id: Option<&str>) -> Result<Option<Record>> {
    Ok(record()?.filter(|r| run_id.is_none_or(|id| id == r.run_id)))
}

/// Fails if another run has taken something away on this host.
///
/// # Errors
/// It has; the error says which run, and since when.
pub(crate) fn refuse_other_run(run_id: &str) -> Result<()> {
    match record()? {
        Some(other) if other.run_id != run_id => bail!(
            "failed to begin run `{run_id}`: run `{}` has taken services of this host away since {} \
             and gives them back at {}; wait for it, or run `sudo {HEAL}`",
            other.run_id,
            other.since,
            other.restores_at
        ),
        _ => Ok(()),
    }
}

/// Arms the undo for what is about to be taken away, together with what this run took before.
///
/// # Errors
/// It cannot be armed; nothing may then be taken.
pub(crate) fn arm(run_id: &str, taking: Taking<'_>, restore_after: Duration) -> Result<Record> {
    refuse_other_run(run_id)?;
    let before = record()?;
    let armed = plan(before.as_ref(), run_id, taking, restore_after)?;
    write_and_schedule(&armed, restore_after)
        .inspect_err(|_| {
            if before.is_none() {
                let _ = std::fs::remove_dir_all(DIR);
            }
        })
        .context("failed to arm the undo, so nothing was taken away")?;
    if let Some(before) = before {
        stop_timer(&before);
    }
    Ok(armed)
}

fn plan(
    before: Option<&Record>,
    run_id: &str,
    taking: Taking<'_>,
    restore_after: Duration,
) -> Result<Record> {
    let now = SystemTime::now();
    let mut record = Record {
        run_id: run_id.to_owned(),
        since: before.map_or_else(|| instant(now), |b| b.since.clone()),
        restores_at: instant(now + restore_after),
        timer: format!("{TIMER_PREFIX}{}", identity::nonce()?),
        broker: before.and_then(|b| b.broker.clone()),
        services: before.map_or_else(Vec::new, |b| b.services.clone()),
    };
    match taking {
        Taking::Broker(broker) => record.broker = Some(broker),
        Taking::Services(units) => {
            for unit in units.iter().filter(|u| u.is_up()) {
                if !record.services.contains(&unit.name) {
                    record.services.push(unit.name.clone());
                }
            }
        }
    }
    Ok(record)
}

fn write_and_schedule(record: &Record, restore_after: Duration) -> Result<()> {
    if !systemd::is_manager() {
        bail!("this host is not run by systemd, which is what runs the undo");
    }
    files::private_dir(Path::new(DIR))?;
    files::replace(Path::new(HEAL), 0o700, &script(record))?;
    process::run_ok(&["/bin/sh", "-n", HEAL], Duration::from_secs(5))?;
    files::replace(&record_path(), 0o600, &serde_json::to_string(record)?)?;
    systemd::schedule(&record.timer, restore_after, HEAL)
}

/// Disarms the undo and removes every trace of it.
///
/// # Errors
/// The directory cannot be removed.
pub(crate) fn disarm(record: &Record) -> Result<()> {
    stop_timer(record);
    std::fs::remove_dir_all(DIR).with_context(|| format!("failed to remove `{DIR}`"))
}

/// Lets the undo run now, in its own control group, where the end of this process does not reach it.
///
/// # Errors
/// systemd refuses.
pub(crate) fn run_now(record: &Record) -> Result<()> {
    systemd::begin(Verb::Start, &format!("{}.service", record.timer))
}

fn stop_timer(record: &Record) {
    // A timer that has fired is gone already; there is nothing to do about another failure, and the
    // script is safe to run at any time.
    let timer = format!("{}.timer", record.timer);
    let _ = systemd::apply(Verb::Stop, &[timer], Duration::from_secs(20));
}

fn record_path() -> PathBuf {
    Path::new(DIR).join("record.json")
}

fn instant(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// The script: broker first, until it listens, then the services, until they are active; again with
/// growing pauses until all of it is true.
fn script(record: &Record) -> String {
    let mut attempt = String::new();
    let mut act = |line: String| {
        attempt.push_str("    ");
        attempt.push_str(&line);
        attempt.push('\n');
    };
    if let Some(broker) = &record.broker {
        let unit = quoted(&broker.unit);
        act(format!("systemctl reset-failed {unit} 2>/dev/null"));
        act(format!("systemctl start {unit} || return 1"));
        // State 0A is LISTEN; see proc(5).
        let port = format!(":{:04X} [0-9A-F]*:0000 0A ", broker.port);
        act(format!(
            "grep -qs '{port}' /proc/net/tcp /proc/net/tcp6 || return 1"
        ));
    }
    if !record.services.is_empty() {
        let all: Vec<String> = record.services.iter().map(|s| quoted(s)).collect();
        let all = all.join(" ");
        act(format!("systemctl reset-failed {all} 2>/dev/null"));
        act(format!("systemctl start {all} || return 1"));
        // One call for all of them would be content with one that is active.
        act(format!("for unit in {all}; do"));
        act("    systemctl is-active --quiet \"$unit\" || return 1".to_owned());
        act("done".to_owned());
    }
    format!(
        "#!/bin/sh\n\
         # Gives back what run {run} of the Pulp broker test took away on this host since {since}.\n\
         # It runs by itself at {at}. By hand: sudo {HEAL} (safe at any time, and more than once)\n\
         export LC_ALL=C\n\
         attempt() {{\n{attempt}    return 0\n}}\n\
         heal() {{\n\
         \x20   pause=1\n\
         \x20   until attempt; do\n\
         \x20       sleep \"$pause\"\n\
         \x20       pause=$((pause * 2))\n\
         \x20       [ \"$pause\" -le 60 ] || pause=60\n\
         \x20   done\n\
         \x20   logger -t pulp_broker 'everything that the broker test took away was given back' 2>/dev/null\n\
         \x20   systemctl stop {timer}.timer 2>/dev/null\n\
         \x20   rm -rf {DIR}\n\
         \x20   exit 0\n\
         }}\n\
         heal\n",
        run = comment(&record.run_id),
        since = record.since,
        at = record.restores_at,
        timer = record.timer,
    )
}

/// A word of the shell that stands for itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A text that cannot end its comment.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What of the record is not given back yet; empty: all is. The umbrella `pulp_workers` is no
/// evidence, so it is not asked.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn missing(record: &Record, broker_answers: bool) -> Result<Vec<String>> {
    let names: Vec<String> = record
        .services
        .iter()
        .filter(|s| *s != WORKERS)
        .cloned()
        .collect();
    let units = systemd::observe(&names)?;
    let mut missing: Vec<String> = units
        .into_iter()
        .filter(|u| !u.is_up())
        .map(|u| u.name)
        .collect();
    if let Some(broker) = record.broker.as_ref().filter(|_| !broker_answers) {
        missing.push(broker.unit.clone());
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        Record {
            run_id: "r1\n; rm -rf /".to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            restores_at: "2026-01-01T00:02:30Z".to_owned(),
            timer: "pulp_broker-heal-1".to_owned(),
            broker: Some(TakenBroker {
                unit: "rabbitmq-server.service".to_owned(),
                port: 5672,
            }),
            services: vec!["httpd.service".to_owned(), "it's.service".to_owned()],
        }
    }

    #[test]
    fn the_broker_comes_before_the_services() {
        let text = script(&sample());
        let broker = text
            .find("systemctl start 'rabbitmq-server.service'")
            .unwrap();
        let listens = text.find(":1628 [0-9A-F]*:0000 0A ").unwrap();
        let services = text.find("systemctl start 'httpd.service'").unwrap();
        assert!(broker < listens && listens < services);
    }

    #[test]
    fn neither_a_run_id_nor_a_unit_can_add_a_command() {
        let text = script(&sample());
        assert!(
            text.contains("# Gives back what run r1; rm -rf / of"),
            "{text}"
        );
        assert!(text.contains(r"'it'\''s.service'"));
    }

    #[test]
    fn the_shell_accepts_the_script() {
        let check = ["sh", "-n", "-c", &script(&sample())];
        let output = process::run(&check, Duration::from_secs(5)).unwrap();
        assert_eq!(output.code, 0, "{}", output.text);
    }

    #[test]
    fn a_second_taking_of_the_run_keeps_the_first() {
        let before = sample();
        let taking = Taking::Services(&[]);
        let after = plan(Some(&before), "r1", taking, Duration::from_secs(9)).unwrap();
        assert_eq!(after.broker, before.broker);
        assert_eq!(after.services, before.services);
        assert_eq!(after.since, before.since);
        assert_ne!(after.timer, before.timer);
    }
}
