//! Which server is trusted, decided in one function: one that an authority vouches for, or the one whose own certificate is in
//! `ca_path`, byte for byte. Such a certificate may be old in every way, because a person has looked at it: nobody has to vouch
//! for it, so how it is signed does not matter. What protects whoever talks to it stays: the server proves that it has
//! the key, the certificate is valid today, and it is for this host.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Result, bail};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult as Outcome};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

use super::flaws::{flaws, flaws_above, is_self_signed, rsa_bits};

use crate::names::option;

/// Below this, an RSA key proves nothing.
const LEAST_BITS: u32 = 1024;

/// What an authority vouches for has at least the strength of 112 bits: RSA from 2048 bits, SHA-256. `SSL_CTX_set_security_level(3)`
/// has the table.
const VOUCHED: i32 = 2;

/// What OpenSSL says of a certificate: numbers of `X509_V_ERR_…` that its crate gives no names.
const NO_ISSUER: [i32; 4] = [2, 19, 20, 21];
const OTHER_HOST: [i32; 2] = [62, 64];
const NO_AUTHORITY: i32 = 79;

/// What OpenSSL made of a certificate and those above it.
struct Verified {
    code: i32,
    words: &'static str,
    /// From the server's own up, as far as it was found.
    chain: Vec<X509>,
}

pub(super) struct Trust {
    /// Those among these who are authorities vouch for others.
    trusted: Vec<X509>,
    /// Whether a person has named them in `ca_path`, so that each is trusted for itself too.
    are_named: bool,
}

impl Trust {
    /// Trusts what `ca_path` holds, or the authorities of this machine.
    pub(super) fn new(ca_path: Option<&Path>) -> Result<Self> {
        let found = match ca_path {
            Some(path) => from_path(path)?,
            // A host without a trust store trusts nobody, and the handshake says so.
            None => load_native_certs(),
        };
        let all = found
            .certs
            .iter()
            .filter_map(|der| X509::from_der(der).ok());
        Ok(Self {
            trusted: all.collect(),
            are_named: ca_path.is_some(),
        })
    }

    fn named(&self) -> &[X509] {
        if self.are_named { &self.trusted } else { &[] }
    }

    /// The one decision: whether the server that shows this certificate, with these between it and an authority, is this host.
    ///
    /// # Errors
    /// It is not, and why, with what to do.
    pub(super) fn check(
        &self,
        host: &str,
        shown: &X509Ref,
        between: &[X509],
    ) -> Result<(), String> {
        if let Some(bits) = rsa_bits(shown).filter(|&bits| bits < LEAST_BITS) {
            return Err(format!(
                "the server's certificate has an RSA key of {bits} bits, which proves nothing; make it a new one"
            ));
        }
        let named = self.named().iter().find(|named| ***named == *shown);
        let verified = match named {
            Some(named) => verified_as_named(host, named),
            None => self.verified_as_vouched(host, shown, between),
        };
        let verified = verified.map_err(|cause| {
            format!("the server's certificate cannot be verified by OpenSSL ({cause})")
        })?;
        let has_names = shown.subject_alt_names().is_some();
        match verified.code {
            0 => check_dates(&verified.chain),
            code if OTHER_HOST.contains(&code) && (named.is_some() || has_names) => {
                Err(other_host(host, shown))
            }
            _ => Err(self.refused(shown, between, &verified)),
        }
    }

    /// Of a certificate that nobody has named. That it lies among a host's authorities, as `mod_ssl`'s own does on EL, says nothing of
    /// it: it is trusted there only if it vouches for itself.
    fn verified_as_vouched(
        &self,
        host: &str,
        shown: &X509Ref,
        between: &[X509],
    ) -> Result<Verified, ErrorStack> {
        let others = self.trusted.iter();
        let others = others.filter(|it| ***it != *shown || is_self_signed(it));
        let subject = X509CheckFlags::NEVER_CHECK_SUBJECT;
        verified(&store(host, others, VOUCHED, subject)?, shown, between)
    }

    /// What is wrong with the certificate and what to do.
    fn refused(&self, shown: &X509Ref, between: &[X509], verified: &Verified) -> String {
        let mut flaws = flaws(shown);
        let is_strange = NO_ISSUER.contains(&verified.code) && !is_self_signed(shown);
        if is_strange {
            flaws.insert(
                0,
                "was issued by an authority this host does not trust".to_owned(),
            );
        }
        let known = verified.chain.iter().chain(between).chain(self.named());
        let known: Vec<&X509> = known.collect();
        flaws.extend(flaws_above(shown, &known, verified.code == NO_AUTHORITY));
        let has_name = |named: &X509| named.subject_name().try_cmp(shown.subject_name());
        let ca_path = option("ca_path");
        let remedy = if self
            .named()
            .iter()
            .any(|it| has_name(it).is_ok_and(std::cmp::Ordering::is_eq))
        {
            format!(
                "it is not the one of the same name in {ca_path}; if the server has a new one, copy that"
            )
        } else if is_strange && flaws.len() == 1 {
            format!("set {ca_path} to that authority's certificate (PEM)")
        } else {
            format!(
                "copy it from the server to the managed host and set {ca_path} to that file: this one certificate is then taken as \
                 it is"
            )
        };
        if flaws.is_empty() {
            flaws.push(format!("cannot be verified ({})", verified.words));
        }
        format!("the server's certificate {}; {remedy}", flaws.join(", "))
    }
}

/// Of a certificate that a person has named: by its alternative names, or by its common name if it has none.
fn verified_as_named(host: &str, named: &X509) -> Result<Verified, ErrorStack> {
    let has_names = named.subject_alt_names().is_some();
    let subject = if has_names {
        X509CheckFlags::NEVER_CHECK_SUBJECT
    } else {
        X509CheckFlags::empty()
    };
    let only = store(host, std::iter::once(named), 0, subject)?;
    let mut verified = verified(&only, named, &[])?;
    // OpenSSL takes no address from a common name.
    let address = host.parse::<IpAddr>().ok();
    let common = common_name(named).and_then(|name| name.parse::<IpAddr>().ok());
    if OTHER_HOST.contains(&verified.code) && !has_names && address.is_some() && address == common {
        verified.code = 0;
    }
    Ok(verified)
}

fn other_host(host: &str, shown: &X509Ref) -> String {
    if shown.subject_alt_names().is_some() {
        return format!(
            "the server's certificate is for another host name (only subjectAltName counts); use the name it was \
             issued for in {}, or issue it again",
            option("pulp_url")
        );
    }
    format!(
        "the server's certificate is for `{}` (its common name, it has no subjectAltName), not for `{}`; use the name it \
         was issued for in {}",
        common_name(shown).unwrap_or_default(),
        host,
        option("pulp_url")
    )
}

/// A store that trusts these for this host, whoever has issued them, as authorities do without a root above them.
fn store<'a>(
    host: &str,
    trusted: impl Iterator<Item = &'a X509>,
    level: i32,
    subject: X509CheckFlags,
) -> Result<X509Store, ErrorStack> {
    let mut rules = X509VerifyParam::new()?;
    // Dates are checked below: who is trusted by a person or this machine is trusted whatever its own dates are.
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    rules.set_auth_level(level);
    rules.set_hostflags(subject | X509CheckFlags::NO_PARTIAL_WILDCARDS);
    match host.parse::<IpAddr>() {
        Ok(address) => rules.set_ip(address)?,
        Err(_) => rules.set_host(host)?,
    }
    if level > 0 {
        rules.set_purpose(X509PurposeId::SSL_SERVER)?;
    }
    let mut store = X509StoreBuilder::new()?;
    for certificate in trusted {
        store.add_cert(certificate.clone())?;
    }
    store.set_param(&rules)?;
    Ok(store.build())
}

fn verified(store: &X509Store, shown: &X509Ref, between: &[X509]) -> Result<Verified, ErrorStack> {
    let mut others = Stack::new()?;
    for certificate in between {
        others.push(certificate.clone())?;
    }
    X509StoreContext::new()?.init(store, shown, &others, |context| {
        let is_good = context.verify_cert()?;
        let outcome = match context.error() {
            // It says nothing where it failed for a reason of its own.
            Outcome::OK if !is_good => Outcome::APPLICATION_VERIFICATION,
            outcome => outcome,
        };
        let chain = context.chain().into_iter().flatten();
        Ok(Verified {
            code: outcome.as_raw(),
            words: outcome.error_string(),
            chain: chain.map(ToOwned::to_owned).collect(),
        })
    })
}

/// Each but the one that is trusted for itself has to be valid now.
fn check_dates(chain: &[X509]) -> Result<(), String> {
    let now = Asn1Time::days_from_now(0).map_err(|cause| cause.to_string())?;
    let now: &Asn1TimeRef = &now;
    for certificate in &chain[..chain.len().saturating_sub(1).max(1).min(chain.len())] {
        if certificate.not_after() < now {
            return Err(
                "the server's certificate has expired; renew it, and check this host's clock"
                    .to_owned(),
            );
        }
        if certificate.not_before() > now {
            return Err("the server's certificate is not valid yet; check the clocks".to_owned());
        }
    }
    Ok(())
}

/// The last common name, which is the most specific one.
pub(super) fn common_name(certificate: &X509Ref) -> Option<String> {
    let names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let last = names.last()?;
    last.data().to_string().ok()
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
        bail!(
            "failed to read {} `{}`: {cause}",
            option("ca_path"),
            path.display()
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    fn parsed(der: &[u8]) -> X509 {
        X509::from_der(der).unwrap()
    }

    fn params(name: &str) -> CertificateParams {
        CertificateParams::new(vec![name.to_owned()]).unwrap()
    }

    /// By what this machine trusts, not by what a person has named.
    fn is_taken(trusted: &[&X509], shown: &X509, host: &str) -> bool {
        let trusted = trusted.iter().map(|it| (*it).clone()).collect();
        let trust = Trust {
            trusted,
            are_named: false,
        };
        trust.check(host, shown, &[]).is_ok()
    }

    #[test]
    fn what_this_machine_trusts_vouches_for_others_and_for_itself() {
        let mut authority = params("authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "An authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap());
        let authority = authority.unwrap();
        let issued = params("localhost").signed_by(&KeyPair::generate().unwrap(), &authority);
        let (issued, authority) = (parsed(issued.unwrap().der()), parsed(authority.der()));
        assert!(is_taken(&[&authority], &issued, "localhost"));
        assert!(!is_taken(&[&authority], &issued, "pulp.example.com"));
        assert!(!is_taken(&[], &issued, "localhost"));
        // That it lies there itself says nothing of it.
        assert!(!is_taken(&[&issued], &issued, "localhost"));

        let own = params("localhost").self_signed(&KeyPair::generate().unwrap());
        let own = parsed(own.unwrap().der());
        assert!(is_taken(&[&own], &own, "localhost"));
        assert!(!is_taken(&[&authority], &own, "localhost"));
    }
}
