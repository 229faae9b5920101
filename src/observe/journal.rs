//! The journal: a line for each change, written as it happens, so that a killed observer loses nothing;
//! and never so much that it fills the disk.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::timeline::{Entry, Event};

/// How much is written at the most: some 30,000 changes.
const MOST: usize = 4 * 1024 * 1024;

/// What the last line may need.
const RESERVE: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    written: usize,
    over: Option<String>,
}

impl Journal {
    /// Begins one; there must be none.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        Ok(Self {
            file,
            written: 0,
            over: None,
        })
    }

    /// One line, in one piece.
    pub(super) fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.written += text.len();
        self.file.write_all(text.as_bytes())?;
        Ok(())
    }

    /// A change; the end is always written, whatever else is not.
    pub(super) fn entry(&mut self, at: f64, event: Event) {
        let is_end = matches!(event, Event::End { .. });
        if self.over.is_some() && !is_end {
            return;
        }
        // Milliseconds are more than any sampler can tell.
        let at = (at * 1000.0).round() / 1000.0;
        if let Err(error) = self.write(&Entry { at, event }) {
            self.over = Some(format!("its journal could not be written: {error:#}"));
        } else if self.written > MOST - RESERVE {
            self.over = Some(format!("its journal was full at {} MiB", MOST >> 20));
        }
    }

    /// Why nothing more is written.
    pub(super) fn is_over(&self) -> Option<String> {
        self.over.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Begin, Timeline};

    #[test]
    fn a_full_journal_ends_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path).unwrap();
        assert!(Journal::create(&path).is_err());
        let begin = Begin {
            host: "a".to_owned(),
            wall: 1.0,
            monotonic: 1.0,
            broker: String::new(),
            kind: String::new(),
            caches_only: false,
            units: Vec::new(),
            listeners: std::collections::BTreeMap::new(),
            retry: None,
        };
        journal.write(&begin).unwrap();
        let mut at = 0.0;
        while journal.is_over().is_none() {
            at += 0.1;
            let why = "x".repeat(1000);
            journal.entry(at, Event::Unlisted { worker: why });
        }
        journal.entry(
            at,
            Event::Unlisted {
                worker: String::new(),
            },
        );
        let why = journal.is_over().unwrap();
        journal.entry(at, Event::End { why });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() < MOST);
        let timeline = Timeline::parse(&text).unwrap();
        assert!(!timeline.torn);
        assert_eq!(timeline.end(), Some("its journal was full at 4 MiB"));
        assert!(timeline.entries.len() > 4000);
    }
}
