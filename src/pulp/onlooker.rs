//! One who looks at Pulp's status again and again while other things are looked at too: asynchronous, one
//! request at a time, without credentials, following no redirect, and holding no connection in between,
//! which would keep a process of the web server busy.

use std::cell::{Cell, OnceCell, RefCell};
use std::error::Error as _;
use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use openssl::x509::X509;
use reqwest::tls::TlsInfo;
use reqwest::{Client, Error, Response, Url, redirect};

use tokio::time::timeout;

use super::tls::{Newest, Tls, TlsFailure, words_of};
use super::{Access, Answer, Status, address, moment, read_status, status_paths, v3};

/// The largest status document that is read.
const CAP: usize = 4 * 1024 * 1024;

/// What a server answers for a Pulp that it does not serve.
const NOT_THERE: u16 = 404;

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
    tls: Arc<Tls>,
    client: Client,
    /// Made when the server refuses what the other one offers.
    newer: OnceCell<Client>,
    limit: Duration,
    /// The certificate for which answers count.
    accepted: RefCell<Option<Vec<u8>>>,
    /// Pulp's address, by which all answers are one story.
    pub(crate) base: String,
    /// Where Pulp 2 and Pulp 3 say it.
    urls: [String; 2],
    /// Which of them is asked: the other one as soon as this one is not there.
    asked: Cell<usize>,
}

impl Onlooker {
    /// Checks how Pulp is to be reached; nothing is sent yet.
    ///
    /// # Errors
    /// The address or the API's root makes no sense, or `ca_path` cannot be read.
    pub(crate) fn new(access: &Access, api_root: &str) -> Result<Self> {
        let base = address::base(access.url)?;
        let tls = Arc::new(access.tls(&base)?);
        let limit = access.request_timeout;
        Ok(Self {
            client: client(&tls, access.newest(), limit)?,
            tls,
            newer: OnceCell::new(),
            limit,
            accepted: RefCell::default(),
            urls: status_paths(api_root)?.map(|path| format!("{base}{path}")),
            asked: Cell::new(0),
            base,
        })
    }

    fn url(&self) -> &str {
        &self.urls[self.asked.get()]
    }

    /// Asks once; also the other Pulp, where this one is not there.
    pub(crate) async fn look(&self) -> Glance {
        let mut answer = self.ask().await;
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.status == NOT_THERE)
        {
            self.asked.set(1 - self.asked.get());
            answer = self.ask().await;
        }
        match answer {
            Err(outcome) => Glance {
                outcome,
                status: None,
            },
            Ok(answer) => Glance {
                outcome: answer.status.to_string(),
                status: self.read(&answer).ok(),
            },
        }
    }

    fn read(&self, answer: &Answer) -> Result<Status> {
        match self.asked.get() {
            0 => read_status(answer),
            _ => v3::read_status(answer),
        }
    }

    async fn ask(&self) -> Result<Answer, String> {
        let mut response = self.send().await.map_err(|error| outcome_of(&error))?;
        let date = header(&response, "Date").and_then(|date| moment(&date));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| outcome_of(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > CAP {
                break;
            }
        }
        let (status, url) = (response.status().as_u16(), response.url().clone());
        let server = response.remote_addr();
        let info = response.extensions_mut().remove::<TlsInfo>();
        // A server of one process answers a second connection only when the first has come to its end.
        drop(response);
        let checked = self.check(&url, server, info.as_ref()).await;
        checked.map_err(|refusal| shown(&refusal))?;
        Ok(Answer {
            method: "GET",
            url: self.url().to_owned(),
            status,
            location: None,
            cookies: Vec::new(),
            date,
            body,
        })
    }

    async fn send(&self) -> Result<Response, Error> {
        let sent = self
            .newer
            .get()
            .unwrap_or(&self.client)
            .get(self.url())
            .send()
            .await;
        let is_refused = |error| failure(error).is_some_and(|failure| failure.wants_newer);
        if self.newer.get().is_some() || !sent.as_ref().is_err_and(is_refused) {
            return sent;
        }
        match client(&self.tls, Newest::V1_3, self.limit) {
            Ok(client) => {
                self.newer
                    .get_or_init(|| client)
                    .get(self.url())
                    .send()
                    .await
            }
            Err(_) => sent,
        }
    }

    /// Whether the one who answered is Pulp. reqwest knows no more of it than its certificate; those between it and an authority, where
    /// there are any, another connection shows.
    async fn check(
        &self,
        url: &Url,
        server: Option<SocketAddr>,
        info: Option<&TlsInfo>,
    ) -> Result<(), String> {
        let seen = info.and_then(TlsInfo::peer_certificate).unwrap_or_default();
        if info.is_none() || self.accepted.borrow().as_deref() == Some(seen) {
            return Ok(());
        }
        if let Err(refusal) = self.tls.check(seen, &[]) {
            let between = self.between(url, server).await;
            self.tls
                .check(seen, &between.map_err(|closer| closer.unwrap_or(refusal))?)?;
        }
        *self.accepted.borrow_mut() = Some(seen.to_owned());
        Ok(())
    }

    /// Nothing is said of the server where it could not be reached once more.
    async fn between(
        &self,
        url: &Url,
        server: Option<SocketAddr>,
    ) -> Result<Vec<X509>, Option<String>> {
        let address = server.ok_or(None)?;
        let host = url.host_str().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let newest = if self.newer.get().is_some() {
            Newest::V1_3
        } else {
            Newest::V1_2
        };
        let (tls, limit) = (Arc::clone(&self.tls), self.limit);
        // It blocks, as a look-up of a name does, so it is done where those are.
        let looked = tokio::task::spawn_blocking(move || {
            let line = TcpStream::connect_timeout(&address, limit)?;
            line.set_read_timeout(Some(limit))?;
            line.set_write_timeout(Some(limit))?;
            Ok::<_, IoError>(tls.connect(newest, &host, line)?.between())
        });
        let looked = timeout(self.limit, looked).await;
        let looked = looked.map_err(|_| None)?.map_err(|_| None)?;
        looked.map_err(|cause| {
            cause
                .downcast::<TlsFailure>()
                .ok()
                .map(|failure| failure.to_string())
        })
    }
}

fn client(tls: &Tls, newest: Newest, limit: Duration) -> Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls.connector(newest)?)
        .tls_info(tls.is_verifying())
        .http1_only()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(limit)
        .user_agent(concat!("pulp_broker/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("failed to prepare requests to Pulp")
}

/// What went wrong within TLS, if that is what it is.
fn failure(error: &Error) -> Option<TlsFailure> {
    let mut cause = error.source();
    while let Some(this) = cause {
        if let Some(failure) = words_of(this) {
            return Some(failure);
        }
        cause = this.source();
    }
    None
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// A request that got no answer, in a word or a few.
fn outcome_of(error: &Error) -> String {
    if error.is_timeout() {
        return "timeout".to_owned();
    }
    if let Some(failure) = failure(error) {
        return shown(&failure.to_string());
    }
    let mut cause = error.source();
    let mut words = String::new();
    while let Some(this) = cause {
        match this.downcast_ref().map(IoError::kind) {
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
    shown(&words)
}

fn shown(words: &str) -> String {
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
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    fn look(url: &str, limit: Duration) -> Glance {
        look_with(None, url, limit)
    }

    fn look_with(ca_path: Option<&Path>, url: &str, limit: Duration) -> Glance {
        let access = Access {
            url,
            credentials: None,
            certificate: None,
            validate_certs: true,
            ca_path,
            tls_minimum: crate::pulp::TlsMinimum::default(),
            is_pulp_3: false,
            request_timeout: limit,
        };
        let onlooker = Onlooker::new(&access, "/pulp/");
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
    fn where_there_is_no_pulp_2_its_successor_is_asked() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut paths = Vec::new();
            for answer in [
                "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"versions\":[{\"component\":\"core\",\
                 \"version\":\"3.9\"}],\"online_workers\":[{\"name\":\"7@h\"}]}",
            ] {
                let (mut stream, _) = server.accept().unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                let asked = String::from_utf8_lossy(&request[..length]).into_owned();
                paths.extend(asked.split(' ').nth(1).map(str::to_owned));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            paths
        });
        let glance = look(&url, LIMIT);
        assert_eq!(glance.outcome, "200");
        assert_eq!(glance.status.unwrap().workers.unwrap().len(), 1);
        let paths = thread.join().unwrap();
        assert_eq!(paths, ["/pulp/api/v2/status/", "/pulp/api/v3/status/"]);
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

    fn openssl(folder: &Path, words: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(words.split(' ')).current_dir(folder);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A key or a certificate.
    fn make(folder: &Path, words: &str) {
        let made = openssl(folder, words).status().unwrap();
        assert!(made.success(), "{words}");
    }

    /// A server that shows `own.pem`, and its URL.
    fn serve(folder: &Path, options: &str) -> (Child, String) {
        let words =
            format!("s_server -accept 127.0.0.1:0 -www -cert own.pem -key own.key {options}");
        let server = openssl(folder, &words).stdout(Stdio::piped()).spawn();
        let mut server = server.unwrap();
        let lines = BufReader::new(server.stdout.as_mut().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let accepts = lines.find(|line| line.starts_with("ACCEPT")).unwrap();
        let port = accepts.rsplit_once(':').unwrap().1;
        (server, format!("https://localhost:{port}"))
    }

    /// The health check is held against more of them: the rules are the same.
    #[test]
    fn an_old_certificate_is_taken_where_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let old = "req -x509 -nodes -days 2 -subj /CN=localhost -sha1 -newkey rsa:1024";
        for name in ["own", "other"] {
            make(
                folder.path(),
                &format!("{old} -keyout {name}.key -out {name}.pem"),
            );
        }
        let (mut server, url) = serve(folder.path(), "-cipher DEFAULT@SECLEVEL=0");
        let outcome = |name: Option<&str>| {
            let ca_path = name.map(|name| folder.path().join(name));
            look_with(ca_path.as_deref(), &url, LIMIT).outcome
        };
        let outcomes = [Some("own.pem"), Some("other.pem"), None].map(outcome);
        server.kill().unwrap();
        server.wait().unwrap();
        let [own, other, none] = outcomes;
        assert_eq!(own, "200");
        let flaws = "the server's certificate is self-signed, has no subjectAltName, is signed with \
                     SHA-1, has an RSA key of 1024 bits; ";
        for refusal in [other, none] {
            assert!(refusal.starts_with(flaws), "{refusal}");
        }
    }

    /// The one who looks on is shown no more than the server's own certificate.
    #[test]
    fn authorities_between_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let run = |words: &str| make(folder.path(), words);
        let key = "-nodes -newkey rsa:2048";
        let authority = "-addext basicConstraints=critical,CA:TRUE";
        run(&format!(
            "req -x509 -days 2 -subj /CN=root -keyout root.key -out root.pem {authority} {key}"
        ));
        run(&format!(
            "req -x509 -days 2 -subj /CN=strange -keyout strange.key -out strange.pem {authority} {key}"
        ));
        run(&format!(
            "req -new -subj /CN=between -keyout between.key -out between.csr {authority} {key}"
        ));
        run(
            "x509 -req -days 2 -in between.csr -CA root.pem -CAkey root.key -CAcreateserial -copy_extensions copy -out between.pem",
        );
        run(&format!(
            "req -new -subj /CN=x -addext subjectAltName=DNS:localhost -keyout own.key -out own.csr {key}"
        ));
        run(
            "x509 -req -days 2 -in own.csr -CA between.pem -CAkey between.key -CAcreateserial -copy_extensions copy -out own.pem",
        );
        for versions in ["-tls1_2", "-tls1_3"] {
            let options = format!("-cert_chain between.pem {versions}");
            let (mut server, url) = serve(folder.path(), &options);
            let outcome =
                |name: &str| look_with(Some(&folder.path().join(name)), &url, LIMIT).outcome;
            let (trusted, strange) = (outcome("root.pem"), outcome("strange.pem"));
            server.kill().unwrap();
            server.wait().unwrap();
            assert_eq!(trusted, "200");
            assert!(
                strange.contains("an authority this host does not trust"),
                "{strange}"
            );
        }
    }
}
