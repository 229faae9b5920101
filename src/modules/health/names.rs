//! Who stands behind the names of Pulp's list, and whether they live.

use std::time::{Duration, SystemTime};

use crate::names::Actor;
pub(super) use crate::names::host;
pub(super) use crate::names::listed::{RESOURCE_MANAGER, SCHEDULER, WORKER};
use crate::pulp::{Status, Worker};

/// The longest silence of a worker that lives: those before Pulp 2.12 say so every 30 s. Until 2.11
/// Pulp lists dead ones for some minutes more.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// One that does not say when it was heard of is given the benefit of the doubt.
pub(super) fn is_alive(worker: &Worker, now: SystemTime) -> bool {
    let heartbeat = worker.heartbeat.as_deref();
    let Some(heard) = heartbeat.and_then(|text| humantime::parse_rfc3339(text).ok()) else {
        return true;
    };
    now.duration_since(heard)
        .is_ok_and(|silence| silence <= LONGEST_SILENCE)
        || heard >= now
}

/// Who of these is not listed. A worker of Pulp 3 has its process's number in its name, and so another name
/// after a restart: there it counts how many of a host are listed.
pub(super) fn absent<'a>(status: &Status, expected: &'a [String]) -> Vec<&'a str> {
    let Some(mut listed) = status.names() else {
        return Vec::new();
    };
    let is_three = status.three.is_some();
    let mut missing = Vec::new();
    for name in expected {
        let same = |other: &&str| *other == name || (is_three && host(other) == host(name));
        match listed.iter().position(same) {
            Some(index) => {
                listed.swap_remove(index);
            }
            None => missing.push(name.as_str()),
        }
    }
    missing
}

/// The unit behind a name of Pulp's list, as `systemctl` takes it.
pub(super) fn unit(name: &str) -> String {
    Actor::listed(name).unit().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(heartbeat: Option<&str>) -> Worker {
        Worker {
            name: "w".to_owned(),
            heartbeat: heartbeat.map(str::to_owned),
        }
    }

    #[test]
    fn a_worker_lives_while_it_says_so_on_the_servers_clock() {
        let now = humantime::parse_rfc3339("2026-11-23T12:00:00Z").expect("instant");
        for (heartbeat, lives) in [
            (Some("2026-11-23T11:59:31Z"), true),
            (Some("2026-11-23T12:00:07Z"), true),
            (Some("2026-11-23T11:58:59Z"), false),
            (Some("never"), true),
            (None, true),
        ] {
            assert_eq!(is_alive(&worker(heartbeat), now), lives, "{heartbeat:?}");
        }
    }
}
