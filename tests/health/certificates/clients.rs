//! By what Pulp knows us: `user_cert` and `user_key`, as Pulp 2's log-in gives them and as others do.

use serde_json::{Value, json};

use super::{Openssl, came_through};
use crate::support::{Told, call};

/// Demands a certificate, and that an authority it knows has issued it.
const DEMANDING: &str = "-Verify 3 -CAfile ca.pem -verify_return_error";

/// An authority, a server that believes it, and what a user needs for it.
fn openssl() -> Openssl {
    let openssl = Openssl::new();
    openssl.certificate("ca", "Pulp-CA", "-sha256 -newkey rsa:2048");
    openssl.certificate("server", "localhost", "-sha256 -newkey rsa:2048");
    openssl
}

impl Openssl {
    /// `user.pem` and `user.key`.
    fn user(&self, how: &str, hash: &str) {
        self.run(&format!(
            "req -new -nodes -subj /CN=admin -keyout user.key -out user.csr {how}"
        ));
        self.run(&format!(
            "x509 -req -days 7 -in user.csr -CA ca.pem -CAkey ca.key -CAcreateserial {hash} \
             -out user.pem"
        ));
    }

    /// Both in one file, as in `~/.pulp/user-cert.pem`.
    fn joined(&self, key: &str) {
        let read = |file| std::fs::read_to_string(self.path(file)).expect("file");
        let both = read(key) + &read("user.pem");
        std::fs::write(self.path("user-cert.pem"), both).expect("file");
    }

    /// Asks a server that demands a certificate.
    fn asked(&self, how: &str, cert: Option<&str>, key: Option<&str>) -> Told {
        let server = self.server("server", &format!("{DEMANDING} {how}"));
        let path = |file: Option<&str>| file.map(|file| self.path(file));
        call(
            &server.url(),
            json!({
                "ca_path": self.path("server.pem"),
                "user_cert": path(cert), "user_key": path(key),
                "username": if cert.is_some() { Value::Null } else { json!("admin") },
                "password": if cert.is_some() { Value::Null } else { json!(crate::support::PASSWORD) },
            }),
        )
    }
}

#[test]
fn what_pulp_2_gives_at_a_log_in_is_taken() {
    let openssl = openssl();
    openssl.user("-newkey rsa:1024", "-sha1");
    openssl.run("rsa -in user.key -traditional -out pkcs1.key");
    openssl.run("pkcs8 -topk8 -nocrypt -in user.key -out pkcs8.key");
    for key in ["pkcs1.key", "pkcs8.key"] {
        openssl.joined(key);
        for how in ["-tls1_2", ""] {
            came_through(&openssl.asked(how, Some("user-cert.pem"), None));
            came_through(&openssl.asked(how, Some("user.pem"), Some(key)));
        }
    }
    // The server does demand it.
    let told = openssl.asked("", None, None);
    assert!(
        !told.msg().contains("failed to find Pulp"),
        "{}",
        told.msg()
    );
}

#[test]
fn keys_of_other_kinds_are_taken() {
    let openssl = openssl();
    for how in [
        "-newkey rsa:1536",
        "-newkey rsa:2048",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
        "-newkey ed25519",
    ] {
        openssl.user(how, "-sha256");
        let told = openssl.asked("", Some("user.pem"), Some("user.key"));
        assert!(
            told.msg().contains("failed to find Pulp 2"),
            "{how}: {}",
            told.msg()
        );
    }
}

#[test]
fn a_key_that_cannot_be_used_is_told_before_anything_is_sent() {
    let openssl = openssl();
    openssl.user("-newkey rsa:1024", "-sha1");
    openssl.run("rsa -in user.key -traditional -aes128 -passout pass:secret -out locked1.key");
    openssl.run("pkcs8 -topk8 -in user.key -passout pass:secret -out locked8.key");
    openssl.run("genrsa -out other1024.key 1024");
    openssl.run("genrsa -out other2048.key 2048");
    openssl.run("genrsa -out tiny.key 512");
    for (key, told) in [
        ("locked1.key", "it is encrypted"),
        ("locked8.key", "it is encrypted"),
        ("other1024.key", "it is not the key of user_cert"),
        ("other2048.key", "it is not the key of user_cert"),
        ("tiny.key", "only RSA from 1024 bits"),
        ("user.pem", "it holds no private key in PEM form"),
        ("none.key", "failed to read user_key"),
    ] {
        let file = openssl.path(key);
        let named = format!("failed to read user_key `{}`", file.display());
        openssl
            .asked("", Some("user.pem"), Some(key))
            .failed_with(&[&named, told]);
    }
    let told = openssl.asked("", Some("user.key"), None);
    told.failed_with(&[
        "failed to read user_cert",
        "it holds no certificate in PEM form",
    ]);
}

#[test]
fn a_server_that_does_not_know_the_user_is_told_as_such() {
    let openssl = openssl();
    openssl.user("-newkey rsa:1024", "-sha1");
    openssl.certificate("ca", "Another-CA", "-sha256 -newkey rsa:2048");
    let told = openssl.asked("-tls1_2", Some("user.pem"), Some("user.key"));
    told.failed_with(&["the server does not take user_cert (unknown ca)"]);
}
