//! Redis. It is asked without the password: whoever demands one is there. So one that demands one is
//! not told from one that is loading: it says `-NOAUTH` either way.

use super::{Heard, Kind};

/// A request that changes nothing and that a loading server refuses (RESP specification: an array of
/// bulk strings).
pub(super) const KIND: Kind = Kind {
    name: "Redis",
    opening: b"*1\r\n$4\r\nPING\r\n",
    asks_for_tls: None,
    judge,
};

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
    fn a_server_that_loads_its_data_is_starting() {
        let words = b"-LOADING Redis is loading the dataset in memory\r\n";
        let expected = "LOADING Redis is loading the dataset in memory".to_owned();
        assert_eq!(judge(words), Some(Heard::Starting(expected)));
        assert_eq!(judge(b"-L"), None);
        assert_eq!(judge(b"-LOADING Redis"), None);
    }
}
