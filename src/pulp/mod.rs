//! Pulp's REST API: a door through which every request goes, and the steps of the health check.
//!
//! Requests and answers are plain data, so that what is asked and how an answer is judged can be
//! tested without a server. Credentials are sent to `pulp_url` only: paths of the API are made
//! here, never taken from an answer, and a redirected API request is an error. Published content
//! is fetched without credentials. No proxy of the environment is ever used, so that a health
//! check means the same in every shell.

mod address;
mod client;
mod either;
mod follow;
pub(crate) mod onlooker;
pub(crate) mod options;
pub(crate) mod others;
pub(crate) mod repodata;
mod session;
pub(crate) mod steps;
mod tls;
mod told;
mod trouble;
pub(crate) mod v2;
pub(crate) mod v3;

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host::wait::Deadline;
use crate::names::option;
use client::moment;
use either::{ApiChoice, Site, place};
pub(crate) use either::{Found, Pulp, missing, objection, status_paths};
pub(crate) use options::Options;
use tls::{Newest, Tls};
pub(crate) use told::{Created, Orphan, Sent, Status, Task, TaskState, Version3, Worker};
use trouble::Trouble;
pub(crate) use trouble::{verdict_on_api, verdict_on_request};
use v2::{Pulp2, read_status};
use v3::{ApiPlace, Pulp3};

/// Redirects that published content may take.
const REDIRECTS: usize = 5;

/// A wait looks once more when its time is over; this is what that request gets.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// The oldest version of TLS that may be spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsMinimum {
    /// TLS 1.1 as well.
    #[serde(rename = "1.0")]
    V1_0,
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
}

/// How Pulp is reached.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    pub(crate) url: &'a str,
    /// Without credentials only what needs none is asked.
    pub(crate) credentials: Option<(&'a str, &'a str)>,
    /// A client's certificate and its key, in PEM form.
    pub(crate) certificate: Option<(&'a Path, &'a Path)>,
    pub(crate) validate_certs: bool,
    pub(crate) ca_path: Option<&'a Path>,
    pub(crate) tls_minimum: TlsMinimum,
    /// A Pulp 3 asks for no certificate late, so it is offered TLS 1.3 at once.
    pub(crate) is_pulp_3: bool,
    /// One request's limit.
    pub(crate) request_timeout: Duration,
}

impl Access<'_> {
    fn newest(&self) -> Newest {
        if self.is_pulp_3 {
            Newest::V1_3
        } else {
            Newest::V1_2
        }
    }

    fn tls(&self, base: &str) -> Result<Tls> {
        let host = address::host(base)?;
        let (ca_path, own) = (self.ca_path, self.certificate);
        Tls::new(&host, self.validate_certs, ca_path, own, self.tls_minimum)
    }
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    /// Below `pulp_url`, or a whole URL for published content.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// The largest answer that is read, in bytes.
    pub(crate) cap: u64,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// Cookies that it sets; only a log-in's are kept.
    cookies: Vec<String>,
    /// The server's clock, to the second.
    pub(crate) date: Option<SystemTime>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            anyhow::anyhow!(
                "failed to read the answer of `{}`: not JSON ({cause}), it begins with `{}`",
                self.url,
                self.beginning()
            )
        })
    }

    /// The first line or so of the body, for a message.
    pub(crate) fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]).into_owned();
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ").chars().take(120).collect()
    }
}

/// The only way to Pulp.
#[derive(Debug)]
pub(crate) struct Door {
    /// `scheme://host[:port]`
    pub(crate) base: String,
    /// Empty: it has no credentials.
    pub(crate) username: String,
    authorization: Option<String>,
    /// A certificate stands for the user.
    certified: bool,
    session: RefCell<Option<session::Session>>,
    /// What Pulp 3 keeps with each task that a request of ours starts.
    mark: Option<String>,
    client: client::HttpClient,
    request_timeout: Duration,
}

impl Door {
    /// What all requests have taken together.
    pub(crate) fn request_time(&self) -> Duration {
        self.client.spent()
    }

    /// Checks how Pulp is to be reached; nothing is sent yet.
    pub(crate) fn new(access: &Access) -> Result<Self> {
        let base = address::base(access.url)?;
        let tls = access.tls(&base)?;
        Ok(Self {
            base,
            username: access.credentials.unwrap_or_default().0.to_owned(),
            authorization: access
                .credentials
                .map(|(username, password)| client::basic(username, password)),
            certified: access.certificate.is_some(),
            session: RefCell::new(None),
            mark: None,
            client: client::HttpClient::new(tls, access.newest()),
            request_timeout: access.request_timeout,
        })
    }

    /// Whether it has no credentials, and so may ask only what needs none.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.authorization.is_none() && !self.certified
    }

    /// Has every request of the API carry this as its `Correlation-ID`.
    pub(crate) fn marked(self, mark: &str) -> Self {
        Self {
            mark: Some(mark.to_owned()),
            ..self
        }
    }

    /// Asks the API, with credentials if there are any.
    pub(crate) fn call(&self, ask: &Ask, deadline: Deadline) -> Result<Answer> {
        let url = format!("{}{}", self.base, ask.path);
        let mut answer = self.send(ask, &url, &self.rights(), deadline)?;
        if answer.status == 401 && self.session.take().is_some() {
            // The session is over; the password still counts.
            answer = self.send(ask, &url, &self.rights(), deadline)?;
        }
        if let (300..400, Some(location)) = (answer.status, &answer.location) {
            bail!(
                "failed to {} `{url}`: it redirects to `{location}`, where the credentials are \
                 not sent; set {} to the address that answers itself",
                ask.method,
                option("pulp_url")
            );
        }
        Ok(answer)
    }

    /// Fetches published content, without credentials, following redirects.
    pub(crate) fn content(&self, url: &str, cap: u64, deadline: Deadline) -> Result<Answer> {
        let mut ask = Ask {
            method: "GET",
            path: url.to_owned(),
            body: None,
            cap,
        };
        for _ in 0..=REDIRECTS {
            let answer = self.send(&ask, &ask.path, &[], deadline)?;
            match (answer.status, &answer.location) {
                (200, _) => return Ok(answer),
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    ask.path = address::resolve(&ask.path, location)?;
                }
                (status, _) => bail!(
                    "failed to GET `{}`: status {status}, `{}`",
                    answer.url,
                    answer.beginning()
                ),
            }
        }
        bail!("failed to GET `{url}`: more than {REDIRECTS} redirects")
    }

    /// What tells Pulp who asks.
    fn rights(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(mark) = &self.mark {
            headers.push(("Correlation-ID", mark.clone()));
        }
        match (&*self.session.borrow(), &self.authorization) {
            (Some(session), _) => headers.extend([
                ("Cookie", session.cookies.clone()),
                ("X-CSRFToken", session.token.clone()),
                ("Referer", format!("{}/", self.base)),
            ]),
            (None, Some(basic)) => headers.push(("Authorization", basic.clone())),
            (None, None) => {}
        }
        headers
    }

    /// Logs in, if there is a password and a log-in; without a session each request carries the password.
    fn log_in(&self, ask: &Ask, deadline: Deadline) -> Result<()> {
        if self.authorization.is_some() && self.session.borrow().is_none() {
            let answer = self.call(ask, deadline)?;
            if answer.status < 300 {
                let cookies = answer.cookies.iter().map(String::as_str);
                let session = session::read(cookies);
                session.iter().for_each(session::Session::keep_secret);
                *self.session.borrow_mut() = session;
            }
        }
        Ok(())
    }

    /// Ends the session, if there is one.
    fn log_out(&self, ask: &Ask, deadline: Deadline) {
        if self.session.borrow().is_some() {
            // It ends by itself two weeks later.
            let _ = self.call(ask, deadline);
            self.session.take();
        }
    }

    fn send(
        &self,
        ask: &Ask,
        url: &str,
        headers: &[(&'static str, String)],
        deadline: Deadline,
    ) -> Result<Answer> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let left = deadline.remaining().max(LAST_LOOK);
        let limit = self.request_timeout.min(left);
        self.client
            .send(ask, url, &headers, limit)
            .with_context(|| format!("failed to {} `{url}`", ask.method))
    }
}

/// The address of something that is published below `base`.
pub(crate) fn below(base: &str, reference: &str) -> Result<String> {
    address::resolve(base, reference)
}

/// A URL that a user gave and that is shown in results must not carry a password.
pub(crate) fn check_feed_url(url: &str) -> Result<()> {
    address::check_feed(url)
}
