//! What Ansible and the people who call it rely on, whatever the module: how it is found, what becomes
//! of the args file, what is written, what a bad call gets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has to fail"
)]

mod common;

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use common::{Call, Ran, binary, reply};

/// A call that succeeds on any host and does nothing: the broker is another host's.
fn remote() -> Call {
    Call::new("pulp_broker")
        .param("state", "up")
        .param("broker_url", "amqp://pulp:hunter2@192.0.2.1:5672//")
}

/// A call that any host refuses.
fn refused() -> Call {
    Call::new("pulp_services").param("state", "sideways")
}

const REFUSAL: &str = "value of state must be one of: started, stopped, restarted, got: sideways";

#[test]
fn a_call_is_carried_out_and_its_parameters_are_told() {
    let ran = remote().param("hold", "30").run();
    let reply = ran.success();
    assert_eq!(reply["role"], "remote");
    assert_eq!(reply["changed"], false);
    let module_args = &reply["invocation"]["module_args"];
    assert_eq!(module_args["hold"], 30);
    assert_eq!(module_args["method"], "stop");
    assert_eq!(module_args["run_id"], Value::Null);
    assert!(!reply.contains_key("warnings"), "{}", ran.line);
}

#[test]
fn the_started_file_says_which_module_it_is() {
    for program in [
        "AnsiballZ_pulp_services",
        "AnsiballZ_pulp_services.bin",
        "pulp_services",
    ] {
        let ran = refused().program(program).run();
        assert_eq!(ran.failure(), REFUSAL);
    }
    let redirected = refused().param("_ansible_module_name", "my.pulp.old_services");
    assert_eq!(redirected.run().failure(), REFUSAL);
}

#[test]
fn the_name_of_the_module_is_the_fallback() {
    let ran = refused()
        .program("module")
        .param("_ansible_module_name", "my.pulp.pulp_services")
        .run();
    assert_eq!(ran.failure(), REFUSAL);
    let nobody = refused()
        .program("module")
        .param("_ansible_module_name", "x.y");
    let ran = nobody.run();
    let expected =
        "failed to find a module named `module`: the modules in this binary are pulp_facts,";
    assert!(ran.failure().starts_with(expected), "{}", ran.line);
}

#[test]
fn unknown_parameters_are_refused_by_the_name_that_was_called() {
    let ran = remote()
        .param("_ansible_module_name", "my.pulp.pulp_broker")
        .param("hodl", 3)
        .run();
    let expected = "Unsupported parameters for (my.pulp.pulp_broker) module: hodl. Supported parameters include: ";
    assert!(ran.failure().starts_with(expected), "{}", ran.line);
    let ignored = remote()
        .param("hodl", 3)
        .param("_ansible_ignore_unknown_opts", true);
    ignored.run().success();
}

#[test]
fn the_args_file_is_gone_as_soon_as_it_is_read() {
    assert!(!remote().run().args_left);
    assert!(!refused().run().args_left);
    assert!(!remote().text("{").run().args_left);
    assert!(!remote().text("\"hunter2\"").run().args_left);
    assert!(!remote().text(b"\xff".to_vec()).run().args_left);
}

#[test]
fn no_file_is_removed_but_ansibles_own() {
    let kept = remote().param("_ansible_keep_remote_files", true);
    assert!(kept.run().args_left);
    assert!(remote().args_name("args.json").run().args_left);
    assert!(remote().args_name("elsewhere/args").run().args_left);
    assert!(remote().program("pulp_broker").run().args_left);
}

#[test]
fn a_file_that_is_no_call_is_told_without_being_shown() {
    for (text, cause) in [
        (
            &b"{\"a\": hunter2}"[..],
            "expected value at line 1 column 7",
        ),
        (b"\"hunter2\"", "it is a JSON string, expected an object"),
        (b"[\"hunter2\"]", "it is a JSON array, expected an object"),
        (b"", "EOF while parsing a value at line 1 column 0"),
        (
            b"{\"a\": \"hunter2\xff\"}",
            "it is not UTF-8 from byte 14 on",
        ),
    ] {
        let ran = remote().text(text).run();
        assert!(ran.failure().contains(cause), "{}", ran.line);
        assert!(!ran.line.contains("hunter2"), "{}", ran.line);
    }
    let large = remote().text(vec![b' '; 16 * 1024 * 1024 + 1]).run();
    assert!(
        large.failure().contains("it is larger than 16777216 bytes"),
        "{}",
        large.line
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let call = remote();
    let mut command = call.command();
    std::fs::remove_file(call.args_file()).unwrap();
    let output = command.output().unwrap();
    let reply = reply(&String::from_utf8(output.stdout).unwrap());
    let expected = format!(
        "failed to read `{}`: No such file",
        call.args_file().display()
    );
    assert!(
        reply["msg"].as_str().unwrap().starts_with(&expected),
        "{reply:?}"
    );
}

#[test]
fn secrets_are_masked_wherever_they_show() {
    let url = "amqp://pulp:hunter2@192.0.2.1:5672//";
    let ran = remote().param("run_id", format!("of {url}")).run();
    let module_args = &ran.success()["invocation"]["module_args"];
    assert_eq!(
        module_args["broker_url"],
        "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    );
    assert_eq!(module_args["run_id"], "of ********");
    let ran = remote().param("state", url).run();
    assert_eq!(
        ran.failure(),
        "value of state must be one of: down, up, got: ********"
    );
    assert!(!ran.line.contains("hunter2"), "{}", ran.line);
}

/// A word that a run's results hold, taken for a password: the verdict is the same, and nothing in it is masked.
#[test]
fn a_password_that_is_a_word_changes_no_verdict() {
    let exited = "FAILED service_exited: pulp_worker-1.service exited with status 1";
    let results = |password: Option<&str>| {
        let actor = json!({"name": "pulp_worker-1.service", "role": "worker", "worker": null});
        let failure = json!({"name": "service_exited", "actor": actor, "text": exited});
        let args = json!({"module_args": {"password": password, "url": format!("amqp://pulp:{}@h//", password.unwrap_or("x"))}});
        let up = json!({"failed": true, "msg": exited, "failures": [failure], "invocation": args});
        json!({"run": {"id": "x", "scenarios": ["reconnect"]}, "left": "", "cause": exited, "cause_host": "pulp-1",
            "failures": [failure], "hosts": {"pulp-1": {"scenarios": {"reconnect": {"up": up}}}}})
    };
    let told = |password: Option<&str>| {
        let ran = Call::new("pulp_report")
            .param("results", results(password))
            .run();
        let reply = ran.success();
        ["verdict", "line", "html", "junit", "json", "msg"].map(|key| reply[key].clone())
    };
    let expected = told(None);
    assert_eq!(expected[0]["name"], "service_exited");
    for word in [
        "pulp",
        "worker",
        "pulp_worker-1",
        "pulp_worker-1.service",
        "pulp-1",
        "service_exited",
        "FAILED",
        "failed",
        "exited",
        "reconnect",
        "div",
        "class",
        "hosts",
        "null",
        "1",
        "503",
    ] {
        assert_eq!(told(Some(word)), expected, "{word}");
    }
}

/// A message names what its reader can set: the play's variable where our role calls, as its action plugin says.
#[test]
fn a_message_names_the_play_s_variable_where_our_role_calls() {
    let of = |by_role: bool| {
        let call = Call::new("pulp_facts").param("preflight", true);
        let call = call.param("hold", 9).param("restore_after", 9);
        let call = call.param("_ansible_pulp_broker_play", by_role);
        call.run().failure().to_owned()
    };
    assert!(
        of(false).contains("value of restore_after must be"),
        "{}",
        of(false)
    );
    assert!(
        of(true).contains("value of pulp_broker_test_restore_after must be"),
        "{}",
        of(true)
    );
}

#[test]
fn nothing_of_the_parameters_is_told_with_no_log() {
    let ran = remote().param("_ansible_no_log", true).run();
    assert!(!ran.success().contains_key("invocation"), "{}", ran.line);
}

#[test]
fn line_ends_of_unicode_do_not_break_the_reply() {
    let text = "é\u{2028}\u{85}\u{7f}😀";
    let ran = remote().param("run_id", text).run();
    assert_eq!(ran.success()["invocation"]["module_args"]["run_id"], text);
}

#[test]
fn check_mode_is_not_missed_for_its_spelling() {
    let spelled = |word: &str| remote().param("_ansible_check_mode", word).run();
    spelled("yes").success();
    let expected =
        "failed to understand `_ansible_check_mode`: The value 'maybe' is not a valid boolean.";
    assert!(spelled("maybe").failure().starts_with(expected));
}

/// What changes on a host with services is held against its plan in the lab.
#[test]
fn where_nothing_changes_check_mode_says_the_same_and_there_is_no_diff() {
    let mut report = Call::new("pulp_report");
    report = report.param("results", json!({"run": {"id": "x"}}));
    let url = "amqp://pulp:hunter2@192.0.2.1:5672//";
    let facts = Call::new("pulp_facts").param("broker_url", url);
    for call in [remote(), report, facts] {
        let call = call.param("_ansible_diff", true);
        let run = call.run();
        let checked = call.check_mode().run();
        let told = |ran: &Ran| {
            let mut reply = ran.success().clone();
            reply.remove("duration_seconds");
            assert!(!reply.contains_key("diff"), "{}", ran.line);
            assert_eq!(reply["changed"], false);
            reply
        };
        assert_eq!(told(&run), told(&checked));
    }
}

#[test]
fn a_reply_that_nobody_reads_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for stdout in [Stdio::from(writer), Stdio::from(full)] {
        let output = refused()
            .command()
            .stdout(stdout)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn a_closed_standard_output_is_no_panic() {
    let call = refused();
    let command = call.command();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "exec \"$0\" \"$1\" >&-"])
        .arg(command.get_program());
    let output = shell.args(command.get_args()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Over ssh, standard input, output and error are one terminal.
#[test]
fn on_a_terminal_the_reply_is_one_line_too() {
    let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&main).unwrap();
    unlockpt(&main).unwrap();
    let name = ptsname(&main, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let call = remote().param("run_id", "x".repeat(10_000));
    let mut command = call.command();
    command
        .process_group(0)
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut text = Vec::new();
    // The terminal's other end is gone when the module ends; reading then gives EIO.
    let _ = File::from(main).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
    assert_eq!(reply(&text)["role"], "remote");
}

/// Whoever interrupts the play still gets to know what became of the host.
#[test]
fn a_signal_ends_the_work_with_a_reply() {
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let call = Call::new("pulp_health")
            .param("pulp_url", url)
            .param("username", "admin")
            .param("password", "hunter2")
            // So much that a busy machine, or an emulated one, comes to ask.
            .param("request_timeout", 5);
        let mut command = call.command();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let connection = silent.accept().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran = Ran::of(
            &child.wait_with_output().unwrap(),
            call.args_file().exists(),
        );
        ran.failure();
        let left = std::fs::read_dir(call.directory()).map_or(0, Iterator::count);
        assert_eq!(
            left, 0,
            "an interrupted play removes nothing, so the module does"
        );
        drop(connection);
    }
}

#[test]
fn a_person_who_calls_it_by_hand_is_told_how() {
    let by_hand = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = by_hand(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(
        text.contains("pulp_facts, pulp_services, pulp_broker"),
        "{text}"
    );
    assert!(text.contains("`MODULE ARGS_FILE`"), "{text}");
    let version = format!("pulp_broker {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(by_hand(&["--version"]), (Some(0), version));
    let (code, text) = by_hand(&[]);
    assert_eq!(code, Some(1));
    let said = &reply(&text)["msg"];
    assert!(
        said.as_str()
            .unwrap()
            .starts_with("failed to run `pulp_broker`: no args file was given"),
        "{text}"
    );
}

#[test]
fn values_of_other_types_are_coerced() {
    let ran = remote()
        .param("hold", "1e1")
        .param("timeout", json!(90.0))
        .param("run_id", 17)
        .run();
    let module_args = &ran.success()["invocation"]["module_args"];
    assert_eq!(
        (&module_args["hold"], &module_args["timeout"]),
        (&json!(10), &json!(90))
    );
    assert_eq!(module_args["run_id"], "17");
}
