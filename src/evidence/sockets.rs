//! The broker's sockets as the kernel has them, both ends where both are here: what a log claims of a
//! connection is not always so.

use std::fmt::Write as _;

use anyhow::Result;

use super::redact;
use crate::broker::Broker;
use crate::host::command_lines;
use crate::host::sockets::rows::{self, SocketRow};

/// More lines than these say nothing new.
const MOST: usize = 5_000;

pub(super) fn table(broker: &Broker) -> Result<String> {
    if let Some(path) = broker.endpoint.socket() {
        return Ok(lines(&rows::at_path(path)?));
    }
    let port = broker.endpoint.port().filter(|_| broker.local);
    let addresses = broker.addresses();
    let is_brokers = |local: std::net::SocketAddr, remote: std::net::SocketAddr| {
        addresses.contains(&remote) || Some(local.port()) == port
    };
    Ok(lines(&rows::tcp(&is_brokers)?))
}

fn lines(rows: &[SocketRow]) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let mut text = String::new();
    for row in rows.iter().take(MOST) {
        let holders: Vec<String> = row.pids.iter().map(|pid| holder(*pid)).collect();
        let holders = if holders.is_empty() {
            "nobody".to_owned()
        } else {
            holders.join(", ")
        };
        let _ = writeln!(
            text,
            "{} {} -> {} receives {} sends {} inode {} of {holders}",
            row.state, row.local, row.remote, row.receive_queue, row.send_queue, row.inode,
        );
    }
    if rows.len() > MOST {
        let _ = writeln!(text, "[{} more]", rows.len() - MOST);
    }
    text
}

fn holder(pid: i32) -> String {
    let program = command_lines::of(pid);
    let name = program.map_or("?".to_owned(), |program| redact::text(&program.name));
    format!("{pid} ({name})")
}
