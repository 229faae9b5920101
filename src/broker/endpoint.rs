//! A broker's address, taken from its URL. The credentials in the URL stay behind: an endpoint can
//! be shown.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

/// Where a broker is reached, and over which transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The connection is TLS from its first byte.
    pub(crate) tls: bool,
}

impl Endpoint {
    /// Reads a broker URL as kombu and gofer write them: `amqp://`, `amqps://`, `pyamqp://`,
    /// `qpid://`, `tcp://`, `ssl://`; the port defaults to 5672, with TLS to 5671.
    ///
    /// # Errors
    /// The URL names several brokers, another kind of broker, or no host. The error never shows the
    /// URL, which may hold a password.
    pub(crate) fn parse(url: &str, source: &str) -> Result<Self> {
        let fail = |cause: &str| format!("failed to read the broker URL of `{source}`: {cause}");
        if url.contains(';') {
            bail!(fail("it names several brokers; exactly one is supported"));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            bail!(fail("expected `scheme://host:port/`"));
        };
        let tls = match scheme {
            "amqp" | "pyamqp" | "librabbitmq" | "qpid" | "tcp" => false,
            "amqps" | "qpids" | "ssl" => true,
            other => bail!(fail(&format!(
                "expected amqp, amqps, pyamqp, qpid, tcp or ssl, but the scheme is `{other}`"
            ))),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let address = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = split_port(address);
        if host.is_empty() {
            bail!(fail("it names no host"));
        }
        let port = match port {
            None => {
                if tls {
                    5671
                } else {
                    5672
                }
            }
            Some(digits) => digits
                .parse()
                .ok()
                // What stands there may be a part of the password: it is not quoted.
                .with_context(|| fail("what follows the host is no port"))?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }

    /// Every address that the host's name resolves to.
    ///
    /// # Errors
    /// The name does not resolve.
    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let all: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .with_context(|| format!("failed to resolve the broker's host `{}`", self.host))?
            .collect();
        Ok(all)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The secret in a URL, as written and percent-decoded.
pub(crate) fn secrets(url: &str) -> Vec<String> {
    let authority = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .rsplit_once('@')
        .map_or("", |(credentials, _)| credentials);
    let Some((_, password)) = authority.split_once(':') else {
        return Vec::new();
    };
    let decoded = percent_encoding::percent_decode_str(password)
        .decode_utf8_lossy()
        .into_owned();
    vec![password.to_owned(), decoded]
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
mod tests {
    use super::*;

    fn parse(url: &str) -> Endpoint {
        Endpoint::parse(url, "test").unwrap()
    }

    #[test]
    fn kombus_urls_are_read_with_their_default_ports() {
        assert_eq!(
            parse("amqp://u:p%40@mq.example.com//").to_string(),
            "mq.example.com:5672"
        );
        assert_eq!(parse("qpid://localhost/").to_string(), "localhost:5672");
        assert_eq!(parse("tcp://localhost:5673").port, 5673);
        let tls = parse("amqps://u:p@mq");
        assert!(tls.tls && tls.port == 5671);
        assert_eq!(parse("amqp://u:p@[::1]:5672//").to_string(), "[::1]:5672");
    }

    #[test]
    fn a_url_with_its_password_never_stands_in_an_error() {
        for url in [
            "amqp://u:hunter2@",
            "redis://u:hunter2@h",
            "amqp://u:hunter2/x@h",
            "amqp://u:hunter2@a;amqp://b",
        ] {
            let error = Endpoint::parse(url, "/etc/pulp/server.conf")
                .unwrap_err()
                .to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("/etc/pulp/server.conf"), "{error}");
        }
    }

    #[test]
    fn the_password_is_known_as_written_and_decoded() {
        assert_eq!(secrets("amqp://u:p%40ss@h//"), ["p%40ss", "p@ss"]);
        assert!(secrets("qpid://localhost/").is_empty());
    }
}
