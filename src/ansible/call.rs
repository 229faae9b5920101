//! The call that comes in: which module, with which parameters, in which mode.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Call, Module, Outcome, reply::Reply};

/// Reads the args file that Ansible names on the command line and validates it.
///
/// # Errors
/// A call that cannot be read or does not fit the spec is answered by the returned reply.
pub(crate) fn read(modules: &[Module]) -> Result<Call, Reply> {
    let mut argv = std::env::args();
    let program = argv.next().unwrap_or_default();
    let name = Path::new(&program)
        .file_name()
        .map(|n| n.to_string_lossy().replace("AnsiballZ_", ""))
        .unwrap_or_default();
    let refuse = |msg: String| Reply::refusal(Outcome::failed(msg));
    let module = modules
        .iter()
        .find(|m| m.name == name)
        .copied()
        .ok_or_else(|| refuse(format!("no module named `{name}`")))?;
    let file = argv
        .next()
        .ok_or_else(|| refuse("no args file was given".to_owned()))?;
    let text = std::fs::read_to_string(&file)
        .map_err(|e| refuse(format!("failed to read `{file}`: {e}")))?;
    let raw: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|e| refuse(format!("failed to parse `{file}`: {e}")))?;
    let flag = |key: &str| raw.get(key) == Some(&Value::Bool(true));
    let mut params = Map::new();
    for opt in module.spec {
        let default = match opt.default {
            super::spec::Default::None => Value::Null,
            super::spec::Default::Str(s) => s.into(),
            super::spec::Default::Int(i) => i.into(),
            super::spec::Default::Float(f) => f.into(),
            super::spec::Default::Bool(b) => b.into(),
        };
        params.insert(
            opt.name.to_owned(),
            raw.get(opt.name).cloned().unwrap_or(default),
        );
    }
    Ok(Call {
        module,
        params,
        check_mode: flag("_ansible_check_mode"),
        diff: flag("_ansible_diff"),
        warnings: Vec::new(),
    })
}
