//! From what all hosts saw to one named verdict, and to the report that tells it. Pure: results in, texts
//! out. What is not known is never taken for good: a Pulp has survived when everything that has to be
//! seen for that was seen.

mod cause;
mod judge;
mod play;
mod preflight;

pub(crate) mod report;
mod results;

pub(crate) use play::restoring;
pub(crate) use preflight::{Intent, before};

mod sentences;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value as Json, json};

use crate::names::Actor;
use crate::names::verdict::{Grade, Name};
use crate::timeline::ActorState;
use results::{Api, Host, Run, WatchReply};

/// What the user wishes that a verdict comes to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// A defect fails too.
    pub(crate) strict: bool,
    /// "Cannot tell" passes.
    pub(crate) void_passes: bool,
}

/// A run by the replies of its steps, or as an earlier version recorded it.
fn run_of(results: &Json) -> Run {
    play::run(results).unwrap_or_else(|| Run::read(results))
}

/// Whether what was seen of one host is a failure by itself, by the reply to its observation.
pub(crate) fn fails(watch: &Json) -> bool {
    judge::judge(&of_one_host(watch)).value == Value::Failed
}

/// The same of a broker that refuses its host's services: what it does, in words; empty where it does not, or nobody can tell.
pub(crate) fn refuses(watch: &Json) -> String {
    let run = of_one_host(watch);
    let judgement = judge::judge(&run);
    let refused = judgement
        .findings
        .iter()
        .find(|f| f.name == Name::BrokerRefuses);
    refused.map(|f| f.what.clone()).unwrap_or_default()
}

/// Which scenario it was is the same to the judge; that the broker was held away is known, or nothing was seen.
fn of_one_host(watch: &Json) -> Run {
    let scenario = "reconnect";
    Run::read(&json!({
        "run": { "scenarios": [scenario] },
        "hosts": { "here": { "scenarios": { scenario: { "watch": watch, "held": {} } } } },
    }))
}

/// The four values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Survived,
    SurvivedWithDefects,
    Failed,
    Void,
}

impl Value {
    const fn word(self) -> &'static str {
        match self {
            Self::Survived => "survived",
            Self::SurvivedWithDefects => "survived_with_defects",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }
}

/// Something that was found, and how it is known.
#[derive(Debug, Clone, PartialEq)]
struct Finding {
    name: Name,
    /// Empty: none in particular.
    scenario: String,
    host: String,
    /// None: no service in particular.
    actor: Option<Actor>,
    /// One sentence without a full stop, which says who and how.
    what: String,
    evidence: Vec<String>,
    /// What to do; empty: what the name says.
    advice: String,
    /// Numbers that belong to the name, such as the seconds waited.
    attributes: Map<String, Json>,
}

impl Finding {
    fn new(name: Name, what: impl Into<String>) -> Self {
        Self {
            name,
            scenario: String::new(),
            host: String::new(),
            actor: None,
            what: what.into(),
            evidence: Vec::new(),
            advice: String::new(),
            attributes: Map::new(),
        }
    }

    fn of(mut self, scenario: &str, host: &str) -> Self {
        scenario.clone_into(&mut self.scenario);
        host.clone_into(&mut self.host);
        self
    }

    fn by(mut self, actor: impl Into<Option<Actor>>) -> Self {
        self.actor = actor.into();
        self
    }

    /// The actor as a person names it; empty where there is none.
    fn actor_word(&self) -> &str {
        self.actor.as_ref().map_or("", Actor::word)
    }

    fn advised(mut self, advice: &str) -> Self {
        if !advice.is_empty() {
            advice.clone_into(&mut self.advice);
        }
        self
    }

    fn next_step(&self) -> String {
        if self.advice.is_empty() {
            self.name.next_step(self.actor.as_ref())
        } else {
            self.advice.clone()
        }
    }

    /// Whether it is told of this service. Pulp's own name for one holds on any host.
    fn is_of(&self, service: &Service<'_>) -> bool {
        let Some(actor) = &self.actor else {
            return false;
        };
        let everywhere = actor.worker.is_some() && service.actor.worker.is_some();
        actor.is(&service.actor.actor)
            && (self.scenario.is_empty() || self.scenario == service.scenario)
            && (everywhere || self.host.is_empty() || self.host == service.host.name)
    }

    fn because(mut self, evidence: impl Into<String>) -> Self {
        let evidence = evidence.into();
        if !evidence.is_empty() && !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
        self
    }

    fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.attributes.insert(key.to_owned(), value.into());
        self
    }

    /// The run found it so, and the outage has no part in it.
    fn stood_before(&self) -> bool {
        self.attributes.get("stood_before") == Some(&Json::Bool(true))
    }

    fn grade(&self) -> Grade {
        self.name.grade()
    }

    fn json(&self) -> Json {
        json!({
            "name": self.name,
            "grade": self.grade(),
            "scenario": self.scenario,
            "host": self.host,
            "actor": self.actor_word(),
            "sentence": self.what,
            "evidence": self.evidence,
            "attributes": self.attributes,
            "next_step": self.next_step(),
            "meaning": self.name.entry().meaning,
            "catalogue": self.name.entry().catalogue,
        })
    }
}

/// One service in one scenario, with what is said of it.
#[derive(Debug)]
struct Service<'a> {
    scenario: &'a str,
    host: &'a Host,
    watch: &'a WatchReply,
    actor: &'a ActorState,
    /// The name of the gravest finding, or None where it survived.
    name: Option<Name>,
    /// What proves it, or what is missing, in few words.
    words: String,
}

impl Service<'_> {
    fn verdict(&self) -> &'static str {
        self.name.map_or("survived", Name::word)
    }

    fn recovery(&self) -> Option<f64> {
        self.actor.recovery(self.watch.up_at)
    }

    fn predicted(&self) -> Option<f64> {
        self.actor.predicted(self.watch.up_at)
    }
}

/// All that is said of a run.
#[derive(Debug)]
struct Judgement<'a> {
    run: &'a Run,
    value: Value,
    /// The cause first.
    findings: Vec<Finding>,
    services: Vec<Service<'a>>,
    restored: bool,
    as_before: String,
    sentence: String,
    /// Each a sentence without a full stop.
    felt: Vec<String>,
    next_step: String,
}

impl Judgement<'_> {
    /// The finding that the verdict is named after.
    fn first(&self) -> Option<&Finding> {
        let grade = match self.value {
            Value::Survived => return None,
            Value::SurvivedWithDefects => Grade::Defect,
            Value::Failed => Grade::Failed,
            Value::Void => Grade::Void,
        };
        self.findings.iter().find(|f| f.grade() == grade)
    }

    fn of_grade(&self, grade: Grade) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.grade() == grade)
    }

    /// Whether the play may pass with it.
    fn passes(&self, wishes: Wishes) -> bool {
        match self.value {
            Value::Survived => true,
            Value::SurvivedWithDefects => {
                !wishes.strict || self.of_grade(Grade::Defect).all(Finding::stood_before)
            }
            Value::Failed => false,
            Value::Void => wishes.void_passes && !self.run.impossible,
        }
    }

    /// What the play fails with: the verdict, and what is not given back.
    fn failure(&self, wishes: Wishes) -> String {
        let verdict = (!self.passes(wishes)).then_some(self.sentence.as_str());
        let left = (!self.restored).then(|| self.run.left.as_deref().unwrap_or_default());
        [verdict, left]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn json(&self, wishes: Wishes) -> Json {
        let first = self.first();
        let names = |grade| -> Vec<Json> { self.of_grade(grade).map(Finding::json).collect() };
        json!({
            "value": self.value.word(),
            "name": first.map(|f| f.name),
            "scenario": first.map_or("", |f| f.scenario.as_str()),
            "actor": first.map_or("", Finding::actor_word),
            "host": first.map_or("", |f| f.host.as_str()),
            "sentence": self.sentence,
            "evidence": first.map_or(&[][..], |f| f.evidence.as_slice()),
            "attributes": first.map(|f| &f.attributes),
            "next_step": self.next_step,
            "failures": names(Grade::Failed),
            "unknown": names(Grade::Void),
            "defects": names(Grade::Defect),
            "told": names(Grade::Told),
            "passes": self.passes(wishes),
            "restored": self.restored,
            "as_before": self.as_before,
            "felt": format!("What your users felt: {}", self.felt.join(". ")),
        })
    }

    /// The play's last line: words without blanks, `-` where there is none.
    fn line(&self, report: &str) -> String {
        let word = |text: &str| -> String {
            let shown: String = text
                .chars()
                .map(|c| if c.is_whitespace() { '_' } else { c })
                .collect();
            if shown.is_empty() {
                "-".to_owned()
            } else {
                shown
            }
        };
        let first = self.first();
        format!(
            "PULP_BROKER_TEST verdict={} name={} actor={} restored={} report={}",
            self.value.word(),
            first.map_or("-", |f| f.name.word()),
            word(first.map_or("", Finding::actor_word)),
            if self.restored { "yes" } else { "no" },
            // A path with blanks is still one word, and can be read back.
            word(&report.replace('%', "%25").replace(' ', "%20")),
        )
    }
}

/// Seconds as a person reads them.
fn shown(seconds: f64) -> String {
    let seconds = if seconds.abs() < 0.05 { 0.0 } else { seconds };
    format!("{seconds:.1} s")
}
