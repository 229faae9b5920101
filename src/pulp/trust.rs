//! Whom TLS trusts: the authorities of `ca_path`, or those of this host, or anybody.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The TLS settings of every request.
pub(super) fn config(validate: bool, ca_path: Option<&Path>) -> Result<TlsConfig> {
    let config = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    if !validate {
        return Ok(config.disable_verification(true).build());
    }
    let roots = match ca_path {
        Some(path) => from_path(path)?,
        // A host without a trust store trusts nobody, and the handshake says so.
        None => load_native_certs(),
    };
    let roots = roots
        .certs
        .iter()
        .map(|root| Certificate::from_der(root).to_owned());
    Ok(config.root_certs(RootCerts::from(roots)).build())
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
            let error = config(true, Some(Path::new(path))).expect_err(path);
            assert!(error.to_string().contains(path), "{error}");
        }
        assert!(config(false, Some(Path::new("/nonexistent"))).is_ok());
    }
}
