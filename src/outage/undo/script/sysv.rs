//! The undo by init scripts. A script's own word counts for little: some fail when there is nothing to
//! do, some return before their daemon has written its pid file. So a service is looked at by its pid
//! file, started when it does not run, and looked at again for a while.

use std::collections::BTreeSet;

use super::{BROKER_SECONDS, Dialect, MADE_RUN, WORKERS, quoted};
use crate::service::sysv;

/// How long services may take to write their pid files, in seconds, before a further attempt.
const SETTLE_SECONDS: u32 = 10;

/// Daemons keep what they are given: not a person's terminal.
const QUIET: &str = "</dev/null >/dev/null 2>&1";

pub(super) fn dialect(broker: Option<&str>, listens: &[String], services: &[String]) -> Dialect {
    Dialect {
        tools: "service setsid cat tr",
        preamble: format!("{}\nmade_run=$(ls {MADE_RUN} 2>/dev/null)\n", sysv::ALIVE),
        broker: broker
            .map(|unit| start_broker(unit, listens))
            .unwrap_or_default(),
        services: start(services),
        end: "[ -z \"$made_run\" ] || [ -e \"$made_run\" ] || rm -f /run\n",
    }
}

/// One that listens already needs no start: only its packets or its processes were held.
fn start_broker(unit: &str, listens: &[String]) -> Vec<String> {
    let script = quoted(sysv::script(unit));
    vec![format!(
        "{} || timeout {BROKER_SECONDS} service {script} start {QUIET}",
        group(listens)
    )]
}

fn start(services: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut all = Vec::new();
    let scripts: BTreeSet<&str> = services.iter().map(|s| sysv::script(s)).collect();
    for script in in_order(services, &scripts) {
        let own = services
            .iter()
            .filter(|s| *s != WORKERS && sysv::script(s) == script);
        let checks: Vec<String> = own.map(|s| sysv::check(s)).collect();
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
        .map(|s| sysv::script(s))
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
        let line = start_broker("qpidd.service", &["LISTENS".to_owned()]).join("");
        assert!(line.starts_with("{ LISTENS; } || timeout"), "{line}");
    }
}
