//! Who Pulp's services are: the unit on a host, Pulp's own name for it, and what it is to Pulp. This is
//! the one place that reads a role out of a name: `families.rs` has the table of all names. Everywhere else an actor is data, and
//! never read from a sentence.

mod commands;
mod failure;
mod families;
mod generation;
mod options;
mod own;
mod role;
pub(crate) mod verdict;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub(crate) use commands::with_commands;
pub(crate) use failure::{Failure, VerdictError, verdict_of};
pub(crate) use families::{
    WORKER_PREFIX, WORKERS, all_units, is_template, listed, listed_as, serves_api, units,
};
pub(crate) use generation::Generation;
#[cfg(test)]
pub(crate) use options::resolved_for_play;
pub(crate) use options::{is_play, option, play_calls, resolved, source_of_url};
pub(crate) use own::{is_own_name, is_own_tag, own_name, repository_tag};
pub(crate) use role::Role;

/// One service: who did something, or to whom it happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actor {
    /// Its unit, such as `pulp_worker-0.service`. Empty where only Pulp's own name is known and does
    /// not lead to a unit, as with Pulp 3.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Pulp's own name for it, where Pulp lists it, such as `reserved_resource_worker-0@host`.
    pub(crate) worker: Option<String>,
}

impl Actor {
    /// The service of a unit.
    pub(crate) fn of_unit(unit: &str) -> Self {
        Self {
            name: unit.to_owned(),
            role: Role::of_unit(unit),
            worker: None,
        }
    }

    /// The same on a host, whose own name is a part of Pulp's name for it.
    pub(crate) fn on(host: &str, unit: &str) -> Self {
        Self {
            worker: listed_as(unit).map(|name| format!("{name}{host}")),
            ..Self::of_unit(unit)
        }
    }

    /// The service behind a name of Pulp's list, or behind what such names begin with.
    pub(crate) fn listed(worker: &str) -> Self {
        let role = Role::of_listed(worker);
        let name = match role {
            Role::Other => None,
            _ => families::of_listed(worker),
        };
        Self {
            name: name.unwrap_or_default(),
            role,
            worker: (!host(worker).is_empty()).then(|| worker.to_owned()),
        }
    }

    /// As a person names it: the unit, or else Pulp's name.
    pub(crate) fn word(&self) -> &str {
        if self.name.is_empty() {
            self.worker.as_deref().unwrap_or_default()
        } else {
            &self.name
        }
    }

    /// What `systemctl` takes for it: the unit, or a pattern of units where the unit is not known.
    pub(crate) fn unit(&self) -> &str {
        match (self.name.as_str(), self.role) {
            ("", Role::Worker) => &PULP_3_WORKERS,
            ("", _) => "'pulp*'",
            (unit, _) => unit,
        }
    }

    /// Whether both are the same service, by what is known of both: Pulp's name is one of a kind, a
    /// unit's name is one of a kind on its host.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.worker, &other.worker) {
            (Some(one), Some(other)) => same_worker(one, other),
            _ => !self.name.is_empty() && self.name == other.name,
        }
    }
}

/// A Pulp 3's workers, whose units are not known by Pulp's names for them.
static PULP_3_WORKERS: LazyLock<String> =
    LazyLock::new(|| Generation::Three.units_of(Role::Worker).join(" "));

/// The host within a name of Pulp's list.
pub(crate) fn host(worker: &str) -> &str {
    worker.split_once('@').map_or("", |(_, host)| host)
}

/// One of them may be the short form of the other.
pub(crate) fn same_host(a: &str, b: &str) -> bool {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    a.eq_ignore_ascii_case(b)
        || ((!a.contains('.') || !b.contains('.')) && short(a).eq_ignore_ascii_case(&short(b)))
}

/// Both are names of Pulp's list for the same service.
pub(crate) fn same_worker(a: &str, b: &str) -> bool {
    match (a.split_once('@'), b.split_once('@')) {
        (Some((a, host)), Some((b, other))) => a == b && same_host(host, other),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_both_pulps_are_known_by_their_names() {
        for (unit, role) in [
            ("pulp_worker-11.service", Role::Worker),
            ("pulpcore-worker@2.service", Role::Worker),
            ("pulp_resource_manager.service", Role::ResourceManager),
            ("pulp_celerybeat.service", Role::Scheduler),
            ("httpd.service", Role::Web),
            ("pulpcore-content.service", Role::Content),
            ("goferd.service", Role::Other),
        ] {
            assert_eq!(Role::of_unit(unit), role, "{unit}");
        }
        let listed = listed_as("pulp_worker-11.service");
        assert_eq!(listed.as_deref(), Some("reserved_resource_worker-11@"));
        assert_eq!(listed_as("httpd.service"), None);
        assert_eq!(listed_as("pulpcore-resource-manager.service"), None);
    }

    #[test]
    fn a_name_of_pulps_list_leads_to_its_unit() {
        for (worker, unit) in [
            ("reserved_resource_worker-12@h", "pulp_worker-12.service"),
            ("resource_manager@h", "pulp_resource_manager.service"),
            ("scheduler@h", "pulp_celerybeat.service"),
            ("reserved_resource_worker-", "pulp_workers.service"),
            ("resource_manager@", "pulp_resource_manager.service"),
            ("novel@h", "'pulp*'"),
        ] {
            assert_eq!(Actor::listed(worker).unit(), unit, "{worker}");
        }
    }

    #[test]
    fn a_service_is_itself_by_either_name_and_by_the_short_name_of_its_host() {
        let listed = Actor::listed("reserved_resource_worker-1@a.example.com");
        assert!(listed.is(&Actor::on("a", "pulp_worker-1.service")));
        assert!(listed.is(&Actor::of_unit("pulp_worker-1.service")));
        assert!(!listed.is(&Actor::on("b", "pulp_worker-1.service")));
        assert!(!listed.is(&Actor::of_unit("pulp_worker-0.service")));
        assert!(same_host("a", "a.example.com") && same_host("A.b", "a.b"));
        assert!(!same_host("a.b", "a.c") && !same_host("a", "b"));
    }

    #[test]
    fn an_actor_is_told_in_three_words() {
        let told = serde_json::to_value(Actor::on("h", "pulp_celerybeat.service")).unwrap();
        let expected = serde_json::json!({"name": "pulp_celerybeat.service", "role": "scheduler", "worker": "scheduler@h"});
        assert_eq!(told, expected);
        assert_eq!(
            serde_json::from_value::<Role>("sung".into()).unwrap(),
            Role::Other
        );
    }
}
