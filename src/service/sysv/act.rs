//! Init scripts at work: started, stopped, restarted, one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;

use super::script_name;
use crate::host::process;
use crate::host::wait::Deadline;
use crate::service::{Command, Manager, Unit, Verb};

/// What is run for a verb and a set of services: each script once, in their order.
pub(super) fn commands(verb: Verb, units: &[String]) -> Vec<Command> {
    if verb == Verb::ResetFailed {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    units
        .iter()
        .map(|unit| script_name(unit))
        .filter(|script| seen.insert(*script))
        .map(|script| ["service", script, verb.word()].map(str::to_owned).to_vec())
        .collect()
}

/// Applies a verb to services, one script after the other, and waits until each script is done. A
/// script that fails although its service is as it should be is forgiven: many do when there is
/// nothing to do.
///
/// # Errors
/// A script fails or is not done within `limit`; its own words are in the error.
pub(super) fn apply(
    manager: &dyn Manager,
    verb: Verb,
    units: &[String],
    limit: Duration,
) -> Result<()> {
    let deadline = Deadline::after(limit);
    let mut refused = Vec::new();
    for command in commands(verb, units) {
        let argv: Vec<&str> = command.iter().map(String::as_str).collect();
        if let Err(error) = process::run_ok_leaving(&argv, deadline.remaining()) {
            refused.push((command, error));
        }
    }
    for (command, error) in refused {
        let own: Vec<String> = units
            .iter()
            .filter(|u| script_name(u) == command[1])
            .cloned()
            .collect();
        let stopped = verb == Verb::Stop;
        let reached = |u: &Unit| if stopped { u.is_down() } else { u.is_up() };
        if !manager.observe(&own)?.iter().all(reached) {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_runs_once_and_workers_by_that_of_all() {
        let units = ["pulp_worker-1", "pulp_worker-0", "pulp_workers", "httpd"]
            .map(|u| format!("{u}.service"));
        assert_eq!(
            commands(Verb::Stop, &units),
            [
                ["service", "pulp_workers", "stop"],
                ["service", "httpd", "stop"]
            ]
        );
        assert!(commands(Verb::ResetFailed, &units).is_empty());
    }
}
