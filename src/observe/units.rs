//! Looks at the units: whether each main process is there, ten times a second, which costs next to
//! nothing; and what the service manager says of them whenever one is gone, as long as one that ran is
//! missing, and every few seconds.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::{Scene, observed};
use crate::host::{processes, wait};
use crate::service::{self, Unit};
use crate::timeline::Event;

pub(super) const NAME: &str = "units";

/// How often main processes are looked for.
const PACE: Duration = Duration::from_millis(100);

/// How often the service manager is asked while something is missing, and while nothing is.
const MISSING: Duration = Duration::from_millis(400);
const ALL_THERE: Duration = Duration::from_secs(5);

pub(super) async fn sample(scene: Rc<Scene>) {
    // It was asked just now, before the journal began.
    let mut asked = Instant::now();
    let mut ran = BTreeSet::new();
    scene.looked(NAME);
    loop {
        wait::pass(PACE).await;
        let (gone, missing) = {
            let units = scene.units.borrow();
            ran.extend(units.values().filter(|u| u.running).map(|u| u.name.clone()));
            (
                units.values().any(has_gone),
                units.values().any(|u| !u.running && ran.contains(&u.name)),
            )
        };
        let age = asked.elapsed();
        if gone || age >= if missing { MISSING } else { ALL_THERE } {
            let names = scene.names.clone();
            let at = Instant::now();
            let seen = tokio::task::spawn_blocking(move || service::observe(&names)).await;
            let seen = seen.unwrap_or_else(|_| Err(anyhow!("failed to ask for the units")));
            if let Some(seen) = scene.tried(NAME, seen) {
                note(&scene, observed(seen), at);
            }
            asked = Instant::now();
        }
    }
}

fn has_gone(unit: &Unit) -> bool {
    unit.running && unit.main_pid != 0 && !processes::exists(unit.main_pid)
}

/// Writes down each unit that is not as it was. One that is not shown any more is gone.
pub(super) fn note(scene: &Scene, seen: Vec<Unit>, at: Instant) {
    let mut units = scene.units.borrow_mut();
    let shown: BTreeSet<String> = seen.iter().map(|u| u.name.clone()).collect();
    let vanished: Vec<Unit> = units
        .values()
        .filter(|u| !shown.contains(&u.name))
        .map(|u| Unit {
            active_state: "gone".to_owned(),
            sub_state: "gone".to_owned(),
            main_pid: 0,
            running: false,
            ..u.clone()
        })
        .collect();
    for unit in seen.into_iter().chain(vanished) {
        let event = event(&unit);
        if units.get(&unit.name).map(self::event).as_ref() != Some(&event) {
            scene.note(at, event);
        }
        units.insert(unit.name.clone(), unit);
    }
}

fn event(unit: &Unit) -> Event {
    Event::Unit {
        unit: unit.name.clone(),
        state: format!("{}/{}", unit.active_state, unit.sub_state),
        main_pid: if unit.running { unit.main_pid } else { 0 },
        restarts: unit.restarts,
        exit: unit.last_exit.clone(),
        restart: unit.restart.clone(),
    }
}
