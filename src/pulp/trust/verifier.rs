//! Which server is trusted: one that an authority vouches for by the rules of webpki, or the one whose own certificate is in
//! `ca_path`, byte for byte. Such a certificate may be old in every way, because a person has looked at it: nobody has to vouch
//! for it, so how it is signed does not matter. What protects whoever talks to it stays: the server proves that it has
//! the key, the certificate is valid today, and it is for this host.

use std::sync::Arc;

use ring::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RsaParameters, UnparsedPublicKey,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::{Age, Certificate};

/// How an RSA key of less than 2048 bits may sign a handshake. There is no more than this in ring, and nothing of it is in
/// TLS 1.3.
const OLD: [(SignatureScheme, &RsaParameters); 2] = [
    (
        SignatureScheme::RSA_PKCS1_SHA512,
        &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA256,
        &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    ),
];

#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    authorities: RootCertStore,
    /// What `ca_path` holds, if there is one.
    named: Option<Vec<CertificateDer<'static>>>,
    /// Whether `ca_path` holds a certificate for this host with a key that only TLS 1.2 can use.
    pub(super) is_old: bool,
}

impl Verifier {
    /// Trusts these, which are of `ca_path` or of this machine. `host` is where Pulp is.
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        trusted: Vec<CertificateDer<'static>>,
        are_named: bool,
        host: &ServerName<'_>,
    ) -> Self {
        let mut authorities = RootCertStore::empty();
        // To name a server does not mean that it may vouch for others. What the machine trusts is not ours to judge.
        let may_vouch = |der: &&CertificateDer<'_>| {
            !are_named || Certificate::read(der).is_some_and(|it| it.may_issue)
        };
        authorities.add_parsable_certificates(trusted.iter().filter(may_vouch).cloned());
        let is_old = |der: &CertificateDer<'_>| {
            Certificate::read(der)
                .is_some_and(|it| it.small_rsa().is_some() && is_for(&it, der, host).is_ok())
        };
        Self {
            provider,
            authorities,
            is_old: are_named && trusted.iter().any(is_old),
            named: are_named.then_some(trusted),
        }
    }

    fn named(&self) -> &[CertificateDer<'static>] {
        self.named.as_deref().unwrap_or_default()
    }

    fn is_named(&self, der: &CertificateDer<'_>) -> bool {
        self.named().contains(der)
    }

    /// Of a certificate that nobody names, but an authority vouches for: the handshake's signature is not taken.
    fn told_of_key(&self, refusal: Error, der: &CertificateDer<'_>) -> Error {
        if Certificate::read(der).is_some_and(|it| it.small_rsa().is_some()) {
            self.told(refusal, der, &[])
        } else {
            unproven()
        }
    }

    /// By webpki's rules.
    fn vouched(
        &self,
        der: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(der)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.authorities,
            between,
            now,
            algorithms,
        )?;
        verify_server_name(&parsed, host)
    }

    /// The same refusal, with what is wrong with the certificate and what to do, if that can be said.
    fn told(
        &self,
        refusal: Error,
        der: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
    ) -> Error {
        use CertificateError as Kind;
        let (Error::InvalidCertificate(kind), Some(seen)) = (&refusal, Certificate::read(der))
        else {
            return refusal;
        };
        match kind {
            Kind::Expired
            | Kind::ExpiredContext { .. }
            | Kind::NotValidYet
            | Kind::NotValidYetContext { .. } => return refusal,
            Kind::NotValidForName | Kind::NotValidForNameContext { .. } if seen.has_alt_name => {
                return refusal;
            }
            _ => {}
        }
        let mut flaws = seen.flaws();
        let is_strange = *kind == Kind::UnknownIssuer && !seen.is_self_signed();
        if is_strange {
            let strange = "was issued by an authority this host does not trust";
            flaws.insert(0, strange.to_owned());
        }
        flaws.extend(self.flaws_above(&seen, between));
        let mut named = self.named().iter().filter_map(|der| Certificate::read(der));
        let remedy = if named.any(|it| it.subject == seen.subject) {
            "it is not the one of the same name in ca_path; if the server has a new one, copy that"
        } else if is_strange && flaws.len() == 1 {
            "set ca_path to that authority's certificate (PEM)"
        } else {
            "copy it from the server to the managed host and set ca_path to that file: this one \
             certificate is then taken as it is"
        };
        if flaws.is_empty() {
            flaws.push(format!("cannot be verified ({kind})"));
        }
        let flaws = flaws.join(", ");
        refused(format!("the server's certificate {flaws}; {remedy}"))
    }

    /// What is wrong with those who vouch for it, as far as they can be seen.
    fn flaws_above(&self, seen: &Certificate<'_>, between: &[CertificateDer<'_>]) -> Vec<String> {
        let mut flaws = Vec::new();
        let mut subject = seen.subject;
        let mut issuer = seen.issuer;
        // As long as the longest chain that webpki goes along.
        for _ in 0..6 {
            let named: &[CertificateDer<'_>] = self.named();
            let all = between.iter().chain(named);
            let mut above = all.filter_map(|der| Certificate::read(der));
            let Some(above) = above.find(|it| it.subject == issuer && issuer != subject) else {
                break;
            };
            let name = above.common_name().unwrap_or_default();
            let vouched = "is vouched for by an authority";
            if let Some(bits) = above.small_rsa() {
                flaws.push(format!(
                    "{vouched} (`{name}`) with an RSA key of {bits} bits"
                ));
            }
            if !above.may_issue {
                flaws.push(format!(
                    "is vouched for by `{name}`, whose certificate may not vouch for others"
                ));
            }
            if let (false, Some(hash)) = (above.is_self_signed(), above.weakly_signed()) {
                flaws.push(format!("{vouched} (`{name}`) that is signed with {hash}"));
            }
            (subject, issuer) = (above.subject, above.issuer);
        }
        flaws
    }

    /// A handshake's signature by a key that is named: whatever its certificate looks like.
    fn proven(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Option<()> {
        let seen = Certificate::read(der)?;
        if seen.small_rsa().is_some() {
            let (_, old) = OLD.iter().find(|(scheme, _)| *scheme == signed.scheme)?;
            let key = UnparsedPublicKey::new(*old, seen.key);
            return key.verify(message, signed.signature()).ok();
        }
        let all = self.provider.signature_verification_algorithms.mapping;
        let (_, fitting) = all.iter().find(|(scheme, _)| *scheme == signed.scheme)?;
        fitting
            .iter()
            .filter(|algorithm| *algorithm.public_key_alg_id() == *seen.algorithm)
            .find_map(|algorithm| {
                let proof = algorithm.verify_signature(seen.key, message, signed.signature());
                proof.ok()
            })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        der: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.is_named(der) {
            return match self.vouched(der, between, host, now) {
                Ok(()) => Ok(ServerCertVerified::assertion()),
                Err(refusal) => Err(self.told(refusal, der, between)),
            };
        }
        let seen = Certificate::read(der).ok_or(CertificateError::BadEncoding)?;
        match seen.age(now) {
            Age::Valid => is_for(&seen, der, host).map(|()| ServerCertVerified::assertion()),
            Age::Expired => Err(CertificateError::Expired.into()),
            Age::NotYet => Err(CertificateError::NotValidYet.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.is_named(der) {
            return match self.proven(message, der, signed) {
                Some(()) => Ok(HandshakeSignatureValid::assertion()),
                None => Err(unproven()),
            };
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, der, signed, algorithms)
            .map_err(|refusal| self.told_of_key(refusal, der))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        if self.is_named(der) {
            let seen = Certificate::read(der).ok_or(CertificateError::BadEncoding)?;
            let public = SubjectPublicKeyInfoDer::from(seen.public);
            return verify_tls13_signature_with_raw_key(message, &public, signed, algorithms)
                .map_err(|_| unproven());
        }
        verify_tls13_signature(message, der, signed, algorithms)
            .map_err(|refusal| self.told_of_key(refusal, der))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self
            .provider
            .signature_verification_algorithms
            .supported_schemes();
        if self.is_old {
            // A server with such a key has to choose what ring can check.
            use SignatureScheme as Scheme;
            let cannot = [
                Scheme::RSA_PSS_SHA256,
                Scheme::RSA_PSS_SHA384,
                Scheme::RSA_PSS_SHA512,
                Scheme::RSA_PKCS1_SHA384,
            ];
            schemes.retain(|scheme| !cannot.contains(scheme));
        }
        schemes
    }
}

/// By its alternative names, or by its common name if it has none. Only for one that is named: elsewhere a common name is
/// no name.
fn is_for(
    seen: &Certificate<'_>,
    der: &CertificateDer<'_>,
    host: &ServerName<'_>,
) -> Result<(), Error> {
    if seen.has_alt_name {
        return verify_server_name(&ParsedCertificate::try_from(der)?, host);
    }
    if seen.is_commonly_named(host) {
        return Ok(());
    }
    Err(refused(format!(
        "the server's certificate is for `{}` (its common name, it has no subjectAltName), not for \
         `{}`; use the name it was issued for in pulp_url",
        seen.common_name().unwrap_or_default(),
        host.to_str()
    )))
}

fn unproven() -> Error {
    refused(
        "the server does not prove that it has the key of the certificate it shows; its \
         certificate and key files do not belong together, or somebody else answers in its place"
            .to_owned(),
    )
}

fn refused(text: String) -> Error {
    let cause: Box<dyn std::error::Error + Send + Sync> = text.into();
    CertificateError::Other(OtherError(cause.into())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_trusts_stays_trusted() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let host = ServerName::try_from("localhost").unwrap();
        for (are_named, authorities) in [(false, 1), (true, 0)] {
            let trusted = vec![der.clone()];
            let verifier = Verifier::new(provider.clone(), trusted, are_named, &host);
            assert_eq!(verifier.authorities.len(), authorities);
            let taken = verifier.verify_server_cert(&der, &[], &host, &[], UnixTime::now());
            assert!(taken.is_ok(), "{taken:?}");
        }
    }
}
