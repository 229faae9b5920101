//! What Pulp's units are called. Each way in which Pulp is shipped has names of its own, which are one entry of one table: a new one
//! is added there, and nowhere else.

use super::{Generation, Role};

/// The umbrella that starts Pulp 2's workers and stays "active (exited)" whatever becomes of them.
pub(crate) const WORKERS: &str = "pulp_workers.service";

/// What the name of each worker's own unit begins with, in a Pulp 2.
pub(crate) const WORKER_PREFIX: &str = "pulp_worker-";

/// What Pulp 2's own names begin with, up to a number or a host.
pub(crate) mod listed {
    pub(crate) const WORKER: &str = "reserved_resource_worker-";
    pub(crate) const RESOURCE_MANAGER: &str = "resource_manager@";
    pub(crate) const SCHEDULER: &str = "scheduler@";
}

/// The units of one way in which Pulp is shipped.
struct Family {
    generation: Generation,
    /// What its own units begin with, also those that are not named here.
    prefix: &'static str,
    /// In the order in which they are started.
    members: &'static [Member],
}

/// A unit; or several, where a `*` stands for what is different in their names.
struct Member {
    unit: &'static str,
    role: Role,
    /// What Pulp's own name for it begins with; empty where it has none, or where that does not lead to a unit.
    listed: &'static str,
}

const fn member(unit: &'static str, role: Role, listed: &'static str) -> Member {
    Member { unit, role, listed }
}

/// Sources: Pulp 2's own `server/usr/lib/systemd/system/`, the same from 2.4 to 2.21; Pulp 3's installer.
const FAMILIES: &[Family] = &[
    Family {
        generation: Generation::Two,
        prefix: "pulp_",
        members: &[
            member("httpd.service", Role::Web, ""),
            member(WORKERS, Role::Other, ""),
            member("pulp_worker-*.service", Role::Worker, listed::WORKER),
            member(
                "pulp_resource_manager.service",
                Role::ResourceManager,
                listed::RESOURCE_MANAGER,
            ),
            member(
                "pulp_celerybeat.service",
                Role::Scheduler,
                listed::SCHEDULER,
            ),
        ],
    },
    Family {
        generation: Generation::Three,
        prefix: "pulpcore-",
        members: &[
            member("pulpcore-api.service", Role::Web, ""),
            member("pulpcore-content.service", Role::Content, ""),
            member(
                "pulpcore-resource-manager.service",
                Role::ResourceManager,
                "",
            ),
            member("pulpcore-worker@*.service", Role::Worker, ""),
        ],
    },
    #[cfg(test)]
    Family {
        generation: Generation::Three,
        prefix: "made-up-",
        members: &[
            member("made-up-rest.service", Role::Web, ""),
            member("made-up-tasks@*.service", Role::Worker, ""),
        ],
    },
];

fn members() -> impl Iterator<Item = (&'static Family, &'static Member)> {
    let each = |family: &'static Family| family.members.iter().map(move |member| (family, member));
    FAMILIES.iter().flat_map(each)
}

impl Family {
    fn owns(&self, unit: &str) -> bool {
        unit.starts_with(self.prefix)
    }
}

impl Member {
    fn is(&self, unit: &str) -> bool {
        match self.unit.split_once('*') {
            Some((before, after)) => unit.starts_with(before) && unit.ends_with(after),
            None => unit == self.unit,
        }
    }

    /// The umbrella writes them, and stands for them.
    fn is_written(&self) -> bool {
        self.unit.starts_with(WORKER_PREFIX)
    }
}

/// Every unit to look for, in the order in which they are started. A `*` stands for the instances of a template.
pub(crate) fn units() -> impl Iterator<Item = &'static str> {
    let named = members().filter(|(_, member)| !member.is_written());
    named.map(|(_, member)| member.unit)
}

/// [`units`] as owned strings.
pub(crate) fn all_units() -> Vec<String> {
    units().map(str::to_owned).collect()
}

/// Whether a name stands for the instances of a template.
pub(crate) fn is_template(unit: &str) -> bool {
    unit.contains("@*.")
}

/// Whether a unit of Pulp's serves its API.
pub(crate) fn serves_api(unit: &str) -> bool {
    members().any(|(_, member)| member.role == Role::Web && member.is(unit))
}

/// The role of a unit of Pulp's.
pub(super) fn role_of(unit: &str) -> Option<Role> {
    let found = members().find(|(_, member)| member.is(unit));
    found.map(|(_, member)| member.role)
}

/// What Pulp's own name for a unit begins with, up to the host's name.
pub(crate) fn listed_as(unit: &str) -> Option<String> {
    let (_, member) = members().find(|(_, member)| member.is(unit))?;
    match member.unit.split_once('*') {
        _ if member.listed.is_empty() => None,
        None => Some(member.listed.to_owned()),
        Some((before, after)) => {
            let number = unit.strip_prefix(before)?.strip_suffix(after)?;
            Some(format!("{}{number}@", member.listed))
        }
    }
}

/// The unit behind a name of Pulp's own, or behind what such names begin with.
pub(super) fn of_listed(worker: &str) -> Option<String> {
    let is_named = |member: &Member| {
        let whole = member.listed.trim_end_matches('@');
        !whole.is_empty() && worker.starts_with(whole)
    };
    let (_, member) = members().find(|(_, member)| is_named(member))?;
    if !member.is_written() {
        return Some(member.unit.to_owned());
    }
    let number = worker.strip_prefix(member.listed)?.split('@').next()?;
    Some(match number {
        "" => WORKERS.to_owned(),
        number => member.unit.replace('*', number),
    })
}

/// As a shell takes it.
fn quoted(unit: &str) -> String {
    if unit.contains('*') {
        format!("'{unit}'")
    } else {
        unit.to_owned()
    }
}

impl Generation {
    /// The Pulp of a unit; `httpd.service` may belong to both.
    pub(crate) fn of_unit(unit: &str) -> Option<Self> {
        let family = FAMILIES.iter().find(|family| family.owns(unit));
        family.map(|family| family.generation)
    }

    /// What the names of its own units begin with.
    pub(crate) fn prefixes(self) -> impl Iterator<Item = &'static str> {
        let own = FAMILIES.iter().filter(move |f| f.generation == self);
        own.map(|family| family.prefix)
    }

    /// Whether a unit is a part of it. Of both the web server may be httpd; only in a Pulp 2 it is Pulp itself.
    pub(crate) fn has(self, unit: &str) -> bool {
        let mut own = FAMILIES.iter().filter(|f| f.generation == self);
        own.any(|family| family.owns(unit) || family.members.iter().any(|member| member.is(unit)))
    }

    /// Its units that run its own code and have a process, those that run tasks first.
    pub(crate) fn asked_units(self) -> Vec<&'static str> {
        let own = members().filter(|(family, member)| {
            family.generation == self
                && family.owns(member.unit)
                && member.role != Role::Other
                && !member.is_written()
        });
        let mut own: Vec<&Member> = own.map(|(_, member)| member).collect();
        own.sort_by_key(|member| member.role != Role::Worker);
        own.iter().map(|member| member.unit).collect()
    }

    /// What `systemctl` takes for its own units of a role, however it was shipped.
    pub(super) fn units_of(self, role: Role) -> Vec<String> {
        let own = members()
            .filter(|(family, member)| family.generation == self && family.owns(member.unit))
            .filter(|(_, member)| member.role == role)
            .map(|(_, member)| member.unit.trim_end_matches(".service"));
        own.map(quoted).collect()
    }

    /// The command that shows what its units of a role logged.
    pub(crate) fn log_of(self, role: Role) -> String {
        format!("`journalctl -u {}`", self.units_of(role).join(" -u "))
    }

    /// Its services end without their database and count on being started again; a Pulp 2's must not.
    pub(crate) fn may_exit(unit: &str) -> bool {
        Self::of_unit(unit) == Some(Self::Three)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Actor;

    #[test]
    fn a_new_family_is_one_entry_of_the_table() {
        let (rest, worker) = ("made-up-rest.service", "made-up-tasks@3.service");
        assert!(units().any(|unit| unit == "made-up-tasks@*.service"));
        assert!(Generation::Three.prefixes().any(|p| p == "made-up-"));
        assert!(Generation::Three.has(worker) && !Generation::Two.has(worker));
        assert_eq!(Generation::of_unit(rest), Some(Generation::Three));
        assert!(serves_api(rest) && !serves_api(worker));
        assert!(Generation::may_exit(worker));
        let actor = Actor::of_unit(worker);
        assert_eq!((actor.role, actor.unit()), (Role::Worker, worker));
        let pattern = Actor::listed("812@h").unit().to_owned();
        assert_eq!(pattern, "'pulpcore-worker@*' 'made-up-tasks@*'");
        let log = Generation::Three.log_of(Role::Web);
        assert_eq!(log, "`journalctl -u pulpcore-api -u made-up-rest`");
        let asked = Generation::Three.asked_units();
        assert!(asked.contains(&"made-up-tasks@*.service") && asked.contains(&rest));
    }

    #[test]
    fn whom_to_ask_of_each_pulp() {
        assert_eq!(
            Generation::Two.asked_units(),
            ["pulp_resource_manager.service", "pulp_celerybeat.service"]
        );
        let shipped: Vec<_> = Generation::Three.asked_units();
        let shipped: Vec<_> = shipped.iter().filter(|u| !u.starts_with("made")).collect();
        assert_eq!(
            shipped,
            [
                &"pulpcore-worker@*.service",
                &"pulpcore-api.service",
                &"pulpcore-content.service",
                &"pulpcore-resource-manager.service"
            ]
        );
    }

    #[test]
    fn a_web_server_alone_is_no_unit_of_a_pulp_3() {
        assert!(Generation::Two.has("httpd.service"));
        assert!(!Generation::Three.has("httpd.service"));
        assert_eq!(Generation::of_unit("httpd.service"), None);
        assert!(Generation::Two.has("pulp_streamer.service"));
    }
}
