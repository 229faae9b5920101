//! The undo's script: the broker first, then the services, again with growing pauses until all of it
//! is true. It is plain shell and needs nothing of ours. It stops by itself as soon as the record is
//! no longer its own, so that an old one cannot end a new run's outage.

use super::{BY_HAND, DIR, Record};
use crate::service::{WORKER_PREFIX, WORKERS};

/// How long one attempt waits for the broker, in seconds, before it starts the services all the same:
/// they wait for their broker by themselves.
const BROKER_SECONDS: u32 = 120;

/// The script's text.
pub(super) fn text(record: &Record) -> String {
    let attempt = attempt(record).join("\n    ");
    format!(
        "#!/bin/sh\n\
         # Gives back what run {run} of the Pulp broker test took away on this host since {since}.\n\
         # It runs by itself at {at}. By hand, at any time and more than once: {BY_HAND}\n\
         export LC_ALL=C\n\
         mine() {{\n\
         \x20   grep -qs '\"timer\":\"{timer}\"' {DIR}/record.json\n\
         }}\n\
         attempt() {{\n\
         \x20   rc=0\n\
         \x20   {attempt}\n\
         \x20   return $rc\n\
         }}\n\
         heal() {{\n\
         \x20   pause=1\n\
         \x20   while mine; do\n\
         \x20       if attempt && mine; then\n\
         \x20           logger -t pulp_broker 'everything that the broker test took away was given back' 2>/dev/null\n\
         \x20           systemctl stop {timer}.timer 2>/dev/null\n\
         \x20           rm -rf {DIR}\n\
         \x20           exit 0\n\
         \x20       fi\n\
         \x20       sleep \"$pause\"\n\
         \x20       pause=$((pause * 2))\n\
         \x20       [ \"$pause\" -le 60 ] || pause=60\n\
         \x20   done\n\
         }}\n\
         heal\n",
        run = comment(&record.run_id),
        since = record.since,
        at = record.restores_at,
        timer = record.timer,
    )
}

fn attempt(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(broker) = &record.broker {
        let unit = quoted(&broker.unit);
        lines.push(format!("systemctl reset-failed {unit} 2>/dev/null"));
        lines.push(format!(
            "timeout {BROKER_SECONDS} systemctl start {unit} || rc=1"
        ));
        // State 0A is LISTEN; see proc(5).
        let port = format!(":{:04X} [0-9A-F]*:0000 0A ", broker.port);
        lines.push(format!(
            "grep -qs '{port}' /proc/net/tcp /proc/net/tcp6 || rc=1"
        ));
    }
    let (workers, others): (Vec<&String>, Vec<&String>) = record
        .services
        .iter()
        .partition(|s| s.starts_with(WORKER_PREFIX));
    if !workers.is_empty() && others.iter().any(|s| *s == WORKERS) {
        // Worker units that are gone are written anew by the umbrella.
        lines.push(format!(
            "systemctl cat {} >/dev/null 2>&1 || systemctl restart {WORKERS} || rc=1",
            all(&workers)
        ));
    }
    // The umbrella writes the workers' units, so these come after it.
    for group in [others, workers].iter().filter(|g| !g.is_empty()) {
        let units = all(group);
        lines.push(format!("systemctl reset-failed {units} 2>/dev/null"));
        lines.push(format!("systemctl start {units} || rc=1"));
        // One call for all of them would be content with one that is active.
        lines.push(format!("for unit in {units}; do"));
        lines.push("    systemctl is-active --quiet \"$unit\" || rc=1".to_owned());
        lines.push("done".to_owned());
    }
    lines
}

fn all(units: &[&String]) -> String {
    units
        .iter()
        .map(|u| quoted(u))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word of the shell that stands for itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A text that cannot end its comment.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::sample;
    use super::*;
    use crate::host::process;

    #[test]
    fn the_broker_comes_before_the_services() {
        let text = text(&sample());
        let broker = text
            .find("systemctl start 'rabbitmq-server.service'")
            .unwrap();
        let listens = text.find(":1628 [0-9A-F]*:0000 0A ").unwrap();
        let services = text.find("systemctl start 'httpd.service'").unwrap();
        assert!(broker < listens && listens < services);
    }

    #[test]
    fn a_broker_that_does_not_start_keeps_no_service_down() {
        let attempt = attempt(&sample()).join("\n");
        assert!(!attempt.contains("return"), "{attempt}");
        assert!(!attempt.contains("exit"), "{attempt}");
    }

    #[test]
    fn neither_a_run_id_nor_a_unit_can_add_a_command() {
        let text = text(&sample());
        assert!(
            text.contains("# Gives back what run r1; rm -rf / of"),
            "{text}"
        );
        assert!(text.contains(r"'it'\''s.service'"));
    }

    #[test]
    fn the_shell_accepts_the_script() {
        let check = ["sh", "-n", "-c", &text(&sample())];
        let output = process::run(&check, Duration::from_secs(5)).unwrap();
        assert_eq!(output.code, 0, "{}", output.text);
    }
}
