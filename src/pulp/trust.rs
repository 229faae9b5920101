//! Whom TLS trusts: who is named in `ca_path`, or the authorities of this host, or anybody. And by what Pulp knows us.

mod certificate;
mod der;
mod old_rsa;
mod verifier;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ALL_VERSIONS, ClientConfig};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

use crate::host::tls::Anybody;
use certificate::{Age, Certificate, rsa};
use der::{
    BIT_STRING, BOOLEAN, INTEGER, Item, OCTET_STRING, OID, RSA, Reader, SEQUENCE, SET, bits,
};
use old_rsa::OldRsa;
use verifier::Verifier;

/// How TLS is spoken, by all who ask Pulp anything.
pub(super) fn config(
    host: &str,
    validate: bool,
    ca_path: Option<&Path>,
    client: Option<(&Path, &Path)>,
) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = client
        .map(|(cert, key)| own(&provider, cert, key))
        .transpose()?;
    let mut is_old = own.as_ref().is_some_and(|own| own.is_old);

    let verifier = if validate {
        let trusted = trusted(ca_path)?;
        let host = ServerName::try_from(host)
            .map_err(|cause| anyhow!("failed to use the host name `{host}`: {cause}"))?;
        let verifier = Verifier::new(provider.clone(), trusted.certs, ca_path.is_some(), &host);
        is_old |= verifier.is_old;
        Some(verifier)
    } else {
        None
    };
    let versions = if is_old {
        &[&rustls::version::TLS12]
    } else {
        ALL_VERSIONS
    };
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)?
        .dangerous();
    let config = match verifier {
        Some(verifier) => config.with_custom_certificate_verifier(Arc::new(verifier)),
        None => config.with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    Ok(match own {
        Some(own) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.key))),
        None => config.with_no_client_auth(),
    })
}

/// By what Pulp knows us.
struct Own {
    key: CertifiedKey,
    /// Whether only TLS 1.2 can use it.
    is_old: bool,
}

fn own(provider: &CryptoProvider, cert: &Path, key: &Path) -> Result<Own> {
    let bytes = read("user_cert", cert)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        // What is wrong is not told: the error quotes the line, which may be of a key.
        .map_err(|_| {
            anyhow!(
                "failed to read user_cert `{}`: it is no valid PEM",
                cert.display()
            )
        })?;
    let Some(first) = chain.first() else {
        bail!(
            "failed to read user_cert `{}`: it holds no certificate in PEM form",
            cert.display()
        );
    };
    let failed = |cause: &str| anyhow!("failed to read user_key `{}`: {cause}", key.display());
    let bytes = read("user_key", key)?;
    // PKCS#8 says it in the label, PKCS#1 in a header.
    if bytes.windows(9).any(|word| word == b"ENCRYPTED") {
        bail!(failed(
            "it is encrypted, and nobody is here to type its password; make a copy without one by \
             `openssl pkey -in … -out …`, which only its owner may read"
        ));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| failed("it holds no private key in PEM form"))?;
    let seen = Certificate::read(first);
    let old = OldRsa::read(private.secret_der());
    let is_old = old.is_some();
    let (signing, fits): (Arc<dyn SigningKey>, _) = if let Some((old, modulus)) = old {
        let public = seen.and_then(|it| rsa(it.algorithm, it.key));
        (Arc::new(old), public.is_some_and(|[own, _]| own == modulus))
    } else {
        let cannot = "only RSA from 1024 bits, ECDSA with P-256 or P-384, and Ed25519 can be used";
        let signing = provider
            .key_provider
            .load_private_key(private.clone_key())
            .map_err(|_| failed(cannot))?;
        let public = signing.public_key().zip(seen);
        let fits = public.is_none_or(|(public, it)| public.as_ref() == it.public);
        (signing, fits)
    };
    if !fits {
        bail!(failed(&format!(
            "it is not the key of user_cert `{}`",
            cert.display()
        )));
    }
    Ok(Own {
        key: CertifiedKey::new(chain, signing),
        is_old,
    })
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {name} `{}`", path.display()))
}

fn trusted(ca_path: Option<&Path>) -> Result<CertificateResult> {
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
            let error = config("h", true, Some(Path::new(path)), None).expect_err(path);
            assert!(error.to_string().contains(path), "{error}");
        }
        assert!(config("h", false, Some(Path::new("/nonexistent")), None).is_ok());
    }
}
