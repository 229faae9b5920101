//! Whom TLS trusts: the authorities of `ca_path`, or those of this host, or anybody.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::host::tls::Anybody;

/// The TLS settings of every request.
pub(super) fn config(
    validate: bool,
    ca_path: Option<&Path>,
    client: Option<(&Path, &Path)>,
) -> Result<TlsConfig> {
    let own = client.map(|(cert, key)| own(cert, key)).transpose()?;
    let config = TlsConfig::builder()
        .client_cert(own)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    if !validate {
        return Ok(config.disable_verification(true).build());
    }
    let roots = roots(ca_path)?;
    let roots = roots
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned());
    Ok(config.root_certs(RootCerts::from(roots)).build())
}

/// The certificate by which Pulp knows us.
fn own(cert: &Path, key: &Path) -> Result<ClientCert> {
    let items = |name: &str, path: &Path| -> Result<Vec<PemItem<'static>>> {
        let failed = || format!("failed to read {name} `{}`", path.display());
        let bytes = std::fs::read(path).with_context(failed)?;
        // What is wrong is not told: the error quotes the line, which may be of a key.
        let items: Result<_, _> = parse_pem(&bytes).collect();
        items.map_err(|_| anyhow!("{}: it is no valid PEM", failed()))
    };
    let mut chain = Vec::new();
    for item in items("user_cert", cert)? {
        if let PemItem::Certificate(certificate) = item {
            chain.push(certificate);
        }
    }
    if chain.is_empty() {
        bail!(
            "failed to read user_cert `{}`: it holds no certificate in PEM form",
            cert.display()
        );
    }
    for item in items("user_key", key)? {
        if let PemItem::PrivateKey(key) = item {
            return Ok(ClientCert::new_with_certs(&chain, key));
        }
    }
    bail!(
        "failed to read user_key `{}`: it holds no private key in PEM form",
        key.display()
    )
}

/// The same for a client that takes rustls's own settings.
pub(super) fn plain_config(validate: bool, ca_path: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    if !validate {
        return Ok(config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth());
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots(ca_path)?.certs);
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

fn roots(ca_path: Option<&Path>) -> Result<CertificateResult> {
    match ca_path {
        Some(path) => from_path(path),
        // A host without a trust store trusts nobody, and the handshake says so.
        None => Ok(load_native_certs()),
    }
}

fn from_path(path: &Path) -> Result<CertificateResult> {
    let found = if path.is_dir() {
        load_certs_from_paths(None, Some(path))
    } else {
        load_certs_from_paths(Some(path), None)
    };
    if found.certs.is_empty() {
        let cause = found.errors.first().map_or_else(
            || "it holds no certificate in PEM form".to_owned(),
            ToString::to_string,
        );
        bail!("failed to read ca_path `{}`: {cause}", path.display());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_path_without_certificates_is_refused_by_name() {
        for path in ["/etc/passwd", "/nonexistent/ca.pem"] {
            let error = config(true, Some(Path::new(path)), None).expect_err(path);
            assert!(error.to_string().contains(path), "{error}");
        }
        assert!(config(false, Some(Path::new("/nonexistent")), None).is_ok());
        assert!(plain_config(true, Some(Path::new("/etc/passwd"))).is_err());
        assert!(plain_config(false, Some(Path::new("/nonexistent"))).is_ok());
    }
}
