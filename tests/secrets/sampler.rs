//! Reads the command line and the environment of every process of this host again and again, as `ps` in a loop would.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::canary::Canary;

pub(crate) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    /// In how many rounds a process of the call was seen.
    seen: AtomicUsize,
    leaks: Mutex<BTreeSet<String>>,
}

impl Sampler {
    /// `own` stands in the command line of the process that is of interest.
    pub(crate) fn start(canary: &Canary, own: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let canary = canary.clone();
        let (own, with) = (own.to_owned(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            while !with.ends.load(Ordering::Relaxed) {
                look(&canary, &own, &with);
            }
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// In how many rounds it was seen so far.
    pub(crate) fn seen(&self) -> usize {
        self.shared.seen.load(Ordering::Relaxed)
    }

    pub(crate) fn wait_until_seen(&self, more_than: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.seen() <= more_than {
            assert!(Instant::now() < end, "the sampler does not see the module");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn wait_for_leak(mut self, limit: Duration) -> Vec<String> {
        let end = Instant::now() + limit;
        while self.shared.leaks.lock().unwrap().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end()
    }

    /// What it found.
    pub(crate) fn end(&mut self) -> Vec<String> {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        let leaks = self.shared.leaks.lock().unwrap();
        leaks.iter().cloned().collect()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
    }
}

fn look(canary: &Canary, own: &str, shared: &Shared) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        if !name
            .to_string_lossy()
            .starts_with(|c: char| c.is_ascii_digit())
        {
            continue;
        }
        for what in ["cmdline", "environ"] {
            // It may have ended meanwhile.
            let Ok(bytes) = std::fs::read(entry.path().join(what)) else {
                continue;
            };
            let is_own = |window: &[u8]| window == own.as_bytes();
            if what == "cmdline" && bytes.windows(own.len()).any(is_own) {
                shared.seen.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(found) = canary.found_in(&bytes) {
                let told = format!("{what} of process {}: {found}", name.to_string_lossy());
                shared.leaks.lock().unwrap().insert(told);
            }
        }
    }
}
