//! Whom of Pulp to ask for its settings: a process that runs, a worker's before any other; where nothing runs,
//! the unit as systemd would start it.

use std::time::Duration;

use serde_json::Value;

use crate::host::interpreter::Interpreter;
use crate::names::{Generation, all_units};
use crate::service::{self, Setup, Unit};

/// What the interpreter runs. It decides by its one argument which Pulp is asked.
const TEXT: &str = include_str!("ask.py");

/// How long a busy host may need: Pulp's own services take as long to start.
const LIMIT: Duration = Duration::from_mins(1);

/// Who may be asked, as `Pulp's own settings as user pulp (process 58 of pulpcore-worker@1.service)`, and by which
/// interpreter; or why that cannot be told.
type Candidate = (String, Result<Interpreter, String>);

/// Asks the first that can be. Whom, and the answer; or whom not, and why.
pub(super) fn ask(generation: Generation) -> Result<(String, Value), String> {
    let stopped = std::iter::once_with(|| stopped(generation)).flatten();
    let mut failed = None;
    for (whom, interpreter) in running(generation).into_iter().chain(stopped) {
        let (why, is_final) = match interpreter {
            Err(why) => (why, false),
            Ok(interpreter) => match interpreter.ask(TEXT, generation.word(), LIMIT) {
                Ok(answer) => return Ok((whom, answer)),
                Err(error) => {
                    let why = format!("{error:#}").replace('\n', " ");
                    let has_ended = why.contains("ended while it was asked");
                    (why, !has_ended)
                }
            },
        };
        let why = format!("failed to ask {whom}: {why}");
        if is_final {
            return Err(why);
        }
        failed.get_or_insert(why);
    }
    Err(failed.unwrap_or_else(|| {
        "failed to ask Pulp's own settings: none of its services runs here, and no unit says how one is started"
            .to_owned()
    }))
}

fn candidate(place: &str, interpreter: Result<Interpreter, String>) -> Candidate {
    let user = interpreter.as_ref().map(Interpreter::user);
    let user = user.map_or_else(|_| String::new(), |user| format!(" as user {user}"));
    (format!("Pulp's own settings{user} ({place})"), interpreter)
}

/// The interpreters of what runs, workers first.
fn running(generation: Generation) -> Vec<Candidate> {
    let units = service::manager().and_then(|_| service::observe(&all_units()).ok());
    let mut units: Vec<Unit> = units.into_iter().flatten().collect();
    let is_own = |unit: &Unit| Generation::of_unit(&unit.name) == Some(generation);
    units.retain(|unit| unit.running && !unit.umbrella && is_own(unit));
    // What a unit's environment says may be said to its own processes alone: others are asked only where no worker runs.
    if units.iter().any(Unit::is_worker) {
        units.retain(Unit::is_worker);
    }
    units.iter().flat_map(of_unit).collect()
}

/// The processes of a unit, up to the first whose interpreter is known. A unit may start its Python by a shell, which stays.
fn of_unit(unit: &Unit) -> Vec<Candidate> {
    let main = i32::try_from(unit.main_pid).unwrap_or_default();
    let others = || service::processes_of(&unit.name).unwrap_or_default();
    let others = std::iter::once_with(others).flatten();
    let mut found = Vec::new();
    for pid in std::iter::once(main).chain(others.map(|process| process.pid)) {
        let interpreter = match Interpreter::of_process(pid) {
            Ok(Some(interpreter)) => Ok(interpreter),
            Ok(None) => continue,
            Err(why) => Err(format!("{why:#}")),
        };
        let is_known = interpreter.is_ok();
        let place = format!("process {pid} of {}", unit.name);
        found.push(candidate(&place, interpreter));
        if is_known {
            break;
        }
    }
    found
}

/// A unit of Pulp 2's in whose variables the broker is named, which Celery takes before any setting.
pub(super) fn unit_that_names_broker() -> Option<String> {
    let names_broker = |variable: &String| variable.starts_with("CELERY_BROKER_");
    let found = setups(Generation::Two).into_iter().find(|setup| {
        let variables = setup.variables.as_ref();
        variables.is_ok_and(|variables| variables.keys().any(names_broker))
    });
    found.map(|setup| setup.unit)
}

/// How units would be started.
fn setups(generation: Generation) -> Vec<Setup> {
    let manager = service::manager();
    let found = manager.and_then(|manager| manager.setups(&generation.asked_units()).ok());
    found.unwrap_or_default()
}

/// Those of units that would be started: of the first kind that is here, whose environment may be another than that of the next.
fn stopped(generation: Generation) -> Vec<Candidate> {
    let kind = |setup: &Setup| setup.unit.split('@').next().map(str::to_owned);
    let setups = setups(generation);
    let first = setups.first().and_then(kind);
    let all = setups.into_iter().filter(|setup| kind(setup) == first);
    let all = all.map(|setup| {
        let interpreter = setup.start.map(|start| {
            let (program, options) = (start.interpreter, start.options);
            Interpreter::of_service(program, options, start.user, start.variables)
        });
        candidate(&format!("as {} would start", setup.unit), interpreter)
    });
    all.collect()
}
