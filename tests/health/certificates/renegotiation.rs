//! A web server that has read a request and then begins TLS anew, as a stock Pulp 2's does to ask for a certificate; and servers
//! that do so as none should.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{Openssl, came_through};
use crate::support::{Told, call};

struct Anew {
    child: Child,
    url: String,
    openssl: Openssl,
}

impl Anew {
    /// `mode` is what `renegotiating.py` does when it has read a request.
    fn start(mode: &str) -> Self {
        let openssl = Openssl::new();
        for name in ["own", "other"] {
            openssl.certificate(name, "localhost", "-sha256 -newkey rsa:2048");
        }
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/health/support/renegotiating.py"
        );
        let files = ["own.pem", "own.key", "other.pem", "other.key"];
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/venv/bin/python");
        let mut child = Command::new(python)
            .args([script, mode])
            .args(files.map(|file| openssl.path(file)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python of `make venv`");
        let mut port = String::new();
        let mut told = BufReader::new(child.stdout.take().expect("its words"));
        told.read_line(&mut port).expect("a port");
        let url = format!("https://localhost:{}", port.trim());
        Self {
            child,
            url,
            openssl,
        }
    }

    fn told(&self) -> Told {
        let ca_path = self.openssl.path("own.pem");
        call(&self.url, json!({"ca_path": ca_path}))
    }
}

impl Drop for Anew {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_may_ask_for_a_certificate_when_it_has_read_the_request() {
    came_through(&Anew::start("late").told());
}

#[test]
fn a_certificate_that_must_be_there_is_told_as_such() {
    let demanding = Anew::start("require");
    let told = demanding.told();
    told.failed_with(&["the server demands a client's certificate", "set user_cert"]);
}

#[test]
fn a_server_that_begins_anew_for_ever_is_left() {
    // Whole handshakes, and those that go on with the session that is there.
    for mode in ["forever", "forever-resumed"] {
        let endless = Anew::start(mode);
        let told = endless.told();
        told.failed_with(&["began TLS anew more than 3 times before it answered one request"]);
    }
}

#[test]
fn another_certificate_in_the_middle_of_a_connection_is_refused() {
    let changed = Anew::start("other");
    let told = changed.told();
    told.failed_with(&["shows another certificate in a TLS renegotiation"]);
}

#[test]
fn a_server_that_hangs_up_in_the_middle_of_it_is_told_as_such() {
    let cut = Anew::start("cut");
    let told = cut.told();
    told.failed_with(&["closed the connection in the middle of a TLS renegotiation"]);
}
