//! The checks of `ArgumentSpecValidator`, in its order: secrets, defaults, required, types, choices, and unknown options last. What is
//! blank is not given.

mod coerce;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Default, Given, Kind, Opt, Valid, get, set};

pub(crate) use coerce::boolean;

/// Python's booleans in text, of which YAML makes real ones where the user meant a choice.
const FALSE_WORDS: [&str; 6] = ["n", "no", "off", "0", "false", "f"];
const TRUE_WORDS: [&str; 6] = ["y", "yes", "on", "1", "true", "t"];

/// What stands for a bulky value.
const NOT_REPEATED: &str = "not repeated here";

/// Holds what was given against the spec. Each secret goes to `learn` before anything can fail, so
/// that an error does not show it.
pub(crate) fn validate(
    spec: &[Opt],
    mut given: Vec<(String, Given)>,
    name: &str,
    ignore_unknown: bool,
    learn: &mut impl FnMut(&str),
) -> Result<Valid, String> {
    let unknown = unknown_names(spec, &given);
    given.retain(|(key, value)| unknown.contains(key) || !is_blank(value));
    set_defaults(spec, &mut given);
    for opt in spec.iter().filter(|opt| opt.no_log) {
        if let Some(value) = get(&given, opt.name).filter(|value| !is_zero(value)) {
            tell_strings(value, learn);
        }
    }
    check_required(spec, &given)?;
    check_types(spec, &mut given)?;
    check_choices(spec, &mut given)?;
    if !unknown.is_empty() && !ignore_unknown {
        return Err(unsupported(spec, &unknown, name));
    }
    given.retain(|(key, _)| !unknown.contains(key));
    for opt in spec {
        if get(&given, opt.name).is_none() {
            set(&mut given, opt.name, Given::Null);
        }
    }
    let params = spec.iter().map(|opt| param(opt, &mut given)).collect();
    Ok(Valid {
        params,
        module_args: Given::object(given),
    })
}

/// Variables that a survey or a template leaves empty arrive as an empty text.
fn is_blank(value: &Given) -> bool {
    matches!(value, Given::Null) || matches!(value, Given::Str(text) if text.is_empty())
}

fn unknown_names(spec: &[Opt], given: &[(String, Given)]) -> BTreeSet<String> {
    given
        .iter()
        .filter(|(name, _)| !spec.iter().any(|opt| opt.name == name))
        .map(|(name, _)| name.clone())
        .collect()
}

fn unsupported(spec: &[Opt], unknown: &BTreeSet<String>, name: &str) -> String {
    let names: BTreeSet<_> = spec.iter().map(|opt| opt.name).collect();
    let list = |items: &mut dyn Iterator<Item = &str>| items.collect::<Vec<_>>().join(", ");
    format!(
        "Unsupported parameters for ({name}) module: {}. Supported parameters include: {}.",
        list(&mut unknown.iter().map(String::as_str)),
        list(&mut names.into_iter()),
    )
}

fn set_defaults(spec: &[Opt], given: &mut Vec<(String, Given)>) {
    for opt in spec {
        if let (None, Some(default)) = (get(given, opt.name), default_of(opt)) {
            set(given, opt.name, default);
        }
    }
}

fn default_of(opt: &Opt) -> Option<Given> {
    match opt.default {
        Default::None => None,
        Default::Str(text) => Some(Given::Str(text.to_owned())),
        Default::Int(value) => Some(Given::Int(value.to_string())),
        Default::Bool(value) => Some(Given::Bool(value)),
    }
}

/// Python takes a zero for nothing given, and so do we: as a secret it would mask every number.
fn is_zero(value: &Given) -> bool {
    matches!(value, Given::Int(_) | Given::Float(_)) && boolean(value) == Ok(false)
}

/// Every string in a secret value is a secret, and so is a number as it is written.
fn tell_strings(value: &Given, learn: &mut impl FnMut(&str)) {
    match value {
        Given::Null | Given::Bool(_) => {}
        Given::Str(text) => learn(text),
        Given::Int(_) | Given::Float(_) => learn(&value.str()),
        Given::List(items) => items.iter().for_each(|item| tell_strings(item, learn)),
        Given::Dict(entries) => {
            for (_, item) in entries {
                tell_strings(item, learn);
            }
        }
    }
}

fn check_required(spec: &[Opt], given: &[(String, Given)]) -> Result<(), String> {
    let missing: BTreeSet<_> = spec
        .iter()
        .filter(|opt| opt.required && get(given, opt.name).is_none())
        .map(|opt| opt.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing.into_iter().collect();
    Err(format!(
        "missing required arguments: {}",
        missing.join(", ")
    ))
}

fn check_types(spec: &[Opt], given: &mut Vec<(String, Given)>) -> Result<(), String> {
    for opt in spec {
        let Some(value) = get(given, opt.name) else {
            continue;
        };
        // It is one already, and may be megabytes.
        if matches!((opt.kind, value), (Kind::Dict, Given::Dict(_))) {
            continue;
        }
        let coerced = coerce::to(opt.kind, value).map_err(|cause| {
            format!(
                "argument '{}' is of type {} and we were unable to convert to {}: {cause}",
                opt.name,
                value.type_name(),
                opt.kind.name(),
            )
        })?;
        let coerced = match (opt.elements, coerced) {
            (Some(kind), Given::List(items)) => check_elements(opt.name, kind, &items)?,
            (_, other) => other,
        };
        set(given, opt.name, coerced);
    }
    Ok(())
}

fn check_elements(name: &str, kind: Kind, items: &[Given]) -> Result<Given, String> {
    let coerced = items.iter().map(|item| {
        coerce::to(kind, item).map_err(|cause| {
            format!(
                "Elements value for option '{name}' is of type {} and we were unable to convert to {}: {cause}",
                item.type_name(),
                kind.name(),
            )
        })
    });
    coerced.collect::<Result<_, _>>().map(Given::List)
}

fn check_choices(spec: &[Opt], given: &mut Vec<(String, Given)>) -> Result<(), String> {
    for opt in spec.iter().filter(|opt| !opt.choices.is_empty()) {
        if let Some(value) = get(given, opt.name) {
            let chosen = choose(opt, value)?;
            set(given, opt.name, chosen);
        }
    }
    Ok(())
}

fn choose(opt: &Opt, value: &Given) -> Result<Given, String> {
    let is_choice =
        |value: &Given| matches!(value, Given::Str(text) if opt.choices.contains(&text.as_str()));
    let name = opt.name;
    let choices = opt.choices.join(", ");
    if is_choice(value) {
        return Ok(value.clone());
    }
    meant(value, opt.choices)
        .map(|choice| Given::Str(choice.to_owned()))
        .ok_or_else(|| {
            let value = value.str();
            format!("value of {name} must be one of: {choices}, got: {value}")
        })
}

/// `state: off` is a boolean in YAML: when just one choice can be meant by it, it is.
fn meant<'a>(value: &Given, choices: &[&'a str]) -> Option<&'a str> {
    let words = match value {
        Given::Str(text) if text == "False" => FALSE_WORDS,
        Given::Str(text) if text == "True" => TRUE_WORDS,
        _ => return None,
    };
    let mut possible = choices.iter().filter(|choice| words.contains(choice));
    match (possible.next(), possible.next()) {
        (Some(choice), None) => Some(choice),
        _ => None,
    }
}

/// As modules read it: where Python lets `true` stand for 1 in an integer, there is a 1. What is bulky is
/// taken, and named only in what is given from then on.
fn param(opt: &Opt, given: &mut [(String, Given)]) -> (String, Value) {
    let entry = given.iter_mut().find(|(name, _)| name == opt.name);
    let value = entry.map_or(Given::Null, |(_, value)| {
        if opt.bulky {
            std::mem::replace(value, Given::Str(NOT_REPEATED.to_owned()))
        } else {
            value.clone()
        }
    });
    let value = value.into_value();
    let value = match (opt.kind, value) {
        (Kind::Int, Value::Bool(flag)) => i64::from(flag).into(),
        (_, value) => value,
    };
    (opt.name.to_owned(), value)
}
