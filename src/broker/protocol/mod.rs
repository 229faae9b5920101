//! Asks a broker whether it answers its own protocol. An open port is not enough: a frozen broker's
//! kernel still accepts connections. Each protocol has a file that says what is asked first and how
//! the first words of the answer are judged.

mod amqp_0_10;
mod amqp_0_9_1;
mod line;
mod postgresql;
mod redis;
mod tls;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Answer, Protocol};
use line::Line;

impl Protocol {
    fn kind(self) -> Kind {
        match self {
            Self::Amqp091 => amqp_0_9_1::KIND,
            Self::Amqp010 => amqp_0_10::KIND,
            Self::Redis => redis::KIND,
            Self::Postgresql => postgresql::KIND,
        }
    }
}

/// One protocol.
struct Kind {
    /// As people call it.
    name: &'static str,
    /// What is sent first.
    opening: &'static [u8],
    /// What is sent to have TLS begin, where it does not begin with the connection.
    asks_for_tls: Option<&'static [u8]>,
    /// What the words that came so far are; nothing while they are too few to tell.
    judge: fn(&[u8]) -> Option<Heard>,
}

/// What a broker's first words are.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Answer,
    /// It is there but cannot serve yet, in its own words.
    Starting(String),
    /// AMQP, but this version of it.
    OtherAmqp(&'static str),
    /// A TLS record in answer to plain words.
    Tls,
    /// Another protocol, with its first byte.
    Foreign(u8),
}

/// More than this is not read in order to judge.
const MOST: usize = 16 * 1024;

/// How much of a broker's own words is told.
const TOLD: usize = 200;

/// Says the protocol's opening to all addresses at once, `limit` at the most. What is most alive counts:
/// one address that answers is enough, and where one is silent it says nothing that another refuses.
pub(crate) fn ask(
    protocol: Protocol,
    addresses: &[SocketAddr],
    tls: bool,
    limit: Duration,
) -> Answer {
    let begin = Instant::now();
    let ask_one = move |address: SocketAddr| {
        let line = Line::to_address(address, begin + limit);
        judge(line, &protocol.kind(), tls, begin)
    };
    if let [only] = addresses {
        return ask_one(*only);
    }
    let (tell, told) = mpsc::channel();
    for address in addresses.iter().copied() {
        let tell = tell.clone();
        // One that is too late finds nobody to tell, and ends by its own limit.
        std::thread::spawn(move || drop(tell.send(ask_one(address))));
    }
    drop(tell);
    let mut best = Answer::Unreachable("its name resolves to no address".to_owned());
    for answer in told {
        if answer.life() >= best.life() {
            best = answer;
        }
        if best.is_up() {
            break;
        }
    }
    best
}

/// The same for a broker that listens at a path of this host.
pub(crate) fn ask_socket(protocol: Protocol, path: &Path, limit: Duration) -> Answer {
    let begin = Instant::now();
    let line = Line::to_socket(path, begin + limit);
    judge(line, &protocol.kind(), false, begin)
}

fn judge(line: io::Result<Line>, kind: &Kind, tls: bool, begin: Instant) -> Answer {
    let mut line = match line {
        Ok(line) => line,
        Err(e) => return no_line(&e),
    };
    let heard = if tls {
        talk_securely(kind, &mut line)
    } else {
        talk(kind, &mut line)
    };
    match heard {
        Ok(Heard::Answer) => Answer::Answers(begin.elapsed()),
        Ok(Heard::Starting(words)) => Answer::Starting(shown(&words)),
        Ok(Heard::OtherAmqp(version)) => Answer::Other(format!(
            "it answers with AMQP {version}, which is not the broker's protocol: {}",
            kind.name
        )),
        Ok(Heard::Tls) => Answer::Other(
            "it speaks TLS, and the broker's URL and settings say that Pulp does not".to_owned(),
        ),
        Ok(Heard::Foreign(byte)) if tls && kind.asks_for_tls.is_none() => Answer::Other(format!(
            "it answers TLS with byte {byte:#04x}, which is no TLS and not the broker's protocol"
        )),
        Ok(Heard::Foreign(byte)) => Answer::Other(format!(
            "it answers with byte {byte:#04x}, which is not the broker's protocol"
        )),
        Err(e) => match e.kind() {
            ErrorKind::TimedOut | ErrorKind::UnexpectedEof => Answer::Silent,
            ErrorKind::ConnectionReset => Answer::Refused,
            _ => Answer::Unreachable(e.to_string()),
        },
    }
}

fn no_line(error: &io::Error) -> Answer {
    match error.kind() {
        // A Unix socket whose server was stopped in order is removed.
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Answer::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Answer::NoConnection,
        _ => Answer::Unreachable(error.to_string()),
    }
}

fn talk(kind: &Kind, line: &mut (impl Read + Write)) -> io::Result<Heard> {
    match line.write_all(kind.opening) {
        // Who refuses everybody says why before it hears anything, and hangs up.
        Err(e) if !matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(e),
        _ => listen(kind, line, Vec::new()),
    }
}

/// Reads until what came can be judged; `words` are those that came before.
fn listen(kind: &Kind, line: &mut impl Read, mut words: Vec<u8>) -> io::Result<Heard> {
    loop {
        match (kind.judge)(&words) {
            Some(Heard::Foreign(0x15 | 0x16)) if words.len() < 2 => {}
            Some(Heard::Foreign(_)) if is_tls(&words) => return Ok(Heard::Tls),
            Some(heard) => return Ok(heard),
            None if words.len() > MOST => return Ok(Heard::Foreign(words[0])),
            None => {}
        }
        let mut more = [0u8; 1024];
        match line.read(&mut more) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => words.extend_from_slice(&more[..length]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn talk_securely(kind: &Kind, line: &mut (impl Read + Write)) -> io::Result<Heard> {
    let Some(request) = kind.asks_for_tls else {
        return tls::talk(kind, line);
    };
    line.write_all(request)?;
    let mut word = [0u8; 1];
    line.read_exact(&mut word)?;
    match word {
        [b'S'] => tls::talk(kind, line),
        // It does without: that is for its clients to refuse.
        [b'N'] => talk(kind, line),
        _ => listen(kind, line, word.to_vec()),
    }
}

/// Which AMQP a header stands for that a server sends to a client whose version it does not speak; nothing while it is too short.
fn amqp_version(words: &[u8]) -> Option<Heard> {
    const HEADER: &[u8] = b"AMQP";
    if !words.starts_with(HEADER) {
        let begins = HEADER.starts_with(words);
        return words
            .first()
            .filter(|_| !begins)
            .map(|byte| Heard::Foreign(*byte));
    }
    let version = match words.get(HEADER.len()..HEADER.len() + 4)? {
        [0, 0, 9, 1] | [1, 1, 0, 9] => "0-9-1",
        [1, 1, 0, 10] => "0-10",
        [0, 1, 0, 0] => "1.0",
        [2, 1, 0, 0] => "1.0 with TLS",
        [3, 1, 0, 0] => "1.0 with SASL",
        _ => "of an unknown version",
    };
    Some(Heard::OtherAmqp(version))
}

/// The first two bytes of a TLS record: an alert or a handshake, and the version that all have.
fn is_tls(words: &[u8]) -> bool {
    matches!(words, [0x15 | 0x16, 0x03, ..])
}

/// A broker's words, as they may stand in a message of ours.
fn shown(words: &str) -> String {
    let plain = words.chars().filter(|c| !c.is_control());
    plain.take(TOLD).collect()
}

#[cfg(test)]
mod tests;
