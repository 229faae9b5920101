//! From what was given to the type an option has, as `AnsibleModule` coerces; the error is the text
//! after its colon.

mod number;
mod path;

use super::{Given, Kind};

/// The words and numbers that Ansible takes for a boolean; its own list comes in random order.
const BOOLEANS: &str =
    "'y', 'yes', 'on', '1', 'true', 't', 1, 'n', 'no', 'off', '0', 'false', 'f', 0";

/// Coerces a value.
pub(super) fn to(kind: Kind, value: &Given) -> Result<Given, String> {
    match kind {
        Kind::Str => Ok(Given::Str(string(value))),
        Kind::Path => path::expand(&string(value)).map(Given::Str),
        Kind::Int => integer(value),
        Kind::Float => float(value),
        Kind::Bool => boolean(value).map(Given::Bool),
        Kind::List => list(value),
        Kind::Dict => dictionary(value),
    }
}

/// A boolean in any of the spellings that Ansible knows.
pub(crate) fn boolean(value: &Given) -> Result<bool, String> {
    let word = match value {
        Given::Bool(value) => return Ok(*value),
        Given::Str(text) => number::trim(text).to_lowercase(),
        Given::Int(digits) => digits.clone(),
        Given::Float(_) => number::whole(&value.str()).unwrap_or_default(),
        other => return Err(not_a(other, "bool")),
    };
    match word.as_str() {
        "y" | "yes" | "on" | "1" | "true" | "t" => Ok(true),
        "n" | "no" | "off" | "0" | "false" | "f" => Ok(false),
        _ => Err(format!(
            "The value '{}' is not a valid boolean. Valid booleans include: {BOOLEANS}",
            value.str()
        )),
    }
}

fn string(value: &Given) -> String {
    match value {
        Given::Null => String::new(),
        other => other.str(),
    }
}

/// A boolean stays one, as in Python, where it is an integer.
fn integer(value: &Given) -> Result<Given, String> {
    let digits = match value {
        Given::Bool(_) => return Ok(value.clone()),
        Given::Int(digits) => number::fits(digits),
        Given::Float(_) => number::whole(&value.str()),
        Given::Str(text) => number::whole(text),
        Given::Null | Given::List(_) | Given::Dict(_) => None,
    };
    digits
        .map(Given::Int)
        .ok_or_else(|| format!("\"{}\" cannot be converted to an int", value.repr()))
}

fn float(value: &Given) -> Result<Given, String> {
    let float = match value {
        Given::Float(value) => Some(*value),
        Given::Bool(value) => Some(f64::from(u8::from(*value))),
        Given::Int(digits) => digits.parse().ok(),
        Given::Str(text) => number::float(text),
        Given::Null | Given::List(_) | Given::Dict(_) => None,
    };
    float
        .filter(|value| value.is_finite())
        .map(Given::Float)
        .ok_or_else(|| not_a(value, "float"))
}

fn list(value: &Given) -> Result<Given, String> {
    let one = |text: &str| Given::Str(text.to_owned());
    match value {
        Given::List(_) => Ok(value.clone()),
        Given::Str(text) => Ok(Given::List(text.split(',').map(one).collect())),
        Given::Bool(_) | Given::Int(_) | Given::Float(_) => {
            Ok(Given::List(vec![one(&value.str())]))
        }
        Given::Null | Given::Dict(_) => Err(not_a(value, "list")),
    }
}

fn dictionary(value: &Given) -> Result<Given, String> {
    match value {
        Given::Dict(_) => Ok(value.clone()),
        // Ansible takes Python's literals and `key=value` pairs too. A play sends neither.
        Given::Str(text) if text.starts_with('{') => {
            Given::parse(text).map_err(|_| "unable to evaluate string as dictionary".to_owned())
        }
        Given::Str(_) => Err("dictionary requested, could not parse JSON or key=value".to_owned()),
        other => Err(not_a(other, "dict")),
    }
}

fn not_a(value: &Given, kind: &str) -> String {
    format!(
        "<class '{}'> cannot be converted to a {kind}",
        value.type_name()
    )
}
