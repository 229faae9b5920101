//! The undo in systemd's words.

use crate::host::process::quoted;
use crate::names::{WORKER_PREFIX, WORKERS};
use crate::service::{Restart, RestartScript};

pub(super) fn restart(restart: &Restart<'_>) -> RestartScript {
    let broker = restart.broker.map(|unit| broker(unit, restart.seconds));
    RestartScript {
        tools: "systemctl",
        preamble: String::new(),
        broker: broker.unwrap_or_default(),
        services: start(restart.services),
        end: "if [ -n \"$mine\" ]; then\n\
              \x20   systemctl stop \"$mine.timer\" 2>/dev/null\n\
              \x20   systemctl reset-failed \"$mine.service\" 2>/dev/null\n\
              fi\n",
    }
}

/// A start waits for a stop that does not end. Where the last process of a unit dies and systemd is not told (control
/// groups of version 1, in a container), that would be `TimeoutStopSec`; it looks again when it reloads. Nobody is killed here.
fn broker(unit: &str, seconds: u32) -> Vec<String> {
    let unit = quoted(unit);
    format!(
        "seconds=0
         while [ $seconds -lt {seconds} ] && systemctl show --property=ActiveState {unit} | grep -q =deactivating; do
             group=$(systemctl show --property=ControlGroup {unit} | sed 's/^[^=]*=//')
             procs=/sys/fs/cgroup/systemd$group/cgroup.procs
             [ ! -e \"$procs\" ] || grep -qs . \"$procs\" || systemctl daemon-reload
             sleep 1
             seconds=$((seconds + 1))
         done
         systemctl reset-failed {unit} 2>/dev/null
         timeout {seconds} systemctl start {unit} || rc=1"
    )
    .lines()
    .map(|line| line.strip_prefix("         ").unwrap_or(line).to_owned())
    .collect()
}

/// A start waits for a stop that does not end, such as that of a worker whose connection has just been cut; that of the umbrella
/// waits for the stop of each worker. So all of these are ended before anything is started.
fn end_stops(services: &[String]) -> Vec<String> {
    let units = all(&services.iter().collect::<Vec<_>>());
    // Where control groups do not tell when they are empty (v1, in a container), systemd looks when it reloads.
    format!(
        "hangs=
         for unit in {units}; do
             case $(systemctl show --property=ActiveState \"$unit\") in
             *=deactivating)
                 systemctl kill --signal=SIGKILL \"$unit\" 2>/dev/null
                 hangs=1 ;;
             esac
         done
         [ -z \"$hangs\" ] || {{ sleep 1; systemctl daemon-reload; }}"
    )
    .lines()
    .map(|line| line.strip_prefix("         ").unwrap_or(line).to_owned())
    .collect()
}

fn start(services: &[String]) -> Vec<String> {
    if services.is_empty() {
        return Vec::new();
    }
    let mut lines = end_stops(services);
    let (workers, others): (Vec<&String>, Vec<&String>) =
        services.iter().partition(|s| s.starts_with(WORKER_PREFIX));
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
