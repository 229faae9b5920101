//! A unit as it is seen, whatever runs it, and what makes it up or down.

use serde::Serialize;

use crate::names::Role;

/// One line that a unit wrote, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) unit: String,
    pub(crate) message: String,
    /// Microseconds of the monotonic clock, as in a unit's `ActiveEnterTimestampMonotonic`: no change
    /// of the wall clock and no suspended machine comes between the two.
    pub(crate) at_us: u64,
    /// Whether that is when it was written, and not only when the unit was started.
    pub(crate) dated: bool,
}

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
    /// How often its manager has started it again by itself; 0 where that is not counted.
    #[serde(skip)]
    pub(crate) restarts: u32,
    /// systemd's `Restart=`; empty where nothing is started again.
    #[serde(skip)]
    pub(crate) restart: String,
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

    /// Whether its main process has ended and nobody stopped it: systemd keeps such a unit as failed, with
    /// init scripts its pid file is left.
    pub(crate) fn has_died(&self) -> bool {
        let left = self.active_state == "inactive" && self.last_exit.starts_with("is gone");
        !self.running && !self.umbrella && (self.active_state == "failed" || left)
    }

    /// Whether this is a worker's own unit.
    pub(crate) fn is_worker(&self) -> bool {
        Role::of_unit(&self.name) == Role::Worker
    }

    /// Whether the process holds a consumer's standing connection to the broker.
    pub(crate) fn consumes(&self) -> bool {
        Role::of_unit(&self.name).consumes()
    }
}
