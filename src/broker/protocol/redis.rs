//! Redis. It is asked without the password: whoever demands one is there. So one that demands one is
//! not told from one that is loading: it says `-NOAUTH` either way.

use std::io::{Error, ErrorKind, Read, Result, Write};

use super::{Heard, Kind};

/// A request that changes nothing and that a loading server refuses (RESP specification: an array of
/// bulk strings).
pub(super) const KIND: Kind = Kind {
    name: "Redis",
    opening: b"*1\r\n$4\r\nPING\r\n",
    asks_for_tls: None,
    judge,
};

/// Writes an empty text over a key that nobody has, which makes no key ("SETRANGE" in Redis's documentation). It counts as a write that
/// needs memory all the same, so whoever may not write is refused it.
const WRITE_NOTHING: &[u8] =
    b"*4\r\n$8\r\nSETRANGE\r\n$24\r\npulp-broker-test:nothing\r\n$1\r\n0\r\n$0\r\n\r\n";

/// No answer of a line is longer.
const LONGEST: usize = 4096;

/// What the write is refused with, in the server's words; none: it is done.
pub(super) fn write_nothing(line: &mut (impl Read + Write)) -> Result<Option<String>> {
    line.write_all(WRITE_NOTHING)?;
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n") {
        let mut more = [0u8; 512];
        match line.read(&mut more)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            _ if said.len() > LONGEST => return Err(ErrorKind::InvalidData.into()),
            length => said.extend_from_slice(&more[..length]),
        }
    }
    let text = String::from_utf8_lossy(&said);
    match text.trim_end().split_at_checked(1) {
        Some((":", _)) => Ok(None),
        Some(("-", words)) => Ok(Some(super::shown(words))),
        _ => Err(Error::other("it answers with what is no reply of Redis")),
    }
}

/// What a server says until its data is in memory. Every other error (`-NOAUTH`, `-DENIED`, `-ERR max
/// number of clients reached`) comes from one that is there.
const LOADING: &[u8] = b"-LOADING";

fn judge(words: &[u8]) -> Option<Heard> {
    match words.first()? {
        b'-' if words.starts_with(LOADING) => {
            let end = words.iter().position(|byte| *byte == b'\r')?;
            let text = String::from_utf8_lossy(&words[1..end]);
            Some(Heard::Starting(text.into_owned()))
        }
        b'-' if LOADING.starts_with(words) => None,
        b'+' | b'-' => Some(Heard::Answer),
        other => Some(Heard::Foreign(*other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::protocol::login::tests::Said;

    #[test]
    fn a_server_that_refuses_us_is_there() {
        for words in [
            "+PONG\r\n",
            "-NOAUTH Authentication required.\r\n",
            "-DENIED Redis is running in protected mode",
            "-ERR max number of clients reached\r\n",
        ] {
            assert_eq!(judge(words.as_bytes()), Some(Heard::Answer), "{words}");
        }
        assert_eq!(judge(b"HTTP/1.1 400"), Some(Heard::Foreign(b'H')));
    }

    #[test]
    fn a_write_of_nothing_is_done_or_refused_in_the_servers_words() {
        let asked = |answer: &str| {
            let mut line = Said::new(answer);
            let refused = write_nothing(&mut line);
            assert_eq!(line.heard, WRITE_NOTHING);
            refused
        };
        assert_eq!(asked(":0\r\n").unwrap(), None);
        let words = "READONLY You can't write against a read only replica.";
        assert_eq!(
            asked(&format!("-{words}\r\n")).unwrap().as_deref(),
            Some(words)
        );
        assert!(asked("+OK\r\n").is_err() && asked("-MISCONF").is_err());
    }

    #[test]
    fn a_server_that_loads_its_data_is_starting() {
        let words = b"-LOADING Redis is loading the dataset in memory\r\n";
        let expected = "LOADING Redis is loading the dataset in memory".to_owned();
        assert_eq!(judge(words), Some(Heard::Starting(expected)));
        assert_eq!(judge(b"-L"), None);
        assert_eq!(judge(b"-LOADING Redis"), None);
    }
}
