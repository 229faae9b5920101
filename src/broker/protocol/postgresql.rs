//! PostgreSQL, with version 3.0 of its protocol ("Frontend/Backend Protocol" in its documentation).

use super::{Heard, Kind};

/// A `StartupMessage` (section "Message Formats") of a user that is nobody's: before the server looks
/// for the user it says whether it accepts connections at all. It then asks for a password or refuses
/// us by name, and either is an answer. An `SSLRequest` (section "SSL Session Encryption") comes first
/// with TLS.
pub(super) const KIND: Kind = Kind {
    name: "PostgreSQL",
    opening: b"\0\0\0\x1a\0\x03\0\0user\0pulp_broker\0\0",
    asks_for_tls: Some(b"\0\0\0\x08\x04\xd2\x16\x2f"),
    judge,
};

/// `cannot_connect_now` (appendix "PostgreSQL Error Codes"): it is starting, recovering or shutting
/// down. A server at the limit of its connections (53300) is there.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// A message's type and length.
const HEAD: usize = 5;

/// Longer messages than this come from something else.
const LONGEST: usize = 8192;

fn judge(words: &[u8]) -> Option<Heard> {
    let (kind, rest) = words.split_first()?;
    // AuthenticationRequest, ErrorResponse, NegotiateProtocolVersion.
    if !matches!(kind, b'R' | b'E' | b'v') {
        return Some(Heard::Foreign(*kind));
    }
    let (length, _) = rest.split_first_chunk::<4>()?;
    // The length counts itself but not the type.
    let end = u64::from(u32::from_be_bytes(*length)) + 1;
    let end = usize::try_from(end)
        .ok()
        .filter(|end| (HEAD..=LONGEST).contains(end));
    match end {
        None => Some(Heard::Foreign(*kind)),
        Some(end) if *kind == b'E' => words.get(HEAD..end).map(refusal),
        Some(_) => Some(Heard::Answer),
    }
}

/// An `ErrorResponse`'s fields: a byte that says which, and a text that ends with a zero.
fn refusal(body: &[u8]) -> Heard {
    let field = |which: u8| {
        body.split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(&[which]))
            .map(String::from_utf8_lossy)
            .unwrap_or_default()
    };
    if field(b'C') == CANNOT_CONNECT_NOW {
        Heard::Starting(field(b'M').into_owned())
    } else {
        Heard::Answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> Vec<u8> {
        let body = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0Fpostmaster.c\0\0");
        let length = u32::try_from(body.len() + 4).unwrap();
        [b"E", &length.to_be_bytes()[..], body.as_bytes()].concat()
    }

    #[test]
    fn a_server_that_starts_says_so() {
        let words = error("57P03", "the database system is starting up");
        let expected = "the database system is starting up".to_owned();
        assert_eq!(judge(&words), Some(Heard::Starting(expected)));
        for cut in [0, 1, 4, 5, words.len() - 1] {
            assert_eq!(judge(&words[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_server_that_refuses_us_or_asks_for_a_password_is_there() {
        for code in ["53300", "28000", "3D000"] {
            assert_eq!(judge(&error(code, "no")), Some(Heard::Answer));
        }
        let password = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        assert_eq!(judge(password), Some(Heard::Answer));
    }

    #[test]
    fn another_protocol_is_no_answer() {
        for words in ["HTTP/1.1 400 Bad Request", "ERROR\r\n", "RFB 003.008\n"] {
            let first = words.as_bytes()[0];
            assert_eq!(
                judge(words.as_bytes()),
                Some(Heard::Foreign(first)),
                "{words}"
            );
        }
    }

    #[test]
    fn the_lengths_that_are_sent_are_right() {
        let said = |message: &[u8]| u32::from_be_bytes([0, 0, 0, message[3]]);
        assert_eq!(said(KIND.opening) as usize, KIND.opening.len());
        assert_eq!(KIND.asks_for_tls.map(|m| (said(m), m.len())), Some((8, 8)));
    }
}
