//! The two products that are called Pulp. In the years of migration both are on one host.

use serde::Deserialize;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Generation {
    #[serde(rename = "2")]
    Two,
    #[serde(rename = "3")]
    Three,
}

impl Generation {
    /// What users write.
    pub(crate) const NAMES: &[&str] = &["2", "3"];

    /// As users write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Two => "2",
            Self::Three => "3",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Two => Self::Three,
            Self::Three => Self::Two,
        }
    }
}
