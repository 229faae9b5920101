//! Certificates: whom the module trusts, and what it says when it does not.

use std::path::PathBuf;

use super::support::server::{Server, reply};
use super::support::{Folder, Told, call};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SignatureAlgorithm,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use serde_json::json;

/// A server, and the file with the certificate that vouches for it.
struct Secured {
    server: Server,
    ca_path: PathBuf,
    _folder: Folder,
}

impl Secured {
    fn start(vouching: &str, certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let spoken = (ring::default_provider(), ALL_VERSIONS);
        Self::speaking(spoken, vouching, certificate, key)
    }

    fn speaking(
        (provider, versions): (CryptoProvider, &[&'static SupportedProtocolVersion]),
        vouching: &str,
        certificate: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Self {
        let folder = Folder::new();
        let ca_path = folder.0.join("ca.pem");
        std::fs::write(&ca_path, vouching).expect("ca.pem");
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).expect("key"),
            )
            .expect("server certificate");
        // That it is no Pulp shows that TLS came about.
        let server = Server::start(Some(config), |_| reply(200, "null"));
        Self {
            server,
            ca_path,
            _folder: folder,
        }
    }
}

/// A certificate for `name`, issued by an authority.
fn secured(name: &str) -> Secured {
    let spoken = (ring::default_provider(), ALL_VERSIONS);
    signed(name, &rcgen::PKCS_ECDSA_P256_SHA256, spoken)
}

/// The same with keys of that kind, from a server that speaks this alone.
fn signed(
    name: &str,
    kind: &'static SignatureAlgorithm,
    spoken: (CryptoProvider, &[&'static SupportedProtocolVersion]),
) -> Secured {
    let mut params = CertificateParams::new(Vec::new()).expect("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate_for(kind).expect("key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("authority");
    let key = KeyPair::generate_for(kind).expect("key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("certificate");
    let certificate = params.signed_by(&key, &authority).expect("certificate");
    Secured::speaking(spoken, &authority.pem(), certificate.der().clone(), &key)
}

/// A certificate that is its own authority, as `mod_ssl` makes one when it is installed.
fn self_signed() -> Secured {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("certificate");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("key");
    let certificate = params.self_signed(&key).expect("certificate");
    Secured::start(&certificate.pem(), certificate.der().clone(), &key)
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

/// The kinds of keys that a certificate of today has, beside RSA.
const KINDS: [&SignatureAlgorithm; 3] = [
    &rcgen::PKCS_ECDSA_P256_SHA256,
    &rcgen::PKCS_ECDSA_P384_SHA384,
    &rcgen::PKCS_ED25519,
];

/// The shipped binary does this arithmetic with other code than the server here.
#[test]
fn each_key_exchange_goes_with_each_kind_of_certificate() {
    for version in ALL_VERSIONS {
        for group in ring::ALL_KX_GROUPS {
            for kind in KINDS {
                let provider = CryptoProvider {
                    kx_groups: vec![*group],
                    ..ring::default_provider()
                };
                let own = signed("localhost", kind, (provider, &[*version]));
                let url = format!("https://localhost:{}", own.server.port);
                came_through(&call(&url, json!({"ca_path": own.ca_path})));
            }
        }
    }
}

/// All authorities here have one name, so the signature alone tells them apart.
#[test]
fn a_certificate_that_another_key_signed_is_refused() {
    for kind in KINDS {
        let spoken = || (ring::default_provider(), ALL_VERSIONS);
        let own = signed("localhost", kind, spoken());
        let stranger = signed("localhost", kind, spoken());
        let url = format!("https://localhost:{}", own.server.port);
        call(&url, json!({"ca_path": stranger.ca_path}))
            .failed_with(&["the server's certificate", "set ca_path"]);
        assert_eq!(own.server.asked(), Vec::<String>::new());
    }
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

#[test]
fn a_certificate_that_is_its_own_authority_is_told_the_ways_out() {
    let own = self_signed();
    let url = format!("https://localhost:{}", own.server.port);
    let told = call(&url, json!({"ca_path": own.ca_path}));
    told.failed_with(&[
        "is its own authority",
        "issued by an authority",
        "validate_certs",
    ]);
}
