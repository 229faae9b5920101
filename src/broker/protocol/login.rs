//! A client's login by AMQP 0-9-1, up to the virtual host's opening: a broker says there, in words, why it does not serve. Sources: the
//! specification, sections 1.4 and 4.2, and RabbitMQ's extension "Authentication Failure Close".

use std::io::{Error, ErrorKind, Read, Result, Write};

use super::{Login, amqp_0_9_1, shown};

/// Class and method of what is said here: `connection` is class 10.
type Method = [u8; 4];
const START: Method = [0, 10, 0, 10];
const START_OK: Method = [0, 10, 0, 11];
const TUNE: Method = [0, 10, 0, 30];
const TUNE_OK: Method = [0, 10, 0, 31];
const OPEN: Method = [0, 10, 0, 40];
const OPEN_OK: Method = [0, 10, 0, 41];
const CLOSE: Method = [0, 10, 0, 50];
const CLOSE_OK: Method = [0, 10, 0, 51];

/// How a method's frame on the connection's own channel begins, and how each frame ends.
const METHOD: [u8; 3] = [1, 0, 0];
const END: u8 = 0xCE;

/// No frame of a login is longer.
const LONGEST: usize = 64 * 1024;

/// What came instead of what was expected.
enum Instead {
    /// The server closes, in these words.
    Closed(String),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Instead {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What it is refused with; none: it is served.
pub(super) fn log_in(line: &mut (impl Read + Write), login: &Login<'_>) -> Result<Option<String>> {
    match open(line, login) {
        Ok(()) => {
            // Who hangs up without a word is a warning in the broker's log.
            let goodbye = [&[0, 200][..], &short(""), &[0; 4]].concat();
            let _ = send(line, CLOSE, &goodbye).and_then(|()| {
                expect(line, CLOSE_OK)
                    .map(drop)
                    .map_err(|_| ErrorKind::UnexpectedEof.into())
            });
            Ok(None)
        }
        Err(Instead::Closed(words)) => {
            let _ = send(line, CLOSE_OK, &[]);
            Ok(Some(shown(&words)))
        }
        Err(Instead::Failed(error)) => Err(error),
    }
}

fn open(line: &mut (impl Read + Write), login: &Login<'_>) -> std::result::Result<(), Instead> {
    line.write_all(amqp_0_9_1::KIND.opening)?;
    expect(line, START)?;
    let response = format!("\0{}\0{}", login.user, login.password);
    // The server says why it refuses, and does not just hang up, where the client says that it understands that.
    let capability = [short("authentication_failure_close"), vec![b't', 1]].concat();
    let properties = [short("capabilities"), vec![b'F'], long(&capability)].concat();
    let start = [
        long(&properties),
        short("PLAIN"),
        long(response.as_bytes()),
        short("en_US"),
    ];
    send(line, START_OK, &start.concat())?;
    let tuned = expect(line, TUNE)?;
    // What it proposes for channels and frames, and no heartbeat.
    let proposed = tuned.get(..6).ok_or(ErrorKind::InvalidData)?;
    send(line, TUNE_OK, &[proposed, &[0, 0]].concat())?;
    send(
        line,
        OPEN,
        &[short(login.virtual_host), vec![0, 0]].concat(),
    )?;
    expect(line, OPEN_OK)?;
    Ok(())
}

fn send(line: &mut impl Write, method: Method, arguments: &[u8]) -> Result<()> {
    let length = u32::try_from(method.len() + arguments.len()).unwrap_or(u32::MAX);
    let frame = [
        &METHOD[..],
        &length.to_be_bytes(),
        &method,
        arguments,
        &[END],
    ];
    line.write_all(&frame.concat())
}

/// The arguments of the method that is expected next.
fn expect(line: &mut impl Read, wanted: Method) -> std::result::Result<Vec<u8>, Instead> {
    let mut head = [0u8; 7];
    line.read_exact(&mut head)?;
    let (begin, length) = head.split_at(METHOD.len());
    let length = length.try_into().map_or(u32::MAX, u32::from_be_bytes);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if begin != METHOD || !(4..=LONGEST).contains(&length) {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut body = vec![0u8; length + 1];
    line.read_exact(&mut body)?;
    let arguments = body.get(4..length).unwrap_or_default();
    match body.get(..4) {
        _ if body.last() != Some(&END) => Err(ErrorKind::InvalidData.into()),
        Some(method) if method == wanted => Ok(arguments.to_vec()),
        Some(method) if method == CLOSE => Err(Instead::Closed(closed(arguments))),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// A code, and a text with its length before it.
fn closed(arguments: &[u8]) -> String {
    let length = arguments.get(2).map_or(0, |length| usize::from(*length));
    let text = arguments.get(3..3 + length).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// A short text: its length is one byte. What is longer is no name that a broker has.
fn short(text: &str) -> Vec<u8> {
    let text = text.as_bytes().get(..255).unwrap_or(text.as_bytes());
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[length], text].concat()
}

/// Bytes with their length in four bytes before them.
fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
pub(in crate::broker::protocol) mod tests {
    use std::io::Cursor;

    use super::*;

    /// A far end that says this, whatever it hears.
    pub(in crate::broker::protocol) struct Said {
        says: Cursor<Vec<u8>>,
        pub(in crate::broker::protocol) heard: Vec<u8>,
    }

    impl Said {
        pub(in crate::broker::protocol) fn new(says: impl Into<Vec<u8>>) -> Self {
            Self {
                says: Cursor::new(says.into()),
                heard: Vec::new(),
            }
        }
    }

    impl Read for Said {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Said {
        fn write(&mut self, buffer: &[u8]) -> Result<usize> {
            self.heard.write(buffer)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn frame(method: Method, arguments: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        send(&mut frame, method, arguments).unwrap();
        frame
    }

    fn logged_in(frames: &[Vec<u8>]) -> (Result<Option<String>>, Vec<u8>) {
        let mut line = Said::new(frames.concat());
        let login = Login {
            user: "pulp",
            password: "secret",
            virtual_host: "/",
        };
        (log_in(&mut line, &login), line.heard)
    }

    fn close(code: u16, words: &str) -> Vec<u8> {
        let arguments = [&code.to_be_bytes()[..], &short(words), &[0; 4]].concat();
        frame(CLOSE, &arguments)
    }

    #[test]
    fn who_is_served_is_not_refused_and_leaves() {
        let start = frame(START, &[0, 9, 0, 0, 0, 0]);
        let tune = frame(TUNE, &[7, 255, 0, 2, 0, 0, 0, 60]);
        let (served, heard) = logged_in(&[start, tune, frame(OPEN_OK, &[0]), frame(CLOSE_OK, &[])]);
        assert_eq!(served.unwrap(), None);
        let has = |part: &[u8]| heard.windows(part.len()).any(|window| window == part);
        assert!(has(b"\x05PLAIN\0\0\0\x0c\0pulp\0secret"));
        assert!(has(&frame(TUNE_OK, &[7, 255, 0, 2, 0, 0, 0, 0])));
        assert!(has(&frame(OPEN, &[1, b'/', 0, 0])));
        assert!(heard.ends_with(&frame(CLOSE, &[0, 200, 0, 0, 0, 0, 0])));
    }

    #[test]
    fn a_refusal_is_told_in_the_brokers_words_at_the_login_and_at_the_virtual_host() {
        let start = || frame(START, &[]);
        let words = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.";
        let (refused, heard) = logged_in(&[start(), close(403, words)]);
        assert_eq!(refused.unwrap().as_deref(), Some(words));
        assert!(heard.ends_with(&frame(CLOSE_OK, &[])));
        let tune = frame(TUNE, &[0; 8]);
        let words = "NOT_ALLOWED - vhost / not found";
        let (refused, _) = logged_in(&[start(), tune, close(530, words)]);
        assert_eq!(refused.unwrap().as_deref(), Some(words));
    }

    #[test]
    fn what_is_no_login_tells_nothing() {
        for frames in [
            vec![],
            vec![b"HTTP/1.1 400 Bad Request\r\n".to_vec()],
            vec![frame(START, &[]), frame(OPEN_OK, &[])],
            vec![frame(START, &[]), frame(TUNE, &[1])],
            vec![vec![1, 0, 0, 255, 255, 255, 255]],
        ] {
            assert!(logged_in(&frames).0.is_err());
        }
    }
}
