//! Servers of Pulp 2's time: SHA-1, RSA with 1024 bits, X.509 version 1.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use serde_json::json;

use super::{Openssl, Secured, came_through};
use crate::support::call;

const VERSION_1: &str = include_str!("version_1.pem");

const OLD: &str = "-sha1 -newkey rsa:1024";

#[test]
fn an_old_certificate_is_taken_where_it_is_named() {
    let openssl = Openssl::new();
    for how in [
        OLD,
        "-sha1 -newkey rsa:2048",
        "-sha256 -newkey rsa:1024",
        "-sha256 -newkey rsa:1536",
        "-sha1 -newkey rsa:1024 -addext basicConstraints=critical,CA:FALSE",
        "-md5 -newkey rsa:2048",
    ] {
        openssl.certificate("old", "localhost", how);
        for speaking in ["", "-tls1_2"] {
            let server = openssl.server("old", speaking);
            let told = call(&server.url(), json!({"ca_path": openssl.path("old.pem")}));
            assert!(
                told.msg().contains("failed to find Pulp 2"),
                "{how}: {}",
                told.msg()
            );
        }
    }
}

#[test]
fn without_ca_path_all_that_is_old_is_told() {
    let openssl = Openssl::new();
    openssl.certificate("old", "localhost", OLD);
    let server = openssl.server("old", "");
    call(&server.url(), json!({})).failed_with(&[
        "is self-signed, has no subjectAltName, is signed with SHA-1, has an RSA key of 1024 bits; \
         copy it from the server",
        "set ca_path to that file",
    ]);
}

#[test]
fn version_1_is_taken_where_it_is_named() {
    let openssl = Openssl::new();
    for file in ["old.pem", "old.key"] {
        std::fs::write(openssl.path(file), VERSION_1).expect("file");
    }
    let server = openssl.server("old", "");
    came_through(&call(
        &server.url(),
        json!({"ca_path": openssl.path("old.pem")}),
    ));
    call(&server.url(), json!({})).failed_with(&["is of X.509 version 1", "set ca_path"]);
}

#[test]
fn an_old_certificate_does_not_do_without_its_key() {
    let openssl = Openssl::new();
    openssl.certificate("old", "localhost", OLD);
    openssl.run("genrsa -out other.key 2048");
    let pem = std::fs::read_to_string(openssl.path("old.pem")).expect("certificate");
    let shown = CertificateDer::from_pem_slice(pem.as_bytes()).expect("certificate");
    let key = PrivateKeyDer::from_pem_file(openssl.path("other.key")).expect("key");
    let liar = Secured::speaking(&[&TLS12], &pem, vec![shown], key);
    liar.is_refused(&["does not prove that it has the key"]);
}

#[test]
fn an_old_certificate_of_another_host_is_refused() {
    let openssl = Openssl::new();
    openssl.certificate("old", "pulp.example.com", "-sha1 -newkey rsa:2048");
    let server = openssl.server("old", "");
    let told = call(&server.url(), json!({"ca_path": openssl.path("old.pem")}));
    told.failed_with(&["is for `pulp.example.com`", "not for `localhost`"]);
}

#[test]
fn what_an_old_authority_vouches_for_has_to_be_named_itself() {
    const NAME: &str = "subjectAltName = DNS:localhost";
    let openssl = Openssl::new();
    let told_by = |file: &str| {
        let server = openssl.server("new", "");
        call(&server.url(), json!({"ca_path": openssl.path(file)}))
    };

    openssl.certificate("ca", "Old-CA", "-sha256 -newkey rsa:2048");
    openssl.issued("ca", "new", "-sha256", NAME);
    came_through(&told_by("ca.pem"));

    openssl.issued("ca", "new", "-sha1", NAME);
    told_by("ca.pem").failed_with(&["certificate is signed with SHA-1; copy it"]);
    came_through(&told_by("new.pem"));

    openssl.certificate("ca", "Old-CA", "-sha256 -newkey rsa:1024");
    openssl.issued("ca", "new", "-sha256", NAME);
    told_by("ca.pem").failed_with(&[
        "is vouched for by an authority (`Old-CA`) with an RSA key of 1024 bits; copy it",
    ]);
    came_through(&told_by("new.pem"));
}
