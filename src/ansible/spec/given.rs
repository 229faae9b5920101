//! From the text of the args file to values, and from values to what modules read.

use serde::de::Error as _;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::{Given, set};

/// As deep as `serde_json` itself would go; Ansible's own limit is Python's stack.
const DEEPEST: usize = 128;

/// What may stand between the parts of a JSON text.
const BLANKS: &[u8] = b" \t\n\r";

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
        let whole: &RawValue = serde_json::from_str(text)?;
        Rest(whole.get()).value(0)
    }

    /// The value as modules read it. An integer that does not fit 64 bits becomes a float, as it
    /// would in `serde_json`.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Int(digits) => integer(&digits).map_or_else(
                || digits.parse::<f64>().map_or(Value::Null, Value::from),
                Value::Number,
            ),
            Self::Float(value) => value.into(),
            Self::Str(value) => value.into(),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Dict(entries) => Value::Object(Self::object(entries)),
        }
    }

    /// The entries as modules read them.
    pub(super) fn object(entries: Vec<(String, Self)>) -> Map<String, Value> {
        let entry = |(key, value): (String, Self)| (key, value.into_value());
        entries.into_iter().map(entry).collect()
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

/// What is left of a text that is JSON as a whole. Each byte is passed once: what a play hands over may be
/// megabytes, and nested deeply.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn value(&mut self, depth: usize) -> serde_json::Result<Given> {
        if depth == DEEPEST {
            return Err(serde_json::Error::custom(format!(
                "it is nested deeper than {DEEPEST} levels"
            )));
        }
        Ok(match self.first() {
            Some(b'{') => {
                self.pass(1);
                let mut dict = Vec::new();
                while self.has_more() {
                    let key = self.string()?;
                    self.first();
                    self.pass(1);
                    set(&mut dict, &key, self.value(depth + 1)?);
                }
                Given::Dict(dict)
            }
            Some(b'[') => {
                self.pass(1);
                let mut items = Vec::new();
                while self.has_more() {
                    items.push(self.value(depth + 1)?);
                }
                Given::List(items)
            }
            Some(b'"') => Given::Str(self.string()?),
            _ => word(self.pass_word())?,
        })
    }

    /// Whether one more element comes; its separator, or the end of all, is passed.
    fn has_more(&mut self) -> bool {
        match self.first() {
            Some(b',') => {
                self.pass(1);
                self.first();
                true
            }
            Some(b'}' | b']') => {
                self.pass(1);
                false
            }
            first => first.is_some(),
        }
    }

    /// The first byte after blanks.
    fn first(&mut self) -> Option<u8> {
        let mut bytes = self.0.bytes();
        let blank = bytes.position(|byte| !BLANKS.contains(&byte));
        self.pass(blank.unwrap_or(self.0.len()));
        self.0.as_bytes().first().copied()
    }

    fn pass(&mut self, length: usize) -> &'a str {
        let (passed, rest) = self.0.split_at_checked(length).unwrap_or((self.0, ""));
        self.0 = rest;
        passed
    }

    fn pass_word(&mut self) -> &'a str {
        let ends = |byte: u8| BLANKS.contains(&byte) || matches!(byte, b',' | b'}' | b']');
        self.pass(self.0.bytes().position(ends).unwrap_or(self.0.len()))
    }

    /// The string that begins here.
    fn string(&mut self) -> serde_json::Result<String> {
        let bytes = self.0.as_bytes();
        let mut at = 1;
        let mut is_plain = true;
        while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
            let escapes = *byte == b'\\';
            is_plain &= !escapes;
            at += 1 + usize::from(escapes);
        }
        let quoted = self.pass(at + 1);
        match quoted.get(1..at) {
            Some(plain) if is_plain => Ok(plain.to_owned()),
            _ => serde_json::from_str(quoted),
        }
    }
}

fn word(text: &str) -> serde_json::Result<Given> {
    match text {
        "true" => Ok(Given::Bool(true)),
        "false" => Ok(Given::Bool(false)),
        "null" => Ok(Given::Null),
        number => self::number(number),
    }
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
            Value::Object(Given::object(given)),
            json!({"a": [1.5, null], "b": 2, "c": "\u{1f600}"})
        );
    }

    #[test]
    fn blanks_escapes_and_what_is_empty_are_read_as_serde_json_reads_them() {
        for text in [
            "[]",
            " [ ] ",
            "{}",
            "[[],[{}],{\"\":[]}]",
            "{\"a\" :\n[1 ,\t{\"b\": null} ]\r, \"c\":true}",
            r#"["\"", "\\", "a\\\"b", "\u00e9\n", "é,]}", "\\\\"]"#,
            "[-1,2.5e3,false , \"x\"]",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Given::parse(text).unwrap().into_value(), expected, "{text}");
        }
        for broken in [
            "[1,]",
            "[1 2]",
            "{\"a\" 1}",
            "[\"a",
            "{,}",
            "[1}",
            "[1] 2",
            "tru",
        ] {
            assert!(Given::parse(broken).is_err(), "{broken}");
        }
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
