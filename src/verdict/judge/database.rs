//! Pulp's own database: one that was away is the cause of what needs it, and not the API that tells of it.

use crate::names::verdict::{Grade, Name};
use crate::names::{Actor, Role};
use crate::timeline::Event;
use crate::verdict::results::{Run, WatchReply};
use crate::verdict::{Finding, shown};

/// Fills in the database's unit, and finds that it was away.
pub(super) fn judge(run: &Run, findings: &mut Vec<Finding>) {
    let unit = run.hosts.iter().map(|host| host.database_unit.as_str());
    let database = Actor {
        name: unit
            .into_iter()
            .find(|unit| !unit.is_empty())
            .unwrap_or_default()
            .to_owned(),
        role: Role::Database,
        worker: None,
    };
    for finding in findings.iter_mut() {
        if finding.name == Name::DatabaseUnavailable {
            finding.actor = Some(database.clone());
        }
    }
    // What comes after it in the order of the names needs the database.
    let harmed = |f: &&Finding| f.grade() == Grade::Failed && f.name > Name::DatabaseUnavailable;
    let harmed: Vec<String> = findings
        .iter()
        .filter(harmed)
        .map(|f| f.scenario.clone())
        .collect();
    for scenario in run.outages() {
        let is_harmed = harmed.iter().any(|s| s.is_empty() || s == scenario);
        for (host, scene) in run.scenes(scenario) {
            let away = scene.watch.as_ref().and_then(Away::of);
            if let Some(away) = away.filter(|away| is_harmed || away.until.is_none()) {
                findings.push(away.finding(&database).of(scenario, &host.name));
            }
        }
    }
}

/// When it was away, in seconds after the loss of the broker.
struct Away {
    from: f64,
    /// None: it was at the end.
    until: Option<f64>,
}

impl Away {
    fn of(watch: &WatchReply) -> Option<Self> {
        let down = watch.down_at?;
        let mut away: Option<Self> = None;
        for entry in watch.entries.iter().filter(|entry| entry.at >= down) {
            let Event::Api {
                database: Some(connected),
                ..
            } = entry.event
            else {
                continue;
            };
            match (&mut away, connected) {
                (None, false) => {
                    away = Some(Self {
                        from: entry.at - down,
                        until: None,
                    });
                }
                (Some(away), true) => {
                    away.until.get_or_insert(entry.at - down);
                }
                (Some(away), false) => away.until = None,
                (None, true) => {}
            }
        }
        away
    }

    fn finding(&self, database: &Actor) -> Finding {
        let name = match database.word() {
            "" => "Pulp's database",
            unit => unit,
        };
        let until = match self.until {
            Some(until) => format!("until {} after it", shown(until)),
            None => "to the end".to_owned(),
        };
        let what = format!(
            "{name} was away: Pulp had no database from {} after the loss of the broker {until}",
            shown(self.from)
        );
        Finding::new(Name::DatabaseUnavailable, what)
            .by(database.clone())
            .because("Pulp's status said database_connection.connected: false")
    }
}
