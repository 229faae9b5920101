//! Versions of TLS: 1.2 first, 1.3 where a server refuses that, older ones where a user allows it; and servers that offer nothing
//! that anybody should take.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use super::{Openssl, Secured, Server, came_through, reply};
use crate::support::call;

#[test]
fn a_server_that_speaks_1_3_alone_is_spoken_to() {
    let openssl = Openssl::new();
    openssl.certificate("own", "localhost", "-sha256 -newkey rsa:2048");
    let server = openssl.server("own", "-tls1_3");
    let ca_path = openssl.path("own.pem");
    came_through(&call(&server.url(), json!({"ca_path": ca_path})));
}

#[test]
fn one_that_asks_for_a_certificate_too_late_for_1_3_is_named() {
    // As Apache answers.
    let late = Server::start(None, |_| {
        reply(
            403,
            "<p>Reason: Cannot perform Post-Handshake Authentication.<br /></p>",
        )
    });
    call(&late.url(), json!({})).failed_with(&[
        "asks for a client's certificate after it has read the request",
        "`SSLProtocol -all +TLSv1.2 +TLSv1.3`",
        "`SSLVerifyClient optional`",
    ]);
}

#[test]
fn older_versions_are_spoken_only_where_the_user_allows_it() {
    let openssl = Openssl::new();
    openssl.certificate("old", "localhost", "-sha1 -newkey rsa:1024");
    let ca_path = openssl.path("old.pem");
    for version in ["-tls1", "-tls1_1"] {
        let server = openssl.server("old", version);
        let told = call(&server.url(), json!({"ca_path": ca_path}));
        told.failed_with(&["failed to GET `https://localhost", "tls_minimum"]);
        let options = json!({"ca_path": ca_path, "tls_minimum": "1.0"});
        came_through(&call(&server.url(), options));
    }
}

#[test]
fn a_server_without_a_version_or_cipher_of_ours_is_named() {
    // Alerts of SSL 3: no cipher that both know, and no version.
    for alert in [40, 70] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut hello = [0; 4096];
                let _ = stream.read(&mut hello);
                let _ = stream.write_all(&[0x15, 3, 0, 0, 2, 2, alert]);
            }
        });
        let told = call(&format!("https://localhost:{port}"), json!({}));
        told.failed_with(&[
            "the server ended the TLS handshake",
            "must offer TLS 1.2 or 1.3",
        ]);
    }
}

#[test]
fn a_chain_of_megabytes_is_not_read() {
    let key = KeyPair::generate().expect("key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("certificate");
    let own = params.self_signed(&key).expect("certificate");
    let chain = vec![own.der().clone(); 4 * 1024 * 1024 / own.der().len()];
    let told = Secured::start(&own.pem(), chain, &key);
    told.is_refused(&["the server sends more within a TLS handshake than any needs"]);
}
