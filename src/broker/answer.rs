//! What a broker says when it is asked, and how much of a broker that shows.

use std::time::Duration;

/// What came of asking a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProbeAnswer {
    /// It speaks its protocol, after this long.
    Answers(Duration),
    /// It speaks its protocol and says, in these words, that it cannot serve yet.
    Starting(String),
    /// Nothing listens, or the connection was cut.
    Refused,
    /// A connection, but no word, within the limit.
    Silent,
    /// No connection within the limit: packets are lost on the way.
    NoConnection,
    /// Something answers, and not in the broker's protocol; in words.
    Other(String),
    /// Anything else, in words.
    Unreachable(String),
}

impl ProbeAnswer {
    /// It can be used.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self, Self::Answers(_))
    }

    /// How much of a broker it shows.
    pub(super) fn life(&self) -> u8 {
        match self {
            Self::Answers(_) => 5,
            Self::Starting(_) => 4,
            Self::Silent => 3,
            Self::NoConnection => 2,
            Self::Refused => 1,
            Self::Other(_) | Self::Unreachable(_) => 0,
        }
    }

    /// It is there, usable or not.
    pub(crate) fn is_life(&self) -> bool {
        matches!(self, Self::Answers(_) | Self::Starting(_))
    }
}

impl std::fmt::Display for ProbeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answers(after) => write!(f, "it answers after {} ms", after.as_millis()),
            Self::Starting(words) => write!(f, "it is not ready: it says `{words}`"),
            Self::Refused => f.write_str("the connection is refused"),
            Self::NoConnection => f.write_str("no connection comes about"),
            Self::Silent => f.write_str("it accepts the connection and says nothing"),
            Self::Other(cause) | Self::Unreachable(cause) => f.write_str(cause),
        }
    }
}
