//! TLS as everybody here speaks it: which versions, ciphers and signatures are offered. Whom to trust is decided by those who
//! have something to lose (`src/pulp/tls/trust.rs`); who only looks says nothing secret, and trusts anybody.

use openssl::error::ErrorStack;
use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslOptions, SslVersion};

/// What OpenSSL offers without weak ciphers. There is no finite-field Diffie-Hellman in our build, so no weak group either.
const CIPHERS: &str = "DEFAULT:!aNULL:!eNULL:!PSK:!SRP:!aDSS:!3DES:!DES:!RC4:!IDEA:!SEED:!MD5";

/// How a handshake may be signed, whatever the key: nothing that is broken.
const SIGNATURES: &str = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:rsa_pss_pss_sha256:\
    rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512";

/// A client's beginning, which verifies nobody yet. Certificates and keys of any age can be used; the rules of who builds on this
/// say which.
///
/// # Errors
/// OpenSSL has no memory, or was built without what is named here.
pub(crate) fn context(
    oldest: SslVersion,
    newest: SslVersion,
) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_security_level(0);
    context.set_min_proto_version(Some(oldest))?;
    context.set_max_proto_version(Some(newest))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_sigalgs_list(SIGNATURES)?;
    context.set_options(SslOptions::NO_COMPRESSION);
    Ok(context)
}

/// What stands before the content of a record, RFC 8446, section 5.1: its kind, its version, its length; and the first byte of its
/// content, which says what a message in the clear is.
const HEAD: usize = 6;

/// Records as they pass on one side of a connection, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct Records {
    head: [u8; HEAD],
    known: usize,
    /// How much of the current record's content is still to come.
    left: usize,
}

impl Records {
    /// Names each record that begins in these bytes: its kind, and the first byte of its content.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut each: impl FnMut(u8, u8)) {
        while let [byte, rest @ ..] = bytes {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.known] = *byte;
            self.known += 1;
            bytes = rest;
            if self.known == HEAD {
                let [kind, _, _, high, low, first] = self.head;
                each(kind, first);
                self.known = 0;
                self.left = usize::from(u16::from_be_bytes([high, low])).saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_seen_however_they_are_cut() {
        let sent = [
            22, 3, 3, 0, 3, 11, 1, 2, 20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 2, 9, 9,
        ];
        for size in 1..=sent.len() {
            let mut records = Records::default();
            let mut seen = Vec::new();
            for part in sent.chunks(size) {
                records.pass(part, |kind, first| seen.push((kind, first)));
            }
            assert_eq!(seen, [(22, 11), (20, 1), (22, 9)], "{size}");
        }
    }
}
