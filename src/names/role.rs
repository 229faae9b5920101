//! What a service is to Pulp.

use serde::{Deserialize, Serialize};

use super::families::{self, listed};

/// Units that Pulp needs and that are none of its own.
const BESIDE_PULP: &[(&str, Role)] = &[
    ("apache2.service", Role::Web),
    ("nginx.service", Role::Web),
    ("mongod.service", Role::Database),
    ("mongodb.service", Role::Database),
];

/// What a service is to Pulp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Worker,
    ResourceManager,
    Scheduler,
    Web,
    Content,
    /// A worker, where only the cache was taken away.
    Bystander,
    /// What is taken away.
    Broker,
    /// What Pulp keeps its own records in: Pulp 2's `MongoDB`.
    Database,
    /// None of Pulp's that is known.
    #[default]
    #[serde(rename = "broker_user", other)]
    Other,
}

impl Role {
    /// Of a unit, by its name.
    pub(crate) fn of_unit(unit: &str) -> Self {
        let beside = || BESIDE_PULP.iter().find(|(name, _)| unit == *name);
        families::role_of(unit)
            .or_else(|| beside().map(|(_, role)| *role))
            .unwrap_or(Self::Other)
    }

    /// The same where workers have nothing to do with what is taken away.
    pub(crate) fn beside(self, caches_only: bool) -> Self {
        if caches_only && self.consumes() {
            Self::Bystander
        } else {
            self
        }
    }

    /// Of a name of Pulp's own list. Pulp 3 lists each worker as its process at a host.
    pub(crate) fn of_listed(worker: &str) -> Self {
        let kind = worker.split('@').next().unwrap_or_default();
        let is_number = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_digit());
        let is = |listed: &str| kind == listed.trim_end_matches('@');
        match kind {
            _ if is(listed::SCHEDULER) => Self::Scheduler,
            _ if is(listed::RESOURCE_MANAGER) => Self::ResourceManager,
            _ if kind.starts_with(listed::WORKER) || is_number => Self::Worker,
            _ => Self::Other,
        }
    }

    /// It runs tasks.
    pub(crate) fn works(self) -> bool {
        self.consumes() || self == Self::Bystander
    }

    /// It holds a standing connection, which has to come back by itself.
    pub(crate) fn consumes(self) -> bool {
        matches!(self, Self::Worker | Self::ResourceManager)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::ResourceManager => "resource manager",
            Self::Scheduler => "scheduler",
            Self::Web => "web server",
            Self::Content => "content",
            Self::Bystander => "worker (the cache is none of its)",
            Self::Broker => "broker",
            Self::Database => "database",
            Self::Other => "service",
        }
    }
}
