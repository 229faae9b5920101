//! Each protocol against listeners that say what real brokers say, over TCP, a Unix socket and TLS.

use super::*;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

/// For those who stay silent.
const LIMIT: Duration = Duration::from_millis(300);

/// For those who answer or end the connection, on however busy a machine.
const PATIENT: Duration = Duration::from_mins(1);

/// Asks once; nothing is kept.
fn ask(protocol: Protocol, addresses: &[SocketAddr], tls: bool, limit: Duration) -> ProbeAnswer {
    super::ask(protocol, addresses, tls, limit, &mut Kept::default())
}

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

/// The same inside TLS, with a certificate that nobody trusts; it may want one from us.
fn tls_listener(answer: &'static [u8], wants_ours: bool) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = server(wants_ours);
    std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut inside = rustls::Stream::new(&mut tls, &mut stream);
        let mut opening = [0u8; 8];
        let _ = inside
            .read_exact(&mut opening)
            .and_then(|()| inside.write_all(answer))
            .and_then(|()| inside.read_exact(&mut opening));
    });
    address
}

fn server(wants_ours: bool) -> rustls::ServerConfig {
    let own = rcgen::generate_simple_self_signed(["broker.test".to_owned()]).unwrap();
    let chain = vec![own.cert.der().clone()];
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if wants_ours {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    config.with_single_cert(chain, key).unwrap()
}

fn amqp(address: SocketAddr, tls: bool) -> ProbeAnswer {
    ask(Protocol::Amqp091, &[address], tls, PATIENT)
}

fn redis(address: SocketAddr, tls: bool) -> ProbeAnswer {
    ask(Protocol::Redis, &[address], tls, PATIENT)
}

#[test]
fn the_address_that_is_most_alive_counts_wherever_it_stands() {
    let closed = {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (address, silent))
        .unwrap();
    for both in [[silent.0, closed], [closed, silent.0]] {
        assert_eq!(
            ask(Protocol::Amqp091, &both, false, LIMIT),
            ProbeAnswer::Silent
        );
    }
    let up = listener(b"\x01\x00\x00");
    let answer = ask(Protocol::Amqp091, &[silent.0, up, closed], false, PATIENT);
    assert!(
        matches!(answer, ProbeAnswer::Answers(after) if after < PATIENT),
        "{answer}"
    );
}

/// Each line was measured of a real qpidd (1.40), but for RabbitMQ's and Apache's; without SASL `AMQP 03 01 00 00` ends the connection.
#[test]
fn a_broker_is_up_only_when_it_speaks_what_kombu_speaks_with_it() {
    let qpidds = b"AMQP\x01\x01\x00\x0a";
    let starts = b"AMQP\x01\x01\x00\x0a\x0f\x00\x00\x2c\x00\x00";
    for (protocol, answer, expected) in [
        (Protocol::Amqp091, &b"\x01\x00\x00"[..], ""),
        (
            Protocol::Amqp091,
            qpidds,
            "it answers with AMQP 0-10, which is not the broker's protocol: AMQP 0-9-1",
        ),
        (Protocol::Amqp010, qpidds, ""),
        (Protocol::Amqp010, starts, ""),
        (
            Protocol::Amqp010,
            b"AMQP\x00\x00\x09\x01",
            "it answers with AMQP 0-9-1, which is not the broker's protocol: AMQP 0-10",
        ),
        (
            Protocol::Amqp010,
            b"AMQP\x03\x01\x00\x00",
            "it answers with AMQP 1.0 with SASL, which is not the broker's protocol: AMQP 0-10",
        ),
        (
            Protocol::Amqp010,
            b"HTTP/1.1 400",
            "it answers with byte 0x48, which is not the broker's protocol",
        ),
    ] {
        let said = ask(protocol, &[listener(answer)], false, PATIENT);
        match said {
            ProbeAnswer::Answers(_) => assert_eq!(expected, ""),
            other => assert_eq!(other, ProbeAnswer::Other(expected.to_owned())),
        }
    }
}

#[test]
fn the_opening_for_qpid_is_0_10s_header_and_never_that_of_1_0() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut opening = [0u8; 8];
        stream.read_exact(&mut opening).unwrap();
        opening
    });
    let answer = ask(Protocol::Amqp010, &[address], false, PATIENT);
    assert_eq!(&server.join().unwrap(), b"AMQP\x01\x01\x00\x0a");
    // One that closes without a word, as qpidd does with 1.0's header where it wants SASL.
    assert!(!answer.is_up(), "{answer:?}");
}

/// The first is what qpidd's NSS sends.
#[test]
fn a_tls_alert_in_answer_to_plain_words_says_that_it_speaks_tls() {
    for alert in [
        &b"\x15\x03\x01\x00\x02\x02\x16"[..],
        b"\x15\x03\x03\x00\x02\x02\x28",
    ] {
        for protocol in [
            Protocol::Amqp091,
            Protocol::Amqp010,
            Protocol::Redis,
            Protocol::Postgresql,
        ] {
            let answer = ask(protocol, &[listener(alert)], false, PATIENT);
            let ProbeAnswer::Other(words) = answer else {
                panic!("{answer:?}");
            };
            assert!(words.starts_with("it speaks TLS"), "{words}");
        }
    }
}

#[test]
fn a_tls_record_is_an_answer_to_a_tls_opening_only() {
    let alert = b"\x15\x03\x03\x00\x02\x02\x28";
    assert!(matches!(
        amqp(listener(alert), true),
        ProbeAnswer::Answers(_)
    ));
    let plain = amqp(listener(alert), false);
    assert!(matches!(plain, ProbeAnswer::Other(_)));
}

#[test]
fn a_tls_too_old_for_us_is_an_answer() {
    // A ServerHello of TLS 1.0.
    let hello = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
        01234567890123456789012345678901\x00\x00\x2f\x00";
    let answer = amqp(listener(hello), true);
    assert!(matches!(answer, ProbeAnswer::Answers(_)), "{answer:?}");
}

#[test]
fn the_protocol_inside_tls_is_what_counts() {
    let answers = redis(tls_listener(b"+PONG\r\n", false), true);
    assert!(matches!(answers, ProbeAnswer::Answers(_)), "{answers:?}");
    let loading = redis(tls_listener(b"-LOADING wait\r\n", false), true);
    assert_eq!(loading, ProbeAnswer::Starting("LOADING wait".to_owned()));
    // A proxy that ends TLS before a broker that is away.
    let hangs_up = redis(tls_listener(b"", false), true);
    assert_eq!(hangs_up, ProbeAnswer::Silent);
}

#[test]
fn a_server_that_wants_our_certificate_is_there() {
    let answer = redis(tls_listener(b"", true), true);
    assert!(matches!(answer, ProbeAnswer::Answers(_)), "{answer:?}");
}

#[test]
fn a_plain_answer_to_a_tls_opening_is_another_protocol() {
    let answer = redis(listener(b"-ERR Protocol error\r\n"), true);
    assert!(matches!(answer, ProbeAnswer::Other(_)), "{answer:?}");
}

#[test]
fn a_postgresql_without_tls_is_asked_in_plain() {
    let answer = ask(
        Protocol::Postgresql,
        &[listener(b"NR\0\0\0\x08\0\0\0\0")],
        true,
        PATIENT,
    );
    assert!(matches!(answer, ProbeAnswer::Answers(_)), "{answer:?}");
}

#[test]
fn an_address_that_answers_counts_more_than_one_that_starts_and_that_more_than_none() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let loading = || listener(b"-LOADING wait\r\n");
    let ask = |addresses: &[SocketAddr]| ask(Protocol::Redis, addresses, false, PATIENT);
    let both = ask(&[loading(), listener(b"+PONG\r\n")]);
    assert!(matches!(both, ProbeAnswer::Answers(_)));
    assert!(matches!(
        ask(&[loading(), closed]),
        ProbeAnswer::Starting(_)
    ));
}

#[test]
fn an_open_port_that_says_nothing_is_silent() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    for tls in [false, true] {
        let answer = ask(Protocol::Amqp091, &[address], tls, LIMIT);
        assert_eq!(answer, ProbeAnswer::Silent);
    }
}

#[test]
fn a_closed_port_is_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    assert_eq!(amqp(address, false), ProbeAnswer::Refused);
}

#[test]
fn another_protocol_is_no_answer() {
    let answer = amqp(listener(b"HTTP/1.1 400 Bad Request\r\n"), false);
    assert!(matches!(answer, ProbeAnswer::Other(_)));
}

#[test]
fn a_unix_socket_answers_is_silent_is_full_and_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sock");
    let ask = |limit| ask_socket(Protocol::Redis, &path, limit, &mut Kept::default());
    assert_eq!(ask(PATIENT), ProbeAnswer::Refused);

    let socket = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        stream.write_all(b"+PONG\r\n").unwrap();
        socket
    });
    assert!(matches!(ask(PATIENT), ProbeAnswer::Answers(_)));
    let socket = server.join().unwrap();
    assert_eq!(ask(LIMIT), ProbeAnswer::Silent);

    // A frozen server's queue, in the end.
    rustix::net::listen(&socket, 0).unwrap();
    assert_eq!(ask(LIMIT), ProbeAnswer::NoConnection);

    // A killed server leaves the file.
    drop(socket);
    assert_eq!(ask(PATIENT), ProbeAnswer::Refused);
}

/// How many connections wait to be accepted.
fn waiting(socket: &TcpListener) -> usize {
    socket.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| socket.accept().ok()).count()
}

#[test]
fn who_is_silent_is_not_asked_anew_however_often_it_is_asked() {
    for tls in [false, true] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut kept = Kept::default();
        let mut question = || {
            let answer = super::ask(Protocol::Amqp091, &[address], tls, LIMIT / 3, &mut kept);
            assert_eq!(answer, ProbeAnswer::Silent);
        };
        let begin = Instant::now();
        while begin.elapsed() < 2 * CONFIRMED_AFTER {
            question();
        }
        assert_eq!(
            waiting(&socket),
            2,
            "one, one more to be sure, and no third"
        );
    }
}

#[test]
fn who_was_silent_and_speaks_again_answers_at_once() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut kept = Kept::default();
    let mut question = |limit| super::ask(Protocol::Redis, &[address], false, limit, &mut kept);
    assert_eq!(question(LIMIT), ProbeAnswer::Silent);
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = socket.accept().unwrap();
            stream.write_all(b"+PONG\r\n").unwrap();
        }
        socket
    });
    assert!(question(PATIENT).is_up());
    let socket = server.join().unwrap();
    // And one that has ended meanwhile refuses.
    assert_eq!(question(LIMIT), ProbeAnswer::Silent);
    drop(socket);
    assert_eq!(question(PATIENT), ProbeAnswer::Refused);
}

#[test]
fn a_silent_unix_socket_is_not_asked_anew_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let socket = UnixListener::bind(&path).unwrap();
    let mut kept = Kept::default();
    for _ in 0..3 {
        let answer = ask_socket(Protocol::Redis, &path, LIMIT / 3, &mut kept);
        assert_eq!(answer, ProbeAnswer::Silent);
    }
    socket.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| socket.accept().ok()).count(), 1);
}
