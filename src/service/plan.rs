//! What has to be done so that a set of units is in a state: pure, from what was observed.

use super::{Unit, Verb};
use crate::names::WORKERS;

/// One call of the service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) verb: Verb,
    pub(crate) units: Vec<String>,
}

/// What starts every unit that is not up.
///
/// Starting the umbrella `pulp_workers` while it is "active (exited)" does nothing and succeeds, so
/// workers are started by their own units; only when there are none, or one that is named is gone, is
/// the umbrella restarted, which writes them anew.
pub(crate) fn start(units: &[Unit]) -> Vec<Action> {
    let umbrella = units.iter().find(|u| u.name == WORKERS);
    let workers = || units.iter().filter(|u| u.is_worker());
    let gone = workers().next().is_none() || workers().any(|u| !u.found);
    let rewrite = umbrella.is_some_and(|u| u.is_up() && gone);
    let mut actions = Vec::new();
    let failed = names(units, |u| u.active_state == "failed");
    if !failed.is_empty() {
        actions.push(Action {
            verb: Verb::ResetFailed,
            units: failed,
        });
    }
    if rewrite {
        actions.push(Action {
            verb: Verb::Restart,
            units: vec![WORKERS.to_owned()],
        });
    }
    // The umbrella writes the workers' unit files while it starts, and systemd takes one that is still
    // empty for a masked unit, so the workers' own units come only after it.
    let (workers, others): (Vec<&Unit>, Vec<&Unit>) = units
        .iter()
        .filter(|u| u.found && !u.is_up())
        .partition(|u| u.is_worker());
    for down in [others, workers].iter().filter(|d| !d.is_empty()) {
        actions.push(Action {
            verb: Verb::Start,
            units: down.iter().map(|u| u.name.clone()).collect(),
        });
    }
    actions
}

/// What stops every unit that is not down, consumers before what they depend on.
pub(crate) fn stop(units: &[Unit]) -> Vec<Action> {
    let mut up = names(units, |u| !u.is_down());
    up.reverse();
    if up.is_empty() {
        return Vec::new();
    }
    vec![Action {
        verb: Verb::Stop,
        units: up,
    }]
}

/// What restarts every unit, starting those that are down.
pub(crate) fn restart(units: &[Unit]) -> Vec<Action> {
    let has_workers = units.iter().any(Unit::is_worker);
    let mut actions = Vec::new();
    let failed = names(units, |u| u.active_state == "failed");
    if !failed.is_empty() {
        actions.push(Action {
            verb: Verb::ResetFailed,
            units: failed,
        });
    }
    // The umbrella would stop and start the workers a second time.
    let each = names(units, |u| !(u.name == WORKERS && has_workers && u.is_up()));
    if !each.is_empty() {
        actions.push(Action {
            verb: Verb::Restart,
            units: each,
        });
    }
    actions
}

/// A line for each unit as it is, where these actions led there; for `--diff`.
pub(crate) fn states(units: &[Unit], actions: &[Action]) -> String {
    let restarts = actions.iter().filter(|a| a.verb == Verb::Restart);
    let anew: Vec<&String> = restarts.flat_map(|a| &a.units).collect();
    let again = |u: &Unit| {
        if anew.contains(&&u.name) {
            ", restarted"
        } else {
            ""
        }
    };
    let line = |u: &Unit| format!("{}: {}{}\n", u.name, u.active_state, again(u));
    units.iter().map(line).collect()
}

fn names(units: &[Unit], wanted: impl Fn(&Unit) -> bool) -> Vec<String> {
    units
        .iter()
        .filter(|u| u.found && wanted(u))
        .map(|u| u.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, active_state: &str, running: bool) -> Unit {
        Unit {
            name: name.to_owned(),
            active_state: active_state.to_owned(),
            sub_state: String::new(),
            main_pid: u32::from(running),
            running,
            umbrella: name == WORKERS,
            found: true,
            last_exit: String::new(),
            restarts: 0,
            restart: String::new(),
            active_since_us: 0,
        }
    }

    fn action(verb: Verb, units: &[&str]) -> Action {
        Action {
            verb,
            units: units.iter().map(|u| (*u).to_owned()).collect(),
        }
    }

    #[test]
    fn nothing_is_started_when_all_run() {
        let units = [
            unit("httpd.service", "active", true),
            unit(WORKERS, "active", false),
            unit("pulp_worker-0.service", "active", true),
        ];
        assert!(start(&units).is_empty());
    }

    #[test]
    fn a_dead_worker_is_started_by_its_own_unit_although_the_umbrella_is_active() {
        let units = [
            unit(WORKERS, "active", false),
            unit("pulp_worker-0.service", "failed", false),
        ];
        assert_eq!(
            start(&units),
            [
                action(Verb::ResetFailed, &["pulp_worker-0.service"]),
                action(Verb::Start, &["pulp_worker-0.service"]),
            ]
        );
    }

    #[test]
    fn the_umbrella_is_restarted_when_the_worker_units_are_gone() {
        let units = [unit(WORKERS, "active", false)];
        assert_eq!(start(&units), [action(Verb::Restart, &[WORKERS])]);
    }

    #[test]
    fn the_umbrella_is_restarted_when_a_named_worker_unit_is_gone() {
        let gone = Unit {
            found: false,
            ..unit("pulp_worker-1.service", "inactive", false)
        };
        let units = [
            unit(WORKERS, "active", false),
            unit("pulp_worker-0.service", "active", true),
            gone,
        ];
        assert_eq!(start(&units), [action(Verb::Restart, &[WORKERS])]);
    }

    #[test]
    fn workers_are_started_after_the_umbrella_that_writes_their_units() {
        let units = [
            unit("pulp_worker-0.service", "inactive", false),
            unit(WORKERS, "inactive", false),
        ];
        assert_eq!(
            start(&units),
            [
                action(Verb::Start, &[WORKERS]),
                action(Verb::Start, &["pulp_worker-0.service"])
            ]
        );
    }

    #[test]
    fn a_stopped_umbrella_is_started() {
        let units = [unit(WORKERS, "inactive", false)];
        assert_eq!(start(&units), [action(Verb::Start, &[WORKERS])]);
    }

    #[test]
    fn only_what_is_up_is_stopped_and_in_reverse() {
        let units = [
            unit("httpd.service", "active", true),
            unit(WORKERS, "active", false),
            unit("pulp_worker-0.service", "inactive", false),
            unit("pulp_worker-1.service", "active", true),
        ];
        let order = ["pulp_worker-1.service", WORKERS, "httpd.service"];
        assert_eq!(stop(&units), [action(Verb::Stop, &order)]);
    }

    #[test]
    fn a_restart_leaves_the_active_umbrella_alone() {
        let units = [
            unit(WORKERS, "active", false),
            unit("pulp_worker-0.service", "active", true),
        ];
        assert_eq!(
            restart(&units),
            [action(Verb::Restart, &["pulp_worker-0.service"])]
        );
    }

    #[test]
    fn a_restart_shows_although_the_state_is_the_same() {
        let units = [unit("httpd.service", "active", true)];
        assert_eq!(states(&units, &[]), "httpd.service: active\n");
        let after = states(&units, &restart(&units));
        assert_eq!(after, "httpd.service: active, restarted\n");
    }
}
