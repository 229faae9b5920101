//! How TLS is begun with Pulp: in which version, whom to trust, and by what Pulp knows us.

mod connection;
mod failure;
mod flaws;
mod own;
mod trust;

use std::io::{Error as IoError, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use native_tls::{Protocol, TlsConnector};
use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, Ssl, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509Ref, X509StoreContextRef};

use super::TlsMinimum;
use crate::host::tls::context;
pub(super) use connection::Secured;
use connection::TlsLine;
pub(super) use failure::{TlsFailure, words_of};
use own::Own;
use trust::Trust;

const NO_CERTIFICATE: &str = "the server shows no certificate";

/// The newest version that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newest {
    /// The last one that knows renegotiation. A server that speaks newer ones alone refuses it, and says so.
    V1_2,
    V1_3,
}

pub(super) struct Tls {
    host: String,
    /// Nobody is verified without it.
    trust: Option<Arc<Trust>>,
    own: Option<Own>,
    oldest: SslVersion,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// What a connection's server has shown; each further handshake has to show the same.
#[derive(Debug, Default)]
struct Shown {
    certificate: Option<X509>,
    /// Why a handshake was ended by us.
    refusal: Option<String>,
}

impl Tls {
    /// Reads whom to trust and by what Pulp knows us; nothing is sent yet.
    ///
    /// # Errors
    /// A file cannot be read, or does not hold what it should.
    pub(super) fn new(
        host: &str,
        validate: bool,
        ca_path: Option<&Path>,
        client: Option<(&Path, &Path)>,
        minimum: TlsMinimum,
    ) -> Result<Self> {
        let own = client.map(|(cert, key)| Own::read(cert, key)).transpose()?;
        let trust = validate.then(|| Trust::new(ca_path)).transpose()?;
        Ok(Self {
            host: host.to_owned(),
            trust: trust.map(Arc::new),
            own,
            oldest: match minimum {
                TlsMinimum::V1_0 => SslVersion::TLS1,
                TlsMinimum::V1_2 => SslVersion::TLS1_2,
            },
        })
    }

    /// Whether the server that shows this may be Pulp's. `between` are those that it has shown with another connection.
    pub(super) fn check(&self, shown: &[u8], between: &[X509]) -> Result<(), String> {
        let Some(trust) = &self.trust else {
            return Ok(());
        };
        let shown = X509::from_der(shown).map_err(|cause| cause.to_string())?;
        trust.check(&self.host, &shown, between)
    }

    pub(super) fn is_verifying(&self) -> bool {
        self.trust.is_some()
    }

    /// A connection on which everything that the server shows was checked before it heard anything.
    pub(super) fn connect<S: Read + Write>(
        &self,
        newest: Newest,
        host: &str,
        line: S,
    ) -> Result<Secured<S>, IoError> {
        let shown = Arc::new(Mutex::new(Shown::default()));
        // By what Pulp knows us is not for others, to whom published content may lead.
        let own = self.own.as_ref().filter(|_| host == self.host);
        let ssl = self
            .ssl(newest, host, own, &shown)
            .map_err(IoError::other)?;
        match ssl.connect(TlsLine::new(line)) {
            // No cipher of ours does without a certificate; nothing is said to a server that has none all the same.
            Ok(_) if !has_shown(&shown) => Err(TlsFailure::new(NO_CERTIFICATE).into()),
            Ok(stream) => Ok(Secured {
                stream,
                shown,
                has_own: own.is_some(),
            }),
            Err(HandshakeError::SetupFailure(cause)) => Err(IoError::other(cause)),
            Err(HandshakeError::Failure(ended) | HandshakeError::WouldBlock(ended)) => {
                Err(failure::explain(
                    ended.into_error(),
                    taken(&shown),
                    own.is_some(),
                    failure::Phase::Handshake,
                ))
            }
        }
    }

    fn ssl(
        &self,
        newest: Newest,
        host: &str,
        own: Option<&Own>,
        shown: &Arc<Mutex<Shown>>,
    ) -> Result<Ssl, ErrorStack> {
        let newest = match newest {
            Newest::V1_2 => SslVersion::TLS1_2,
            Newest::V1_3 => SslVersion::TLS1_3,
        };
        let mut context = context(self.oldest, newest)?;
        if let Some(own) = own {
            own.show(&mut context)?;
        }
        let mut ssl = Ssl::new(&context.build())?;
        if host.parse::<IpAddr>().is_err() {
            ssl.set_hostname(host)?;
        }
        let (trust, shown, host) = (self.trust.clone(), Arc::clone(shown), host.to_owned());
        ssl.set_verify_callback(SslVerifyMode::PEER, move |is_good, seen| {
            // OpenSSL tells each flaw that it sees by its own rules, and last of all the server's own certificate, once a
            // handshake. That is when ours decide.
            if !is_good || seen.error_depth() > 0 {
                return true;
            }
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            match shown.judge(trust.as_deref(), &host, seen) {
                Ok(()) => true,
                Err(refusal) => {
                    shown.refusal = Some(refusal);
                    false
                }
            }
        });
        Ok(ssl)
    }

    /// The same for reqwest, which can neither ask us whom to trust nor limit handshakes: what it has sent is no secret, and what it
    /// has heard counts only when `check` takes the certificate.
    pub(super) fn connector(&self, newest: Newest) -> Result<TlsConnector> {
        let oldest = match self.oldest {
            SslVersion::TLS1 => Protocol::Tlsv10,
            _ => Protocol::Tlsv12,
        };
        let newest = match newest {
            Newest::V1_2 => Protocol::Tlsv12,
            Newest::V1_3 => Protocol::Tlsv13,
        };
        TlsConnector::builder()
            .min_protocol_version(Some(oldest))
            .max_protocol_version(Some(newest))
            .disable_built_in_roots(true)
            .danger_accept_invalid_certs(true)
            .danger_accept_invalid_hostnames(true)
            .build()
            .context("failed to prepare TLS")
    }
}

impl Shown {
    fn judge(
        &mut self,
        trust: Option<&Trust>,
        host: &str,
        seen: &X509StoreContextRef,
    ) -> Result<(), String> {
        let chain: Vec<X509> = seen
            .chain()
            .into_iter()
            .flatten()
            .map(ToOwned::to_owned)
            .collect();
        let Some((own, between)) = chain.split_first() else {
            return Err(NO_CERTIFICATE.to_owned());
        };
        if let Some(first) = &self.certificate {
            return if is_same(first, own) {
                Ok(())
            } else {
                Err("the server shows another certificate in a TLS renegotiation than it did when the connection began; somebody \
                     else may answer in its place"
                    .to_owned())
            };
        }
        if let Some(trust) = trust {
            trust.check(host, own, between)?;
        }
        self.certificate = Some(own.clone());
        Ok(())
    }
}

fn is_same(one: &X509Ref, other: &X509Ref) -> bool {
    one.to_der()
        .ok()
        .zip(other.to_der().ok())
        .is_some_and(|(one, other)| one == other)
}

fn has_shown(shown: &Mutex<Shown>) -> bool {
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.certificate.is_some()
}

fn taken(shown: &Mutex<Shown>) -> Option<String> {
    shown
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .refusal
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_path_without_certificates_is_refused_by_name() {
        let tls = |validate, path: &str| {
            let minimum = TlsMinimum::default();
            Tls::new("h", validate, Some(Path::new(path)), None, minimum)
        };
        for path in ["/etc/passwd", "/nonexistent/ca.pem"] {
            let error = tls(true, path).expect_err(path);
            assert!(error.to_string().contains(path), "{error}");
        }
        assert!(tls(false, "/nonexistent").is_ok());
    }
}
