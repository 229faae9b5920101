//! What the tests of `pulp_health` need: the built binary called as Ansible calls it, and a
//! loopback stand-in that answers what no real Pulp would.
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

pub(crate) mod pulp;
pub(crate) mod pulp3;
pub(crate) mod server;
pub(crate) mod workers;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

/// A folder that is gone after the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulp-health-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The module's answer, its raw text with it.
pub(crate) struct Told {
    pub(crate) raw: String,
    pub(crate) reply: Value,
}

impl Told {
    pub(crate) fn msg(&self) -> &str {
        self.reply["msg"].as_str().unwrap_or_default()
    }

    /// It failed, and the message holds every one of these.
    #[track_caller]
    pub(crate) fn failed_with(&self, parts: &[&str]) {
        assert_eq!(self.reply["failed"], true, "{}", self.raw);
        for part in parts {
            assert!(self.msg().contains(part), "no `{part}` in: {}", self.msg());
        }
    }

    #[track_caller]
    pub(crate) fn left_nothing(&self) {
        assert_eq!(self.reply["leftovers"], json!([]), "{}", self.raw);
        assert_eq!(self.reply["changed"], false, "{}", self.raw);
    }
}

/// A call of the module under way.
pub(crate) struct Running {
    child: Child,
    _folder: Folder,
}

impl Running {
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill").success());
    }

    /// Nobody reads the reply any more; the call ends all the same.
    pub(crate) fn hang_up(mut self) {
        drop(self.child.stdout.take());
        self.child.wait().expect("end");
    }

    pub(crate) fn told(self) -> Told {
        let output: Output = self.child.wait_with_output().expect("output");
        let raw = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(raw.lines().count(), 1, "one line: {raw}");
        let reply: Value = serde_json::from_str(&raw).expect("JSON");
        assert_eq!(output.status.success(), reply["failed"] == false);
        Told { raw, reply }
    }
}

/// Calls the module with these options, on top of a user's usual ones.
pub(crate) fn start(url: &str, options: Value) -> Running {
    begin(url, options, false)
}

/// The same as a program that stays on the host for a run is called: without a terminal.
pub(crate) fn start_on_standard_input(url: &str, options: Value) -> Running {
    begin(url, options, true)
}

fn begin(url: &str, options: Value, on_standard_input: bool) -> Running {
    let folder = Folder::new();
    let program = folder.0.join("AnsiballZ_pulp_health");
    let built = Path::new(env!("CARGO_BIN_EXE_pulp_broker"));
    std::fs::hard_link(built, &program)
        .or_else(|_| std::fs::copy(built, &program).map(|_| ()))
        .expect("copy of the binary");
    let mut args = json!({
        "pulp_url": url,
        "username": "admin",
        "password": PASSWORD,
        "request_timeout": 5,
        "timeout": 20,
        "_ansible_check_mode": false,
    });
    let options: Map<String, Value> = serde_json::from_value(options).expect("a mapping");
    for (name, value) in options {
        args[name.as_str()] = value;
    }
    let file = folder.0.join("args");
    std::fs::write(&file, args.to_string()).expect("args file");
    let given = File::open(&file).expect("args file");
    let (named, stdin) = if on_standard_input {
        (Path::new("/dev/stdin"), Stdio::from(given))
    } else {
        (file.as_path(), Stdio::null())
    };
    let child = Command::new(&program)
        .arg(named)
        // Nothing may be written anywhere, and no proxy be used.
        .env("TMPDIR", "/nonexistent")
        .env("http_proxy", "http://127.0.0.1:9")
        .env("https_proxy", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("start");
    Running {
        child,
        _folder: folder,
    }
}

pub(crate) const PASSWORD: &str = "Hidden-7c1f";

/// The same, to its end. The password is never told.
#[track_caller]
pub(crate) fn call(url: &str, options: Value) -> Told {
    let told = start(url, options).told();
    assert!(!told.raw.contains(PASSWORD), "{}", told.raw);
    told
}
