//! The processes of the units: who is whose child, what each does, and in what it waits.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::redact;
use crate::host::{command_lines, processes};
use crate::service;

/// The longest command line that is shown: RabbitMQ's fills pages.
const LONGEST: usize = 600;

/// One tree for each unit.
pub(super) fn tree(units: &[String]) -> String {
    let mut text = String::new();
    for unit in units {
        let pids: BTreeSet<i32> = match service::processes_of(unit) {
            Ok(found) => found.iter().map(|process| process.pid).collect(),
            Err(cause) => {
                let _ = writeln!(text, "{unit}: could not be told: {cause:#}");
                continue;
            }
        };
        let none = if pids.is_empty() { " no process" } else { "" };
        let _ = writeln!(text, "{unit}:{none}");
        let rows: Vec<processes::ProcessRow> =
            pids.iter().filter_map(|pid| processes::row(*pid)).collect();
        // The first of a tree has its parent elsewhere.
        for row in rows.iter().filter(|row| !pids.contains(&row.parent)) {
            branch(&mut text, row, &rows, 1);
        }
    }
    text
}

fn branch(
    text: &mut String,
    row: &processes::ProcessRow,
    rows: &[processes::ProcessRow],
    depth: usize,
) {
    let command = command_lines::of(row.pid)
        .map(|program| redact::command(&program.arguments))
        .filter(|command| !command.trim().is_empty())
        .unwrap_or_else(|| format!("[{}]", row.name));
    let end = command.floor_char_boundary(LONGEST);
    let more = if end < command.len() { " …" } else { "" };
    let _ = writeln!(
        text,
        "{:indent$}{} {} started {:.1} s after the boot, {} threads, {} KiB{}: {}{more}",
        "",
        row.pid,
        row.state,
        row.started,
        row.threads,
        row.resident_kib,
        row.waits_in
            .as_ref()
            .map_or(String::new(), |place| format!(", in {place}")),
        &command[..end],
        indent = depth * 2,
    );
    for child in rows.iter().filter(|child| child.parent == row.pid) {
        branch(text, child, rows, depth + 1);
    }
}
