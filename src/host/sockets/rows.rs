//! Sockets in any state, with the bytes that wait in them and the processes that hold them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use procfs::process::all_processes;

use super::{inodes, plain, resolved, table};

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocketRow {
    /// In the kernel's word.
    pub(crate) state: String,
    /// An address and port, or a path.
    pub(crate) local: String,
    pub(crate) remote: String,
    /// Bytes that were received and not read, and sent and not confirmed.
    pub(crate) receive_queue: u32,
    pub(crate) send_queue: u32,
    /// 0: the kernel alone still has it.
    pub(crate) inode: u64,
    pub(crate) pids: Vec<i32>,
}

/// The TCP sockets whose local and remote address are wanted.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn tcp(is_wanted: &dyn Fn(SocketAddr, SocketAddr) -> bool) -> Result<Vec<SocketRow>> {
    let rows = table()?
        .into_iter()
        .map(|e| (plain(e.local_address), plain(e.remote_address), e))
        .filter(|(local, remote, _)| is_wanted(*local, *remote))
        .map(|(local, remote, e)| SocketRow {
            state: format!("{:?}", e.state),
            local: local.to_string(),
            remote: remote.to_string(),
            receive_queue: e.rx_queue,
            send_queue: e.tx_queue,
            inode: e.inode,
            pids: Vec::new(),
        });
    held(rows.collect())
}

/// The Unix sockets that are bound to a path: the one that listens, and those that it accepted.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn at_path(path: &Path) -> Result<Vec<SocketRow>> {
    let path = resolved(path);
    let rows = procfs::net::unix()
        .context("failed to read `/proc/net/unix`")?
        .into_iter()
        .filter(|e| e.path.as_deref().is_some_and(|p| resolved(p) == path))
        .map(|e| SocketRow {
            state: format!("{:?}", e.state),
            local: path.display().to_string(),
            remote: String::new(),
            receive_queue: 0,
            send_queue: 0,
            inode: e.inode,
            pids: Vec::new(),
        });
    held(rows.collect())
}

/// Finds who holds them, as far as the kernel lets this process see.
fn held(mut rows: Vec<SocketRow>) -> Result<Vec<SocketRow>> {
    if rows.is_empty() {
        return Ok(rows);
    }
    let mut holders: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
    for process in all_processes().context("failed to list `/proc`")?.flatten() {
        for inode in inodes(&process).unwrap_or_default() {
            holders.entry(inode).or_default().push(process.pid);
        }
    }
    for row in &mut rows {
        row.pids = holders.get(&row.inode).cloned().unwrap_or_default();
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn bytes_that_nobody_reads_are_seen_with_both_ends() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        let mut client = TcpStream::connect(server).unwrap();
        let (_accepted, _) = socket.accept().unwrap();
        client.write_all(b"hello").unwrap();
        let rows = tcp(&|local, remote| local == server || remote == server).unwrap();
        assert_eq!(rows.len(), 3, "{rows:?}");
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(rows.iter().all(|row| row.pids == [me]), "{rows:?}");
        assert!(rows.iter().any(|row| row.receive_queue == 5), "{rows:?}");
        assert!(rows.iter().any(|row| row.state == "Listen"), "{rows:?}");
    }

    #[test]
    fn a_unix_socket_is_seen_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _socket = UnixListener::bind(&path).unwrap();
        assert_eq!(at_path(&path).unwrap().len(), 1);
        assert_eq!(at_path(&folder.path().join("none")).unwrap(), []);
    }
}
