//! The undo by init scripts. A script's own word counts for little: some fail when there is nothing to
//! do, some return before their daemon has written its pid file. So a service is looked at by its pid
//! file, started when it does not run, and looked at again for a while.

use std::collections::BTreeSet;

use super::{ALIVE, check, script_name};
use crate::host::process::quoted;
use crate::names::WORKERS;
use crate::service::{Restart, RestartScript};

/// How long services may take to write their pid files, in seconds, before a further attempt.
const SETTLE_SECONDS: u32 = 10;

/// Daemons keep what they are given: not a person's terminal.
const QUIET: &str = "</dev/null >/dev/null 2>&1";

pub(super) fn restart(restart: &Restart<'_>) -> RestartScript {
    let broker = restart.broker.map(|unit| start_broker(unit, restart));
    RestartScript {
        tools: "service setsid cat tr",
        preamble: format!("{ALIVE}\nmade_run=$(ls {} 2>/dev/null)\n", restart.made_run),
        broker: broker.unwrap_or_default(),
        services: start(restart.services),
        end: "[ -z \"$made_run\" ] || [ -e \"$made_run\" ] || rm -f /run\n",
    }
}

/// One that listens already needs no start: only its packets or its processes were held.
fn start_broker(unit: &str, restart: &Restart<'_>) -> Vec<String> {
    let script = quoted(script_name(unit));
    vec![format!(
        "{} || timeout {} service {script} start {QUIET}",
        group(restart.listens),
        restart.seconds
    )]
}

fn start(services: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut all = Vec::new();
    let scripts: BTreeSet<&str> = services.iter().map(|s| script_name(s)).collect();
    for script in in_order(services, &scripts) {
        let own = services
            .iter()
            .filter(|s| *s != WORKERS && script_name(s) == script);
        let checks: Vec<String> = own.map(|s| check(s)).collect();
        let start = format!("service {} start {QUIET}", quoted(script));
        if checks.is_empty() {
            lines.push(start);
        } else {
            lines.push(format!("{} || {start}", group(&checks)));
            all.extend(checks);
        }
    }
    if !all.is_empty() {
        let all = group(&all);
        lines.push("tries=0".to_owned());
        lines.push(format!(
            "until {all} || [ $tries -ge {SETTLE_SECONDS} ]; do sleep 1; tries=$((tries + 1)); done"
        ));
        lines.push(format!("{all} || rc=1"));
    }
    lines
}

/// The scripts in the order of their services.
fn in_order<'a>(services: &'a [String], scripts: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let mut left = scripts.clone();
    services
        .iter()
        .map(|s| script_name(s))
        .filter(|s| left.remove(s))
        .collect()
}

fn group(checks: &[String]) -> String {
    format!("{{ {}; }}", checks.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_started_by_their_script_and_looked_at_one_by_one() {
        let services = [
            WORKERS,
            "pulp_worker-0.service",
            "pulp_worker-1.service",
            "pulp_celerybeat.service",
        ]
        .map(str::to_owned);
        let text = start(&services).join("\n");
        assert_eq!(text.matches("service 'pulp_workers' start").count(), 1);
        assert!(text.contains("/var/run/pulp/reserved_resource_worker-1.pid"));
        assert!(text.contains("service 'pulp_celerybeat' start"));
    }

    #[test]
    fn a_broker_that_listens_is_not_started() {
        let restart = Restart {
            listens: &["LISTENS".to_owned()],
            ..Restart::default()
        };
        let line = start_broker("qpidd.service", &restart).join("");
        assert!(line.starts_with("{ LISTENS; } || timeout"), "{line}");
    }
}
