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
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Body, http};

use super::tls::{Newest, Tls, TlsFailure};
use super::{Answer, Ask, Trouble};
use secured::{Handshake, Offer};

use crate::names::option;

/// Idle connections are dropped before Apache's default `KeepAliveTimeout` (5 s) does it.
const IDLE: Duration = Duration::from_secs(3);

const NO_ADDRESS: &str = "the host name has no address; check the name, and this host's resolver";

/// Apache's words for a request for which it would have to ask for a certificate when TLS 1.3 has no way to any more.
const POST_HANDSHAKE: &[u8] = b"Post-Handshake Authentication";

const LATE: &str = "the web server asks for a client's certificate after it has read the request, and speaks TLS 1.3 alone, in which \
                    clients do not answer that; let httpd speak TLS 1.2 too (`SSLProtocol -all +TLSv1.2 +TLSv1.3`), or have it \
                    ask at the beginning (`SSLVerifyClient optional` in the virtual host)";

/// A connection pool with our rules.
#[derive(Debug)]
pub(super) struct HttpClient {
    agent: Agent,
    /// The newest version of TLS that is offered.
    offer: Arc<Offer>,
    /// What all requests have taken together.
    spent: Cell<Duration>,
}

impl HttpClient {
    /// Offers no newer TLS than this, unless the server refuses that.
    pub(super) fn new(tls: Tls, newest: Newest) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(IDLE)
            .user_agent(concat!("pulp_broker/", env!("CARGO_PKG_VERSION")))
            .build();
        let offer = Arc::new(Offer::default());
        if newest == Newest::V1_3 {
            offer.newer();
        }
        let handshake = Handshake {
            tls: Arc::new(tls),
            offer: Arc::clone(&offer),
        };
        let connector = ().chain(TcpConnector::default()).chain(handshake);
        Self {
            offer,
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
        if self.offer.newest() == Newest::V1_2 && answer.as_ref().is_err_and(wants_newer) {
            // Nothing was sent but the beginning of a handshake.
            self.offer.newer();
            return self.sent(ask, url, headers, limit);
        }
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
        if answer.status() == 403 && is_late(&body) {
            return Err(Trouble::Unreachable(LATE.to_owned()).into());
        }
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
                 {} too short?",
                limit.as_secs_f64().round(),
                option("request_timeout")
            ))
            .into();
        }
        ureq::Error::Io(cause) => {
            failure(cause).map_or_else(|| network(cause), ToString::to_string)
        }
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

fn is_late(body: &[u8]) -> bool {
    let mut places = body.windows(POST_HANDSHAKE.len());
    places.any(|words| words == POST_HANDSHAKE)
}

fn wants_newer(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(cause) if failure(cause).is_some_and(|it| it.wants_newer))
}

/// What went wrong within TLS, if that is what it is.
fn failure(error: &io::Error) -> Option<&TlsFailure> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref::<TlsFailure>()
        // Each layer of a client may have wrapped it once more.
        .or_else(|| failure(inner.downcast_ref()?))
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
