//! Settings as Dynaconf puts them together for Pulp 3: the files that `PULP_SETTINGS` names, each with the
//! `.local.py` beside it, and over them what the environment says in `PULP_*`, where two underscores lead into
//! a dict. <https://www.dynaconf.com/envvars/>

use std::collections::BTreeMap;

use super::{Reader, Value, is_name};

/// What begins the names of variables that are settings.
const PREFIX: &str = "PULP_";

/// One thing that was set, and where.
#[derive(Debug, Clone, PartialEq)]
struct Set {
    /// Empty: everything below the name may be another.
    path: Vec<String>,
    value: Value,
    source: String,
}

/// Everything that was set, the last that counts last.
#[derive(Debug, Default)]
pub(super) struct Layers {
    all: Vec<Set>,
}

/// What is known of a setting, and what says so.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known<'a> {
    /// Pulp's default counts.
    NotSet,
    Is(&'a Value, &'a str),
    /// It is computed, by what stands there.
    CannotTell(&'a str),
}

impl Layers {
    /// A file of settings in Python.
    pub(super) fn file(&mut self, text: &str, source: &str) {
        let mut reader = Reader::new(text);
        while !reader.rest().is_empty() {
            self.statement(&mut reader, source);
        }
    }

    fn statement(&mut self, reader: &mut Reader<'_>, source: &str) {
        let line = reader.rest();
        let body = line.trim_start_matches([' ', '\t']);
        let mut plain = false;
        if body.starts_with("from ") && first_line(body).trim_end().ends_with('*') {
            self.set(Vec::new(), Value::Unknown, source);
        } else if let Some((path, ..)) = conditional(body) {
            self.set(path, Value::Unknown, source);
        } else if let Some((path, operator, after)) = target(body) {
            // What stands in a block may be done or not; a method may change its object.
            plain = body.len() == line.len() && operator == Operator::Is;
            let mut value = Value::Unknown;
            if plain {
                *reader = Reader::new(after);
                value = reader.value();
                if reader.rest().starts_with(',') {
                    value = Value::Unknown;
                }
            }
            self.set(path, value, source);
        }
        // To the end of the statement, over the lines of its brackets and strings.
        loop {
            reader.skip();
            let rest = reader.rest();
            let stopped = rest.chars().next();
            let after = rest.get(1..).unwrap_or_default();
            let follows = plain && stopped == Some(';');
            *reader = Reader::new(if follows { after.trim_start() } else { after });
            if !matches!(stopped, Some(',' | ')' | ']' | '}')) {
                return;
            }
        }
    }

    /// The environment of Pulp's processes.
    pub(super) fn environment(&mut self, variables: &BTreeMap<String, String>) {
        for (name, text) in variables {
            if let Some(setting) = name.strip_prefix(PREFIX).filter(|s| *s != "SETTINGS") {
                let path = setting.split("__").map(str::to_owned).collect();
                self.set(path, converted(text), &format!("environment {name}"));
            }
        }
    }

    fn set(&mut self, path: Vec<String>, value: Value, source: &str) {
        self.all.push(Set {
            path,
            value,
            source: source.to_owned(),
        });
    }

    /// What is known of one setting. Names are compared as Dynaconf does, whatever their case.
    pub(super) fn get(&self, path: &[&str]) -> Known<'_> {
        for set in self.all.iter().rev() {
            if set.path.len() > path.len() || !is_below(&set.path, path) {
                continue;
            }
            let mut value = Some(&set.value);
            for key in path.iter().skip(set.path.len().max(1)) {
                value = value.and_then(|value| value.at(key));
            }
            return match value {
                Some(Value::Unknown) => Known::CannotTell(&set.source),
                Some(value) => Known::Is(value, &set.source),
                None => Known::NotSet,
            };
        }
        Known::NotSet
    }
}

fn is_below(above: &[String], path: &[&str]) -> bool {
    above
        .iter()
        .zip(path)
        .all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// What a statement does to the thing that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    Other,
}

/// What is set in one line with its condition: `if X: NAME = 1`.
fn conditional(line: &str) -> Option<(Vec<String>, Operator, &str)> {
    const BLOCKS: [&str; 7] = ["if", "elif", "else", "for", "while", "with", "try"];
    let word = line.split(|c: char| !is_name(c)).next()?;
    let (_, after) = line.split_once(": ").filter(|(c, _)| !c.contains('\n'))?;
    target(after).filter(|_| BLOCKS.contains(&word))
}

/// What a line sets: a name, perhaps with subscripts, and what stands after the equals sign.
fn target(line: &str) -> Option<(Vec<String>, Operator, &str)> {
    let end = line.find(|c: char| !is_name(c))?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut path: Vec<String> = name.split("__").map(str::to_owned).collect();
    while let Some(inner) = rest.strip_prefix('[') {
        let mut reader = Reader::new(inner);
        let key = reader.value();
        let (Value::Text(key), Some(after)) = (key, reader.rest().strip_prefix(']')) else {
            return Some((path, Operator::Other, rest));
        };
        path.push(key);
        rest = after;
    }
    // A type may be told: `NAME: dict = {}`.
    let told = rest.trim_start();
    let told = match told.strip_prefix(':') {
        Some(hint) => &hint[hint.find(['=', '\n']).unwrap_or(hint.len())..],
        None => told,
    };
    match told.strip_prefix('=') {
        Some(after) if !after.starts_with('=') => Some((path, Operator::Is, after)),
        Some(_) => None,
        None => is_other(told).then_some((path, Operator::Other, told)),
    }
}

/// It changes what is there, by an operator or a method: what comes of it is not followed.
fn is_other(told: &str) -> bool {
    told.starts_with('.')
        || first_line(told)
            .get(1..)
            .is_some_and(|line| line.starts_with('='))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A variable's text as Dynaconf takes it: TOML as far as it is one word, else the text itself; marks that
/// begin with `@` say what it is.
fn converted(text: &str) -> Value {
    let marked = |mark: &str| text.strip_prefix(mark).map(str::trim_start);
    if let Some(text) = marked("@json ") {
        return serde_json::from_str(text).map_or(Value::Unknown, |json| from_json(&json));
    }
    if let Some(text) = marked("@str ") {
        return Value::Text(text.to_owned());
    }
    if let Some(text) = marked("@int ").or_else(|| marked("@float ")) {
        return Value::Number(text.to_owned());
    }
    if let Some(text) = marked("@bool ") {
        let on = ["t", "true", "enabled", "1", "on", "yes"];
        return Value::Bool(on.contains(&text.to_lowercase().as_str()));
    }
    match text {
        "true" | "True" => Value::Bool(true),
        "false" | "False" => Value::Bool(false),
        "@none" | "@none " => Value::Nothing,
        text if text.starts_with(['@', '{', '[']) => Value::Unknown,
        text if text.starts_with(['"', '\'']) => Reader::new(text).value(),
        text if text.parse::<f64>().is_ok() => Value::Number(text.to_owned()),
        text => Value::Text(text.to_owned()),
    }
}

fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nothing,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(all) => Value::List(all.iter().map(from_json).collect()),
        serde_json::Value::Object(all) => {
            let entry =
                |(key, value): (&String, &serde_json::Value)| (key.clone(), from_json(value));
            Value::Dict(all.iter().map(entry).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "s.py";

    fn layers(text: &str, variables: &[(&str, &str)]) -> Layers {
        let mut layers = Layers::default();
        layers.file(text, FILE);
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        layers.environment(&variables.iter().map(own).collect());
        layers
    }

    fn text(layers: &Layers, path: &[&str]) -> String {
        match layers.get(path) {
            Known::NotSet => "not set".to_owned(),
            Known::CannotTell(source) => format!("cannot tell: {source}"),
            Known::Is(Value::Text(text) | Value::Number(text), source) => {
                format!("{text} by {source}")
            }
            Known::Is(other, source) => format!("{other:?} by {source}"),
        }
    }

    const HOST: &[&str] = &["DATABASES", "default", "HOST"];
    const PORT: &[&str] = &["DATABASES", "default", "PORT"];

    #[test]
    fn the_environment_overrides_the_file_and_leads_into_dicts() {
        let file = "# x = 1\nDATABASES = {\n    'default': {'HOST': 'a', 'PORT': 5432},  # y\n}\nREDIS_URL='r'\n";
        let found = layers(
            file,
            &[
                ("PULP_DATABASES__default__HOST", "b"),
                ("PULP_SETTINGS", "x"),
            ],
        );
        assert_eq!(
            text(&found, HOST),
            "b by environment PULP_DATABASES__default__HOST"
        );
        assert_eq!(text(&found, PORT), "5432 by s.py");
        assert_eq!(text(&found, &["REDIS_URL"]), "r by s.py");
        assert_eq!(text(&found, &["WORKER_TYPE"]), "not set");
        assert_eq!(
            text(
                &layers(file, &[("PULP_DATABASES__DEFAULT__HOST", "c")]),
                HOST
            )
            .get(..1),
            Some("c")
        );
    }

    #[test]
    fn what_is_computed_or_may_not_be_done_cannot_be_told() {
        for file in [
            "DATABASES = {'default': {'HOST': os.environ['H']}}\n",
            "if x:\n    DATABASES = {'default': {'HOST': 'b'}}\n",
            "DATABASES = {'default': {'HOST': 'a'}}\nDATABASES['default'].update(\n  HOST='b')\n",
            "DATABASES = {'default': {'HOST': 'a'}}\nDATABASES |= more\n",
            "DATABASES = {'default': {'HOST': 'a'}}\nif x: DATABASES = more\n",
            "DATABASES = {'default': {'HOST': 'a'}}\nfrom more import *\n",
            "DATABASES = get(\n  'x')\n",
        ] {
            assert_eq!(
                text(&layers(file, &[]), HOST),
                "cannot tell: s.py",
                "{file}"
            );
        }
    }

    #[test]
    fn statements_of_every_kind_are_passed_over() {
        let file = "\"\"\"Doc: X = 1\n\"\"\"\nimport os, sys\nfrom a import (b,\n   c)\n\ndef f(x=1):\n    return {\n'y': 2}\n\
                    X = 'x'; Y = 'y'\nDATABASES: dict = {}\nDATABASES['default'] = {'HOST': ''}\n\
                    DATABASES[\"default\"][\"PORT\"] = 6432\nprint(')', X == 1)\nZ = 'z'";
        let found = layers(file, &[]);
        assert_eq!(text(&found, HOST), " by s.py");
        assert_eq!(text(&found, PORT), "6432 by s.py");
        for (name, expected) in [("X", "x by s.py"), ("Y", "y by s.py"), ("Z", "z by s.py")] {
            assert_eq!(text(&found, &[name]), expected);
        }
    }

    #[test]
    fn a_variables_text_is_what_dynaconf_makes_of_it() {
        for (written, expected) in [
            ("true", Value::Bool(true)),
            ("5432", Value::Number("5432".to_owned())),
            ("'5432'", Value::Text("5432".to_owned())),
            (
                "redis://h:6379/0",
                Value::Text("redis://h:6379/0".to_owned()),
            ),
            ("@bool on", Value::Bool(true)),
            ("@jinja {{ x }}", Value::Unknown),
            ("{default={}}", Value::Unknown),
        ] {
            assert_eq!(converted(written), expected, "{written}");
        }
        let json = "@json {\"default\": {\"HOST\": \"h\"}}";
        assert_eq!(
            text(&layers("", &[("PULP_DATABASES", json)]), HOST).get(..1),
            Some("h")
        );
    }
}
