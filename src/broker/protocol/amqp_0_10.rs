//! AMQP 0-10: qpidd, which kombu's Qpid transport and gofer speak with.

use super::{Heard, Kind, amqp_version};

/// The client's protocol header (specification, section 4.4), which is also the only right answer. Never that of 1.0: a qpidd that wants
/// SASL closes without a word then. What was measured of a real qpidd stands in the tests.
pub(super) const KIND: Kind = Kind {
    name: "AMQP 0-10",
    opening: HEADER,
    asks_for_tls: None,
    judge,
};

pub(super) const HEADER: &[u8] = b"AMQP\x01\x01\x00\x0a";

fn judge(words: &[u8]) -> Option<Heard> {
    if words.starts_with(HEADER) {
        Some(Heard::Answer)
    } else if HEADER.starts_with(words) {
        None
    } else {
        amqp_version(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_0_10_is_an_answer() {
        // connection.start may come in the same packet.
        assert_eq!(judge(b"AMQP\x01\x01\x00\x0a\x0f\x00"), Some(Heard::Answer));
        assert_eq!(judge(b"AMQP\x01\x01\x00"), None);
        for (words, version) in [
            (&b"AMQP\x00\x00\x09\x01"[..], "0-9-1"),
            (b"AMQP\x00\x01\x00\x00", "1.0"),
            (b"AMQP\x03\x01\x00\x00", "1.0 with SASL"),
            (b"AMQP\x01\x01\x08\x00", "of an unknown version"),
        ] {
            assert_eq!(judge(words), Some(Heard::OtherAmqp(version)));
        }
        assert_eq!(judge(b"\x01\x00\x00"), Some(Heard::Foreign(1)));
    }
}
