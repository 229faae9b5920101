//! Where in a text a secret stands: in a place that is for secrets, alone, or as a part of something else.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{PART, keys, spellings};

/// What the name of an option, a setting or a key contains whose value is a secret. Erlang's cookie is one.
const NAMES: &[&str] = &[
    "passw",
    "passphrase",
    "secret",
    "token",
    "cookie",
    "sessionid",
    "private_key",
    "user_key",
    "authorization",
];

/// What a string of the reply is, by the key at which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOrigin {
    /// The value of what is named like a secret.
    Secret,
    /// What others wrote: logs, errors, evidence.
    Foreign,
    /// Files that were made of what is masked already. Their own words are not ours to change.
    Rendered,
    /// All else.
    Own,
}

impl TextOrigin {
    pub(super) fn of(key: &str) -> Self {
        if is_named(key) {
            Self::Secret
        } else if keys::FOREIGN.contains(&key) {
            Self::Foreign
        } else if keys::RENDERED.contains(&key) {
            Self::Rendered
        } else {
            Self::Own
        }
    }
}

/// Whether what is called so has a secret as its value.
pub(crate) fn is_named(name: &str) -> bool {
    let name = name.as_bytes();
    NAMES.iter().any(|secret| {
        let mut parts = name.windows(secret.len());
        parts.any(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
    })
}

/// The text with a mask wherever the form is and is to be hidden, percent-encoded forms too; `None`: nothing is.
pub(super) fn replaced(
    text: &str,
    form: &str,
    hides: impl Fn(&str, &str) -> bool,
) -> Option<String> {
    let as_it_is = |from: usize| {
        let begin = from + text[from..].find(form)?;
        Some((begin, begin + form.len()))
    };
    let masked = masked(text, as_it_is, &hides);
    let text = masked.as_deref().unwrap_or(text);
    if !text.contains(['%', '+']) {
        return masked;
    }
    // Which characters are encoded, and in which case, is different in each program that writes URLs.
    let encoded = |from: usize| {
        text[from..].char_indices().find_map(|(at, _)| {
            let begin = from + at;
            let end = begin + spellings::encoded_length(&text.as_bytes()[begin..], form)?;
            text.is_char_boundary(end).then_some((begin, end))
        })
    };
    self::masked(text, encoded, &hides).or(masked)
}

fn masked(
    text: &str,
    next: impl Fn(usize) -> Option<(usize, usize)>,
    hides: &impl Fn(&str, &str) -> bool,
) -> Option<String> {
    let mut shown = String::new();
    let (mut from, mut copied) = (0, 0);
    while let Some((begin, end)) = next(from) {
        if hides(&text[..begin], &text[end..]) {
            shown.push_str(&text[copied..begin]);
            shown.push_str(PART);
            (from, copied) = (end, end);
        } else {
            from = begin + text[begin..].chars().next().map_or(1, char::len_utf8);
        }
    }
    if shown.is_empty() {
        return None;
    }
    shown.push_str(&text[copied..]);
    Some(shown)
}

/// A place that is for secrets: whatever stands there is one.
pub(super) fn is_known(before: &str, after: &str, form: &str) -> bool {
    is_in_url(before, after, form) || is_assigned(before)
}

/// `user:password@host`, also where its end was cut away: a port is digits.
fn is_in_url(before: &str, after: &str, form: &str) -> bool {
    if after.starts_with('@') {
        // For Redis a lone word is as likely the password as the user.
        let lone = ["redis://", "rediss://", "redis+socket://"];
        return before.ends_with(':') || lone.iter().any(|begin| before.ends_with(begin));
    }
    let Some(user) = before.strip_suffix(':') else {
        return false;
    };
    let authority = user.rsplit_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|name| !name.contains(['/', ' ', '@', ':', '\n']))
        && !form.bytes().all(|byte| byte.is_ascii_digit())
}

/// `password=`, `"token": "`, `--password `, `<password>`, and the like.
fn is_assigned(before: &str) -> bool {
    const QUOTES: [char; 4] = ['"', '\'', '`', '\\'];
    let unquoted = before.trim_end_matches(QUOTES);
    // Python's `u''` and `b''`.
    let unquoted = match unquoted.strip_suffix(['u', 'b']) {
        Some(rest) if unquoted.len() < before.len() && !rest.ends_with(char::is_alphanumeric) => {
            rest
        }
        _ => unquoted,
    };
    let set = unquoted.trim_end_matches([' ', '\t', '[', '(']);
    let sign = ["=>", "=", ":", ">", "%3D", "%3d"];
    let name = sign.iter().find_map(|sign| set.strip_suffix(sign));
    let last = |text: &str| {
        let text = text.trim_end_matches([' ', '\t']).trim_end_matches(QUOTES);
        let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.rsplit(|c: char| !of_name(c)).next().map(str::to_owned)
    };
    match name {
        Some(name) => last(name).is_some_and(|name| is_named(&name)),
        None if set.len() < unquoted.len() => {
            last(set).is_some_and(|name| name.starts_with('-') && is_named(&name))
        }
        None => false,
    }
}

/// Not a part of a longer word, of a path or of a name.
pub(super) fn stands_alone(before: &str, after: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
    let begins = match before.chars().next_back() {
        Some('.') => false,
        Some(c) => !joins(c) || ends_escaped(before),
        None => true,
    };
    let mut after = after.chars();
    let ends = match (after.next(), after.next()) {
        (Some('.'), Some(next)) => !next.is_alphanumeric(),
        (Some(c), _) => !joins(c),
        (None, _) => true,
    };
    begins && ends
}

/// Before it stands a character that is written with letters or digits: `\n`, `%20`.
fn ends_escaped(before: &str) -> bool {
    let bytes = before.as_bytes();
    match bytes {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// The text without the credentials of basic authentication that end in a secret: Base64 of a short one is too
/// short to be found by itself.
pub(super) fn without_basic(text: &str, is_secret: impl Fn(&str) -> bool) -> Option<String> {
    const SCHEME: &str = "Basic ";
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, lenient);
    let next = |from: usize| {
        let begin = from + text[from..].find(SCHEME)? + SCHEME.len();
        let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let length = text[begin..].find(|c| !of_base64(c));
        Some((begin, length.map_or(text.len(), |length| begin + length)))
    };
    let hides = |before: &str, after: &str| {
        let credentials = &text[before.len()..text.len() - after.len()];
        let decoded = engine.decode(credentials).unwrap_or_default();
        !decoded.is_empty() && is_secret(&String::from_utf8_lossy(&decoded))
    };
    masked(text, next, &hides)
}
