//! The Ansible modules of this binary, one file each, all of the same shape: what it may be asked,
//! what it does. This is the only list of them.

mod broker;
mod facts;
mod health;
mod report;
mod services;
mod watch;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome, reported};
use crate::broker::settings::Target;
use crate::broker::{Overrides, settings};
use crate::names::VerdictError;
use crate::names::{Generation, all_units, option};
use crate::observe;
use crate::outage::guard::Untaken;
use crate::outage::undo;
use crate::pulp::others::{Look, Refusal, listed};
use crate::service::{self, Unit};

/// Every module, by the name that playbooks use.
pub(crate) const ALL: &[Module] = &[
    facts::MODULE,
    services::MODULE,
    broker::MODULE,
    watch::MODULE,
    health::MODULE,
    report::MODULE,
];

/// Runs the module that was called. An observer of its run hears of it.
pub(crate) fn run(call: &Call) -> Outcome {
    if let Some(run_id) = call.params().get("run_id").and_then(Value::as_str)
        && !call.check_mode
    {
        observe::attend(run_id);
    }
    call.module.run(call)
}

/// Where the broker is, instead of what Pulp's configuration says.
const BROKER_URL: Opt = Opt::new("broker_url", Kind::Str).secret();

/// The broker's unit, instead of the one that listens.
const BROKER_UNIT: Opt = Opt::new("broker_unit", Kind::Str);

/// Which of Pulp 3's services is taken away as the broker.
const TARGET: Opt = Opt::new("target", Kind::Str)
    .default(Default::Str("broker"))
    .choices(Target::NAMES);

/// Whether Pulp itself may be asked for its settings.
const ASK_PULP: Opt = Opt::new("ask_pulp", Kind::Bool).default(Default::Bool(true));

/// Which Pulp is meant, where a Pulp 2 and a Pulp 3 are on one host.
const PULP_GENERATION: Opt = Opt::new("pulp", Kind::Str).choices(Generation::NAMES);

/// The run that takes things away and gives back only what it took.
const RUN_ID: Opt = Opt::new("run_id", Kind::Str);

/// Seconds after which the undo gives everything back by itself.
const RESTORE_AFTER: Opt = Opt::new("restore_after", Kind::Int);

/// The run of a person who gave none.
const BY_HAND: &str = "by-hand";

/// How much longer than the outage itself the undo waits, unless the user says otherwise.
const RESTORE_MARGIN: Duration = Duration::from_mins(2);

/// The validated parameters as the module's own type.
fn typed<T: DeserializeOwned>(call: &Call) -> Result<T> {
    T::deserialize(&*call.params())
        .with_context(|| format!("failed to read the parameters of `{}`", call.module.name))
}

/// What a user says of the broker, as several modules take it.
#[derive(Debug, Deserialize)]
struct BrokerParams {
    broker_url: Option<String>,
    broker_unit: Option<String>,
    target: Target,
    ask_pulp: bool,
    /// Not every module asks.
    pulp: Option<Generation>,
}

impl BrokerParams {
    fn overrides(&self) -> Overrides<'_> {
        Overrides {
            url: self.broker_url.as_deref(),
            unit: self.broker_unit.as_deref(),
            target: self.target,
            may_ask: self.ask_pulp,
            pulp: self.pulp,
        }
    }
}

/// The units on this host of the Pulp that is meant, or of any. A web server or anything else alone is no Pulp, and is not Pulp 3's
/// part: it uses neither broker nor database.
fn pulp_units(meant: Option<Generation>) -> Result<Vec<Unit>> {
    if service::manager().is_none() {
        return Ok(Vec::new());
    }
    let mut units: Vec<Unit> = service::observe(&all_units())?
        .into_iter()
        .filter(|u| u.found && meant.is_none_or(|pulp| pulp.has(&u.name)))
        .collect();
    let has = |generation| {
        let mut found = units.iter().map(|u| Generation::of_unit(&u.name));
        found.any(|of| of == Some(generation))
    };
    let (pulp_2, pulp_3) = (has(Generation::Two), has(Generation::Three));
    if pulp_3 && !pulp_2 {
        units.retain(|u| Generation::Three.has(&u.name));
    }
    let pulp = pulp_2 || pulp_3 || Path::new(settings::SERVER_CONF).exists();
    Ok(if pulp { units } else { Vec::new() })
}

/// Before and after, for `--diff`: what it is about and the state that it is in. In check mode the same as in
/// the run, so it holds nothing that only the run can tell.
fn diff(what: &str, before: &str, after: &str) -> Value {
    let line = |state| format!("{what}: {state}\n");
    json!({ "before": line(before), "after": line(after) })
}

/// The longest that anything may be held away or waited for: a day.
const LONGEST_SECONDS: i64 = 24 * 60 * 60;

/// A duration parameter.
fn seconds(name: &str, value: i64) -> Result<Duration> {
    match u64::try_from(value) {
        Ok(seconds) if value <= LONGEST_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => bail!("value of {name} must be from 0 to {LONGEST_SECONDS} seconds, got: {value}"),
    }
}

/// How long an outage is held, and in what time its undo gives everything back.
fn outage_times(hold: i64, restore_after: Option<i64>) -> Result<(Duration, Duration)> {
    let hold = seconds("hold", hold)?;
    let restore_after = match restore_after {
        Some(value) => seconds("restore_after", value)?,
        None => hold + RESTORE_MARGIN,
    };
    if restore_after < undo::SHORTEST || restore_after <= hold {
        bail!(
            "value of {} must be greater than hold ({} s) and at least {}, got: {}; the undo \
             would end the outage",
            option("restore_after"),
            hold.as_secs(),
            undo::SHORTEST.as_secs(),
            restore_after.as_secs()
        );
    }
    Ok((hold, restore_after))
}

/// What the user says of the look at the tasks of others before something is taken away.
#[derive(Deserialize)]
struct Asked {
    pulp_url: Option<String>,
    accept_task_loss: bool,
}

/// The look at the tasks of others, if the user says where Pulp is. Nothing is sent yet.
fn look(call: &Call) -> Result<Option<Look>> {
    let asked: Asked = typed(call)?;
    let Some(url) = asked.pulp_url else {
        return Ok(None);
    };
    Look::new(&url, &typed(call)?, asked.accept_task_loss).map(Some)
}

/// The reply where nothing was taken away, because of tasks of others or because Pulp does not tell.
fn nothing_taken(untaken: Untaken, outcome: Outcome) -> Outcome {
    let Untaken { refusal, undo } = untaken;
    let failures = json!([refusal.failure()]);
    let Refusal {
        name, msg, tasks, ..
    } = refusal;
    let msg = format!("{msg}; nothing was taken away");
    let outcome = Outcome {
        failed: true,
        msg: Some(VerdictError::new(name, &*msg).to_string()),
        ..outcome
    }
    .with("void", name.word())
    .with("verdict", reported(name, &msg))
    .with("failures", failures);
    let outcome = match undo {
        Some(state) => outcome.with("undo", state),
        None => outcome,
    };
    if tasks.is_empty() {
        return outcome;
    }
    outcome.with("busy", listed(&tasks))
}

/// The reply where something was taken away so long after a look began; `None`: nobody looked.
fn told(outcome: Outcome, looked: Option<Duration>) -> Outcome {
    outcome.with(
        "look_seconds_before",
        looked.as_ref().map(Duration::as_secs_f64),
    )
}

#[cfg(test)]
mod tests {
    mod argspec;

    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::ALL;
    use crate::ansible::spec::docs;

    fn library() -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "library"].iter().collect()
    }

    #[test]
    fn the_documentation_says_what_the_spec_says() {
        for module in ALL {
            let file = library().join(module.name).with_extension("yml");
            let yaml = std::fs::read_to_string(&file).unwrap_or_default();
            let found = docs::differences(module, &yaml);
            assert!(found.is_empty(), "{}: {found:#?}", file.display());
        }
    }

    /// Of several wrong options Ansible tells the first, as its documentation has them.
    #[test]
    fn the_documentation_has_the_options_in_the_order_of_the_spec() {
        for module in ALL {
            let file = library().join(module.name).with_extension("yml");
            let yaml = std::fs::read_to_string(&file).unwrap();
            let documented: Vec<&str> = yaml
                .lines()
                .skip_while(|line| *line != "  options:")
                .skip(1)
                .take_while(|line| line.is_empty() || line.starts_with("    "))
                .filter_map(|line| line.strip_prefix("    ")?.split_once(':'))
                .map(|(name, _)| name)
                .filter(|name| !name.starts_with([' ', '#']))
                .collect();
            let names: Vec<&str> = module.spec.iter().map(|opt| opt.name).collect();
            assert_eq!(documented, names, "{}", file.display());
        }
    }

    #[test]
    fn every_documentation_is_of_a_module() {
        let names: BTreeSet<_> = ALL.iter().map(|module| module.name.to_owned()).collect();
        let files = std::fs::read_dir(library()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let documented: BTreeSet<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(documented, names);
    }
}
