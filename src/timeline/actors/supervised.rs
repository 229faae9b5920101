//! What the service manager does with a service that has ended. Pulp 2's services must not exit; those of
//! Pulp 3 do, and count on being started again.

use serde::{Deserialize, Serialize};

use super::{ActorState, Seen, Story};
use crate::names::Generation;
use crate::timeline::Event;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Supervision {
    /// systemd's `Restart=` of its unit; empty where nobody told.
    pub(crate) restart_setting: String,
    /// It ended, and its manager does not start it again. None where nobody told.
    pub(crate) given_up: Option<bool>,
}

impl ActorState {
    /// An end of its main process is the way of its Pulp, as long as it is started again.
    pub(crate) fn may_exit(&self) -> bool {
        Generation::may_exit(&self.actor.name)
    }

    /// Its exit is one that the test is about.
    pub(crate) fn is_lost(&self) -> bool {
        !self.exits.is_empty() && (!self.may_exit() || self.is_given_up())
    }

    fn is_given_up(&self) -> bool {
        self.supervision.given_up == Some(true)
    }

    /// How it ended last, and for which reason nobody starts it again.
    pub(crate) fn ending(&self) -> String {
        let end = if self.is_given_up() {
            self.exits.last()
        } else {
            self.exits.first()
        };
        let how = end.map_or("does not run", |exit| exit.how.as_str());
        if !self.may_exit() {
            return how.to_owned();
        }
        let restart = match self.supervision.restart_setting.as_str() {
            "" => "no",
            setting => setting,
        };
        let status_0 = how == "exited with status 0" && restart == "on-failure";
        let why = if status_0 {
            ", which status 0 is not"
        } else {
            ""
        };
        format!("{how} and is not started again (Restart={restart}{why})")
    }
}

impl Story<'_> {
    /// Whoever waited for it looks also for what the observer does not: a connection that is only asked for.
    pub(super) fn seen_met(&self) -> Option<Seen> {
        let was = self.timeline.seen_met.iter().any(|name| name == self.unit);
        was.then(|| Seen {
            at: self.outage.down_at.unwrap_or_default(),
            how: "it asked a broker that did not answer".to_owned(),
        })
    }

    /// `Restart=` of the unit, and whether its manager has given it up, as of what was seen last.
    pub(super) fn supervision(&self) -> Supervision {
        let mut last = Supervision::default();
        for (_, event) in self.events() {
            if let Event::Unit {
                unit,
                state,
                main_pid,
                restart,
                ..
            } = event
                && unit == self.unit
            {
                // On its way to another start it is `activating`.
                let ended = ["failed", "inactive", "gone"];
                let ended = ended.iter().any(|word| state.starts_with(word));
                last = Supervision {
                    restart_setting: restart.clone(),
                    given_up: Some(*main_pid == 0 && ended),
                };
            }
        }
        last
    }
}
