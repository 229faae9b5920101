//! By what Pulp knows us: a client's certificate and its key, in PEM form.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private};
use openssl::ssl::SslContextBuilder;
use openssl::x509::X509;

use crate::names::option;

/// The log-in certificates that Pulp 2 gives to its users have RSA keys of so many bits; with less, nothing is proven.
const LEAST_BITS: u32 = 1024;

pub(super) struct Own {
    certificate: X509,
    /// Those between it and an authority.
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl Own {
    pub(super) fn read(cert: &Path, key: &Path) -> Result<Self> {
        let failed = |cause: &str| {
            anyhow!(
                "failed to read {} `{}`: {cause}",
                option("user_cert"),
                cert.display()
            )
        };
        // What is wrong is not told: the error quotes the line, which may be of a key.
        let all = X509::stack_from_pem(&read(option("user_cert"), cert)?)
            .map_err(|_| failed("it is no valid PEM"))?;
        let mut all = all.into_iter();
        let Some(certificate) = all.next() else {
            bail!(failed("it holds no certificate in PEM form"));
        };
        Ok(Self {
            key: private(&certificate, cert, key)?,
            certificate,
            chain: all.collect(),
        })
    }

    pub(super) fn show(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        context.set_certificate(&self.certificate)?;
        context.set_private_key(&self.key)?;
        for certificate in &self.chain {
            context.add_extra_chain_cert(certificate.clone())?;
        }
        Ok(())
    }
}

fn private(certificate: &X509, cert: &Path, path: &Path) -> Result<PKey<Private>> {
    let failed = |cause: &str| {
        anyhow!(
            "failed to read {} `{}`: {cause}",
            option("user_key"),
            path.display()
        )
    };
    let bytes = read(option("user_key"), path)?;
    // PKCS#8 says it in the label, PKCS#1 in a header.
    if bytes.windows(9).any(|word| word == b"ENCRYPTED") {
        bail!(failed(
            "it is encrypted, and nobody is here to type its password; make a copy without one by `openssl pkey -in … -out …`, \
             which only its owner may read"
        ));
    }
    // Nobody is asked for a password either way.
    let key = PKey::private_key_from_pem_callback(&bytes, |_| Ok(0))
        .map_err(|_| failed("it holds no private key in PEM form"))?;
    let can_be_used = match key.id() {
        Id::RSA => key.bits() >= LEAST_BITS,
        id => id == Id::EC || id == Id::ED25519,
    };
    if !can_be_used {
        bail!(failed(
            "only RSA from 1024 bits, ECDSA, and Ed25519 can be used"
        ));
    }
    if !certificate
        .public_key()
        .is_ok_and(|public| public.public_eq(&key))
    {
        bail!(failed(&format!(
            "it is not the key of {} `{}`",
            option("user_cert"),
            cert.display()
        )));
    }
    Ok(key)
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {name} `{}`", path.display()))
}
