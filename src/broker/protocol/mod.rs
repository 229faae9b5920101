//! Asks a broker whether it answers its own protocol. An open port is not enough: a frozen broker's
//! kernel still accepts connections. Each protocol has a file that says what is asked first and how
//! the first words of the answer are judged.

mod amqp_0_10;
mod amqp_0_9_1;
mod line;
mod login;
mod postgresql;
mod redis;
mod tls;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{ProbeAnswer, Protocol};
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

/// The connections of the last question on which nobody has said a word. A frozen broker's kernel accepts a few and then no
/// more, so that who asks anew each time would keep Pulp out. As long as nothing comes on one, nobody need be asked again there.
#[derive(Debug, Default)]
pub(crate) struct Kept(Vec<(Place, Silent)>);

/// A connection on which nobody has said a word.
#[derive(Debug)]
struct Silent {
    line: Line,
    since: Instant,
    /// Another connection, made later, was silent too: it is the broker that is silent, and no answer was lost on the way.
    is_confirmed: bool,
}

/// After how long a second connection is asked whether it is silent too.
const CONFIRMED_AFTER: Duration = Duration::from_secs(2);

/// Where a broker is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Address(SocketAddr),
    Path(PathBuf),
}

/// Says the protocol's opening to all addresses at once, for `limit` at the most; for twice that where it first listened on a kept
/// connection that then ended or needs confirmation. What is most alive counts:
/// one address that answers is enough, and where one is silent it says nothing that another refuses.
pub(crate) fn ask(
    protocol: Protocol,
    addresses: &[SocketAddr],
    tls: bool,
    limit: Duration,
    kept: &mut Kept,
) -> ProbeAnswer {
    let begin = Instant::now();
    let places = addresses.iter().map(|address| {
        let place = Place::Address(*address);
        let line = kept.take(&place);
        (place, line)
    });
    let places: Vec<(Place, Option<Silent>)> = places.collect();
    kept.0.clear();
    let ask_one = move |(place, line): (Place, Option<Silent>)| {
        let (answer, line) = one(protocol, &place, line, tls, begin, limit);
        (answer, line.map(|line| (place, line)))
    };
    if places.len() == 1 {
        let answers = places.into_iter().map(ask_one);
        return kept.most_alive(answers);
    }
    let (tell, told) = mpsc::channel();
    for place in places {
        let tell = tell.clone();
        // One that is too late finds nobody to tell, and ends by its own limit.
        std::thread::spawn(move || drop(tell.send(ask_one(place))));
    }
    drop(tell);
    kept.most_alive(told.into_iter())
}

/// The same for a broker that listens at a path of this host.
pub(crate) fn ask_socket(
    protocol: Protocol,
    path: &Path,
    limit: Duration,
    kept: &mut Kept,
) -> ProbeAnswer {
    let begin = Instant::now();
    let place = Place::Path(path.to_owned());
    let line = kept.take(&place);
    kept.0.clear();
    let (answer, line) = one(protocol, &place, line, false, begin, limit);
    kept.0.extend(line.map(|line| (place, line)));
    answer
}

impl Kept {
    fn take(&mut self, place: &Place) -> Option<Silent> {
        let at = self.0.iter().position(|(of, _)| of == place)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The answer that shows most of a broker; nothing is kept once one answers.
    fn most_alive(
        &mut self,
        answers: impl Iterator<Item = (ProbeAnswer, Option<(Place, Silent)>)>,
    ) -> ProbeAnswer {
        let mut best = ProbeAnswer::Unreachable("its name resolves to no address".to_owned());
        for (answer, line) in answers {
            if answer.life() >= best.life() {
                best = answer;
            }
            if best.is_up() {
                self.0.clear();
                break;
            }
            self.0.extend(line);
        }
        best
    }
}

/// Who logs in, and to which virtual host.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) virtual_host: &'a str,
}

/// Logs in as a client of AMQP 0-9-1 does, and leaves again. What it is refused with, in the broker's words; none: it is served.
///
/// # Errors
/// Nothing can be told: no connection, no answer in time, or one that is not understood.
pub(super) fn log_in(
    addresses: &[SocketAddr],
    login: &Login<'_>,
    limit: Duration,
) -> io::Result<Option<String>> {
    login::log_in(&mut first_line(addresses, limit)?, login)
}

/// Has a Redis do a write that writes nothing. What it is refused with, in its words; none: it is done.
///
/// # Errors
/// As [`log_in`].
pub(super) fn write_nothing(
    addresses: &[SocketAddr],
    socket: Option<&Path>,
    limit: Duration,
) -> io::Result<Option<String>> {
    let mut line = match socket {
        Some(path) => Line::to_socket(path, Instant::now() + limit)?,
        None => first_line(addresses, limit)?,
    };
    redis::write_nothing(&mut line)
}

/// To the first address that accepts one.
fn first_line(addresses: &[SocketAddr], limit: Duration) -> io::Result<Line> {
    let end = Instant::now() + limit;
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        match Line::to_address(*address, end) {
            Ok(line) => return Ok(line),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks at one place, or listens on where it has asked before; with the connection on which nobody has said a word.
fn one(
    protocol: Protocol,
    place: &Place,
    kept: Option<Silent>,
    tls: bool,
    begin: Instant,
    limit: Duration,
) -> (ProbeAnswer, Option<Silent>) {
    let has_waited = kept.is_some();
    let still = kept.and_then(|mut silent| {
        let is_still = silent.line.stays_silent(begin + limit);
        is_still.then_some(silent)
    });
    let is_second = match still {
        Some(silent) if silent.is_confirmed || silent.since.elapsed() < CONFIRMED_AFTER => {
            return (ProbeAnswer::Silent, Some(silent));
        }
        Some(_) => true,
        None => false,
    };
    // The new connection has the whole limit, however long the kept one was listened on.
    let begin = if has_waited { Instant::now() } else { begin };
    let end = begin + limit;
    let line = match place {
        Place::Address(address) => Line::to_address(*address, end),
        Place::Path(path) => Line::to_socket(path, end),
    };
    match line {
        Ok(mut line) => {
            let answer = judge(&mut line, &protocol.kind(), tls, begin);
            let keep = answer == ProbeAnswer::Silent && line.is_heard();
            let silent = Silent {
                line,
                since: begin,
                is_confirmed: is_second,
            };
            (answer, keep.then_some(silent))
        }
        Err(error) => (no_line(&error), None),
    }
}

fn judge(line: &mut Line, kind: &Kind, tls: bool, begin: Instant) -> ProbeAnswer {
    let heard = if tls {
        talk_securely(kind, line)
    } else {
        talk(kind, line)
    };
    match heard {
        Ok(Heard::Answer) => ProbeAnswer::Answers(begin.elapsed()),
        Ok(Heard::Starting(words)) => ProbeAnswer::Starting(shown(&words)),
        Ok(Heard::OtherAmqp(version)) => ProbeAnswer::Other(format!(
            "it answers with AMQP {version}, which is not the broker's protocol: {}",
            kind.name
        )),
        Ok(Heard::Tls) => ProbeAnswer::Other(
            "it speaks TLS, and the broker's URL and settings say that Pulp does not".to_owned(),
        ),
        Ok(Heard::Foreign(byte)) if tls && kind.asks_for_tls.is_none() => {
            ProbeAnswer::Other(format!(
                "it answers TLS with byte {byte:#04x}, which is no TLS and not the broker's protocol"
            ))
        }
        Ok(Heard::Foreign(byte)) => ProbeAnswer::Other(format!(
            "it answers with byte {byte:#04x}, which is not the broker's protocol"
        )),
        Err(e) => match e.kind() {
            ErrorKind::TimedOut | ErrorKind::UnexpectedEof => ProbeAnswer::Silent,
            ErrorKind::ConnectionReset => ProbeAnswer::Refused,
            _ => ProbeAnswer::Unreachable(e.to_string()),
        },
    }
}

fn no_line(error: &io::Error) -> ProbeAnswer {
    match error.kind() {
        // A Unix socket whose server was stopped in order is removed.
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => ProbeAnswer::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ProbeAnswer::NoConnection,
        _ => ProbeAnswer::Unreachable(error.to_string()),
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
