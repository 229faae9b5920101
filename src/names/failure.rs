//! A verdict that a module reaches by itself: a type, with its actors as data. What a person reads is a sentence beside it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Actor;
use super::verdict::{Grade, Name};

/// What went wrong, by the name of its verdict, and with which service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// None where the cause alone is known: empty in a reply.
    #[serde(serialize_with = "word")]
    pub(crate) name: Option<Name>,
    /// None: no service in particular.
    pub(crate) actor: Option<Actor>,
    /// What happened, as a sentence.
    pub(crate) text: String,
    /// What to do, where the module knows better than the name alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_step: Option<String>,
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over so"
)]
fn word<S: Serializer>(name: &Option<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.map_or("", Name::word))
}

/// An error that is a verdict, or what stands around one. A reply has it as `verdict`, and of whom it tells as `failures`.
#[derive(Debug)]
pub(crate) struct VerdictError {
    /// None: it tells of whom it is, and whoever reports it names the verdict.
    name: Option<Name>,
    text: String,
    failures: Vec<Failure>,
}

/// The error with this verdict and these words, which are written as for `format!`.
macro_rules! verdict_of {
    ($name:ident, $($words:tt)+) => {
        $crate::names::VerdictError::new($crate::names::verdict::Name::$name, format!($($words)+))
    };
}
pub(crate) use verdict_of;

impl VerdictError {
    pub(crate) fn new(name: Name, text: impl Into<String>) -> Self {
        Self {
            name: Some(name),
            text: text.into(),
            failures: Vec::new(),
        }
    }

    /// To be put around an error, which says what happened.
    pub(crate) fn around(name: Name) -> Self {
        Self::new(name, "")
    }

    pub(crate) fn unnamed(text: impl Into<String>) -> Self {
        Self {
            name: None,
            text: text.into(),
            failures: Vec::new(),
        }
    }

    /// Each service in the same words that the text has for it.
    pub(crate) fn of(
        name: Name,
        text: impl Into<String>,
        actors: impl IntoIterator<Item = (Actor, String)>,
    ) -> Self {
        let failure = |(actor, text)| Failure {
            name: Some(name),
            actor: Some(actor),
            text,
            next_step: None,
        };
        Self {
            failures: actors.into_iter().map(failure).collect(),
            ..Self::new(name, text)
        }
    }

    pub(crate) fn with(mut self, failure: Failure) -> Self {
        self.failures.push(failure);
        self
    }

    /// The verdict in an error, wherever in its chain of causes.
    pub(crate) fn name_of(error: &anyhow::Error) -> Option<Name> {
        Self::within(error)?.name
    }

    fn within(error: &anyhow::Error) -> Option<&Self> {
        error.downcast_ref()
    }

    /// What an error says behind its verdict's name, its causes too.
    pub(crate) fn text_of(error: &anyhow::Error) -> String {
        let text = format!("{error:#}");
        let Some(own) = Self::within(error).filter(|own| own.name.is_some()) else {
            return text;
        };
        let behind = text.split_once(&own.beginning());
        let behind = behind.map_or(text.as_str(), |(_, behind)| behind);
        behind.strip_prefix(": ").unwrap_or(behind).to_owned()
    }

    /// Of what an error tells.
    pub(crate) fn failures(error: &anyhow::Error) -> &[Failure] {
        Self::within(error).map_or(&[], |own| &own.failures)
    }

    /// The same verdict on the same services, with more words behind it.
    pub(crate) fn and(error: &anyhow::Error, more: &str) -> anyhow::Error {
        match Self::within(error) {
            None => anyhow::anyhow!("{error:#}; {more}"),
            Some(own) => Self {
                name: own.name,
                text: format!("{}; {more}", Self::text_of(error)),
                failures: own.failures.clone(),
            }
            .into(),
        }
    }

    fn beginning(&self) -> String {
        match self.name {
            Some(name) if name.grade() == Grade::Void => format!("VOID {name}"),
            Some(name) => format!("FAILED {name}"),
            None => String::new(),
        }
    }
}

impl fmt::Display for VerdictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = self.beginning();
        match (beginning.as_str(), self.text.as_str()) {
            ("", text) => f.write_str(text),
            // Around an error it is the name alone.
            (name, "") => f.write_str(name),
            (name, text) => write!(f, "{name}: {text}"),
        }
    }
}

impl std::error::Error for VerdictError {}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_actors_of_an_error_survive_what_is_said_around_it() {
        let actor = Actor::of_unit("pulp_worker-1.service");
        let failed = || {
            let own = [(actor.clone(), "it exited".to_owned())];
            VerdictError::of(Name::ServiceExited, "x", own)
        };
        let as_context = Err::<(), _>(anyhow::anyhow!("timed out"))
            .context(failed())
            .context("more")
            .unwrap_err();
        for error in [as_context, failed().into()] {
            let [failure] = VerdictError::failures(&error) else {
                panic!("{error:#}")
            };
            assert_eq!(failure.actor.as_ref(), Some(&actor));
            let told = VerdictError::and(&error, "and more");
            assert_eq!(VerdictError::failures(&told).len(), 1);
            assert!(told.to_string().ends_with("; and more"));
        }
        assert!(VerdictError::failures(&anyhow::anyhow!("x")).is_empty());
    }

    #[test]
    fn a_verdict_is_a_name_and_what_is_said_of_it() {
        let alone = VerdictError::new(Name::Busy, "1 task runs").into();
        let around = anyhow::anyhow!("no manager").context(VerdictError::around(Name::Unsupported));
        let wrapped =
            anyhow::Error::from(VerdictError::new(Name::Busy, "1 task runs")).context("x");
        let plain = anyhow::anyhow!("no manager");
        for (error, name, said, text) in [
            (
                alone,
                Some(Name::Busy),
                "VOID busy: 1 task runs",
                "1 task runs",
            ),
            (
                around,
                Some(Name::Unsupported),
                "VOID unsupported: no manager",
                "no manager",
            ),
            (
                wrapped,
                Some(Name::Busy),
                "x: VOID busy: 1 task runs",
                "1 task runs",
            ),
            (plain, None, "no manager", "no manager"),
        ] {
            assert_eq!(format!("{error:#}"), said);
            assert_eq!(VerdictError::text_of(&error), text);
            assert_eq!(VerdictError::name_of(&error), name);
        }
    }
}
