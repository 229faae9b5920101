//! The server of the feed: a handful of files from memory, and a list of who asked for what,
//! which tells a worker that cannot reach us from one that could not use what it got.

use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};

use super::{File, Request};

use crate::names::option;

/// How many requests are remembered; a sync makes about six.
const REMEMBERED: usize = 100;

/// A server that ends when it is dropped.
pub(super) struct Server {
    pub(super) port: u16,
    http: Arc<tiny_http::Server>,
    seen: Arc<Mutex<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Serves `files` below `/secret/` at `host`.
    pub(super) fn start(host: &str, port: u16, secret: &str, files: Vec<File>) -> Result<Self> {
        let failed = || {
            format!(
                "failed to serve the built-in feed at `{host}:{port}`: {} must be an \
                 address of this host, {} a free port of it (0: any)",
                option("feed_host"),
                option("feed_port")
            )
        };
        let address = (host, port)
            .to_socket_addrs()
            .with_context(failed)?
            .next()
            .ok_or_else(|| anyhow!("the name has no address"))
            .with_context(failed)?;
        let http = tiny_http::Server::http(address)
            .map_err(|cause| anyhow!("{cause}"))
            .with_context(failed)?;
        let http = Arc::new(http);
        let port = http
            .server_addr()
            .to_ip()
            .map_or(port, |address| address.port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let prefix = format!("/{secret}/");
        let thread = std::thread::spawn({
            let (http, seen) = (Arc::clone(&http), Arc::clone(&seen));
            // `recv` fails when the server is unblocked, which is how it ends.
            move || {
                while let Ok(request) = http.recv() {
                    answer(request, &prefix, &files, &seen);
                }
            }
        });
        Ok(Self {
            port,
            http,
            seen,
            thread: Some(thread),
        })
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(request: tiny_http::Request, prefix: &str, files: &[File], seen: &Mutex<Vec<Request>>) {
    let path = request.url().strip_prefix(prefix).map(str::to_owned);
    let file = path
        .as_deref()
        .and_then(|path| files.iter().find(|f| f.path == path));
    if let Some(path) = path {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < REMEMBERED {
            let status = if file.is_some() { 200 } else { 404 };
            seen.push(Request { path, status });
        }
    }
    // A client that went away in the middle is its own loss.
    let _: io::Result<()> = match file {
        Some(file) => request.respond(tiny_http::Response::from_data(file.bytes.as_slice())),
        None => request.respond(tiny_http::Response::empty(404)),
    };
}
