//! Calls the built binary as Ansible does: `<tmp>/AnsiballZ_<module> <tmp>/args`, both in a directory of
//! their own. `PULP_BROKER_BINARY` names another binary than the one that was just built, such as the
//! static one that is shipped.

#![allow(
    dead_code,
    reason = "each test binary uses another part of the harness"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_pulp_broker");
    std::env::var_os("PULP_BROKER_BINARY").map_or_else(|| built.into(), PathBuf::from)
}

/// A call to be made.
pub(crate) struct Call {
    program: String,
    args_name: String,
    args: Map<String, Value>,
    text: Option<Vec<u8>>,
    directory: TempDir,
}

impl Call {
    /// A call of this module, with the keys that Ansible itself adds.
    pub(crate) fn new(module: &str) -> Self {
        let own = serde_json::json!({
            "_ansible_check_mode": false,
            "_ansible_no_log": false,
            "_ansible_diff": false,
            "_ansible_keep_remote_files": false,
            "_ansible_module_name": module,
            "_ansible_version": "2.19.14",
            "_ansible_socket": null,
            "_ansible_tmpdir": null,
            "_ansible_key_of_a_later_version": ["anything"],
        });
        Self {
            program: format!("AnsiballZ_{module}"),
            args_name: "args".to_owned(),
            args: own.as_object().cloned().unwrap(),
            text: None,
            directory: TempDir::new().unwrap(),
        }
    }

    /// A parameter; with the prefix `_ansible_` one of Ansible's own.
    pub(crate) fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }

    /// Nothing may be changed.
    pub(crate) fn check_mode(self) -> Self {
        self.param("_ansible_check_mode", true)
    }

    /// The name of the started file instead of `AnsiballZ_<module>`.
    pub(crate) fn program(mut self, name: &str) -> Self {
        name.clone_into(&mut self.program);
        self
    }

    /// The name of the args file instead of `args`; it may lie in a directory of its own.
    pub(crate) fn args_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.args_name);
        self
    }

    /// The text of the args file, whatever it is.
    pub(crate) fn text(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The args file as it will be.
    pub(crate) fn args_file(&self) -> PathBuf {
        self.directory.path().join(&self.args_name)
    }

    /// The directory that Ansible would have made.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The call as a command, its files written.
    pub(crate) fn command(&self) -> Command {
        let program = self.directory.path().join(&self.program);
        let _ = std::os::unix::fs::symlink(binary(), &program);
        let args_file = self.args_file();
        std::fs::create_dir_all(args_file.parent().unwrap()).unwrap();
        let written = Value::Object(self.args.clone()).to_string().into_bytes();
        std::fs::write(&args_file, self.text.as_ref().unwrap_or(&written)).unwrap();
        let mut command = Command::new(program);
        command.arg(args_file).stdin(Stdio::null());
        command
    }

    /// Makes the call.
    pub(crate) fn run(&self) -> Ran {
        let output = self.command().output().unwrap();
        Ran::of(&output, self.args_file().exists())
    }
}

/// What came of a call. That it is one line of ASCII on standard output and nothing else, that
/// `changed` and `failed` are booleans, and that the exit code goes with them, has been checked.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) reply: Map<String, Value>,
    /// The args file is still there.
    pub(crate) args_left: bool,
}

impl Ran {
    /// What a call wrote.
    pub(crate) fn of(output: &Output, args_left: bool) -> Self {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let line = String::from_utf8(output.stdout.clone()).unwrap();
        let reply = reply(&line);
        let expected = i32::from(reply["failed"] == true);
        assert_eq!(output.status.code(), Some(expected), "{line}");
        Self {
            line,
            reply,
            args_left,
        }
    }

    /// The message of a failure.
    #[track_caller]
    pub(crate) fn failure(&self) -> &str {
        assert_eq!(self.reply["failed"], true, "{}", self.line);
        self.reply["msg"].as_str().unwrap()
    }

    /// The reply of a success.
    #[track_caller]
    pub(crate) fn success(&self) -> &Map<String, Value> {
        assert_eq!(self.reply["failed"], false, "{}", self.line);
        &self.reply
    }
}

/// The reply in the one line that it has to be.
pub(crate) fn reply(line: &str) -> Map<String, Value> {
    assert!(line.is_ascii(), "{line}");
    assert!(line.ends_with("}\n"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    let reply: Map<String, Value> = serde_json::from_str(line).unwrap();
    assert!(
        reply["changed"].is_boolean() && reply["failed"].is_boolean(),
        "{line}"
    );
    for key in ["exception", "started", "finished", "results", "attempts"] {
        assert!(!reply.contains_key(key), "{line}");
    }
    assert!(
        !reply.keys().any(|key| key.starts_with("_ansible_")),
        "{line}"
    );
    reply
}
