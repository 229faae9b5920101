//! What can go wrong with a request, so far as a verdict depends on it.

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
pub(crate) fn verdict_on_api(cause: &anyhow::Error) -> &'static str {
    match cause.downcast_ref() {
        Some(Trouble::Hangs(_)) => "api_hangs",
        _ => "api_unavailable",
    }
}

/// The verdict on a Pulp that is up and did not do what it was asked; empty where that is not Pulp's fault.
pub(crate) fn verdict_on_request(cause: &anyhow::Error) -> &'static str {
    match cause.downcast_ref() {
        Some(Trouble::Hangs(_)) => "api_hangs",
        Some(Trouble::Unreachable(_)) => "api_unavailable",
        Some(Trouble::Refused(_)) => "health_failed",
        None => "",
    }
}
