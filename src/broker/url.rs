//! A broker's URL as kombu and Python 2.7's `urlparse` read it. `scripts/kombu-urls` asks them, and the tests hold this file against
//! what they answer.

use percent_encoding::percent_decode_str;

use super::Protocol;
use super::schemes::{Scheme, written};

/// What may follow the question mark; kombu raises an exception for every other name.
const OPTIONS: &[&str] = &["ssl", "insist", "connect_timeout", "login_method"];

/// One broker's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    /// Without its brackets; none where the transport's default counts.
    pub(super) host: Option<String>,
    /// None where the transport's default counts.
    pub(super) port: Option<u16>,
    pub(super) virtual_host: String,
    /// Its options turn TLS on: any text does.
    pub(super) tls: bool,
    /// What no transport of kombu's accepts stands among its options.
    pub(super) odd_options: bool,
}

impl Url {
    /// # Errors
    /// What is an exception there, in words that quote nothing: what stands in the URL may be a part of the password.
    pub(super) fn read(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("expected `scheme://host:port/`")?;
        let parts = Parts::of(rest);
        if parts.authority.contains('[') != parts.authority.contains(']') {
            return Err("its brackets make no IPv6 address");
        }
        let (host, port) = parts.host_and_port();
        let port = port.map(parse_port).transpose()?.flatten();
        let path = parts.path.strip_prefix('/').unwrap_or(parts.path);
        let (mut tls, mut odd_options) = (false, false);
        for (name, value) in parts.options() {
            tls |= name == "ssl";
            let is_beat = name == "heartbeat" && value.trim().parse::<f64>().is_ok();
            odd_options |= !is_beat && !OPTIONS.contains(&name.as_str());
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            host: Some(decoded(&host.to_lowercase())).filter(|host| !host.is_empty()),
            port,
            virtual_host: Some(decoded(path))
                .filter(|path| !path.is_empty())
                .unwrap_or("/".to_owned()),
            tls,
            odd_options,
        })
    }
}

/// What follows the scheme, cut as `urlparse` cuts HTTP's.
struct Parts<'a> {
    /// User, password, host and port.
    authority: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            authority,
            path,
            query,
        }
    }

    /// What stands behind the user and the password.
    fn place(&self) -> &'a str {
        self.authority.rsplit('@').next().unwrap_or_default()
    }

    fn host_and_port(&self) -> (&'a str, Option<&'a str>) {
        let place = self.place();
        let host = match place.split_once(']') {
            // The first letter counts as the bracket, whatever it is.
            Some((inside, _)) if place.contains('[') => {
                inside.get(next(inside)..).unwrap_or_default()
            }
            _ => place.split(':').next().unwrap_or_default(),
        };
        let behind = place.rsplit(']').next().unwrap_or_default();
        (host, behind.split(':').nth(1))
    }

    fn password(&self) -> Option<&'a str> {
        let (credentials, _) = self.authority.rsplit_once('@')?;
        Some(credentials.split_once(':')?.1)
    }

    /// Names and values, as `parse_qsl` gives them: without those that have no value.
    fn options(&self) -> impl Iterator<Item = (String, String)> + use<'a> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let plain = |text: &str| decoded(&text.replace('+', " "));
        let pairs = pairs.map(move |(name, value)| (plain(name), plain(value)));
        pairs.filter(|(_, value)| !value.is_empty())
    }
}

/// Where the second letter begins.
fn next(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// As Python's `int`; what is no port that there is counts as none.
fn parse_port(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("what follows the host is no port");
    }
    Ok(text
        .strip_prefix('+')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|port| *port != 0))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether it names several brokers, as kombu writes a list to fail over through.
pub(crate) fn names_several(url: &str) -> bool {
    url.contains(';')
}

/// The virtual host, `/` where none is named.
pub(crate) fn virtual_host(url: &str) -> String {
    Url::read(url).map_or_else(|_| "/".to_owned(), |url| url.virtual_host)
}

/// The password that kombu finds in it, as written.
pub(super) fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Parts::of(rest).password()
}

/// The user and the password that kombu logs in with.
pub(super) fn credentials(url: &str) -> Option<(String, String)> {
    const GUEST: &str = "guest";
    let (_, rest) = url.split_once("://")?;
    let authority = Parts::of(rest).authority;
    let given = authority.rsplit_once('@').map(|(given, _)| given);
    let (user, password) = given.map_or(("", ""), |given| {
        given.split_once(':').unwrap_or((given, ""))
    });
    let or_guest = |text: &str| match text {
        "" => GUEST.to_owned(),
        text => decoded(text),
    };
    Some((or_guest(user), or_guest(password)))
}

/// The URL of the same broker, spoken with by TLS at the port to which kombu goes then.
pub(super) fn with_tls(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let scheme = Scheme::of(&scheme.to_ascii_lowercase());
    let Some((scheme, secured)) = scheme.and_then(|s| Some((s, s.secured()?))) else {
        return url.to_owned();
    };
    // The port that a scheme with TLS has by itself is not the one to which kombu's Qpid transport goes.
    let keeps_port = scheme.protocol == Protocol::Amqp010;
    if keeps_port && Url::read(url).is_ok_and(|url| url.port.is_none()) {
        let parts = Parts::of(rest);
        let (before, place) = parts
            .authority
            .split_at(parts.authority.len() - parts.place().len());
        let bracket = place.rfind(']').map_or(0, |at| at + 1);
        let end = place[bracket..]
            .find(':')
            .map_or(place.len(), |at| bracket + at);
        let behind = &rest[parts.authority.len()..];
        let port = scheme.port;
        return format!("{secured}://{before}{}:{port}{behind}", &place[..end]);
    }
    format!("{secured}://{rest}")
}

/// gofer's URL as one that says its protocol: `[messaging] transport` does, and the scheme only whether TLS is spoken.
pub(super) fn of_transport(url: &str, transport: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let protocol = match transport {
        "qpid" => Protocol::Amqp010,
        "rabbitmq" | "amqp" => Protocol::Amqp091,
        _ => return url.to_owned(),
    };
    match Scheme::of(&scheme.to_ascii_lowercase()) {
        Some(scheme) if scheme.is_gofers() => {
            format!("{}://{rest}", written(protocol, scheme.tls))
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
