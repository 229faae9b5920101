//! No secret that a module is given or learns gets out, whatever becomes of the call: each module is brought to each outcome
//! with canaries for a password, a key and a token, and whatever can be seen of it is searched for them in every usual
//! spelling. What needs a service manager or a real Pulp is in `molecule/secrets/test_secrets.py`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

mod call;
mod canary;
mod cells;
#[path = "../common/mod.rs"]
mod common;
mod sampler;
#[path = "../health/support/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests of `pulp_health` need more of it"
)]
mod support;
mod ways;

use std::process::{Command, Stdio};
use std::time::Duration;

use call::End;
use canary::Canary;
use cells::{CELLS, Cell, ELSEWHERE, MODULES, Outcome};
use sampler::Sampler;

/// Each cell on its own: one that leaks must not hide the next.
#[track_caller]
fn demand(outcome: Outcome) {
    let cells: Vec<&Cell> = CELLS.iter().filter(|c| c.outcome == outcome).collect();
    assert!(!cells.is_empty(), "{outcome:?}");
    let mut wrong = Vec::new();
    for cell in cells {
        for variant in cell.variants() {
            let canary = Canary::new();
            let made = variant.make(&canary);
            let tells = made.tells;
            let seen = made.carry_out(&canary);
            let leaks = seen.leaks.iter().map(|leak| format!("leaks: {leak}"));
            let missed = variant.missed(tells, &seen);
            wrong.extend(
                missed
                    .into_iter()
                    .chain(leaks)
                    .map(|what| format!("{variant}: {what}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn success_shows_no_secret() {
    demand(Outcome::Success);
}

#[test]
fn failure_shows_no_secret() {
    demand(Outcome::Failure);
}

#[test]
fn a_panic_shows_no_secret() {
    demand(Outcome::Panic);
}

#[test]
fn verbosity_shows_no_secret() {
    demand(Outcome::Verbose);
}

#[test]
fn no_log_shows_no_secret_and_no_parameter() {
    demand(Outcome::NoLog);
}

#[test]
fn an_interruption_shows_and_leaves_no_secret() {
    demand(Outcome::Interrupted);
}

/// Nobody forgets a cell: what is not here says where it is.
#[test]
fn every_module_meets_every_outcome() {
    for module in MODULES {
        for outcome in Outcome::ALL {
            let here = CELLS
                .iter()
                .any(|c| c.module == *module && c.outcome == outcome);
            let elsewhere = ELSEWHERE
                .iter()
                .any(|(other, at, _)| other == module && *at == outcome);
            assert!(here != elsewhere, "{module} {outcome:?}: {here}");
        }
    }
}

/// The file that a cell is said to be in is there and names its module.
#[test]
fn what_is_elsewhere_is_there() {
    for (module, outcome, file) in ELSEWHERE {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).expect(file);
        let words = if *outcome == Outcome::Panic {
            vec!["a_panic_anywhere_is_one_masked_reply".to_owned()]
        } else {
            vec![
                format!("\"{module}\""),
                format!("{outcome:?}").to_lowercase(),
            ]
        };
        for word in words {
            assert!(text.contains(&word), "{file}: {word}");
        }
    }
}

/// The known-bad subjects: each place where a secret could get out is one in which it would be found.
#[test]
fn a_secret_that_gets_out_is_found() {
    for (place, spelled) in [
        ("cmdline", 0),
        ("environ", 0),
        ("cmdline", 1),
        ("environ", 2),
    ] {
        let canary = Canary::new();
        let secret = &canary::spellings(&canary.password)[spelled];
        let sampler = Sampler::start(&canary, "pulp-broker-known-bad");
        let mut command = Command::new("cat");
        if place == "cmdline" {
            command.args(["-", secret]);
        } else {
            command.env("LEAKED", secret);
        }
        // It waits for its input until it is killed.
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let found = sampler.wait_for_leak(Duration::from_secs(20));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            found.iter().any(|leak| leak.contains(place)),
            "{place} {secret}: {found:?}"
        );
    }
}

#[test]
fn every_spelling_is_found_in_a_text() {
    let canary = Canary::new();
    for secret in canary.all() {
        let spellings = canary::spellings(secret);
        assert!(spellings.len() >= 8, "{spellings:?}");
        for spelling in spellings {
            let text = format!("before {spelling} after");
            assert_ne!(canary.found_in(text.as_bytes()), None, "{spelling}");
        }
    }
    assert_eq!(canary.found_in(b"nothing of it"), None);
}

/// A file of the call that stays is found, and so is a secret in it.
#[test]
fn a_file_that_is_left_is_found() {
    let canary = Canary::new();
    let variant = CELLS
        .iter()
        .find(|c| c.module == "pulp_broker" && c.outcome == Outcome::Success)
        .and_then(|cell| cell.variants().into_iter().next())
        .unwrap();
    let mut made = variant.make(&canary);
    made.call = made.call.param("_ansible_keep_remote_files", true);
    made.end = End::Plain;
    let seen = made.carry_out(&canary);
    assert!(seen.args_left);
    assert!(
        seen.leaks.iter().any(|leak| leak.contains("args")),
        "{:?}",
        seen.leaks
    );
}
