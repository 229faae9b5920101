//! What a certificate says of itself, also one that webpki would not read: of X.509 version 1, with a common name alone, or
//! signed by what nobody signs with any more.

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::{Duration, SystemTime};

use super::{BIT_STRING, BOOLEAN, Item, OCTET_STRING, OID, RSA, Reader, SEQUENCE, SET, bits};

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version and the extensions of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Below this, rustls takes no RSA key.
const BITS: usize = 2048;

/// How a certificate is signed, where nothing takes it any more.
const WEAK: [(&[u8], &str); 4] = [
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
        "SHA-1",
    ),
    (&[0x2b, 0x0e, 0x03, 0x02, 0x1d], "SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], "SHA-1"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
        "MD5",
    ),
];

pub(super) struct Certificate<'a> {
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// As fourteen digits, year first.
    not_before: String,
    not_after: String,
    /// The whole of `SubjectPublicKeyInfo`, its algorithm, and the key itself.
    pub(super) public: &'a [u8],
    pub(super) algorithm: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) has_alt_name: bool,
    /// Whether it may issue others, as far as its version can tell that.
    pub(super) may_issue: bool,
    is_version_1: bool,
    signed_by: &'a [u8],
}

/// Where in its validity a certificate is.
pub(super) enum Age {
    NotYet,
    Valid,
    Expired,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let mut outer = Reader(der).enter(SEQUENCE)?;
        let mut body = outer.enter(SEQUENCE)?;
        let signed_by = outer.enter(SEQUENCE)?.want(OID)?;

        let is_version_1 = body.0.first() != Some(&VERSION);
        if !is_version_1 {
            body.next()?;
        }
        // Its number, and once more how it is signed.
        body.next()?;
        body.next()?;
        let issuer = body.want(SEQUENCE)?;
        let mut validity = body.enter(SEQUENCE)?;
        let subject = body.want(SEQUENCE)?;
        let public = body.next().filter(|item| item.tag == SEQUENCE)?;
        let mut parts = Reader(public.content);
        let algorithm = parts.want(SEQUENCE)?;
        let [0, key @ ..] = parts.want(BIT_STRING)? else {
            return None;
        };
        let extensions = body
            .find(|item| item.tag == EXTENSIONS)
            .and_then(|item| Reader(item.content).want(SEQUENCE))
            .unwrap_or_default();
        Some(Self {
            issuer,
            subject,
            not_before: moment(validity.next()?)?,
            not_after: moment(validity.next()?)?,
            public: public.whole,
            algorithm,
            key,
            has_alt_name: extension(extensions, SUBJECT_ALT_NAME).is_some(),
            may_issue: is_version_1 || is_authority(extensions),
            is_version_1,
            signed_by,
        })
    }

    pub(super) fn age(&self, now: UnixTime) -> Age {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let mut now = humantime::format_rfc3339_seconds(now).to_string();
        now.retain(|c| c.is_ascii_digit());
        if now < self.not_before {
            Age::NotYet
        } else if now > self.not_after {
            Age::Expired
        } else {
            Age::Valid
        }
    }

    /// The last common name, which is the most specific one.
    pub(super) fn common_name(&self) -> Option<&'a str> {
        let attributes = Reader(self.subject).filter(|item| item.tag == SET);
        let mut name = None;
        for attribute in attributes.flat_map(|set| Reader(set.content)) {
            let mut parts = Reader(attribute.content);
            if parts.want(OID) == Some(COMMON_NAME) {
                name = parts
                    .next()
                    .and_then(|item| str::from_utf8(item.content).ok());
            }
        }
        name
    }

    /// Whether the common name is this host's: the same, or with `*.` for its first part.
    pub(super) fn is_commonly_named(&self, host: &ServerName<'_>) -> bool {
        let host = host.to_str();
        self.common_name().is_some_and(|name| {
            let domain = host.split_once('.').map(|(_, domain)| domain);
            let wild = name.strip_prefix("*.").zip(domain);
            name.eq_ignore_ascii_case(&host)
                || wild.is_some_and(|(name, domain)| name.eq_ignore_ascii_case(domain))
        })
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    /// The size of its key, where that is RSA and so small that rustls does not take it.
    pub(super) fn small_rsa(&self) -> Option<usize> {
        let [modulus, _] = rsa(self.algorithm, self.key)?;
        Some(bits(modulus)).filter(|&bits| bits < BITS)
    }

    /// By what it is signed, where nobody takes that any more.
    pub(super) fn weakly_signed(&self) -> Option<&'static str> {
        let weak = WEAK.iter().find(|(oid, _)| *oid == self.signed_by);
        weak.map(|(_, name)| *name)
    }

    /// Why it is not taken unless somebody names it, as ends of a sentence about it.
    pub(super) fn flaws(&self) -> Vec<String> {
        let mut flaws = Vec::new();
        if self.is_self_signed() {
            flaws.push("is self-signed".to_owned());
        }
        if !self.has_alt_name {
            flaws.push("has no subjectAltName".to_owned());
        }
        if let Some(hash) = self.weakly_signed() {
            flaws.push(format!("is signed with {hash}"));
        }
        if let Some(bits) = self.small_rsa() {
            flaws.push(format!("has an RSA key of {bits} bits"));
        }
        if self.is_version_1 {
            flaws.push("is of X.509 version 1".to_owned());
        }
        flaws
    }
}

/// Modulus and exponent of a public key, if it is RSA.
pub(super) fn rsa<'a>(algorithm: &[u8], key: &'a [u8]) -> Option<[&'a [u8]; 2]> {
    if Reader(algorithm).want(OID) != Some(RSA) {
        return None;
    }
    let mut numbers = Reader(key).enter(SEQUENCE)?;
    Some([numbers.number()?, numbers.number()?])
}

fn moment(item: Item) -> Option<String> {
    let text = str::from_utf8(item.content).ok()?.strip_suffix('Z')?;
    let century = match item.tag {
        UTC_TIME if text < "50" => "20",
        UTC_TIME => "19",
        GENERALIZED_TIME => "",
        _ => return None,
    };
    let text = format!("{century}{text}");
    let is_whole = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    is_whole.then_some(text)
}

/// The value of the extension that has this name.
fn extension<'a>(all: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    Reader(all).find_map(|item| {
        let mut parts = Reader(item.content);
        let is_it = parts.want(OID)? == name;
        // One that is critical says so in between.
        let value = parts.find(|part| part.tag == OCTET_STRING)?;
        is_it.then_some(value.content)
    })
}

fn is_authority(extensions: &[u8]) -> bool {
    extension(extensions, BASIC_CONSTRAINTS)
        .and_then(|value| Reader(value).enter(SEQUENCE)?.want(BOOLEAN))
        .is_some_and(|value| value != [0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    fn at(rfc3339: &str) -> UnixTime {
        let time = humantime::parse_rfc3339(rfc3339).unwrap();
        UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap())
    }

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn it_is_valid_from_its_first_second_to_its_last() {
        // Dates of both kinds: until 2049 in two digits, and later ones.
        let der = made(|params| {
            params.not_before = date_time_ymd(1999, 12, 31);
            params.not_after = date_time_ymd(2050, 1, 1);
        });
        let seen = Certificate::read(&der).unwrap();
        assert!(matches!(seen.age(at("1999-12-30T23:59:59Z")), Age::NotYet));
        assert!(matches!(seen.age(at("1999-12-31T00:00:00Z")), Age::Valid));
        assert!(matches!(seen.age(at("2050-01-01T00:00:00Z")), Age::Valid));
        assert!(matches!(seen.age(at("2050-01-01T00:00:01Z")), Age::Expired));
    }

    #[test]
    fn a_common_name_is_one_hosts_or_one_domains() {
        let is_named = |name: &str, host: &'static str| {
            let der = made(|params| params.distinguished_name.push(DnType::CommonName, name));
            let host = ServerName::try_from(host).unwrap();
            Certificate::read(&der).unwrap().is_commonly_named(&host)
        };
        for (name, host) in [
            ("pulp.example.com", "Pulp.Example.com"),
            ("*.example.com", "pulp.example.com"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
        ] {
            assert!(is_named(name, host), "{name} for {host}");
        }
        for (name, host) in [
            ("pulp.example.com", "other.example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", "a.b.example.com"),
            ("*", "localhost"),
            ("", "localhost"),
            ("pulp.example.com\0.org", "pulp.example.com"),
        ] {
            assert!(!is_named(name, host), "{name} for {host}");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_short_is_none() {
        let der = made(|_| ());
        for length in 0..der.len() {
            let cut = CertificateDer::from(&der[..length]);
            assert!(Certificate::read(&cut).is_none(), "{length}");
        }
    }
}
