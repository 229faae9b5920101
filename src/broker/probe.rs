//! Asks a broker whether it answers its own protocol. An open port is not enough: a frozen broker's
//! kernel still accepts connections.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustls::pki_types::ServerName;

use super::Answer;

/// AMQP 0-9-1's protocol header; section 4.2.2 of its specification. A broker that speaks it answers
/// with `Connection.Start`, one that speaks another AMQP (qpidd: 0-10) with its own header.
const AMQP_0_9_1: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// What the first byte of the answer may be: a method frame, or the `A` of another header.
const AMQP_ANSWERS: &[u8] = &[0x01, b'A'];

/// TLS: the first byte of a handshake record and of an alert; RFC 8446, section 5.1.
const TLS_ANSWERS: &[u8] = &[0x16, 0x15];

/// Sends the protocol's opening and waits for the first byte of the answer, `limit` at the most.
pub(crate) fn ask(addresses: &[SocketAddr], tls: bool, limit: Duration) -> Answer {
    let begin = Instant::now();
    let mut last = Answer::Unreachable("its name resolves to no address".to_owned());
    for address in addresses {
        last = ask_one(*address, tls, limit.saturating_sub(begin.elapsed()));
        if matches!(last, Answer::Answers(_)) {
            return Answer::Answers(begin.elapsed());
        }
    }
    last
}

fn ask_one(address: SocketAddr, tls: bool, limit: Duration) -> Answer {
    let limit = limit.max(Duration::from_millis(1));
    let begin = Instant::now();
    let mut stream = match TcpStream::connect_timeout(&address, limit) {
        Ok(stream) => stream,
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => return Answer::Refused,
        Err(e) if is_timeout(e.kind()) => return Answer::NoConnection,
        Err(e) => return Answer::Unreachable(e.to_string()),
    };
    let left = limit
        .saturating_sub(begin.elapsed())
        .max(Duration::from_millis(1));
    let timeouts = stream
        .set_read_timeout(Some(left))
        .and_then(|()| stream.set_write_timeout(Some(left)));
    if let Err(e) = timeouts {
        return Answer::Unreachable(e.to_string());
    }
    let (opening, expected) = match opening(tls) {
        Ok(pair) => pair,
        Err(e) => return Answer::Unreachable(e.to_string()),
    };
    let mut first = [0u8; 1];
    let answer = stream
        .write_all(&opening)
        .and_then(|()| stream.read_exact(&mut first));
    match answer {
        Ok(()) if expected.contains(&first[0]) => Answer::Answers(begin.elapsed()),
        Ok(()) => Answer::Unreachable(format!(
            "it answers with byte {:#04x}, which is not the broker's protocol",
            first[0]
        )),
        Err(e) if is_timeout(e.kind()) => Answer::Silent,
        Err(e) if e.kind() == ErrorKind::ConnectionReset => Answer::Refused,
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Answer::Silent,
        Err(e) => Answer::Unreachable(e.to_string()),
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// The bytes to send and the first bytes that count as an answer.
fn opening(tls: bool) -> Result<(Vec<u8>, &'static [u8])> {
    if !tls {
        return Ok((AMQP_0_9_1.to_vec(), AMQP_ANSWERS));
    }
    // Only the first message is made and nothing secret follows it, so no certificate is trusted
    // here: a broker that asks for ours, or that we would not trust, still answers.
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()?
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let name = ServerName::try_from("localhost")?;
    let mut hello = rustls::ClientConnection::new(Arc::new(config), name)?;
    let mut bytes = Vec::new();
    hello.write_tls(&mut bytes)?;
    Ok((bytes, TLS_ANSWERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_millis(300);

    /// A listener that reads the opening and answers with these bytes.
    fn listener(answer: &'static [u8]) -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = socket.accept().unwrap();
            let mut opening = [0u8; 8];
            stream.read_exact(&mut opening).unwrap();
            stream.write_all(answer).unwrap();
            let _ = stream.read(&mut opening);
        });
        address
    }

    #[test]
    fn a_method_frame_and_another_amqp_header_are_answers() {
        for answer in [&b"\x01\x00\x00"[..], b"AMQP\x01\x01\x00\x0a"] {
            let address = listener(answer);
            assert!(matches!(ask(&[address], false, LIMIT), Answer::Answers(_)));
        }
    }

    #[test]
    fn a_tls_record_is_an_answer_to_a_tls_opening_only() {
        let alert = b"\x15\x03\x03\x00\x02\x02\x28";
        assert!(matches!(
            ask(&[listener(alert)], true, LIMIT),
            Answer::Answers(_)
        ));
        assert!(matches!(
            ask(&[listener(alert)], false, LIMIT),
            Answer::Unreachable(_)
        ));
    }

    #[test]
    fn an_open_port_that_says_nothing_is_silent() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(ask(&[address], false, LIMIT), Answer::Silent);
    }

    #[test]
    fn a_closed_port_is_refused() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        assert_eq!(ask(&[address], false, LIMIT), Answer::Refused);
    }

    #[test]
    fn another_protocol_is_no_answer() {
        let address = listener(b"HTTP/1.1 400 Bad Request\r\n");
        assert!(matches!(
            ask(&[address], false, LIMIT),
            Answer::Unreachable(_)
        ));
    }
}
