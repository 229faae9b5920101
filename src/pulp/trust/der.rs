//! As much of DER as a certificate and a key are read with. The libraries that know all of X.509 weigh more than what is
//! needed here: webpki reads what it trusts, this reads what it refuses.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The algorithm of an RSA key: rsaEncryption.
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

/// One item after the other; nothing after the first that is malformed.
#[derive(Clone)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next item, which has to be of this kind.
    pub(super) fn want(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|item| item.tag == tag)
            .map(|item| item.content)
    }

    /// Goes into the next item, which has to be of this kind.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.want(tag).map(Reader)
    }

    /// The next integer's bytes, which is positive.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let mut digits = self.want(INTEGER)?;
        while let [0, rest @ ..] = digits {
            digits = rest;
        }
        Some(digits)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let bytes = self.0;
        let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
        let (begin, length) = match usize::from(first) {
            short @ ..=0x7f => (2, short),
            long @ 0x81..=0x84 => {
                let end = 2 + long - 0x80;
                let digits = bytes.get(2..end)?.iter();
                (
                    end,
                    digits.fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
                )
            }
            _ => return None,
        };
        let end = begin.checked_add(length)?;
        let item = Item {
            tag,
            content: bytes.get(begin..end)?,
            whole: bytes.get(..end)?,
        };
        self.0 = bytes.get(end..)?;
        Some(item)
    }
}

/// How many bits a number has that begins with no zero byte.
pub(super) fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(unused as usize)
}
