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
