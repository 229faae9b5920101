//! One HTTP request and its answer: every timeout set, every body capped, every failure in words
//! that say what to look at.

mod secured;

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Body, http};

use super::{Answer, Ask, Trouble};
use secured::Secured;

/// Idle connections are dropped before Apache's default `KeepAliveTimeout` (5 s) does it.
const IDLE: Duration = Duration::from_secs(3);

const NO_ADDRESS: &str = "the host name has no address; check the name, and this host's resolver";

/// A connection pool with our rules.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    /// What all requests have taken together.
    spent: Cell<Duration>,
}

impl Client {
    pub(super) fn new(tls: ClientConfig) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(IDLE)
            .user_agent(concat!("pulp_broker/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(Secured(Arc::new(tls)));
        Self {
            agent: Agent::with_parts(config, connector, DefaultResolver::default()),
            spent: Cell::default(),
        }
    }

    /// What all requests have taken together.
    pub(super) fn spent(&self) -> Duration {
        self.spent.get()
    }

    pub(super) fn send(
        &self,
        ask: &Ask,
        url: &str,
        headers: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Answer> {
        let begun = Instant::now();
        let answer = self.sent(ask, url, headers, limit);
        self.spent.set(self.spent.get() + begun.elapsed());
        answer
    }

    fn sent(
        &self,
        ask: &Ask,
        url: &str,
        headers: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Answer> {
        let mut request = http::Request::builder().method(ask.method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match &ask.body {
            Some(body) => {
                let request = request
                    .header("Content-Type", "application/json")
                    .body(body.to_string())?;
                self.run(request, limit)
            }
            None => self.run(request.body(())?, limit),
        };
        let mut answer = answer.map_err(|cause| explain(&cause, limit))?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(ask.cap)
            .read_to_vec()
            .map_err(|cause| match cause {
                ureq::Error::BodyExceedsLimit(_) => anyhow!(
                    "the answer is larger than {} bytes, which nothing that Pulp sends here \
                     should be",
                    ask.cap
                ),
                other => explain(&other, limit),
            })?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let cookies = answer.headers().get_all("Set-Cookie").iter();
        Ok(Answer {
            cookies: cookies
                .filter_map(|value| value.to_str().ok().map(str::to_owned))
                .collect(),
            date: header("Date").and_then(|date| moment(&date)),
            method: ask.method,
            url: url.to_owned(),
            status: answer.status().as_u16(),
            location: header("Location"),
            body,
        })
    }

    fn run(
        &self,
        request: http::Request<impl ureq::AsSendBody>,
        limit: Duration,
    ) -> Result<http::Response<Body>, ureq::Error> {
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(limit))
            .timeout_resolve(Some(limit))
            .timeout_connect(Some(limit))
            .build();
        self.agent.run(request)
    }
}

/// An instant as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn moment(date: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = date.split_whitespace().collect();
    let &[_, day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.find(month)? / 3 + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z")).ok()
}

/// The value of the `Authorization` header.
pub(super) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
}

/// What went wrong, and what to look at.
fn explain(error: &ureq::Error, limit: Duration) -> anyhow::Error {
    let text = match error {
        ureq::Error::HostNotFound => NO_ADDRESS.to_owned(),
        ureq::Error::Timeout(phase) => {
            return Trouble::Hangs(format!(
                "no answer within {} s ({phase}); is the server overloaded or hanging, or \
                 request_timeout too short?",
                limit.as_secs_f64().round()
            ))
            .into();
        }
        ureq::Error::Io(cause) => told_by_tls(cause).unwrap_or_else(|| network(cause)),
        ureq::Error::ConnectionFailed => network(&io::ErrorKind::ConnectionRefused.into()),
        other => other.to_string(),
    };
    Trouble::Unreachable(text).into()
}

fn network(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused; is the web server (httpd) running, and are host and port right?"
                .to_owned()
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => format!(
            "{cause}; the web server closed the connection without an answer, see its error log"
        ),
        // The standard library has no kind for it, only this text.
        _ if cause.to_string().contains("lookup address") => NO_ADDRESS.to_owned(),
        _ => cause.to_string(),
    }
}

/// What went wrong within TLS, if that is what it is.
pub(super) fn told_by_tls(error: &io::Error) -> Option<String> {
    rustls_cause(error).map(tls)
}

fn rustls_cause(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        // Each layer of a client may have wrapped it once more.
        .or_else(|| rustls_cause(inner.downcast_ref()?))
}

/// How a server says no to a client's certificate.
const REFUSALS: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];

fn tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(cause) => certificate(cause),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS; is the port right, and is it https there?".to_owned()
        }
        rustls::Error::AlertReceived(alert) if REFUSALS.contains(alert) => format!(
            "the server does not take user_cert ({alert:?}); has it expired (Pulp 2 gives it for a \
             week, at `pulp-admin login`), and does the server know who issued it?"
        ),
        rustls::Error::AlertReceived(alert) => {
            format!("the server ended the TLS handshake ({alert:?}); it must offer TLS 1.2 or 1.3")
        }
        other => format!("TLS: {other}"),
    }
}

fn certificate(cause: &CertificateError) -> String {
    match cause {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host name (only subjectAltName counts); use \
             the name it was issued for in pulp_url, or issue it again"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; renew it, and check this host's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check the clocks".to_owned()
        }
        // Whose words they are: our own verifier's.
        CertificateError::Other(told) => told.to_string(),
        other => format!(
            "the server's certificate cannot be verified ({other}); set ca_path to the authority \
             that issued it, or replace it by one that an authority issued for this host name"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_encoded_as_the_rfc_says() {
        assert_eq!(
            basic("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn the_servers_clock_is_read() {
        let told = moment("Sun, 06 Nov 1994 08:49:37 GMT").map(humantime::format_rfc3339_seconds);
        assert_eq!(
            told.map(|t| t.to_string()).as_deref(),
            Some("1994-11-06T08:49:37Z")
        );
        for other in ["", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET"] {
            assert_eq!(moment(other), None, "{other}");
        }
    }
}
