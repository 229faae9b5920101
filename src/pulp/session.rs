//! One log-in for many requests. Pulp 3 checks a password on purpose slowly, a second of CPU each time;
//! a session costs nothing. Its cookies are a secret like the password, and go where that goes.

use std::fmt;

use crate::ansible::secrets;

/// What a request carries instead of a password.
pub(super) struct Session {
    pub(super) cookies: String,
    /// What a request that changes something has to repeat in a header.
    pub(super) token: String,
}

impl Session {
    /// Keeps it out of the reply, should Pulp repeat it in what it says.
    pub(super) fn keep_secret(&self) {
        let id = self.cookies.split([';', '=']).nth(1).unwrap_or_default();
        for secret in [id, &self.token] {
            secrets::add(secret);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// Reads the cookies of a log-in; without both there is no session.
pub(super) fn read<'a>(set_cookies: impl Iterator<Item = &'a str>) -> Option<Session> {
    let (mut id, mut token) = (None, None);
    for line in set_cookies {
        let pair = line.split(';').next().unwrap_or_default();
        match pair.trim().split_once('=') {
            Some(("sessionid", value)) if is_plain(value) => id = Some(value),
            Some(("csrftoken", value)) if is_plain(value) => token = Some(value),
            _ => {}
        }
    }
    let (id, token) = (id?, token?);
    Some(Session {
        cookies: format!("sessionid={id}; csrftoken={token}"),
        token: token.to_owned(),
    })
}

/// It becomes part of a header.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_gives_two_cookies() {
        let session = read(
            [
                "csrftoken=WQ25; Max-Age=31449600; Path=/; SameSite=Lax",
                "sessionid=t0pw; HttpOnly; Path=/",
            ]
            .into_iter(),
        )
        .expect("session");
        assert_eq!(session.cookies, "sessionid=t0pw; csrftoken=WQ25");
        assert_eq!(session.token, "WQ25");
        assert_eq!(format!("{session:?}"), "Session");
    }

    #[test]
    fn half_a_session_is_none() {
        assert!(read(["sessionid=a; Path=/"].into_iter()).is_none());
        assert!(read(["sessionid=a b", "csrftoken=c"].into_iter()).is_none());
        assert!(read(std::iter::empty()).is_none());
    }
}
