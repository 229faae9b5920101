//! From the text of the args file to values, and from values to what modules read.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::{Given, set};

/// As deep as `serde_json` itself would go; Ansible's own limit is Python's stack.
const DEEPEST: usize = 128;

impl Given {
    /// Reads one JSON object.
    pub(crate) fn parse_object(text: &str) -> serde_json::Result<Vec<(String, Self)>> {
        match Self::parse(text)? {
            Self::Dict(entries) => Ok(entries),
            other => Err(serde_json::Error::custom(format!(
                "it is a JSON {}, expected an object",
                other.json_type()
            ))),
        }
    }

    /// Reads one JSON value.
    pub(super) fn parse(text: &str) -> serde_json::Result<Self> {
        read(serde_json::from_str(text)?, 0)
    }

    /// The value as modules read it. An integer that does not fit 64 bits becomes a float, as it
    /// would in `serde_json`.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(digits) => integer(digits).map_or_else(
                || digits.parse::<f64>().map_or(Value::Null, Value::from),
                Value::Number,
            ),
            Self::Float(value) => (*value).into(),
            Self::Str(value) => value.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Dict(entries) => Value::Object(Self::object(entries)),
        }
    }

    /// The entries as modules read them.
    pub(super) fn object(entries: &[(String, Self)]) -> Map<String, Value> {
        let entry = |(key, value): &(String, Self)| (key.clone(), value.to_value());
        entries.iter().map(entry).collect()
    }

    fn json_type(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Str(_) => "string",
            Self::List(_) => "array",
            Self::Dict(_) => "object",
        }
    }
}

fn integer(digits: &str) -> Option<Number> {
    let signed = digits.parse::<i64>().map(Number::from);
    signed
        .or_else(|_| digits.parse::<u64>().map(Number::from))
        .ok()
}

fn read(raw: &RawValue, depth: usize) -> serde_json::Result<Given> {
    if depth == DEEPEST {
        return Err(serde_json::Error::custom(format!(
            "it is nested deeper than {DEEPEST} levels"
        )));
    }
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text)?;
            let mut dict = Vec::with_capacity(entries.len());
            for (key, raw) in entries {
                set(&mut dict, &key, read(raw, depth + 1)?);
            }
            Given::Dict(dict)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let items = items.into_iter().map(|raw| read(raw, depth + 1));
            Given::List(items.collect::<serde_json::Result<_>>()?)
        }
        Some(b'"') => Given::Str(serde_json::from_str(text)?),
        Some(b't' | b'f') => Given::Bool(serde_json::from_str(text)?),
        Some(b'n') => Given::Null,
        _ => number(text)?,
    })
}

fn number(text: &str) -> serde_json::Result<Given> {
    if text == "-0" {
        Ok(Given::Int("0".to_owned()))
    } else if text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_digit())
    {
        Ok(Given::Int(text.to_owned()))
    } else {
        // Not serde_json's own: it refuses 1e999, which is infinity in Python.
        let float = text.parse().map_err(serde_json::Error::custom)?;
        Ok(Given::Float(float))
    }
}

/// The entries of an object in their order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Reader).map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_digits_are_kept_and_the_last_of_two_keys_wins() {
        let text =
            r#" {"b": 100000000000000000000, "a": [1.50, null], "b": 2, "c": "\ud83d\ude00"} "#;
        let given = Given::parse_object(text).unwrap();
        let expected = [
            ("b".to_owned(), Given::Int("2".to_owned())),
            (
                "a".to_owned(),
                Given::List(vec![Given::Float(1.5), Given::Null]),
            ),
            ("c".to_owned(), Given::Str("\u{1f600}".to_owned())),
        ];
        assert_eq!(given, expected);
        assert_eq!(
            Value::Object(Given::object(&given)),
            json!({"a": [1.5, null], "b": 2, "c": "\u{1f600}"})
        );
    }

    #[test]
    fn what_is_no_object_is_refused_without_showing_it() {
        let told = |text: &str| Given::parse_object(text).unwrap_err().to_string();
        assert_eq!(
            told(r#""hunter2""#),
            "it is a JSON string, expected an object"
        );
        assert_eq!(told("[1]"), "it is a JSON array, expected an object");
        assert_eq!(told(""), "EOF while parsing a value at line 1 column 0");
        assert_eq!(
            told("{\"a\": hunter2}"),
            "expected value at line 1 column 7"
        );
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(told(&deep), "it is nested deeper than 128 levels");
        let half = r#"{"a": "\udce9"}"#;
        assert!(told(half).contains("surrogate"), "{}", told(half));
    }
}
