//! The documentation beside a module (`library/<module>.yml`) says what its spec says. Only tests
//! need this: what differs is found before anybody reads it.

use serde_json::{Map, Value};

use super::{Default, Kind, Opt};
use crate::ansible::Module;

/// One of these words tells the reader that an option's value is kept secret.
const SECRET_WORDS: [&str; 4] = ["secret", "not logged", "never logged", "never shown"];

/// Every difference between the documentation and the spec, in words; none: they agree.
pub(crate) fn differences(module: &Module, yaml: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(sidecar) = parse(yaml) else {
        return vec!["it is no YAML mapping".to_owned()];
    };
    let doc = section(&sidecar, "DOCUMENTATION");
    if doc.get("module") != Some(&module.name.into()) {
        found.push(format!("DOCUMENTATION.module is not `{}`", module.name));
    }
    for key in ["short_description", "description"] {
        if !says_something(doc.get(key)) {
            found.push(format!("DOCUMENTATION.{key} is empty"));
        }
    }
    let attributes = object(doc.get("attributes"));
    for mode in ["check_mode", "diff_mode"] {
        let told = object(attributes.get(mode));
        let support = told
            .get("support")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !["full", "partial", "none"].contains(&support) || !says_something(told.get("details")) {
            found.push(format!("attributes.{mode} does not say what it does"));
        }
    }
    found.extend(option_differences(module.spec, &object(doc.get("options"))));
    found.extend(example_differences(module, sidecar.get("EXAMPLES")));
    found.extend(return_differences(&section(&sidecar, "RETURN")));
    found
}

/// A section may be a mapping or the text of one.
fn section(sidecar: &Map<String, Value>, name: &str) -> Map<String, Value> {
    match sidecar.get(name) {
        Some(Value::String(text)) => parse(text).unwrap_or_default(),
        other => object(other),
    }
}

fn parse(yaml: &str) -> Option<Map<String, Value>> {
    serde_saphyr::from_str(yaml).ok()
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// A text that is not empty, or a list of such.
fn says_something(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(items)) => {
            !items.is_empty() && items.iter().all(|item| says_something(Some(item)))
        }
        _ => false,
    }
}

fn option_differences(spec: &[Opt], options: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for name in options.keys() {
        if !spec.iter().any(|opt| opt.name == name) {
            found.push(format!("options.{name} is not in the spec"));
        }
    }
    for opt in spec {
        let name = opt.name;
        match options.get(name).and_then(Value::as_object) {
            None => found.push(format!("options.{name} is missing")),
            Some(documented) => {
                let differ = |what: String| format!("options.{name}.{what}");
                found.extend(compare(opt, documented).into_iter().map(differ));
            }
        }
    }
    found
}

fn compare(opt: &Opt, documented: &Map<String, Value>) -> Vec<String> {
    let strings = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect();
    let list = |items: &[&str]| (!items.is_empty()).then(|| strings(items));
    let default = match opt.default {
        Default::None => None,
        Default::Str(text) => Some(text.into()),
        Default::Int(value) => Some(value.into()),
        Default::Bool(value) => Some(value.into()),
    };
    let expected = [
        ("type", Some(opt.kind.name().into())),
        ("elements", opt.elements.map(Kind::name).map(Value::from)),
        ("required", opt.required.then(|| true.into())),
        ("default", default),
        ("choices", list(opt.choices)),
    ];
    let mut found = Vec::new();
    for (key, expected) in expected {
        let said = match documented.get(key) {
            // Explained choices are a mapping.
            Some(Value::Object(map)) => Some(map.keys().cloned().collect()),
            Some(Value::Bool(false)) if key == "required" => None,
            other => other.cloned(),
        };
        if !is_same(said.as_ref(), expected.as_ref()) {
            let show = |value: Option<Value>| value.map_or("nothing".to_owned(), |v| v.to_string());
            let (said, expected) = (show(said), show(expected));
            found.push(format!("{key} is {said}, in the spec it is {expected}"));
        }
    }
    let description = documented.get("description");
    if !says_something(description) {
        found.push("description is empty".to_owned());
    }
    let text = description.map(Value::to_string).unwrap_or_default();
    let text = text.to_lowercase();
    if opt.no_log && !SECRET_WORDS.iter().any(|word| text.contains(word)) {
        found.push("description does not say that the value is secret".to_owned());
    }
    found
}

/// The order of choices says nothing.
fn is_same(said: Option<&Value>, expected: Option<&Value>) -> bool {
    match (said, expected) {
        (Some(Value::Array(said)), Some(Value::Array(expected))) => {
            let contains = |items: &[Value], item: &Value| items.contains(item);
            said.len() == expected.len() && said.iter().all(|item| contains(expected, item))
        }
        (said, expected) => said == expected,
    }
}

fn example_differences(module: &Module, examples: Option<&Value>) -> Vec<String> {
    let tasks: Option<Value> = match examples {
        Some(Value::String(text)) => serde_saphyr::from_str(text).ok(),
        _ => None,
    };
    let Some(tasks) = tasks else {
        return vec!["EXAMPLES is no text with YAML".to_owned()];
    };
    let mut calls = Vec::new();
    find_calls(module.name, &tasks, &mut calls);
    if calls.is_empty() {
        return vec!["EXAMPLES never call the module".to_owned()];
    }
    let known = |key: &str| module.spec.iter().any(|opt| opt.name == key);
    let mut found = Vec::new();
    for call in calls {
        for key in call.keys().filter(|key| !known(key)) {
            found.push(format!("EXAMPLES use `{key}`, which is not in the spec"));
        }
        for opt in module.spec.iter().filter(|opt| opt.required) {
            if !call.contains_key(opt.name) {
                found.push(format!(
                    "EXAMPLES leave out `{}`, which is required",
                    opt.name
                ));
            }
        }
    }
    found
}

/// The parameters of every call of the module, by whichever name, however deep in plays and blocks.
fn find_calls(name: &str, value: &Value, calls: &mut Vec<Map<String, Value>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find_calls(name, item, calls)),
        Value::Object(map) => {
            for (key, value) in map {
                if key.rsplit('.').next() == Some(name) {
                    calls.push(object(Some(value)));
                } else {
                    find_calls(name, value, calls);
                }
            }
        }
        _ => {}
    }
}

fn return_differences(values: &Map<String, Value>) -> Vec<String> {
    if values.is_empty() {
        return vec!["RETURN is missing".to_owned()];
    }
    let mut found = Vec::new();
    for (name, value) in values {
        for key in ["description", "returned", "type"] {
            if !says_something(value.get(key)) {
                found.push(format!("RETURN.{name}.{key} is empty"));
            }
        }
        if !has_sample(value) {
            found.push(format!("RETURN.{name} shows no sample"));
        }
    }
    found
}

/// A value has a sample, or each value in it has one.
fn has_sample(value: &Value) -> bool {
    let parts = value.get("contains").and_then(Value::as_object);
    value.get("sample").is_some()
        || parts.is_some_and(|parts| !parts.is_empty() && parts.values().all(has_sample))
}

#[cfg(test)]
mod tests;
