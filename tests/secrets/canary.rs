//! Secrets that are like nothing else on this host, and every spelling in which they could get out.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// One of each kind, with what tends to go wrong: quotes, what is not ASCII, Jinja, what ends parts of a URL.
#[derive(Clone)]
pub(crate) struct Canary {
    /// What is looked for.
    forms: Vec<String>,
    pub(crate) password: String,
    pub(crate) key: String,
    pub(crate) token: String,
}

impl Canary {
    /// No other call's, nor another test's that runs beside this one.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let core = format!("Zq7{:x}c{count}Kd9W", std::process::id());
        let mut canary = Self {
            forms: vec![core.clone(), core.to_lowercase()],
            password: format!("p\"w'ü{{{{ 7*7 }}}}<&%+\\{core}P"),
            key: format!("{core}KeyKeyKeyKey"),
            token: format!("{core}Token0123456789abcdef"),
        };
        // The core is in every spelling but Base64, and in Base64 at one of three places within a group.
        let encoded = (0..3).map(|offset| base64_inside(&core, offset));
        let whole = canary.all().into_iter().flat_map(|s| spellings(s));
        let forms: Vec<String> = encoded.chain(whole).collect();
        canary.forms.extend(forms);
        canary
    }

    pub(crate) fn all(&self) -> [&String; 3] {
        [&self.password, &self.key, &self.token]
    }

    /// The password as it has to stand in a URL.
    pub(crate) fn in_url(&self) -> String {
        percent(&self.password)
    }

    /// A broker's URL with the password.
    pub(crate) fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://pulp:{}@{host}//", self.in_url())
    }

    /// What of a secret stands in these bytes, with what is around it.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(bytes);
        let found = self
            .forms
            .iter()
            .find(|form| text.contains(form.as_str()))?;
        let at = text.find(found.as_str()).unwrap_or_default();
        let begin = text.floor_char_boundary(at.saturating_sub(60));
        let end = text.ceil_char_boundary((at + 60).min(text.len()));
        Some(text[begin..end].to_owned())
    }
}

/// How a secret may be spelled: as it is, in URLs, in Base64, in JSON as Rust and as Python write it, in HTML,
/// in Python's logs.
pub(crate) fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let json = json[1..json.len() - 1].to_owned();
    let mut ascii = String::new();
    for unit in json.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(char::is_ascii) {
            Some(character) => ascii.push(character),
            None => write!(ascii, "\\u{unit:04x}").unwrap(),
        }
    }
    let html = secret.replace('&', "&amp;").replace('<', "&lt;");
    let html = html.replace('"', "&quot;").replace('\'', "&#x27;");
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        percent(secret),
        URL_SAFE_NO_PAD.encode(secret),
        json,
        ascii,
        html,
        // Python's logs, of a text with both quotes.
        secret.replace('\\', r"\\").replace('\'', r"\'"),
    ]
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

/// What of the Base64 text depends on this part alone.
fn base64_inside(part: &str, offset: usize) -> String {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(part.as_bytes());
    let text = STANDARD_NO_PAD.encode(&bytes);
    text[(offset * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}
