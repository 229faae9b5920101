//! SIGHUP, SIGINT and SIGTERM ask the module to stop, and so does the end of whoever reads its reply, where there is no
//! terminal from which SIGHUP would come. They are remembered here and honoured at the next wait, so that what was begun is
//! finished or undone and the reply is still written. A standard output that nobody reads any more must not end the process
//! either (Rust ignores SIGPIPE from the start).

use std::io::Write as _;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock, atomic::AtomicUsize, atomic::Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};

static PENDING: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// How often an empty line goes to the standard error: a connection whose controller was killed notices that nobody
/// reads only when it has something to hand over.
const LINES: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// Starts to remember signals. A signal that cannot be watched keeps its default action.
pub(crate) fn watch() {
    let pending = PENDING.get_or_init(Arc::default);
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let number = usize::try_from(signal).unwrap_or_default();
        let _ = signal_hook::flag::register_usize(signal, Arc::clone(pending), number);
    }
}

/// Starts to watch who reads the standard output and the standard error. Where that cannot be watched the module works to its end.
pub(crate) fn watch_readers() {
    thread::spawn(|| {
        loop {
            match ends_within(&LINES) {
                Ok(false) if writeln!(std::io::stderr()).is_ok() => {}
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
        let pending = PENDING.get_or_init(Arc::default);
        pending.store(
            usize::try_from(SIGPIPE).unwrap_or_default(),
            Ordering::Relaxed,
        );
    });
}

/// Whether the reader of either is gone, in this time.
fn ends_within(limit: &Timespec) -> Result<bool, Errno> {
    let (output, error) = (std::io::stdout(), std::io::stderr());
    // The end of a reader is told whatever is asked for.
    let mut both = [&output as &dyn AsFd, &error]
        .map(|of| PollFd::from_borrowed_fd(of.as_fd(), PollFlags::empty()));
    poll(&mut both, Some(limit)).map(|told| told > 0)
}

/// What asked this process to stop last, if anything did: a signal by its name.
pub(crate) fn pending() -> Option<&'static str> {
    let number = PENDING.get()?.load(Ordering::Relaxed);
    match i32::try_from(number).ok()? {
        SIGHUP => Some("SIGHUP"),
        SIGINT => Some("SIGINT"),
        SIGTERM => Some("SIGTERM"),
        SIGPIPE => Some("the end of its connection"),
        _ => None,
    }
}
