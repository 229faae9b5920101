//! One who looks at Pulp's status again and again while other things are looked at too: asynchronous, one
//! request at a time, without credentials, following no redirect, and holding no connection in between,
//! which would keep a process of the web server busy.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Error, Response, redirect};

use super::{Access, Answer, STATUS_PATH, Status, address, moment, plain_config, read_status};

/// The largest status document that is read.
const CAP: usize = 4 * 1024 * 1024;

/// How much of an error's words is told.
const TOLD: usize = 200;

/// What came of one look.
#[derive(Debug)]
pub(crate) struct Glance {
    /// The status code, or `timeout`, `refused`, `reset`, or a few words.
    pub(crate) outcome: String,
    /// What the document says, where it is Pulp's.
    pub(crate) status: Option<Status>,
}

/// The one who looks.
#[derive(Debug)]
pub(crate) struct Onlooker {
    client: Client,
    pub(crate) url: String,
}

impl Onlooker {
    /// Checks how Pulp is to be reached; nothing is sent yet.
    ///
    /// # Errors
    /// The address makes no sense, or `ca_path` cannot be read.
    pub(crate) fn new(access: &Access) -> Result<Self> {
        let base = address::base(access.url)?;
        let client = Client::builder()
            .tls_backend_preconfigured(plain_config(access.validate_certs, access.ca_path)?)
            .http1_only()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(access.request_timeout)
            .user_agent(concat!("pulp_broker/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("failed to prepare requests to Pulp")?;
        Ok(Self {
            client,
            url: format!("{base}{STATUS_PATH}"),
        })
    }

    /// Asks once.
    pub(crate) async fn look(&self) -> Glance {
        match self.ask().await {
            Err(error) => Glance {
                outcome: outcome_of(&error),
                status: None,
            },
            Ok(answer) => Glance {
                outcome: answer.status.to_string(),
                status: read_status(&answer).ok(),
            },
        }
    }

    async fn ask(&self) -> Result<Answer, Error> {
        let mut response = self.client.get(&self.url).send().await?;
        let date = header(&response, "Date").and_then(|date| moment(&date));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > CAP {
                break;
            }
        }
        Ok(Answer {
            method: "GET",
            url: self.url.clone(),
            status: response.status().as_u16(),
            location: None,
            cookies: Vec::new(),
            date,
            body,
        })
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// A request that got no answer, in a word or a few.
fn outcome_of(error: &Error) -> String {
    if error.is_timeout() {
        return "timeout".to_owned();
    }
    let mut cause = error.source();
    let mut words = String::new();
    while let Some(this) = cause {
        let kind = this
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        match kind {
            Some(ErrorKind::ConnectionRefused) => return "refused".to_owned(),
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
                return "reset".to_owned();
            }
            _ => words = this.to_string(),
        }
        cause = this.source();
    }
    // hyper's words for a server that hung up without an answer.
    if words.contains("connection closed before message completed") {
        return "reset".to_owned();
    }
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(TOLD)
        .collect()
}

/// The limit of one look.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn look(url: &str, limit: Duration) -> Glance {
        let onlooker = Onlooker::new(&Access {
            url,
            credentials: None,
            validate_certs: true,
            ca_path: None,
            request_timeout: limit,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(onlooker.unwrap().look())
    }

    /// One connection is accepted; what it is answered is given.
    fn served(answer: &'static str, limit: Duration) -> Glance {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let asked = String::from_utf8_lossy(&request[..length]).to_lowercase();
            assert!(
                asked.starts_with("get /pulp/api/v2/status/ http/1.1"),
                "{asked}"
            );
            assert!(!asked.contains("authorization"), "{asked}");
            if answer.is_empty() {
                // Until the other side gives up.
                let _ = stream.read(&mut request);
            } else {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let glance = look(&url, limit);
        thread.join().unwrap();
        glance
    }

    #[test]
    fn a_status_document_is_read_with_the_servers_clock() {
        let glance = served(
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n\
             {\"api_version\":\"2\",\"messaging_connection\":{\"connected\":false},\"new\":1,\
             \"known_workers\":[{\"_id\":\"scheduler@a\",\"last_heartbeat\":\"x\"}]}",
            LIMIT,
        );
        assert_eq!(glance.outcome, "200");
        let status = glance.status.unwrap();
        assert_eq!(status.messaging, Some(false));
        assert!(status.at.is_some() && status.workers.unwrap().len() == 1);
    }

    #[test]
    fn no_answer_is_told_in_a_word() {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert_eq!(look(&format!("http://{free}"), LIMIT).outcome, "refused");
        assert_eq!(served("", Duration::from_millis(200)).outcome, "timeout");
        assert_eq!(served("H", LIMIT).outcome, "reset");
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nConnection: close\r\n\r\n";
        assert_eq!(served(moved, LIMIT).outcome, "302");
    }
}
