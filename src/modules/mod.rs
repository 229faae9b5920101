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
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ansible::spec::{Default, Kind, Opt};
use crate::ansible::{Call, Module, Outcome};
use crate::broker::settings::Target;
use crate::broker::{Broker, Overrides, settings};
use crate::host::moment::{Moment, uptime};
use crate::service::{self, PULP, PULP3_PREFIX, Unit};

/// Every module, by the name that playbooks use.
pub(crate) const ALL: &[Module] = &[
    facts::MODULE,
    services::MODULE,
    broker::MODULE,
    watch::MODULE,
    health::MODULE,
    report::MODULE,
];

/// Where the broker is, instead of what Pulp's configuration says.
const BROKER_URL: Opt = Opt::new("broker_url", Kind::Str).secret();

/// The broker's unit, instead of the one that listens.
const BROKER_UNIT: Opt = Opt::new("broker_unit", Kind::Str);

/// Which of Pulp 3's services is taken away as the broker.
const TARGET: Opt = Opt::new("target", Kind::Str)
    .default(Default::Str("broker"))
    .choices(Target::NAMES);

/// The run that takes things away and gives back only what it took.
const RUN_ID: Opt = Opt::new("run_id", Kind::Str);

/// Seconds after which the undo gives everything back by itself.
const RESTORE_AFTER: Opt = Opt::new("restore_after", Kind::Int);

/// When `pulp_health` looked last whether tasks of others run or wait, as it told it.
const TASKS_LOOKED: Opt = Opt::new("tasks_looked", Kind::Str);

/// The run of a person who gave none.
const BY_HAND: &str = "by-hand";

/// How much longer than the outage itself the undo waits, unless the user says otherwise.
const RESTORE_MARGIN: Duration = Duration::from_mins(2);

/// The validated parameters as the module's own type.
fn typed<T: DeserializeOwned>(call: &Call) -> Result<T> {
    T::deserialize(&*call.params())
        .with_context(|| format!("failed to read the parameters of `{}`", call.module.name))
}

/// The broker, found with what the user says of it.
fn discover(url: Option<&str>, unit: Option<&str>, target: Target) -> Result<Option<Broker>> {
    Broker::discover(Overrides { url, unit, target })
}

/// Pulp's units on this host. A web server or anything else alone is no Pulp, and is not Pulp 3's part: it
/// uses neither broker nor database.
fn pulp_units() -> Result<Vec<Unit>> {
    if service::manager().is_none() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = PULP.iter().map(|n| (*n).to_owned()).collect();
    let mut units: Vec<Unit> = service::observe(&names)?
        .into_iter()
        .filter(|u| u.found)
        .collect();
    let has = |prefix: &str| units.iter().any(|u| u.name.starts_with(prefix));
    let (pulp_2, pulp_3) = (has("pulp_"), has(PULP3_PREFIX));
    if pulp_3 && !pulp_2 {
        units.retain(|u| u.name.starts_with(PULP3_PREFIX));
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

/// How old a look at the tasks of others may be when something is taken away.
const OLDEST_LOOK: Duration = Duration::from_secs(2);

/// A look at the tasks of others, which is to be so young that nobody's new task is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Nobody asks how old it is.
    Any,
    /// It is of another host, or of a boot before this one: nobody can know how old it is.
    OfAnotherBoot,
    /// When it was, on the clock of this boot.
    At(Duration),
}

impl Look {
    /// What the user says of it, held against the clock once, before anything is done.
    fn given(text: Option<&str>) -> Result<Self> {
        text.map_or(Ok(Self::Any), |text| Self::read(text, &Moment::now()?))
    }

    fn read(text: &str, now: &Moment) -> Result<Self> {
        let Some(looked) = Moment::parse(text) else {
            bail!(
                "value of tasks_looked must be what pulp_health told as looked (BOOT_ID@SECONDS), got: {text}"
            );
        };
        match (looked.uptime_of(now), now.uptime_of(now)) {
            (None, _) => Ok(Self::OfAnotherBoot),
            (Some(at), Some(now)) if at > now => bail!(
                "value of tasks_looked must not be later than now, which is {:.3} s after the boot, got: {text}",
                now.as_secs_f64()
            ),
            (Some(at), _) => Ok(Self::At(at)),
        }
    }

    /// How old it is now.
    fn age(self) -> Age {
        self.age_at(uptime())
    }

    fn age_at(self, now: Duration) -> Age {
        match self {
            Self::Any => Age::NotAsked,
            Self::OfAnotherBoot => Age::Unknown,
            Self::At(at) => Age::Known(now.saturating_sub(at)),
        }
    }
}

/// How old a look was right before the first act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    NotAsked,
    Unknown,
    Known(Duration),
}

impl Age {
    /// The seconds, if it is so old that nothing may be taken away.
    fn too_old(self) -> Option<f64> {
        match self {
            Self::Known(age) if age > OLDEST_LOOK => Some(age.as_secs_f64()),
            _ => None,
        }
    }

    fn told(self, outcome: Outcome) -> Outcome {
        let seconds = match self {
            Self::NotAsked => return outcome,
            Self::Unknown => None,
            Self::Known(age) => Some(age.as_secs_f64()),
        };
        outcome
            .with("look_age_seconds", seconds)
            .with("look_too_old", self.too_old().is_some())
    }

    /// The reply where it is too old: nothing was taken away, and what came of the undo.
    fn refused(self, outcome: Outcome, undo: &str) -> Outcome {
        let msg = format!(
            "TOO LATE: the look at the tasks of others was {:.1} s old, at most {} s are allowed, because a task that \
             began meanwhile would be hit; nothing was taken away; look again and try again",
            self.too_old().unwrap_or_default(),
            OLDEST_LOOK.as_secs()
        );
        let outcome = Outcome {
            msg: Some(msg),
            ..outcome
        };
        self.told(outcome).with("undo", undo)
    }
}

#[cfg(test)]
mod tests {
    mod argspec;

    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::{ALL, Age, Duration, Look, Moment};
    use crate::ansible::spec::docs;

    #[test]
    fn a_look_of_this_boot_is_judged_and_no_other() {
        let now = Moment::parse("here@100").unwrap();
        let read = |text: &str| Look::read(text, &now).map_err(|error| error.to_string());
        let after = |look: Result<Look, String>, millis: u64| {
            look.unwrap()
                .age_at(Duration::from_millis(100_000 + millis))
        };
        assert_eq!(after(read("here@99"), 1_000).too_old(), None);
        assert_eq!(after(read("here@99"), 1_001).too_old(), Some(2.001));
        assert_eq!(read("there@1"), Ok(Look::OfAnotherBoot));
        assert_eq!(after(read("there@1"), 9_000), Age::Unknown);
        assert_eq!(Look::given(None).unwrap().age(), Age::NotAsked);
        let expected = "value of tasks_looked must not be later than now, which is 100.000 s after the boot, got: here@101";
        assert_eq!(read("here@101"), Err(expected.to_owned()));
        assert!(read("yesterday").unwrap_err().ends_with("got: yesterday"));
    }

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
