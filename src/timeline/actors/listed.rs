//! A service's place in Pulp's own list: rows there may be up to two minutes old.

use std::time::{Duration, SystemTime};

use super::{SLACK, Story};
use crate::names::{listed_as, same_host};
use crate::timeline::Event;

impl Story<'_> {
    /// Pulp's name for it, and when it lost and had its place in Pulp's list.
    pub(super) fn listed(&self) -> (Option<String>, Option<f64>, Option<f64>) {
        let Some(prefix) = listed_as(self.unit) else {
            return (None, None, None);
        };
        let is_it = |name: &str| {
            name.strip_prefix(&prefix)
                .is_some_and(|host| same_host(host, &self.timeline.begin.host))
        };
        let (mut name, mut unlisted, mut listed) = (None, None, None);
        let since = |at: Option<f64>, t: f64| at.is_some_and(|at| t >= at);
        for (at, event) in self.events() {
            match event {
                Event::Listed { worker, heartbeat } if is_it(worker) => {
                    name.get_or_insert_with(|| worker.clone());
                    if since(self.outage.up_at, at) && self.is_after_return(heartbeat) {
                        listed.get_or_insert(at);
                    }
                }
                Event::Unlisted { worker } if is_it(worker) && since(self.outage.down_at, at) => {
                    unlisted.get_or_insert(at);
                }
                _ => {}
            }
        }
        // Pulp's list is asked for on one host; its name for a service of another host is known all the same.
        let name = name.or_else(|| Some(format!("{prefix}{}", self.timeline.begin.host)));
        (name, unlisted, listed)
    }

    /// A heartbeat in words that are not understood is taken for what the observer took it for: a newer one.
    fn is_after_return(&self, heartbeat: &str) -> bool {
        let up = self.outage.up_at.unwrap_or_default();
        let back: SystemTime = self.timeline.instant(up) + Duration::from_secs_f64(SLACK);
        humantime::parse_rfc3339(heartbeat).map_or(true, |at| at > back)
    }
}
