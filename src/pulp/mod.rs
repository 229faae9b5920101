//! Pulp's REST API: a door through which every request goes, and the steps of the health check.
//!
//! Requests and answers are plain data, so that what is asked and how an answer is judged can be
//! tested without a server. Credentials are sent to `pulp_url` only: paths of the API are made
//! here, never taken from an answer, and a redirected API request is an error. Published content
//! is fetched without credentials. No proxy of the environment is ever used, so that a health
//! check means the same in every shell.

mod address;
mod any;
mod client;
mod follow;
pub(crate) mod onlooker;
pub(crate) mod repodata;
pub(crate) mod steps;
mod things;
mod trouble;
mod trust;
pub(crate) mod v2;
mod v3;

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::host::wait::Deadline;
pub(crate) use any::Pulp;
use client::moment;
use follow::to_its_end;
use things::remember;
pub(crate) use things::{Created, Orphan, Status, Task, TaskState, Worker};
use trouble::Trouble;
pub(crate) use trouble::{verdict_on_api, verdict_on_request};
use trust::plain_config;
use v2::{Pulp2, STATUS_PATH, read_status};
use v3::Pulp3;

/// Redirects that published content may take.
const REDIRECTS: usize = 5;

/// A wait looks once more when its time is over; this is what that request gets.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How Pulp is reached.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    pub(crate) url: &'a str,
    /// Without credentials only what needs none is asked.
    pub(crate) credentials: Option<(&'a str, &'a str)>,
    pub(crate) validate_certs: bool,
    pub(crate) ca_path: Option<&'a Path>,
    /// One request's limit.
    pub(crate) request_timeout: Duration,
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
    /// Those that it sets.
    pub(crate) cookies: Vec<(String, String)>,
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

/// Somebody who has logged in.
struct Session {
    cookie: String,
    token: String,
}

impl Session {
    /// As Django answers a log-in.
    fn of(answer: &Answer) -> Option<Self> {
        let value = |wanted: &str| {
            let mut all = answer.cookies.iter();
            all.find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        let (id, token) = (value("sessionid")?, value("csrftoken")?);
        Some(Self {
            cookie: format!("sessionid={id}; csrftoken={token}"),
            token: token.clone(),
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
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
    session: RefCell<Option<Session>>,
    client: client::Client,
    request_timeout: Duration,
}

impl Door {
    /// Checks how Pulp is to be reached; nothing is sent yet.
    pub(crate) fn new(access: &Access) -> Result<Self> {
        let base = address::base(access.url)?;
        let tls = trust::config(access.validate_certs, access.ca_path)?;
        Ok(Self {
            base,
            username: access.credentials.unwrap_or_default().0.to_owned(),
            authorization: access
                .credentials
                .map(|(username, password)| client::basic(username, password)),
            session: RefCell::default(),
            client: client::Client::new(tls),
            request_timeout: access.request_timeout,
        })
    }

    /// Whether it has no credentials, and so may ask only what needs none.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.authorization.is_none()
    }

    /// Asks the API, with credentials if there are any.
    pub(crate) fn call(&self, ask: &Ask, deadline: Deadline) -> Result<Answer> {
        let url = format!("{}{}", self.base, ask.path);
        let session = self.session.borrow();
        let referer = format!("{}/", self.base);
        let headers = match (session.as_ref(), self.authorization.as_deref()) {
            (Some(session), _) if ask.method == "GET" => vec![("Cookie", session.cookie.as_str())],
            (Some(session), _) => vec![
                ("Cookie", session.cookie.as_str()),
                ("X-CSRFToken", session.token.as_str()),
                ("Referer", referer.as_str()),
            ],
            (None, Some(authorization)) => vec![("Authorization", authorization)],
            (None, None) => Vec::new(),
        };
        let answer = self.send(ask, &url, &headers, deadline)?;
        if let (300..400, Some(location)) = (answer.status, &answer.location) {
            bail!(
                "failed to {} `{url}`: it redirects to `{location}`, where the credentials are \
                 not sent; set pulp_url to the address that answers itself",
                ask.method
            );
        }
        Ok(answer)
    }

    /// Logs in, so that the password is not checked with each request, which is made to cost the server a
    /// second of its time. Where there is nothing to log in to, each request carries the password.
    pub(crate) fn log_in(&self, ask: &Ask, deadline: Deadline) -> Result<()> {
        if self.is_anonymous() || self.session.borrow().is_some() {
            return Ok(());
        }
        let answer = self.call(ask, deadline)?;
        *self.session.borrow_mut() = Session::of(&answer);
        Ok(())
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

    fn send(
        &self,
        ask: &Ask,
        url: &str,
        headers: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Answer> {
        let left = deadline.remaining().max(LAST_LOOK);
        let limit = self.request_timeout.min(left);
        self.client
            .send(ask, url, headers, limit)
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
