//! A broker's address, taken from its URL. The credentials in the URL stay behind: an endpoint can
//! be shown.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use super::Protocol;
use super::schemes::{self, AMQPS_PORT, Scheme};
use super::url::{self, Url};
use crate::host::sockets::{self, Listener};

/// Where PostgreSQL's own clients look for its socket on Debian and EL.
const POSTGRESQL_SOCKETS: &str = "/var/run/postgresql";

/// Where a broker is reached, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Endpoint {
    #[serde(flatten)]
    place: Place,
    /// The connection is TLS before a word of the protocol is said.
    pub(crate) tls: bool,
    #[serde(skip)]
    pub(crate) protocol: Protocol,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Tcp { host: String, port: u16 },
    Socket(PathBuf),
}

impl Endpoint {
    /// Reads a broker URL.
    ///
    /// # Errors
    /// The URL names several brokers, another kind of broker, or no host. The error never shows the
    /// URL, which may hold a password.
    pub(crate) fn parse(url: &str, source: &str) -> Result<Self> {
        let fail = |cause: &str| format!("failed to read the broker URL of {source}: {cause}");
        if url.contains(';') {
            bail!(fail("it names several brokers; exactly one is supported"));
        }
        let Some((name, rest)) = url.split_once("://") else {
            bail!(fail("expected `scheme://host:port/`"));
        };
        let lower = name.to_ascii_lowercase();
        let Some(scheme) = Scheme::of(&lower) else {
            bail!(fail(&format!(
                "expected one of {}, but the scheme is `{name}`",
                schemes::names()
            )));
        };
        let parts = Parts::of(rest);
        let (place, tls) = match scheme.protocol {
            Protocol::Redis if scheme.socket => (parts.path().map(Place::Socket), false),
            Protocol::Postgresql => parts.postgresql(scheme.port),
            _ => match Url::read(url) {
                Ok(url) => (
                    place_of(scheme, &url),
                    scheme.tls || scheme.is_kombus() && url.tls,
                ),
                Err(why) => (Err(why), false),
            },
        };
        Ok(Self {
            place: place.map_err(|cause| anyhow::anyhow!(fail(cause)))?,
            tls,
            protocol: scheme.protocol,
        })
    }

    /// A URL of it that holds no credentials.
    pub(crate) fn url(&self, virtual_host: &str) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let scheme = schemes::written(self.protocol, self.tls);
        match (&self.place, self.protocol) {
            (Place::Socket(path), Protocol::Postgresql) => {
                let folder = path.parent().unwrap_or(path).to_string_lossy();
                let port = path.extension().unwrap_or_default().to_string_lossy();
                format!("{scheme}:///?host={}&port={port}", encoded(&folder))
            }
            (Place::Socket(path), _) => format!("redis+socket://{}", path.display()),
            (Place::Tcp { .. }, Protocol::Postgresql) => {
                let mode = if self.tls { "?sslmode=require" } else { "" };
                format!("{scheme}://{self}/{mode}")
            }
            (Place::Tcp { .. }, Protocol::Redis) => format!("{scheme}://{self}/"),
            (Place::Tcp { .. }, _) => format!("{scheme}://{self}/{}", encoded(virtual_host)),
        }
    }

    /// Its TCP port; none for a Unix socket.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.place {
            Place::Tcp { port, .. } => Some(port),
            Place::Socket(_) => None,
        }
    }

    /// The path of its Unix socket; none where it is reached over TCP.
    pub(crate) fn socket(&self) -> Option<&Path> {
        match &self.place {
            Place::Tcp { .. } => None,
            Place::Socket(path) => Some(path),
        }
    }

    /// Every address that the host's name resolves to; none for a Unix socket.
    ///
    /// # Errors
    /// The name does not resolve.
    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let Place::Tcp { host, port } = &self.place else {
            return Ok(Vec::new());
        };
        let all: Vec<SocketAddr> = (host.as_str(), *port)
            .to_socket_addrs()
            .with_context(|| format!("failed to resolve the broker's host `{host}`"))?
            .collect();
        Ok(all)
    }

    /// Whether anything on this host listens there.
    ///
    /// # Errors
    /// The kernel's table cannot be read.
    pub(crate) fn listening(&self, addresses: &[SocketAddr]) -> Result<bool> {
        match &self.place {
            Place::Tcp { .. } => sockets::listening(addresses),
            Place::Socket(path) => sockets::listening_at(path),
        }
    }

    /// Who on this host listens there.
    ///
    /// # Errors
    /// The kernel's tables cannot be read.
    pub(crate) fn listener(&self, addresses: &[SocketAddr]) -> Result<Option<Listener>> {
        match &self.place {
            Place::Tcp { .. } => sockets::listener(addresses),
            Place::Socket(path) => sockets::listener_at(path),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            host: Option<&'a str>,
            port: Option<u16>,
            socket: Option<&'a Path>,
        }
        let shown = match self {
            Self::Tcp { host, port } => Shown {
                host: Some(host),
                port: Some(*port),
                socket: None,
            },
            Self::Socket(path) => Shown {
                host: None,
                port: None,
                socket: Some(path),
            },
        };
        shown.serialize(serializer)
    }
}

/// What follows a URL's scheme, without the credentials.
struct Parts<'a> {
    authority: &'a str,
    path: &'a str,
    query: &'a str,
}

/// A place, or why there is none. What stands in the URL may be a part of the password: it is not quoted.
type Found = Result<Place, &'static str>;

/// Where kombu goes. gofer takes no URL without a host.
fn place_of(scheme: &Scheme, url: &Url) -> Found {
    let host = match &url.host {
        Some(host) => host.clone(),
        None if scheme.is_gofers() => return Err("it names no host"),
        None => "localhost".to_owned(),
    };
    if scheme.is_kombus() && url.odd_options {
        return Err("it holds an option that kombu does not take");
    }
    // Only for AMQP 0-9-1 kombu has a port of its own for TLS.
    let default = match scheme.protocol {
        Protocol::Amqp091 if url.tls && scheme.is_kombus() => AMQPS_PORT,
        _ => scheme.port,
    };
    let port = url.port.unwrap_or(default);
    Ok(Place::Tcp { host, port })
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self {
            authority: authority.rsplit('@').next().unwrap_or_default(),
            path,
            query,
        }
    }

    fn path(&self) -> Result<PathBuf, &'static str> {
        if self.authority.is_empty() && self.path.len() > 1 {
            Ok(PathBuf::from(decoded(self.path)))
        } else {
            Err("expected the path of a socket, as in `redis+socket:///run/redis/redis.sock`")
        }
    }

    /// libpq's URLs ("Connection Strings" in PostgreSQL's documentation): parameters may name host and
    /// port, and a host that begins with a slash is the folder of a socket. TLS begins only where it is
    /// demanded, and never on a socket.
    fn postgresql(&self, default: u16) -> (Found, bool) {
        let (host, port) = split_port(self.authority);
        let host = match decoded(host) {
            empty if empty.is_empty() => self.parameter("host").unwrap_or_default(),
            host => host,
        };
        let port = self.parameter("port").or(port.map(str::to_owned));
        if host.contains(',') || self.authority.contains(',') {
            return (
                Err("it names several brokers; exactly one is supported"),
                false,
            );
        }
        let folder = if host.is_empty() {
            POSTGRESQL_SOCKETS
        } else {
            &host
        };
        if folder.starts_with('/') {
            let port = port.unwrap_or_else(|| default.to_string());
            let path = Path::new(folder).join(format!(".s.PGSQL.{port}"));
            return match port.parse::<u16>() {
                Ok(_) => (Ok(Place::Socket(path)), false),
                Err(_) => (Err("what follows the host is no port"), false),
            };
        }
        let demanded = self.parameter("sslmode");
        let tls = matches!(
            demanded.as_deref(),
            Some("require" | "verify-ca" | "verify-full")
        );
        (tcp(&host, port.as_deref(), default), tls)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        parameters(self.query)
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
    }
}

fn tcp(host: &str, port: Option<&str>, default: u16) -> Found {
    if host.is_empty() {
        return Err("it names no host");
    }
    let port = match port {
        None => default,
        Some(digits) => digits
            .parse()
            .map_err(|_| "what follows the host is no port")?,
    };
    let host = host.to_owned();
    Ok(Place::Tcp { host, port })
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// The secrets in a URL, as written and percent-decoded.
pub(crate) fn secrets(url: &str) -> Vec<String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let mut found = Vec::new();
    // A password may hold what ends an authority elsewhere, and a parameter what ends a password.
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    for part in [rest, authority] {
        let credentials = part
            .rsplit_once('@')
            .map_or("", |(credentials, _)| credentials);
        match credentials.split_once(':') {
            Some((_, password)) => found.push(password),
            // For Redis a lone word is as likely the password as the user.
            None if scheme.starts_with("redis") => found.push(credentials),
            None => {}
        }
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let named = parameters(query).filter(|(key, _)| key.ends_with("password"));
    found.extend(named.map(|(_, value)| value));
    found.extend(url::password(url));
    let mut secrets = Vec::new();
    for secret in found.into_iter().filter(|secret| !secret.is_empty()) {
        for spelling in [secret.to_owned(), decoded(secret)] {
            if !secrets.contains(&spelling) {
                secrets.push(spelling);
            }
        }
    }
    secrets
}

fn split_port(address: &str) -> (&str, Option<&str>) {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, after.strip_prefix(':'));
    }
    match address.split_once(':') {
        Some((host, port)) if !port.is_empty() => (host, Some(port)),
        Some((host, _)) => (host, None),
        None => (address, None),
    }
}

#[cfg(test)]
mod tests;
