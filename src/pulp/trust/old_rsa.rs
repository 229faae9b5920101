//! RSA keys of less than 2048 bits, with which ring does not sign: the log-in certificates that Pulp 2 gives to its users
//! have 1024. TLS 1.2 and SHA-256 alone: those who take such a key know both.

use std::fmt;

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U2048};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest as _, Sha256};

use super::{INTEGER, OCTET_STRING, OID, RSA, Reader, SEQUENCE, bits};

/// Below this, nothing that is signed proves anything.
const LEAST: usize = 1024;
/// From here on it is ring's.
const RINGS: usize = 2048;

/// What stands before a SHA-256 sum that is signed: `DigestInfo` of RFC 8017, section 9.2.
const SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// A private key. Each operation takes the same time and the same steps whatever its digits are.
#[derive(Clone)]
pub(super) struct OldRsa {
    modulus: FixedMontyParams<{ U2048::LIMBS }>,
    exponent: U2048,
    /// In bytes.
    size: usize,
}

impl fmt::Debug for OldRsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldRsa")
    }
}

impl OldRsa {
    /// Reads the key, in PKCS#1 or PKCS#8, if it is one of these. With it comes its modulus.
    pub(super) fn read(der: &[u8]) -> Option<(Self, &[u8])> {
        let mut key = Reader(der).enter(SEQUENCE)?;
        key.want(INTEGER)?;
        let mut ahead = key.clone();
        if let Some(mut algorithm) = ahead.enter(SEQUENCE) {
            if algorithm.want(OID)? != RSA {
                return None;
            }
            key = Reader(ahead.want(OCTET_STRING)?).enter(SEQUENCE)?;
            key.want(INTEGER)?;
        }
        let modulus = key.number()?;
        key.number()?;
        let exponent = key.number()?;
        if !(LEAST..RINGS).contains(&bits(modulus)) {
            return None;
        }
        let odd = Odd::new(number(modulus)?).into_option()?;
        let read = Self {
            modulus: FixedMontyParams::new_vartime(odd),
            exponent: number(exponent)?,
            size: modulus.len(),
        };
        Some((read, modulus))
    }
}

/// At most as many bytes as the number has; that is where the slices below stay.
fn number(digits: &[u8]) -> Option<U2048> {
    let mut bytes = [0; U2048::BYTES];
    let begin = bytes.len().checked_sub(digits.len())?;
    bytes[begin..].copy_from_slice(digits);
    Some(U2048::from_be_slice(&bytes))
}

impl SigningKey for OldRsa {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&self.scheme())
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for OldRsa {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // RFC 8017, section 9.2: as many 0xff as there is room for.
        let mut padded = vec![0xff; self.size];
        let sum = self.size - Sha256::output_size();
        let info = sum - SHA256.len();
        padded[..2].copy_from_slice(&[0, 1]);
        padded[info - 1] = 0;
        padded[info..sum].copy_from_slice(&SHA256);
        padded[sum..].copy_from_slice(&Sha256::digest(message));

        let failed = || Error::General("an RSA key of an impossible size".to_owned());
        let text = number(&padded).ok_or_else(failed)?;
        let signed = FixedMontyForm::new(&text, &self.modulus).pow(&self.exponent);
        let bytes = signed.retrieve().to_be_bytes();
        let bytes: &[u8] = bytes.as_ref();
        Ok(bytes[bytes.len() - self.size..].to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PKCS1_SHA256
    }
}
