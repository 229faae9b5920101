//! Single values out of JSON that may hold anything. Texts come out without what must not be shown: a
//! password within a URL, characters that no reader can see.

use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// No message of ours is longer; one of others may be a page.
const LONGEST: usize = 4000;

/// A text; empty where there is none. Numbers and booleans are told as they are written.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// The texts of a list, or one text alone.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    };
    texts.retain(|text| !text.is_empty());
    texts
}

/// A number, also one that a template made a text of.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite())
}

/// A boolean, also one that a template made a text of.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The elements of a list; none where it is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value of a type of ours. Keys of which it makes no sense are left out, as if nobody had told them.
pub(crate) fn fitting<T: DeserializeOwned>(value: &Value) -> Option<T> {
    let cleaned = value.as_object()?.iter();
    let cleaned = cleaned.map(|(key, value)| (key.clone(), shown(value)));
    let fits = |(key, value): &(String, Value)| T::deserialize(json!({key: value})).is_ok();
    let fitting: Map<String, Value> = cleaned.filter(fits).collect();
    T::deserialize(Value::Object(fitting)).ok()
}

/// A value with what may be shown of its texts.
fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => clean(text).into(),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), shown(v))).collect(),
        other => other.clone(),
    }
}

/// An RFC 3339 instant as seconds since 1970.
pub(crate) fn instant(value: &Value) -> Option<f64> {
    let instant = humantime::parse_rfc3339_weak(value.as_str()?).ok()?;
    let since = instant.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}

/// What may be shown of a text.
fn clean(text: &str) -> String {
    let shown = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let text: String = text.chars().filter(|c| shown(*c)).take(LONGEST).collect();
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("://") {
        cleaned.push_str(before);
        cleaned.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || "/\"'`<>?#".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                cleaned.push_str("********");
                &after[at..]
            }
            None => after,
        };
    }
    cleaned.push_str(rest);
    cleaned.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_not_shown() {
        for (given, shown) in [
            (
                "at amqp://u:p@ss@h:1/v, https://x/y@z",
                "at amqp://********@h:1/v, https://x/y@z",
            ),
            ("redis://:pw@h", "redis://********@h"),
            ("://", "://"),
            (" a\u{7}b\n", "ab"),
        ] {
            assert_eq!(text(&json!(given)), shown);
        }
    }

    #[test]
    fn what_a_template_made_a_text_of_is_read() {
        assert_eq!(number(&json!(" 1.5")), Some(1.5));
        assert_eq!(number(&json!("inf")), None);
        assert_eq!(flag(&json!("True")), Some(true));
        assert_eq!(texts(&json!("one")), ["one"]);
        assert_eq!(texts(&json!(["a", null, {}, 3])), ["a", "3"]);
    }
}
