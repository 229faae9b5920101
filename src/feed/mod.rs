//! The built-in RPM repository: one package that nobody has seen before, its metadata, and a small
//! server from which Pulp's workers fetch it.
//!
//! Everything is kept in memory, so there is no directory that could be unwritable or left behind.
//! The server ends with the value. The package carries the caller's nonce in its name and in its
//! payload: Pulp stores equal content once, so a package that it already had would be "synced"
//! without a single byte having travelled.

mod package;
mod repodata;
mod server;

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

const VERSION: &str = "1.0";
const RELEASE: &str = "1";
const ARCH: &str = "noarch";
const LICENSE: &str = "MIT";
const SUMMARY: &str = "Made by pulp_health to prove that Pulp serves what it synced";

/// The package of the feed.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) filename: String,
    pub(crate) sha256: String,
    pub(crate) bytes: Vec<u8>,
    /// Seconds since the epoch at which it was built.
    built_at: u32,
    /// Bytes of its one file.
    installed_size: usize,
    /// First and last byte of the header, as the metadata names them.
    header_range: (usize, usize),
}

/// One file that the feed serves, by its path below the feed's own.
#[derive(Debug)]
struct File {
    path: String,
    bytes: Vec<u8>,
}

/// One request that reached the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// A served repository of one package.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) url: String,
    pub(crate) package: Package,
    server: server::Server,
}

impl Feed {
    /// Builds the package `name` and serves it at `host`, below a path nobody can guess.
    ///
    /// # Errors
    /// The host cannot be resolved, or is no address of this host, or the port is taken.
    pub(crate) fn serve(name: &str, nonce: &str, host: &str, port: u16) -> Result<Self> {
        let now = now()?;
        let package = package::build(name, nonce, now)?;
        let mut files = repodata::write(Some(&package), now)?;
        files.push(File {
            path: package.filename.clone(),
            bytes: package.bytes.clone(),
        });
        let (server, url) = serve(nonce, host, port, files)?;
        Ok(Self {
            url,
            package,
            server,
        })
    }

    /// The requests seen so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

/// A served repository without a package: a sync of it ends well and leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Empty {
    pub(crate) url: String,
    /// It serves for as long as it is held.
    _server: server::Server,
}

impl Empty {
    /// Serves it at `host`, below a path nobody can guess.
    ///
    /// # Errors
    /// As [`Feed::serve`].
    pub(crate) fn serve(nonce: &str, host: &str, port: u16) -> Result<Self> {
        let (server, url) = serve(nonce, host, port, repodata::write(None, now()?)?)?;
        Ok(Self {
            url,
            _server: server,
        })
    }
}

fn serve(nonce: &str, host: &str, port: u16, files: Vec<File>) -> Result<(server::Server, String)> {
    let server = server::Server::start(host, port, nonce, files)?;
    // Numeric IPv6 addresses are written in brackets in a URL.
    let shown = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    };
    let url = format!("http://{shown}:{}/{nonce}/", server.port);
    Ok((server, url))
}

/// Seconds since the epoch, as RPM writes them.
fn now() -> Result<u32> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    u32::try_from(now).context("the clock is past the year 2106")
}

/// The checksum as the metadata writes it.
fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;
    use crate::host::wait::{Deadline, Pace, until};

    fn get(feed: &Feed, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", feed.server.port)).expect("connect");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("send");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("receive");
        answer
    }

    #[test]
    fn it_serves_the_package_and_remembers_who_asked_for_what() {
        let feed = Feed::serve("pulp-broker-test-aa", "aa11", "127.0.0.1", 0).expect("feed");
        let answer = get(&feed, &format!("/aa11/{}", feed.package.filename));
        assert!(answer.ends_with(&feed.package.bytes));
        assert!(get(&feed, "/aa11/none").starts_with(b"HTTP/1.1 404"));
        // A stranger who does not know the path is neither served nor counted.
        assert!(get(&feed, "/repodata/repomd.xml").starts_with(b"HTTP/1.1 404"));
        let seen: Vec<_> = feed
            .requests()
            .into_iter()
            .map(|r| (r.path, r.status))
            .collect();
        assert_eq!(
            seen,
            [
                (feed.package.filename.clone(), 200),
                ("none".to_owned(), 404)
            ]
        );
    }

    #[test]
    fn an_empty_one_lists_no_package() {
        let empty = Empty::serve("ee11", "127.0.0.1", 0).expect("feed");
        assert!(empty.url.ends_with("/ee11/"), "{}", empty.url);
        let files = repodata::write(None, 7).expect("metadata");
        let packed = files.iter().find(|f| f.path.contains("primary"));
        let packages = crate::pulp::repodata::packages;
        let count = packages(&packed.expect("primary").bytes, |_| {});
        assert_eq!(count.expect("readable"), 0);
    }

    #[test]
    fn its_server_ends_with_it() {
        let feed = Feed::serve("pulp-broker-test-bb", "bb11", "127.0.0.1", 0).expect("feed");
        let port = feed.server.port;
        drop(feed);
        // The listening thread notices a moment later.
        let deadline = Deadline::after(Duration::from_secs(20));
        let closed = until("the port to close", deadline, Pace::QUICK, || {
            Ok(TcpStream::connect(("127.0.0.1", port)).err())
        });
        assert!(closed.is_ok());
    }

    #[test]
    fn an_address_of_another_host_is_refused_by_name() {
        let error = Feed::serve("x", "cc", "192.0.2.1", 0).expect_err("no such address here");
        let text = format!("{error:#}");
        assert!(
            text.contains("192.0.2.1") && text.contains("feed_host"),
            "{text}"
        );
    }
}
