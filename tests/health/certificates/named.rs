//! A server whose own certificate is in `ca_path`: what is taken because a person named it, and what nobody may do with that.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use super::{Secured, came_through};
use crate::support::call;

/// As `mod_ssl` makes one when it is installed: its own authority, and the host is its common name.
fn mod_ssl(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("certificate");
    params
        .distinguished_name
        .push(DnType::CommonName, host.to_owned());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn made(params: &CertificateParams) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().expect("key");
    (params.self_signed(&key).expect("certificate"), key)
}

/// A server that shows the certificate that is named.
fn named(params: &CertificateParams) -> Secured {
    let (certificate, key) = made(params);
    Secured::start(&certificate.pem(), vec![certificate.der().clone()], &key)
}

#[test]
fn a_self_signed_certificate_is_taken_where_it_is_named() {
    for is_ca in [
        IsCa::Ca(BasicConstraints::Unconstrained),
        IsCa::ExplicitNoCa,
        IsCa::NoCa,
    ] {
        let mut params = mod_ssl("localhost");
        params.is_ca = is_ca;
        came_through(&named(&params).told());
    }
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("certificate");
    came_through(&named(&params).told());
}

#[test]
fn without_ca_path_its_flaws_and_the_way_out_are_told() {
    let own = named(&mod_ssl("localhost"));
    let told = call(&own.url(), json!({}));
    told.failed_with(&[
        "the server's certificate is self-signed, has no subjectAltName; copy it from the server",
        "set ca_path to that file",
    ]);
    assert_eq!(own.server.asked(), Vec::<String>::new());
}

#[test]
fn another_one_of_the_same_name_is_refused() {
    let (other, _) = made(&mod_ssl("localhost"));
    let (certificate, key) = made(&mod_ssl("localhost"));
    let own = Secured::start(&other.pem(), vec![certificate.der().clone()], &key);
    own.is_refused(&["it is not the one of the same name in ca_path"]);
    // Nor does it help to show the one that is named beside it.
    let chain = vec![certificate.der().clone(), other.der().clone()];
    Secured::start(&other.pem(), chain, &key).is_refused(&["it is not the one of the same name"]);
}

#[test]
fn being_named_does_not_make_it_valid_today() {
    let mut params = mod_ssl("localhost");
    (params.not_before, params.not_after) = (date_time_ymd(2010, 1, 1), date_time_ymd(2020, 1, 1));
    named(&params).is_refused(&["has expired"]);
    (params.not_before, params.not_after) = (date_time_ymd(2096, 1, 1), date_time_ymd(2098, 1, 1));
    named(&params).is_refused(&["is not valid yet"]);
}

#[test]
fn being_named_does_not_make_it_another_hosts() {
    named(&mod_ssl("pulp.example.com")).is_refused(&[
        "is for `pulp.example.com` (its common name",
        "not for `localhost`",
    ]);
    // A common name does not count beside alternative ones.
    let mut params = CertificateParams::new(vec!["pulp.example.com".to_owned()]).expect("names");
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    named(&params).is_refused(&["for another host name"]);
}

#[test]
fn whoever_shows_it_without_its_key_is_refused() {
    let (certificate, _) = made(&mod_ssl("localhost"));
    for version in [&TLS12, &TLS13] {
        let stranger = KeyPair::generate().expect("key").serialize_der();
        let own = Secured::speaking(
            &[version],
            &certificate.pem(),
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(stranger).expect("key"),
        );
        own.is_refused(&["does not prove that it has the key"]);
    }
}

#[test]
fn a_server_that_is_named_vouches_for_nobody() {
    for is_ca in [IsCa::ExplicitNoCa, IsCa::NoCa] {
        let mut params = mod_ssl("pulp.example.com");
        params.is_ca = is_ca;
        let key = KeyPair::generate().expect("key");
        let server = CertifiedIssuer::self_signed(params, key).expect("certificate");
        let key = KeyPair::generate().expect("key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("certificate");
        let forged = params.signed_by(&key, &server).expect("certificate");
        let chain = vec![forged.der().clone(), server.der().clone()];
        Secured::start(&server.pem(), chain, &key)
            .is_refused(&["`pulp.example.com`, whose certificate may not vouch for others"]);
    }
}

#[test]
fn an_authority_that_is_named_has_to_keep_the_rules() {
    let key = KeyPair::generate().expect("key");
    let authority = CertifiedIssuer::self_signed(mod_ssl("An authority"), key).expect("authority");
    let issued = |params: CertificateParams| {
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &authority).expect("certificate");
        let chain = vec![certificate.der().clone(), authority.der().clone()];
        Secured::start(&authority.pem(), chain, &key)
    };
    let proper = CertificateParams::new(vec!["localhost".to_owned()]).expect("certificate");
    came_through(&issued(proper.clone()).told());
    // A common name is a host's name in a certificate that is itself named, and nowhere else.
    let mut params = mod_ssl("localhost");
    params.is_ca = IsCa::NoCa;
    issued(params).is_refused(&["the server's certificate has no subjectAltName; copy it"]);
    let mut params = proper;
    params.not_after = date_time_ymd(2020, 1, 1);
    params.not_before = date_time_ymd(2010, 1, 1);
    issued(params).is_refused(&["has expired"]);
}
