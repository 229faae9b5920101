//! Services of this host: which there are, whether each really runs, and how a set of them is
//! brought into a state. A service runs when its main process does; a unit that merely says
//! "active" proves nothing.

pub(crate) mod journal;
pub(crate) mod plan;
pub(crate) mod systemd;

use serde::Serialize;

/// Pulp 2's services, in the order in which they are started.
/// Source: Pulp's own `server/usr/lib/systemd/system/`, the same from 2.4 to 2.21.
pub(crate) const PULP: &[&str] = &[
    "httpd.service",
    "pulp_workers.service",
    "pulp_resource_manager.service",
    "pulp_celerybeat.service",
];

/// The umbrella that starts the workers and stays "active (exited)" whatever becomes of them.
pub(crate) const WORKERS: &str = "pulp_workers.service";

/// What the name of each worker's own unit begins with.
pub(crate) const WORKER_PREFIX: &str = "pulp_worker-";

/// One unit as its service manager and the kernel show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unit {
    /// The unit's full name, such as `pulp_worker-0.service`.
    pub(crate) name: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`.
    pub(crate) active_state: String,
    /// The finer state, such as `running`, `exited`, `auto-restart`.
    pub(crate) sub_state: String,
    /// The main process; 0 when there is none.
    pub(crate) main_pid: u32,
    /// The main process exists and is no zombie.
    pub(crate) running: bool,
    /// Starts other units and has no process of its own: its state is no evidence.
    pub(crate) umbrella: bool,
    /// There is such a unit on this host.
    pub(crate) found: bool,
    /// How the last main process ended, as a person would say it.
    pub(crate) last_exit: String,
    /// When the unit became active: microseconds of the monotonic clock; 0 when never.
    pub(crate) active_since_us: u64,
}

impl Unit {
    /// Whether the unit does what a start is meant to bring about.
    pub(crate) fn is_up(&self) -> bool {
        if self.umbrella {
            self.active_state == "active"
        } else {
            self.running && self.active_state == "active"
        }
    }

    /// Whether nothing of the unit is left.
    pub(crate) fn is_down(&self) -> bool {
        !self.running && matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// Whether this is a worker's own unit.
    pub(crate) fn is_worker(&self) -> bool {
        self.name.starts_with(WORKER_PREFIX)
    }

    /// Whether the process holds a consumer's standing connection to the broker.
    pub(crate) fn consumes(&self) -> bool {
        self.is_worker() || self.name == "pulp_resource_manager.service"
    }
}

/// What a service manager is asked to do with a set of units; the words are systemd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    ResetFailed,
}

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::ResetFailed => "reset-failed",
        }
    }
}

/// A unit's full name: `httpd` is short for `httpd.service`.
pub(crate) fn full_name(name: &str) -> String {
    const SUFFIXES: &[&str] = &[".service", ".socket", ".target", ".timer"];
    if SUFFIXES.iter().any(|s| name.ends_with(s)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}
