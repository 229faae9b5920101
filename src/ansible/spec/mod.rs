//! The argument spec: what a module may be asked, as data, in the terms of Ansible's own
//! `argument_spec`, and how what was given is held against it.
//!
//! The order of the checks, the coercions and the wording are those of `AnsibleModule` in ansible-core
//! 2.19. Of several errors it tells the first, so the order is part of the contract. Wider integers
//! than 64 bits, infinity and not-a-number are refused where an option is a number: Python can hold
//! them, but no option of ours means anything by them. Of Ansible's vocabulary it has the words that our options use: no
//! aliases, no choices within lists, and a dictionary given as text is JSON.

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod docs;
mod given;
mod python;
mod validate;

pub(super) use validate::{boolean, validate};

use serde_json::{Map, Value};

/// The type of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Str,
    Int,
    Float,
    Bool,
    List,
    Dict,
    Path,
}

impl Kind {
    /// The type's name in documentation and messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Dict => "dict",
            Self::Path => "path",
        }
    }
}

/// The value an option has when the user says nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Default {
    None,
    Str(&'static str),
    Int(i64),
    Bool(bool),
}

/// One option of a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The type of each element of a list.
    pub(crate) elements: Option<Kind>,
    pub(crate) required: bool,
    pub(crate) default: Default,
    /// The only values accepted; empty: any.
    pub(crate) choices: &'static [&'static str],
    /// The value is a secret.
    pub(crate) no_log: bool,
    /// The value may be megabytes: the reply does not repeat it.
    pub(crate) bulky: bool,
}

impl Opt {
    /// An optional option without default.
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            elements: None,
            required: false,
            default: Default::None,
            choices: &[],
            no_log: false,
            bulky: false,
        }
    }

    /// A list with elements of one type.
    pub(crate) const fn list_of(name: &'static str, elements: Kind) -> Self {
        let mut opt = Self::new(name, Kind::List);
        opt.elements = Some(elements);
        opt
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn default(mut self, value: Default) -> Self {
        self.default = value;
        self
    }

    pub(crate) const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }

    /// Keeps the value out of everything that leaves the module.
    pub(crate) const fn secret(mut self) -> Self {
        self.no_log = true;
        self
    }

    /// Keeps a value that may be megabytes out of what the reply repeats of its call.
    pub(crate) const fn bulky(mut self) -> Self {
        self.bulky = true;
        self
    }
}

/// A value as it came in, in the order and with the digits of the args file: `str` of a number or of
/// a dictionary shows both, and `serde_json`'s own value keeps neither (it could, but only for the
/// whole program and at the price of other traps).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Null,
    Bool(bool),
    /// Decimal digits, perhaps with a sign; of any length.
    Int(String),
    Float(f64),
    Str(String),
    List(Vec<Self>),
    Dict(Vec<(String, Self)>),
}

/// Parameters that fit the spec.
#[derive(Debug)]
pub(super) struct Valid {
    /// Every option of the spec and no other key.
    pub(super) params: Map<String, Value>,
    /// The same as a Python module would show it: a boolean for an integer stays one. What is bulky is named only.
    pub(super) module_args: Map<String, Value>,
}

/// Sets a key, in its old place if there is one.
fn set(entries: &mut Vec<(String, Given)>, key: &str, value: Given) {
    match entries.iter_mut().find(|(name, _)| name == key) {
        Some((_, old)) => *old = value,
        None => entries.push((key.to_owned(), value)),
    }
}

fn get<'a>(entries: &'a [(String, Given)], key: &str) -> Option<&'a Given> {
    let entry = entries.iter().find(|(name, _)| name == key);
    entry.map(|(_, value)| value)
}
