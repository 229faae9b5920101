//! A verdict that a module reaches by itself, with its actor as data. What a person reads is a sentence
//! beside it.

use std::fmt;

use serde::Serialize;

use super::Actor;

/// What went wrong, by the name of its verdict, and with which service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// The verdict's name. Empty where the cause alone is known.
    pub(crate) name: &'static str,
    /// None: no service in particular.
    pub(crate) actor: Option<Actor>,
    /// What happened, as a sentence.
    pub(crate) text: String,
    /// What to do, where the module knows better than the name alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_step: Option<String>,
}

/// An error with the failures that it tells of. A module's reply has them as `failures`.
#[derive(Debug)]
pub(crate) struct Failed {
    message: String,
    failures: Vec<Failure>,
}

impl Failed {
    /// `message` begins with the verdict's name, as `FAILED service_exited: …` does.
    pub(crate) fn new(message: String, failures: Vec<Failure>) -> Self {
        Self { message, failures }
    }

    /// Each service in the same words that the message has for it.
    pub(crate) fn of(
        message: String,
        name: &'static str,
        actors: impl IntoIterator<Item = (Actor, String)>,
    ) -> Self {
        let failure = |(actor, text)| Failure {
            name,
            actor: Some(actor),
            text,
            next_step: None,
        };
        Self::new(message, actors.into_iter().map(failure).collect())
    }

    /// What an error tells of, wherever in its chain of causes it was said.
    pub(crate) fn within(error: &anyhow::Error) -> &[Failure] {
        error
            .downcast_ref::<Self>()
            .map_or(&[], |failed| &failed.failures)
    }

    /// The same failures with another message.
    pub(crate) fn again(error: &anyhow::Error, message: String) -> anyhow::Error {
        match Self::within(error) {
            [] => anyhow::anyhow!(message),
            failures => Self::new(message, failures.to_vec()).into(),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_actors_of_an_error_survive_what_is_said_around_it() {
        let actor = Actor::of_unit("pulp_worker-1.service");
        let failed = |text: &str| {
            let own = [(actor.clone(), "it exited".to_owned())];
            Failed::of(text.to_owned(), "service_exited", own)
        };
        let as_context = Err::<(), _>(anyhow::anyhow!("timed out"))
            .context(failed("FAILED service_exited: x"))
            .context("more")
            .unwrap_err();
        for error in [as_context, failed("FAILED service_exited: x").into()] {
            let [failure] = Failed::within(&error) else {
                panic!("{error:#}")
            };
            assert_eq!(failure.actor.as_ref(), Some(&actor));
            let told = Failed::again(&error, format!("{error:#}; and more"));
            assert_eq!(Failed::within(&told).len(), 1);
            assert!(told.to_string().ends_with("; and more"));
        }
        assert!(Failed::within(&anyhow::anyhow!("x")).is_empty());
    }
}
