//! Certificates: whom the module trusts, and what it says when it does not.

mod clients;
mod named;
mod old;
mod openssl;
mod renegotiation;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use super::support::server::{Server, reply};
use super::support::{Folder, Told, call};
pub(crate) use openssl::Openssl;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::json;

/// A server, and the file with the certificates that are trusted.
struct Secured {
    server: Server,
    ca_path: PathBuf,
    _folder: Folder,
}

impl Secured {
    /// The server shows this chain, and signs with this key whether it belongs to it or not.
    fn start(trusted: &str, chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("key");
        Self::speaking(rustls::ALL_VERSIONS, trusted, chain, key)
    }

    fn speaking(
        versions: &[&'static rustls::SupportedProtocolVersion],
        trusted: &str,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        let folder = Folder::new();
        let ca_path = folder.0.join("ca.pem");
        std::fs::write(&ca_path, trusted).expect("ca.pem");
        let provider = rustls::crypto::ring::default_provider();
        let key = provider.key_provider.load_private_key(key).expect("key");
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        // That it is no Pulp shows that TLS came about.
        let server = Server::start(Some(config), |_| reply(200, "null"));
        Self {
            server,
            ca_path,
            _folder: folder,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.server.port)
    }

    /// Asked with what is trusted.
    fn told(&self) -> Told {
        call(&self.url(), json!({"ca_path": self.ca_path}))
    }

    /// Refused with these words, before anything was said.
    #[track_caller]
    fn is_refused(&self, parts: &[&str]) {
        self.told().failed_with(parts);
        assert_eq!(self.server.asked(), Vec::<String>::new());
    }
}

/// A certificate for `name`, issued by an authority.
fn secured(name: &str) -> Secured {
    let mut params = CertificateParams::new(Vec::new()).expect("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "An authority");
    let key = KeyPair::generate().expect("key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("authority");
    let key = KeyPair::generate().expect("key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("certificate");
    let certificate = params.signed_by(&key, &authority).expect("certificate");
    Secured::start(&authority.pem(), vec![certificate.der().clone()], &key)
}

#[track_caller]
fn came_through(told: &Told) {
    told.failed_with(&["failed to find Pulp 2 at `https://"]);
}

#[test]
fn an_untrusted_certificate_names_the_remedy_and_sends_nothing() {
    let own = secured("localhost");
    let url = format!("https://localhost:{}", own.server.port);
    let told = call(&url, json!({}));
    told.failed_with(&["an authority this host does not trust", "set ca_path"]);
    assert_eq!(own.server.asked(), Vec::<String>::new());
}

#[test]
fn the_authority_of_ca_path_is_trusted() {
    let own = secured("localhost");
    let url = format!("https://localhost:{}", own.server.port);
    came_through(&call(&url, json!({"ca_path": own.ca_path})));
    let folder = own.ca_path.parent();
    came_through(&call(&url, json!({"ca_path": folder})));
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let own = secured("pulp.example.com");
    let url = format!("https://localhost:{}", own.server.port);
    let told = call(&url, json!({"ca_path": own.ca_path}));
    told.failed_with(&["for another host name", "subjectAltName"]);
}

#[test]
fn validation_can_be_switched_off() {
    let own = secured("pulp.example.com");
    let url = format!("https://localhost:{}", own.server.port);
    came_through(&call(&url, json!({"validate_certs": false})));
}

#[test]
fn a_server_that_does_not_speak_tls_is_named() {
    let plain = Server::start(None, |_| reply(200, "null"));
    let url = format!("https://localhost:{}", plain.port);
    call(&url, json!({"request_timeout": 1})).failed_with(&["failed to GET `https://localhost"]);
}
