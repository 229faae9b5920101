//! What is wrong with a Pulp that should work again, by the name of its verdict.

use serde_json::{Value, json};

use crate::pulp;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The verdict's name; empty where the cause alone is known.
    pub(super) name: &'static str,
    /// Who failed, by Pulp's name; empty where nobody in particular did.
    pub(super) actor: String,
    pub(super) text: String,
}

impl Failure {
    /// What we asked for was not done.
    pub(super) fn of(cause: &anyhow::Error) -> Self {
        Self {
            name: pulp::verdict_on_request(cause),
            actor: String::new(),
            text: format!("{cause:#}"),
        }
    }

    /// In the reply.
    pub(super) fn json(&self) -> Value {
        json!({"name": self.name, "actor": self.actor, "text": self.text})
    }

    /// For a person.
    pub(super) fn told(&self) -> String {
        match self.name {
            "" => self.text.clone(),
            name => format!("FAILED {name}: {}", self.text),
        }
    }
}
