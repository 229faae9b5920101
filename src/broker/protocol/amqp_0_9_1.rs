//! AMQP 0-9-1: RabbitMQ, and whatever else Celery reaches by `amqp://`.

use super::{Heard, Kind};

/// The client's protocol header (specification, section 4.2.2). A broker that speaks 0-9-1 answers with
/// `Connection.Start`, the first of its method frames (section 4.2.3: type 1); one that does not, with
/// the header of an AMQP that it speaks, which is no answer: kombu's client does not speak that.
pub(super) const KIND: Kind = Kind {
    name: "AMQP 0-9-1",
    opening: b"AMQP\x00\x00\x09\x01",
    asks_for_tls: None,
    judge,
};

const METHOD_FRAME: u8 = 1;

fn judge(words: &[u8]) -> Option<Heard> {
    match words.first() {
        Some(&METHOD_FRAME) => Some(Heard::Answer),
        _ => super::amqp_version(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_frame_is_an_answer_and_another_amqps_header_is_not() {
        assert_eq!(judge(b"\x01\x00\x00"), Some(Heard::Answer));
        // qpidd's answer to a version that it does not speak.
        let qpidds = judge(b"AMQP\x01\x01\x00\x0a");
        assert_eq!(qpidds, Some(Heard::OtherAmqp("0-10")));
        assert_eq!(judge(b"AM"), None);
        assert_eq!(judge(b"HTTP/1.1 400"), Some(Heard::Foreign(b'H')));
    }
}
