//! How a secret is written elsewhere: in URLs, JSON, HTML, Python's logs, Base64.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::Value;

/// A shorter piece of Base64 is found in any text.
const SHORTEST_BASE64: usize = 8;

/// Forms that are looked for as they are.
pub(super) fn plain(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    // Only the quotes around it: the secret may end with one.
    let json = json[1..json.len() - 1].to_owned();
    let mut spellings = vec![
        secret.to_owned(),
        // A file that holds a password ends with a line end; what it is used for does not.
        secret.trim_end_matches(['\r', '\n']).to_owned(),
        secret.escape_debug().to_string(),
        secret.escape_default().to_string(),
        // Python's JSON is ASCII.
        ascii(&json),
        json,
        html(secret),
    ];
    spellings.extend(reprs(secret));
    spellings
}

/// Basic authentication encodes `user:password`, so the secret starts at any of three places within a
/// group of three bytes.
pub(super) fn base64(secret: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for offset in 0..3 {
        let base64 = base64_inside(secret, offset);
        spellings.push(base64.replace('+', "-").replace('/', "_"));
        spellings.push(base64);
    }
    spellings
}

/// As Python shows a text in a log: version 3, version 2, and version 2 its bytes.
fn reprs(text: &str) -> [String; 3] {
    let has_both = text.contains('\'') && text.contains('"');
    let [mut three, mut two, mut bytes] = [const { String::new() }; 3];
    for character in text.chars() {
        let code = u32::from(character);
        let escaped = match character {
            '\\' | '\n' | '\r' | '\t' => character.escape_default().to_string(),
            '\'' if has_both => r"\'".to_owned(),
            _ => character.to_string(),
        };
        three.push_str(&escaped);
        // Writing to a string does not fail.
        let _ = match code {
            0..0x80 => two.write_str(&escaped),
            0x80..0x100 => write!(two, "\\x{code:02x}"),
            0x100..0x1_0000 => write!(two, "\\u{code:04x}"),
            _ => write!(two, "\\U{code:08x}"),
        };
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            let _ = match byte {
                0..0x80 => bytes.write_str(&escaped),
                _ => write!(bytes, "\\x{byte:02x}"),
            };
        }
    }
    [three, two, bytes]
}

/// With `\u` and four digits for what is not ASCII.
fn ascii(text: &str) -> String {
    let mut ascii = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(ascii, "\\u{unit:04x}")),
        }
    }
    ascii
}

/// As pages of Django say what went wrong.
fn html(text: &str) -> String {
    let mut html = text.replace('&', "&amp;");
    for (character, name) in [
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#x27;"),
    ] {
        html = html.replace(character, name);
    }
    html
}

/// How much of the text, from its start, is the secret.
pub(super) fn encoded_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0;
    for byte in secret.bytes() {
        length += match text.get(length..)? {
            [b'%', high, low, ..] if decoded(*high, *low) == Some(byte.into()) => 3,
            [b'+', ..] if byte == b' ' => 1,
            [same, ..] if *same == byte => 1,
            _ => return None,
        };
    }
    Some(length)
}

fn decoded(high: u8, low: u8) -> Option<u32> {
    let hex = |digit| char::from(digit).to_digit(16);
    Some(hex(high)? * 16 + hex(low)?)
}

/// The part of the Base64 text that depends on the secret alone when `offset` bytes precede it in its
/// group; empty when that is too little to be recognised.
fn base64_inside(secret: &str, offset: usize) -> String {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret.as_bytes());
    let text = STANDARD_NO_PAD.encode(&bytes);
    let first = (offset * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    let inside = text.get(first..last).unwrap_or_default();
    if inside.len() < SHORTEST_BASE64 {
        return String::new();
    }
    inside.to_owned()
}
