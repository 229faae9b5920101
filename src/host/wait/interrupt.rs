//! SIGHUP, SIGINT and SIGTERM ask the module to stop. They are remembered here and honoured at the
//! next wait, so that what was begun is finished or undone and the reply is still written. A
//! standard output that nobody reads any more must not end the process either (Rust ignores
//! SIGPIPE from the start).

use std::sync::{Arc, OnceLock, atomic::AtomicUsize, atomic::Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static PENDING: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Starts to remember signals. A signal that cannot be watched keeps its default action.
pub(crate) fn watch() {
    let pending = PENDING.get_or_init(Arc::default);
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let number = usize::try_from(signal).unwrap_or_default();
        let _ = signal_hook::flag::register_usize(signal, Arc::clone(pending), number);
    }
}

/// The name of the last signal that asked this process to stop, if one did.
pub(crate) fn pending() -> Option<&'static str> {
    let number = PENDING.get()?.load(Ordering::Relaxed);
    match i32::try_from(number).ok()? {
        SIGHUP => Some("SIGHUP"),
        SIGINT => Some("SIGINT"),
        SIGTERM => Some("SIGTERM"),
        _ => None,
    }
}
