//! What must not leave the module: the values of `no_log` options and whatever a module learns at run
//! time, such as the password in a broker's URL. Masked as Ansible's `remove_values` does, in the
//! spellings in which a secret tends to turn up elsewhere.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Map, Number, Value};

/// What stands for a string that is a secret.
const WHOLE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// What stands for a secret inside a string.
const PART: &str = "********";

/// A shorter piece of Base64 is found in any text.
const SHORTEST_BASE64: usize = 8;

/// Every secret that this process knows.
static KNOWN: Mutex<Secrets> = Mutex::new(Secrets {
    spellings: Vec::new(),
});

/// Keeps a secret, in every usual spelling, out of the reply.
pub(crate) fn add(secret: &str) {
    KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(secret);
}

/// The same for the password in a URL, whatever the option is called that holds it.
pub(crate) fn add_of_url(text: &str) {
    let authority = text
        .split_once("://")
        .and_then(|(_, r)| r.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    if let Some((_, password)) = user.and_then(|(user, _)| user.split_once(':')) {
        add(password);
    }
}

/// Masks every known secret in every value; keys stay as they are, as in Ansible.
pub(crate) fn mask(map: &mut Map<String, Value>) {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if !known.spellings.is_empty() {
        map.values_mut().for_each(|value| known.mask(value));
    }
}

#[derive(Debug, Clone, Default)]
struct Secrets {
    /// Longest first, so that a secret within a longer one does not spoil the longer one's mask.
    spellings: Vec<String>,
}

impl Secrets {
    fn add(&mut self, secret: &str) {
        for spelling in spellings(secret) {
            if !spelling.is_empty() && !self.spellings.contains(&spelling) {
                self.spellings.push(spelling);
            }
        }
        self.spellings
            .sort_by_key(|spelling| std::cmp::Reverse(spelling.chars().count()));
    }

    fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.mask(item)),
            Value::Number(number) if self.is_in(number) => *value = WHOLE.into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// As text or as a value: Python and Rust do not write every number alike.
    fn is_in(&self, number: &Number) -> bool {
        let text = number.to_string();
        let is_same = |spelling: &str| number.is_f64() && spelling.parse().ok() == number.as_f64();
        let shows = |spelling: &String| text.contains(spelling) || is_same(spelling);
        self.spellings.iter().any(shows)
    }

    fn mask_text(&self, text: &mut String) {
        if self.spellings.contains(text) {
            WHOLE.clone_into(text);
            return;
        }
        for spelling in &self.spellings {
            if text.contains(spelling) {
                *text = text.replace(spelling, PART);
            }
            if text.contains(['%', '+']) {
                *text = mask_encoded(text, spelling);
            }
        }
    }
}

/// Forms that are looked for as they are.
fn spellings(secret: &str) -> Vec<String> {
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
    // Basic authentication encodes `user:password`, so the secret starts at any of three places
    // within a group of three bytes.
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

/// Masks a secret that is percent-encoded, in part or as a whole: which characters are encoded, and in
/// which case, is different in each program that writes URLs.
fn mask_encoded(text: &str, secret: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = encoded_length(rest.as_bytes(), secret);
        let (shown, after) = match length.and_then(|length| rest.split_at_checked(length)) {
            Some((_, after)) => (PART, after),
            None => rest.split_at(first.len_utf8()),
        };
        masked.push_str(shown);
        rest = after;
    }
    masked
}

/// How much of the text, from its start, is the secret.
fn encoded_length(text: &[u8], secret: &str) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn masked(secrets: &[&str], mut value: Value) -> Value {
        let mut known = Secrets::default();
        for secret in secrets {
            known.add(secret);
        }
        known.mask(&mut value);
        value
    }

    #[test]
    fn masks_as_ansible_does() {
        let value = json!({"whole": "hunter2", "part": "xhunter2y", "deep": [{"k": "hunter2"}], "hunter2": true});
        let expected = json!({
            "whole": WHOLE, "part": "x********y", "deep": [{"k": WHOLE}], "hunter2": true,
        });
        assert_eq!(masked(&["hunter2"], value), expected);
    }

    #[test]
    fn the_longest_secret_is_masked_first() {
        assert_eq!(
            masked(&["abc", "abcdef"], json!("-abcdef-abc-")),
            "-********-********-"
        );
    }

    #[test]
    fn empty_secrets_and_booleans_are_no_matter() {
        assert_eq!(
            masked(&["", "true"], json!(["", true, null])),
            json!(["", true, null])
        );
    }

    #[test]
    fn a_number_that_shows_a_secret_is_masked_whole() {
        assert_eq!(
            masked(
                &["1234", "1e-05"],
                json!([1234, 912_345, 12, 1234.5, 0.000_01])
            ),
            json!([WHOLE, WHOLE, 12, WHOLE, WHOLE])
        );
    }

    #[test]
    fn the_forms_in_a_url_are_masked() {
        let url = json!("amqp://u:p%40ss%2fw%C3%B6rd!@h/ and p%40ss%2Fw%c3%b6rd%21");
        assert_eq!(
            masked(&["p@ss/wörd!"], url),
            "amqp://u:********@h/ and ********"
        );
    }

    #[test]
    fn escaped_forms_are_masked() {
        let secret = "a\"b\\c\nd";
        let debug = format!("{secret:?}");
        let nested = json!({"body": json!({"p": secret}).to_string(), "debug": debug});
        let expected = json!({"body": "{\"p\":\"********\"}", "debug": "\"********\""});
        assert_eq!(masked(&[secret], nested), expected);
    }

    /// As Python's logs have it.
    #[test]
    fn python_s_own_forms_are_masked() {
        let logged = json!([r#"b'\'\xc3\xbc\\"'"#, r#"u'\'\xfc\\"'"#, r#"'\'ü\\"'"#]);
        let expected = json!(["b'********'", "u'********'", "'********'"]);
        assert_eq!(masked(&["'ü\\\""], logged), expected);
    }

    /// As Python writes JSON, and Django a page.
    #[test]
    fn the_forms_in_what_pulp_answers_are_masked() {
        let secret = "\"p\u{e4}ss<\u{1f600}'&\"";
        let answers = json!([
            r#"{"p": "\"p\u00e4ss<\ud83d\ude00'&\""}"#,
            "<b>&quot;p\u{e4}ss&lt;\u{1f600}&#x27;&amp;&quot;</b>",
        ]);
        let expected = json!([r#"{"p": "********"}"#, "<b>********</b>"]);
        assert_eq!(masked(&[secret], answers), expected);
    }

    #[test]
    fn basic_authentication_is_masked_whatever_the_user() {
        for user in ["a", "ab", "abc", "abcd"] {
            let header = STANDARD.encode(format!("{user}:correct horse"));
            let shown = masked(&["correct horse"], json!(format!("Basic {header}")));
            let shown = shown.as_str().unwrap_or_default();
            assert!(shown.contains(PART), "{shown}");
            let left: usize = shown.replace(PART, "").trim_start_matches("Basic ").len();
            assert!(left <= user.len() * 8 / 6 + 6, "{shown}");
        }
    }
}
