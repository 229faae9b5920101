//! Ansible's module protocol: the call that comes in, the argument spec it is held against, the
//! reply that goes out. What a module does in between is none of this room's business.

pub(crate) mod call;
pub(crate) mod reply;
pub(crate) mod spec;

use anyhow::Result;
use serde_json::{Map, Value};

/// One Ansible module of the binary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// The name under which playbooks call it.
    pub(crate) name: &'static str,
    /// What it may be asked.
    pub(crate) spec: &'static [spec::Opt],
    /// What it does.
    pub(crate) work: fn(&Call) -> Result<Outcome>,
}

impl Module {
    /// Runs the module; an error becomes a failed outcome with the whole chain of causes as `msg`.
    pub(crate) fn run(&self, call: &Call) -> Outcome {
        (self.work)(call).unwrap_or_else(|error| Outcome::failed(format!("{error:#}")))
    }
}

/// One call of a module by Ansible, its parameters validated and coerced.
#[derive(Debug)]
pub(crate) struct Call {
    /// The module that was called.
    pub(crate) module: Module,
    /// Every option of the spec; `null` where it was not given and has no default.
    pub(crate) params: Map<String, Value>,
    /// Nothing may be changed: the module returns its plan.
    pub(crate) check_mode: bool,
    /// The user asked for a diff.
    pub(crate) diff: bool,
    /// What the validation had to say, such as an option given under two names.
    pub(crate) warnings: Vec<String>,
}

/// What a module has to report.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Something on the host was changed, or would be in check mode.
    pub(crate) changed: bool,
    /// The module did not reach what was asked.
    pub(crate) failed: bool,
    /// One sentence for a person.
    pub(crate) msg: Option<String>,
    /// The module's own return values, at the top level of the reply.
    pub(crate) data: Map<String, Value>,
    /// Before and after, for `--diff`.
    pub(crate) diff: Option<Value>,
    /// Shown by Ansible as `[WARNING]`.
    pub(crate) warnings: Vec<String>,
}

impl Outcome {
    /// A failure with its message and nothing else to tell.
    pub(crate) fn failed(msg: String) -> Self {
        Self {
            failed: true,
            msg: Some(msg),
            ..Self::default()
        }
    }

    /// Adds one return value.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}
