//! Values in Python's words: `str()`, `repr()` and the name of the type, which messages show and which
//! a string option takes from whatever else was given.

use super::Given;

impl Given {
    /// The name of Python's type.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }

    /// Python's `str(value)`.
    pub(super) fn str(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            other => other.repr(),
        }
    }

    /// Python's `repr(value)`.
    pub(super) fn repr(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(digits) => digits.clone(),
            Self::Float(value) => float(*value),
            Self::Str(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::repr).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Dict(entries) => {
                let entry =
                    |(key, value): &(String, Self)| format!("{}: {}", quoted(key), value.repr());
                let entries: Vec<_> = entries.iter().map(entry).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// The shortest digits that give the same number, as in Rust; the notation is Python's.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        format!("{value:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            _ if character == quote => quoted.extend(['\\', character]),
            _ if is_printable(character) => quoted.push(character),
            _ => quoted.push_str(&escape(character)),
        }
    }
    quoted.push(quote);
    quoted
}

fn escape(character: char) -> String {
    match u32::from(character) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Rust's `Debug` of a string leaves what Python calls printable as it is, but for a combining
/// character at its start; hence the letter before it. Quotes and backslashes came before.
fn is_printable(character: char) -> bool {
    let text = String::from_iter(['a', character]);
    matches!(character, '\'' | '"') || text.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn str_of(json: &str) -> String {
        Given::parse(json).unwrap().str()
    }

    #[test]
    fn numbers_look_as_in_python() {
        for (json, python) in [
            ("true", "True"),
            ("null", "None"),
            ("100000000000000000000", "100000000000000000000"),
            ("1.0", "1.0"),
            ("1.50", "1.5"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("123456789012345.0", "123456789012345.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e300", "1.5e+300"),
            ("-2.5e-7", "-2.5e-07"),
            ("-0.0", "-0.0"),
            ("1e999", "inf"),
        ] {
            assert_eq!(str_of(json), python);
        }
    }

    #[test]
    fn containers_show_their_contents_quoted() {
        let json = r#"{"b": ["it's", "a\"b'c", "\\ \n\u0001\u00ad\u2028\udb40\udc01"], "a": {"": "e\u0301"}}"#;
        let python = "{'b': [\"it's\", 'a\"b\\'c', '\\\\ \\n\\x01\\xad\\u2028\\U000e0001'], 'a': {'': 'e\u{301}'}}";
        assert_eq!(str_of(json), python);
    }
}
