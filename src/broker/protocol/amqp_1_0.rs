//! AMQP 1.0, and qpidd, which Celery reaches by `qpid://`.

use super::Kind;

/// The header of AMQP 1.0's SASL layer (specification, part 5, section 5.3.1). Whoever speaks any AMQP
/// answers with a header of his own, and closes the connection if it is another one (part 2, section
/// 2.2): a qpidd that speaks only 0-10 and a RabbitMQ without its plugin do so.
pub(super) const KIND: Kind = Kind {
    opening: b"AMQP\x03\x01\x00\x00",
    asks_for_tls: None,
    judge: super::amqp_header,
};

#[cfg(test)]
mod tests {
    use super::super::Heard;
    use super::*;

    #[test]
    fn a_header_of_any_amqp_is_an_answer() {
        for header in [
            &b"AMQP\x03\x01\x00\x00"[..],
            b"AMQP\x00\x01\x00\x00",
            b"AMQP\x01\x01\x00\x0a",
            b"AMQP\x00\x00\x09\x01",
        ] {
            assert_eq!((KIND.judge)(header), Some(Heard::Answer));
        }
        assert_eq!((KIND.judge)(b"\x01\x00\x00"), Some(Heard::Foreign(1)));
    }
}
