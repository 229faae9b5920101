//! What can go wrong with a request, so far as a verdict depends on it.

use crate::names::verdict::Name;
use std::fmt;

/// Why a request was not done, in words.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer came in time.
    Hangs(String),
    /// Nobody was reached who could answer.
    Unreachable(String),
    /// Pulp, or the web server before it, answered that it did not do it.
    Refused(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hangs(text) | Self::Unreachable(text) | Self::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Trouble {}

/// The verdict on an API that did not tell its status.
pub(crate) fn verdict_on_api(cause: &anyhow::Error) -> Name {
    match cause.downcast_ref() {
        Some(Trouble::Hangs(_)) => Name::ApiHangs,
        _ => Name::ApiUnavailable,
    }
}

/// The verdict on a Pulp that is up and did not do what it was asked; none where that is not Pulp's fault.
pub(crate) fn verdict_on_request(cause: &anyhow::Error) -> Option<Name> {
    match cause.downcast_ref() {
        Some(Trouble::Hangs(_)) => Some(Name::ApiHangs),
        Some(Trouble::Unreachable(_)) => Some(Name::ApiUnavailable),
        Some(Trouble::Refused(_)) => Some(Name::HealthFailed),
        None => None,
    }
}
