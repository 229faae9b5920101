//! The argument spec: what a module may be asked, as data, in the terms of Ansible's own
//! `argument_spec`.

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

/// The value an option has when the user says nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Default {
    None,
    Str(&'static str),
    Int(i64),
    Float(f64),
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
    pub(crate) aliases: &'static [&'static str],
    /// The value is a secret.
    pub(crate) no_log: bool,
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
            aliases: &[],
            no_log: false,
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

    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Keeps the value out of everything that leaves the module.
    pub(crate) const fn secret(mut self) -> Self {
        self.no_log = true;
        self
    }
}
