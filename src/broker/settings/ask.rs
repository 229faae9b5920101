//! Whom of Pulp to ask for its settings: a process that runs, a worker's before any other; where nothing runs,
//! the unit as systemd would start it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::host::interpreter::Interpreter;
use crate::names::Generation;
use crate::service::{self, Manager, PULP, PULP3_WORKERS, Unit};

/// What the interpreter runs. It decides by its one argument which Pulp is asked.
const TEXT: &str = include_str!("ask.py");

/// How long a busy host may need: Pulp's own services take as long to start.
const LIMIT: Duration = Duration::from_mins(1);

/// Units that are told of where nothing runs.
fn units(generation: Generation) -> &'static [&'static str] {
    match generation {
        Generation::Two => &["pulp_resource_manager.service", "pulp_celerybeat.service"],
        Generation::Three => &[
            PULP3_WORKERS,
            "pulpcore-api.service",
            "pulpcore-content.service",
            "pulpcore-resource-manager.service",
        ],
    }
}

/// What was asked, or why nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// As `Pulp's own settings as user pulp (process 58 of pulpcore-worker@1.service)`.
    pub(super) whom: String,
    pub(super) answer: Result<Value, String>,
}

/// Asks the first that can be.
pub(super) fn ask(generation: Generation) -> Asked {
    let mut failed = None;
    for (interpreter, whom) in running(generation, &mut failed) {
        let asked = put(&interpreter, generation, &whom);
        if asked.answer.is_ok() || !ended_meanwhile(&asked) {
            return asked;
        }
        failed = Some(asked);
    }
    let setups = match service::manager() {
        Some(Manager::Systemd) => service::setups(units(generation)).unwrap_or_default(),
        _ => Vec::new(),
    };
    for setup in setups {
        let whom =
            |user: &str| format!("Pulp's own settings{user} (as {} would start)", setup.unit);
        match setup.start {
            Ok(start) => {
                let (program, options) = (start.interpreter, start.options);
                let interpreter =
                    Interpreter::of_service(program, options, start.user, start.variables);
                let user = format!(" as user {}", interpreter.user());
                return put(&interpreter, generation, &whom(&user));
            }
            Err(why) => {
                failed.get_or_insert_with(|| Asked {
                    whom: whom(""),
                    answer: Err(why),
                });
            }
        }
    }
    failed.unwrap_or_else(|| Asked {
        whom: "Pulp's own settings".to_owned(),
        answer: Err(
            "none of its services runs here, and no unit says how one is started".to_owned(),
        ),
    })
}

fn put(interpreter: &Interpreter, generation: Generation, whom: &str) -> Asked {
    let answer = interpreter.ask(TEXT, generation.word(), LIMIT);
    Asked {
        whom: whom.to_owned(),
        answer: answer.map_err(|error| format!("{error:#}").replace('\n', " ")),
    }
}

fn ended_meanwhile(asked: &Asked) -> bool {
    let why = asked.answer.as_ref().err();
    why.is_some_and(|why| why.contains("ended while it was asked"))
}

/// The interpreters of what runs, workers first; and why the first of those that have none could not be asked.
fn running(generation: Generation, failed: &mut Option<Asked>) -> Vec<(Interpreter, String)> {
    let names: Vec<String> = PULP.iter().map(|name| (*name).to_owned()).collect();
    let units = service::manager().and_then(|_| service::observe(&names).ok());
    let mut units: Vec<Unit> = units.into_iter().flatten().collect();
    units.retain(|unit| {
        unit.running && !unit.umbrella && unit.name.starts_with(generation.prefix())
    });
    units.sort_by_key(|unit| !unit.is_worker());
    let mut found = Vec::new();
    for unit in &units {
        let main = i32::try_from(unit.main_pid).unwrap_or_default();
        // A unit may start its Python by a shell, which stays.
        let others = || service::processes_of(&unit.name).unwrap_or_default();
        let pids = std::iter::once(main).chain(others().into_iter().map(|process| process.pid));
        for pid in pids {
            let whom =
                |user: &str| format!("Pulp's own settings{user} (process {pid} of {})", unit.name);
            match Interpreter::of_process(pid) {
                Ok(Some(interpreter)) => {
                    let user = format!(" as user {}", interpreter.user());
                    found.push((interpreter, whom(&user)));
                    break;
                }
                Ok(None) => {}
                Err(why) => {
                    failed.get_or_insert_with(|| Asked {
                        whom: whom(""),
                        answer: Err(format!("{why:#}")),
                    });
                }
            }
        }
    }
    found
}

/// A part of an answer: what was asked for, or why it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Part<T> {
    Cannot { cannot: String },
    Is(T),
}

/// A number where Python has one, a text where somebody wrote one.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
