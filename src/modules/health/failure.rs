//! What is wrong with a Pulp that should work again, in the words of a reply and of a message.

use crate::names::verdict::Name;
use crate::names::{Actor, Failure, Role, VerdictError};
use crate::pulp;

/// What we asked for was not done.
pub(super) fn of_cause(cause: &anyhow::Error) -> Failure {
    Failure {
        name: pulp::verdict_on_request(cause),
        actor: None,
        text: format!("{cause:#}"),
        next_step: None,
    }
}

/// Of a service by Pulp's own name for it; empty where no service in particular failed.
pub(super) fn of_listed(name: impl Into<Option<Name>>, worker: &str, text: String) -> Failure {
    Failure {
        name: name.into(),
        actor: (!worker.is_empty()).then(|| Actor::listed(worker)),
        text,
        next_step: None,
    }
}

/// Pulp says that it has no database. Which unit that is the verdict knows.
pub(super) fn of_database(text: String) -> Failure {
    let actor = Actor {
        role: Role::Database,
        ..Actor::of_unit("")
    };
    Failure {
        actor: Some(actor),
        ..of_listed(Name::DatabaseUnavailable, "", text)
    }
}

/// For a person.
pub(super) fn told(failure: &Failure) -> String {
    match failure.name {
        None => failure.text.clone(),
        Some(name) => VerdictError::new(name, &*failure.text).to_string(),
    }
}

/// As an error of its own: the sentence, and who it is about.
pub(super) fn error(
    name: Name,
    text: &str,
    actors: impl IntoIterator<Item = Actor>,
) -> VerdictError {
    let named = actors.into_iter().map(|actor| (actor, text.to_owned()));
    VerdictError::of(name, text, named)
}
