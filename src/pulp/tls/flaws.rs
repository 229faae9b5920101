//! Why a certificate is not taken unless somebody names it, as ends of a sentence about it.

use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::trust::common_name;

/// Below this, no authority's word counts for an RSA key.
const BITS: u32 = 2048;

/// What X.509 calls its first version.
const VERSION_1: i32 = 0;

/// As long as a chain of certificates may be, and longer than any that is in use.
const LONGEST: usize = 6;

pub(super) fn flaws(shown: &X509Ref) -> Vec<String> {
    let mut flaws = Vec::new();
    if is_self_signed(shown) {
        flaws.push("is self-signed".to_owned());
    }
    if shown.subject_alt_names().is_none() {
        flaws.push("has no subjectAltName".to_owned());
    }
    if let Some(hash) = weak_hash(shown) {
        flaws.push(format!("is signed with {hash}"));
    }
    if let Some(bits) = small_rsa(shown) {
        flaws.push(format!("has an RSA key of {bits} bits"));
    }
    if shown.version() == VERSION_1 {
        flaws.push("is of X.509 version 1".to_owned());
    }
    flaws
}

/// What is wrong with those who vouch for it, as far as they are known. `may_not` says that one of them is no authority.
pub(super) fn flaws_above(shown: &X509Ref, known: &[&X509], may_not: bool) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut below = shown;
    for _ in 0..LONGEST {
        let issued = |above: &&&X509| above.issued(below) == X509VerifyResult::OK;
        let Some(above) = known.iter().filter(|it| ****it != *below).find(issued) else {
            break;
        };
        let name = common_name(above).unwrap_or_default();
        let vouched = format!("is vouched for by an authority (`{name}`)");
        if let Some(bits) = small_rsa(above) {
            flaws.push(format!("{vouched} with an RSA key of {bits} bits"));
        }
        if may_not {
            flaws.push(format!(
                "is vouched for by `{name}`, whose certificate may not vouch for others"
            ));
        }
        if let (false, Some(hash)) = (is_self_signed(above), weak_hash(above)) {
            flaws.push(format!("{vouched} that is signed with {hash}"));
        }
        below = above;
    }
    flaws
}

pub(super) fn is_self_signed(certificate: &X509Ref) -> bool {
    let order = certificate
        .issuer_name()
        .try_cmp(certificate.subject_name());
    order.is_ok_and(std::cmp::Ordering::is_eq)
}

/// By what it is signed, where nobody takes that any more.
fn weak_hash(certificate: &X509Ref) -> Option<&'static str> {
    match certificate.signature_algorithm().object().nid() {
        Nid::SHA1WITHRSAENCRYPTION | Nid::SHA1WITHRSA | Nid::ECDSA_WITH_SHA1 => Some("SHA-1"),
        Nid::MD5WITHRSAENCRYPTION | Nid::MD5WITHRSA => Some("MD5"),
        _ => None,
    }
}

fn small_rsa(certificate: &X509Ref) -> Option<u32> {
    rsa_bits(certificate).filter(|&bits| bits < BITS)
}

/// The size of its key, if that is RSA.
pub(super) fn rsa_bits(certificate: &X509Ref) -> Option<u32> {
    let key = certificate.public_key().ok()?;
    matches!(key.id(), Id::RSA | Id::RSA_PSS).then(|| key.bits())
}
