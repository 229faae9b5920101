//! A panic is a bug of ours; whoever runs the playbook still gets a reply that says what happened
//! and what to do. The hook ends the process itself: it runs before the abort of a release build, and
//! a panic on another thread would otherwise leave the main one to go on with half of its work.

use std::panic::PanicHookInfo;

/// Calls `answer` with what was said and where, on whichever thread it happens, and exits.
pub(super) fn answer(answer: impl Fn(&str, &str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        answer(said(info), &place);
        std::process::exit(1);
    }));
}

/// The message for whoever runs the playbook.
pub(super) fn message(module: &str, what: &str, place: &str) -> String {
    format!(
        "failed to finish `{module}`: {what} (at {place}); this is a bug in {} {}, please report it \
         with this message; the work may be half done, so look at the host before the next run",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
    )
}

fn said<'a>(info: &'a PanicHookInfo) -> &'a str {
    info.payload_as_str().unwrap_or("a panic without a message")
}

/// A release has no way to be made to panic. So the test runs itself again, as a process whose hook is
/// the real one, and looks at what that process wrote.
#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Which panic the process that the test starts is to have.
    const SUBJECT: &str = "PANIC_SUBJECT";

    /// A secret as it is, in JSON as Python writes it, in a URL, in HTML and in Base64.
    const SPELLED: [&str; 5] = [
        "p\"'\u{fc}{{ hunter2 }}",
        r#"p\"'\u00fc{{ hunter2 }}"#,
        "p%22%27%C3%BC%7B%7B%20hunter2%20%7D%7D",
        "p&quot;&#x27;\u{fc}{{ hunter2 }}",
        "cCInw7x7eyBodW50ZXIyIH19",
    ];

    #[test]
    #[ignore = "the subject of the test below, which starts it"]
    fn subject() {
        let Ok(subject) = std::env::var(SUBJECT) else {
            return;
        };
        super::super::answer_panics();
        super::super::secrets::add("hunter2");
        match subject.as_str() {
            "thread" => {
                let _ = std::thread::spawn(|| panic!("hunter2 on a thread")).join();
                std::thread::sleep(std::time::Duration::from_mins(1));
            }
            "index" => assert_eq!([0][std::hint::black_box(1)], 0),
            "spelled" => {
                super::super::secrets::add(SPELLED[0]);
                panic!("{}", SPELLED.join(" "));
            }
            _ => panic!("at {}\u{2028}", "hunter2"),
        }
    }

    #[test]
    fn a_panic_anywhere_is_one_masked_reply_and_nothing_else() {
        for (subject, said) in [
            ("main", r"at ********\u2028 (at src/ansible/panics.rs:"),
            ("thread", "******** on a thread (at src/ansible/panics.rs:"),
            (
                "spelled",
                ": ******** ******** ******** ******** ******** (at src",
            ),
            (
                "index",
                "the len is 1 but the index is 1 (at src/ansible/panics.rs:",
            ),
        ] {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ansible::panics::tests::subject"])
                .args(["--ignored", "--nocapture"])
                .env(SUBJECT, subject)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<_> = text.lines().filter(|line| line.starts_with('{')).collect();
            assert_eq!(lines.len(), 1, "{text}");
            let reply: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
            assert_eq!(reply["failed"], true);
            assert!(lines[0].contains(said), "{}", lines[0]);
            assert!(
                lines[0].contains("this is a bug in pulp_broker"),
                "{}",
                lines[0]
            );
            assert!(
                !text.contains("hunter2") && !text.contains("ZXIy"),
                "{text}"
            );
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert_eq!(output.status.code(), Some(1));
        }
    }
}
