//! Where the lanes of one host begin to count, and what is known there.

use crate::verdict::results::{Host, ModuleReply, Scene, WatchReply};

/// Where the lanes of one host begin to count.
pub(super) struct LaneOrigin<'a> {
    pub(super) host: &'a Host,
    pub(super) scene: &'a Scene,
    pub(super) watch: &'a WatchReply,
    /// When this host lost the broker.
    pub(super) zero: f64,
}

impl<'a> LaneOrigin<'a> {
    /// A health check and when it began. Where nobody knows, right after the observation.
    pub(super) fn check(&self) -> Option<(f64, &'a ModuleReply)> {
        let reply = self
            .scene
            .health
            .as_ref()
            .filter(|reply| !reply.steps.is_empty())?;
        let known = reply
            .healthy_at
            .zip(self.watch.wall)
            .map(|(at, wall)| at - wall - reply.seconds.unwrap_or_default() - self.zero);
        let after = self.watch.known_until() - self.zero;
        // A clock that was set meanwhile is not believed.
        let believable = known.filter(|at| *at >= after - 1.0 && *at < after + 600.0);
        Some((believable.unwrap_or(after), reply))
    }
}
