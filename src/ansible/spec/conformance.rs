//! What a spec makes of parameters, in process and without its module: `scripts/argspec` compares it with what
//! Ansible's own validator makes of the same ones. Modules have effects; this has none.

use serde_json::{Value, json};

use super::{Given, validate};
use crate::ansible::Module;

/// The verdict on the text of an args file that holds no keys of Ansible's own: what was accepted, as the module
/// reads it and as the reply shows it, or the message; and each secret that was learnt on the way.
pub(crate) fn verdict(module: &Module, params: &str) -> Value {
    let given = match Given::parse_object(params) {
        Ok(given) => given,
        Err(error) => return json!({"ok": false, "msg": error.to_string(), "secrets": []}),
    };
    let mut secrets = Vec::new();
    let mut learn = |secret: &str| secrets.push(secret.to_owned());
    match validate(module.spec, given, module.name, false, &mut learn) {
        Ok(valid) => json!({
            "ok": true,
            "params": valid.params,
            "shown": valid.module_args,
            "secrets": secrets,
        }),
        Err(msg) => json!({"ok": false, "msg": msg, "secrets": secrets}),
    }
}
