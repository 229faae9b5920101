//! Ansible's module protocol: the call that comes in, the argument spec it is held against, the
//! reply that goes out. What a module does in between is none of this room's business.
//!
//! The parts know nothing of each other and are put together here: `call` finds and reads the args
//! file, `spec` validates it, `secrets` masks, `reply` writes the line, `panics` words a bug.

mod call;
mod panics;
mod reply;
pub(crate) mod secrets;
pub(crate) mod spec;
#[cfg(test)]
mod tests;

use std::cell::{Ref, RefCell};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::names::verdict::Name;
use crate::names::{self, VerdictError};
pub(crate) use reply::Reply;
use spec::Given;

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
    /// Runs the module; an error becomes a failed outcome with the whole chain of causes as `msg`. How
    /// long it took is told in every reply.
    pub(crate) fn run(&self, call: &Call) -> Outcome {
        let begin = Instant::now();
        let outcome = (self.work)(call).unwrap_or_else(|error| Outcome::of_error(&error));
        let milliseconds = u32::try_from(begin.elapsed().as_millis()).unwrap_or(u32::MAX);
        outcome.with("duration_seconds", f64::from(milliseconds) / 1000.0)
    }
}

/// One call of a module by Ansible, its parameters validated and coerced.
#[derive(Debug)]
pub(crate) struct Call {
    /// The module that was called.
    pub(crate) module: Module,
    /// See [`Self::params`].
    params: RefCell<Map<String, Value>>,
    /// Nothing may be changed: the module returns its plan.
    pub(crate) check_mode: bool,
    /// The user asked for a diff.
    pub(crate) diff: bool,
    /// The task has `no_log: true`: nothing of its parameters is to be told.
    no_log: bool,
    /// The parameters as a Python module would show them in `invocation`, secrets still in them.
    module_args: Map<String, Value>,
    /// How Ansible started it, unless its files are to be kept.
    started_as: Option<call::CommandLine>,
}

impl Call {
    /// Every option of the spec and no other key; `null` where it was not given and has no default.
    pub(crate) fn params(&self) -> Ref<'_, Map<String, Value>> {
        self.params.borrow()
    }

    /// Takes a parameter that may be megabytes, which is not worth a copy; there is none from then on.
    pub(crate) fn take(&self, name: &str) -> Option<Value> {
        self.params.borrow_mut().remove(name)
    }

    /// Whoever reads the reply is all that tells whether somebody still waits for it: there is no terminal whose end would.
    pub(crate) fn is_without_terminal(&self) -> bool {
        let started_as = self.started_as.as_ref();
        started_as.is_some_and(call::CommandLine::is_on_standard_input)
    }

    /// Removes what Ansible put on this host for the call. That is Ansible's own work, but whoever
    /// interrupts a play leaves it undone.
    pub(crate) fn leave_nothing(&self) {
        if let Some(command_line) = &self.started_as {
            command_line.remove_program();
        }
    }

    /// A call with these parameters, validated as Ansible's would be; for the tests of a module.
    #[cfg(test)]
    pub(crate) fn of(module: Module, params: &Value) -> Result<Self, String> {
        let text = params.to_string();
        let given = Given::parse_object(&text).map_err(|e| e.to_string())?;
        Self::new(module, given, None)
    }

    /// Takes Ansible's own keys out of what was given and holds the rest against the spec.
    fn new(
        module: Module,
        given: Vec<(String, Given)>,
        started_as: Option<call::CommandLine>,
    ) -> Result<Self, String> {
        let (own, given): (Vec<_>, Vec<_>) = given
            .into_iter()
            .partition(|(key, _)| key.starts_with(OWN_PREFIX));
        let flag = |key| own_flag(&own, key);
        let check_mode = flag("check_mode")?;
        let diff = flag("diff")?;
        let no_log = flag("no_log")?;
        let ignore_unknown = flag("ignore_unknown_opts")?;
        let name = match own_key(&own, "module_name") {
            Some(Given::Str(name)) => name,
            _ => module.name,
        };
        for (_, value) in &given {
            if let Given::Str(text) = value {
                secrets::add_of_url(text);
            }
        }
        let valid = spec::validate(module.spec, given, name, ignore_unknown, &mut secrets::add)?;
        Ok(Self {
            module,
            params: RefCell::new(valid.params),
            check_mode,
            diff,
            no_log,
            module_args: valid.module_args,
            started_as,
        })
    }
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

    /// An error as the reply tells it: the whole chain of causes as `msg`, the actors that it names as data.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        let mut outcome = Self::failed(format!("{error:#}"));
        if let Some(name) = VerdictError::name_of(error) {
            let verdict = reported(name, &VerdictError::text_of(error));
            outcome = outcome.with("verdict", verdict);
        }
        match VerdictError::failures(error) {
            [] => outcome,
            failures => outcome.with("failures", json!(failures)),
        }
    }

    /// Adds one return value.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// A verdict in a reply.
pub(crate) fn reported(name: Name, msg: &str) -> Value {
    json!({"name": name, "value": name.grade().word(), "msg": msg})
}

/// Ansible's own keys in the args file; unknown ones come with every new version and are ignored.
const OWN_PREFIX: &str = "_ansible_";

/// Our own key among them: our role calls, says its action plugin.
const PLAY: &str = "pulp_broker_play";

/// The module that was called, for the answer to a panic.
static CALLED: OnceLock<&'static str> = OnceLock::new();

/// Reads the args file that Ansible names on the command line and validates it.
///
/// # Errors
/// A call that cannot be read or does not fit the spec is answered by the returned reply.
pub(crate) fn read(modules: &[Module]) -> Result<Call, Reply> {
    let command_line = match call::CommandLine::of(std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(question) => return Err(answer(question, modules)),
    };
    read_call(&command_line, modules).map_err(|msg| refusal(&msg))
}

/// The reply to a call that was carried out.
pub(crate) fn reply(call: &Call, outcome: Outcome) -> Reply {
    // Nothing to show: before and after say the same, as where nothing was to do.
    let shows = |diff: &Value| call.diff && outcome.changed && diff["before"] != diff["after"];
    let mut map = reply::of(Outcome {
        diff: outcome.diff.filter(shows),
        ..outcome
    });
    if !call.no_log {
        let mut module_args = call.module_args.clone();
        for opt in call.module.spec.iter().filter(|opt| opt.no_log) {
            if let Some(value) = module_args.get_mut(opt.name) {
                secrets::withhold(value);
            }
        }
        map.insert(
            "invocation".to_owned(),
            Map::from_iter([("module_args".to_owned(), Value::Object(module_args))]).into(),
        );
    }
    masked(map)
}

/// Makes a panic a failed reply: Ansible would show the usual text as "MODULE FAILURE", or over ssh,
/// where standard error is part of standard output, might not find the reply at all.
pub(crate) fn answer_panics() {
    panics::answer(|what, place| {
        let name = CALLED.get().copied().unwrap_or(env!("CARGO_PKG_NAME"));
        refusal(&panics::message(name, what, place)).print();
    });
}

fn read_call(command_line: &call::CommandLine, modules: &[Module]) -> Result<Call, String> {
    let text = command_line.read();
    let given = text.and_then(|text| {
        Given::parse_object(&text).map_err(|cause| command_line.unparsable(&cause.to_string()))
    });
    // The file may hold secrets, and whatever interrupts this call leaves it behind.
    let keep = given
        .as_ref()
        .is_ok_and(|given| own_flag(given, "keep_remote_files") == Ok(true));
    if !keep {
        command_line.remove_args_file();
    }
    let given = given?;
    let by_params = match own_key(&given, "module_name") {
        Some(Given::Str(name)) => name.rsplit('.').next(),
        _ => None,
    };
    let module = [Some(command_line.name.as_str()), by_params]
        .into_iter()
        .flatten()
        .find_map(|name| modules.iter().find(|module| module.name == name))
        .ok_or_else(|| {
            format!(
                "failed to find a module named `{}`: {}",
                command_line.name,
                known(modules)
            )
        })?;
    let _ = CALLED.set(module.name);
    if own_flag(&given, PLAY) == Ok(true) {
        names::play_calls(module.name);
    }
    let started_as = (!keep).then(|| command_line.clone());
    Call::new(*module, given, started_as)
}

/// What a person gets who calls the binary by hand.
fn answer(question: call::Question, modules: &[Module]) -> Reply {
    let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    match question {
        call::Question::Version => Reply::Text(version.to_owned()),
        call::Question::Help => Reply::Text(format!(
            "{version}: {}\n{}.\n{}",
            env!("CARGO_PKG_DESCRIPTION"),
            known(modules),
            call::USAGE
        )),
        call::Question::NoArgsFile(name) => refusal(&format!(
            "failed to run `{name}`: no args file was given; {}",
            call::USAGE
        )),
    }
}

fn refusal(msg: &str) -> Reply {
    masked(reply::of(Outcome::failed(msg.to_owned())))
}

fn masked(mut map: Map<String, Value>) -> Reply {
    secrets::mask(&mut map);
    Reply::Line(map)
}

fn known(modules: &[Module]) -> String {
    let names: Vec<_> = modules.iter().map(|module| module.name).collect();
    format!("the modules in this binary are {}", names.join(", "))
}

fn own_key<'a>(given: &'a [(String, Given)], key: &str) -> Option<&'a Given> {
    let is_it = |name: &str| name.strip_prefix(OWN_PREFIX) == Some(key);
    given.iter().find(|(name, _)| is_it(name)).map(|(_, v)| v)
}

/// Ansible sends booleans; another caller may not, and check mode must not be missed for a spelling.
fn own_flag(given: &[(String, Given)], key: &str) -> Result<bool, String> {
    match own_key(given, key) {
        None | Some(Given::Null) => Ok(false),
        Some(value) => spec::boolean(value)
            .map_err(|cause| format!("failed to understand `{OWN_PREFIX}{key}`: {cause}")),
    }
}
