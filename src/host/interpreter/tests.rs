//! What an interpreter can do wrong, each by a real program in its place, and that nothing of it is left.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Not a claim: what the others here start in place of `pulp_broker --ask-interpreter`.
#[test]
fn the_second_process() {
    run();
}

fn own() -> Interpreter {
    let status = Entry::myself().and_then(|entry| entry.status()).unwrap();
    Interpreter {
        process: None,
        programs: vec![PathBuf::from("/usr/bin/env")],
        file: None,
        options: Vec::new(),
        uid: status.euid,
        gid: status.egid,
        groups: status.groups,
        environment: variables(b"PATH=/usr/bin:/bin\0NOTIFY_SOCKET=/x\0"),
    }
}

/// What comes of a script in the interpreter's place, whose last arguments are the text and the argument.
fn of_script(script: &str, limit: Duration) -> Result<Value> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("python");
    std::fs::write(&program, format!("#!/bin/sh\necho\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = Interpreter {
        programs: vec![program],
        ..own()
    };
    own.ask("text", "argument", limit)
}

fn cause(script: &str, limit: Duration) -> String {
    format!("{:#}", of_script(script, limit).unwrap_err())
}

#[test]
fn the_marked_line_is_the_answer_whatever_else_is_printed() {
    let script = format!("echo hello; echo '{MARK}{{\"value\": [1]}}'; echo more; sleep 60");
    assert_eq!(of_script(&script, LIMIT).unwrap(), serde_json::json!([1]));
    let script = format!("echo '{MARK}{{\"cannot\": \"NameError in settings.py\"}}'");
    assert_eq!(cause(&script, LIMIT), "NameError in settings.py");
}

#[test]
fn it_gets_the_text_and_the_environment_without_systemds_variables() {
    let script = format!(
        "echo \"{MARK}{{\\\"value\\\": \\\"$1 $2 $3 $4 ${{NOTIFY_SOCKET-none}} $PATH\\\"}}\""
    );
    let said = of_script(&script, LIMIT).unwrap();
    assert_eq!(said, "-B -c text argument none /usr/bin:/bin");
}

#[test]
fn each_thing_that_goes_wrong_is_named() {
    for (script, expected) in [
        ("exit 3", "it ended without an answer (exit status: 3)"),
        (
            "kill -9 $$",
            "it ended without an answer (signal: 9 (SIGKILL))",
        ),
        ("yes", "it printed more than 256 KiB and was killed"),
        (
            "exec >&-; sleep 60",
            "it closed its output without an answer and was killed",
        ),
    ] {
        assert_eq!(cause(script, LIMIT), expected, "{script}");
    }
    let missing = Interpreter {
        programs: vec![PathBuf::from("/no/such/python")],
        ..own()
    };
    let error = format!("{:#}", missing.ask("", "", LIMIT).unwrap_err());
    assert!(
        error.contains("`/no/such/python` is not what the process runs"),
        "{error}"
    );
}

#[test]
fn what_hangs_is_killed_with_all_that_it_started() {
    // In groups of their own, and without a parent.
    let script = "(sleep 71.25 &) ; setsid -f true; sleep 71.25 & wait";
    let error = cause(script, Duration::from_millis(400));
    assert!(
        error.contains("timed out after 0 s while waiting for an answer"),
        "{error}"
    );
    let left = super::super::processes::started_with("71.25").unwrap();
    assert_eq!(left, []);
}

#[test]
fn a_process_that_has_ended_is_named() {
    let mut child = std::process::Command::new("sleep")
        .arg("0")
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    child.wait().unwrap();
    let gone = Interpreter {
        process: Some((pid, 1)),
        ..own()
    };
    let error = format!("{:#}", gone.ask("", "", LIMIT).unwrap_err());
    assert!(
        error.contains(&format!("process {pid} ended while it was asked")),
        "{error}"
    );
    let error = format!("{:#}", Interpreter::of_process(pid).unwrap_err());
    assert!(error.contains("it ended, or /proc hides it"), "{error}");
}

#[test]
fn a_user_that_cannot_be_taken_is_named() {
    let own = own();
    if own.uid == 0 {
        // Root takes any but this one, which stands for none.
        let other = Interpreter {
            uid: u32::MAX - 1,
            gid: 0,
            ..own.clone()
        };
        assert_eq!(other.user(), format!("of uid {}", u32::MAX - 1));
    } else {
        let other = Interpreter { uid: 0, ..own };
        let error = format!("{:#}", other.ask("", "", LIMIT).unwrap_err());
        assert!(
            error.contains("failed to become user root (uid 0)"),
            "{error}"
        );
    }
}

#[test]
fn only_options_that_decide_where_modules_are_found_are_kept() {
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    assert_eq!(options(&words("python3 -s -E /usr/bin/x -s")), ["-s", "-E"]);
    assert_eq!(options(&words("python3 -m celery")), [] as [&str; 0]);
    let environment = variables(b"PATH=/a:/b\0");
    let found = |first: &str| programs(1, &[first.to_owned()], &environment);
    assert_eq!(
        found("python3"),
        Some(vec!["/a/python3".into(), "/b/python3".into()])
    );
    assert_eq!(found("gunicorn: master [pulpcore-api]"), None);
    assert_eq!(found("[celeryd: worker@host:MainProcess]"), None);
}
