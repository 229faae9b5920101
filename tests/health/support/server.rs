//! A loopback HTTP server, with or without TLS, that answers as a function says and remembers what
//! it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    #[allow(dead_code, reason = "only some tests look at it")]
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// Each as `name=value`.
    pub(crate) cookies: Vec<String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status,
        location: None,
        cookies: Vec::new(),
        body: body.into(),
    }
}

pub(crate) fn redirect(status: u16, location: impl Into<String>) -> Reply {
    Reply {
        location: Some(location.into()),
        ..reply(status, "")
    }
}

pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) fn start(
        tls: Option<ServerConfig>,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, tls) = (Arc::new(answer), tls.map(Arc::new));
        std::thread::spawn({
            let asked = Arc::clone(&asked);
            move || {
                for stream in listener.incoming().flatten() {
                    let (asked, answer, tls) =
                        (Arc::clone(&asked), Arc::clone(&answer), tls.clone());
                    std::thread::spawn(move || match tls {
                        None => serve(stream, &asked, &*answer),
                        Some(tls) => {
                            let connection = ServerConnection::new(tls).expect("TLS");
                            serve(StreamOwned::new(connection, stream), &asked, &*answer);
                        }
                    });
                }
            }
        });
        Self { port, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far, as `METHOD path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("lock");
        asked
            .iter()
            .map(|a| format!("{} {}", a.method, a.path))
            .collect()
    }

    /// The credentials that reached it.
    pub(crate) fn credentials(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("lock");
        asked
            .iter()
            .filter_map(|a| a.authorization.clone())
            .collect()
    }
}

/// One request, one answer, and the end of the connection.
fn serve(
    mut stream: impl Read + Write,
    asked: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Reply,
) {
    let Some(request) = read(&mut stream) else {
        return;
    };
    let reply = answer(&request);
    asked.lock().expect("lock").push(request);
    let location = reply
        .location
        .map(|to| format!("Location: {to}\r\n"))
        .unwrap_or_default();
    let set = |cookie: &String| format!("Set-Cookie: {cookie}; Path=/\r\n");
    let cookies: String = reply.cookies.iter().map(set).collect();
    let head = format!(
        "HTTP/1.1 {} x\r\n{location}{cookies}Content-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.body.len()
    );
    // A client that had enough closes the connection.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&reply.body);
    let _ = stream.flush();
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).ok()?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let mut words = head.split_whitespace();
    Some(Asked {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        authorization: header("authorization"),
        cookie: header("cookie"),
        body: String::from_utf8(body).ok()?,
    })
}

/// The body that a GET of a loopback URL gives.
pub(crate) fn fetch(url: &str) -> Vec<u8> {
    let rest = url.strip_prefix("http://").expect("http URL");
    let (host, path) = rest.split_once('/').expect("path");
    let mut stream = TcpStream::connect(host).expect("connect");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("ask");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answer");
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("head");
    answer.split_off(end + 4)
}
