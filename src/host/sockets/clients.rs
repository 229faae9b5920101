//! Who talks with a server: the client ends of its connections on this host with their processes, the
//! far ends of those that reach it from elsewhere, and the ports at which a unit is one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::all_processes;

use super::{inodes, plain, refuse_unreadable, table, unit_of};

/// The client end of an established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its own address and port.
    pub(crate) from: SocketAddr,
    /// The process that holds it; none where it cannot be seen from here.
    pub(crate) pid: Option<i32>,
    /// The systemd unit whose control group holds the process.
    pub(crate) unit: Option<String>,
}

/// The client ends on this host of all connections to a server, one for each connection.
///
/// # Errors
/// The kernel does not let this process see the table or others' open files.
pub(crate) fn clients(is_server: &dyn Fn(SocketAddr) -> bool) -> Result<Vec<Client>> {
    let mut left = client_ends(&table()?, is_server);
    let mut found = Vec::new();
    let mut unreadable = 0_usize;
    if left.is_empty() {
        return Ok(found);
    }
    for process in all_processes().context("failed to list `/proc`")?.flatten() {
        let Ok(own) = inodes(&process) else {
            unreadable += 1;
            continue;
        };
        // Children may hold what their parent opened; the parent is listed first.
        for from in own.iter().filter_map(|inode| left.remove(inode)) {
            found.push(Client {
                from,
                pid: Some(process.pid),
                unit: unit_of(&process),
            });
        }
    }
    if !left.is_empty() {
        // What ended meanwhile has no holder either.
        let still = client_ends(&table()?, is_server);
        left.retain(|inode, _| still.contains_key(inode));
    }
    if !left.is_empty() {
        refuse_unreadable(unreadable)?;
    }
    found.extend(left.into_values().map(|from| Client {
        from,
        pid: None,
        unit: None,
    }));
    Ok(found)
}

fn client_ends(
    table: &[TcpNetEntry],
    is_server: &dyn Fn(SocketAddr) -> bool,
) -> BTreeMap<u64, SocketAddr> {
    table
        .iter()
        .filter(|e| e.state == TcpState::Established && is_server(plain(e.remote_address)))
        .map(|e| (e.inode, plain(e.local_address)))
        .collect()
}

/// The far ends of all connections to these ports of this host, wherever they are.
///
/// # Errors
/// The kernel's table cannot be read.
pub(crate) fn far_ends(ports: &BTreeSet<u16>) -> Result<Vec<SocketAddr>> {
    Ok(table()?
        .iter()
        .filter(|e| e.state == TcpState::Established && ports.contains(&e.local_address.port()))
        .map(|e| plain(e.remote_address))
        .collect())
}

/// The ports at which the processes of a unit listen.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn ports_of(unit: &str) -> Result<BTreeSet<u16>> {
    let listening: BTreeMap<u64, u16> = table()?
        .iter()
        .filter(|e| e.state == TcpState::Listen)
        .map(|e| (e.inode, e.local_address.port()))
        .collect();
    Ok(all_processes()
        .context("failed to list `/proc`")?
        .flatten()
        .filter(|p| unit_of(p).as_deref() == Some(unit))
        .filter_map(|p| inodes(&p).ok())
        .flatten()
        .filter_map(|inode| listening.get(&inode).copied())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn both_ends_of_an_own_connection_are_seen() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        let stream = TcpStream::connect(server).unwrap();
        let from = stream.local_addr().unwrap();
        let seen = clients(&|end| end == server).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].from, from);
        assert_eq!(
            u32::try_from(seen[0].pid.unwrap()).unwrap(),
            std::process::id()
        );
        assert_eq!(far_ends(&[server.port()].into()).unwrap(), [from]);
    }

    #[test]
    fn a_server_without_clients_has_none() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        assert_eq!(clients(&|end| end == server).unwrap(), []);
    }
}
