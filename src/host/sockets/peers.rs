//! To whom processes are connected: the far ends of the TCP connections that they asked for, each in the network namespace of its own
//! process, and the paths of the Unix sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::Process;

use super::diag::Table;
use super::{NEEDS, inodes, plain, resolved, table};
use crate::host::processes;

/// What every service talks with says nothing of Pulp: the journal, the service manager, the bus.
const EVERYBODYS: &[&str] = &["/run/systemd/", "/run/dbus/"];

/// The far ends of one process's connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) tcp: BTreeSet<SocketAddr>,
    /// Servers at Unix sockets, as far as netlink tells them.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// The process is in another network namespace than this one: its loopback is not this host's.
    pub(crate) elsewhere: bool,
}

/// What each of the processes is connected to. One that is gone is left out.
///
/// # Errors
/// The kernel does not let this process see another's open files, its namespace or its table.
pub(crate) fn of(pids: &[u32]) -> Result<BTreeMap<u32, Peers>> {
    let own = namespace("self")?;
    let mut tables = BTreeMap::from([(own.clone(), by_inode(&table()?))]);
    // Without netlink nobody tells; a broker at a Unix socket is refused then.
    let paths: BTreeMap<u64, PathBuf> = Table::open()
        .unix_clients()
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, path)| !EVERYBODYS.iter().any(|folder| path.starts_with(folder)))
        .collect();
    let mut found = BTreeMap::new();
    for pid in pids {
        let Some(process) = i32::try_from(*pid).ok().and_then(|p| Process::new(p).ok()) else {
            continue;
        };
        let held = inodes(&process)?;
        let namespace = match namespace(&pid.to_string()) {
            Ok(namespace) => namespace,
            // It has ended; what nobody has waited for yet is still there.
            Err(_) if !processes::runs(*pid) => continue,
            Err(error) => return Err(error),
        };
        if !tables.contains_key(&namespace) {
            let fail = || format!("failed to read `/proc/{pid}/net/tcp`");
            let mut entries = process.tcp().with_context(fail)?;
            entries.extend(process.tcp6().unwrap_or_default());
            tables.insert(namespace.clone(), by_inode(&entries));
        }
        let table = &tables[&namespace];
        let peers = Peers {
            tcp: held.iter().filter_map(|i| table.get(i).copied()).collect(),
            paths: held.iter().filter_map(|i| paths.get(i).cloned()).collect(),
            elsewhere: namespace != own,
        };
        found.insert(*pid, peers);
    }
    Ok(found)
}

/// The far ends of the connections that were asked for here, by the inode of the near end. What came in at a port that
/// listens was asked for by the other side.
fn by_inode(entries: &[TcpNetEntry]) -> BTreeMap<u64, SocketAddr> {
    let in_state = |state: TcpState| entries.iter().filter(move |e| e.state == state);
    let listening: BTreeSet<u16> = in_state(TcpState::Listen)
        .map(|e| e.local_address.port())
        .collect();
    in_state(TcpState::Established)
        .filter(|e| !listening.contains(&e.local_address.port()))
        .map(|e| (e.inode, plain(e.remote_address)))
        .collect()
}

/// What the kernel calls a process's network namespace.
fn namespace(pid: &str) -> Result<PathBuf> {
    let path = format!("/proc/{pid}/ns/net");
    std::fs::read_link(&path).with_context(|| format!("failed to read `{path}`: {NEEDS}"))
}

impl Peers {
    /// Takes in what another process of the same service is connected to.
    pub(crate) fn add(&mut self, other: Self) {
        self.tcp.extend(other.tcp);
        self.paths.extend(other.paths);
        self.elsewhere |= other.elsewhere;
    }

    /// Whether one of them is the server at this path.
    pub(crate) fn reach(&self, path: &std::path::Path) -> bool {
        self.paths.contains(&resolved(path))
    }
}

impl std::fmt::Display for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tcp = self.tcp.iter().map(ToString::to_string);
        let paths = self.paths.iter().map(|path| path.display().to_string());
        let all: Vec<String> = tcp.chain(paths).collect();
        if all.is_empty() {
            f.write_str("nothing")
        } else {
            f.write_str(&all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn an_own_connection_is_told_by_its_far_end() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let me = std::process::id();
        let connected = || of(&[me]).unwrap()[&me].tcp.contains(&at);
        assert!(!connected());
        let client = TcpStream::connect(at).unwrap();
        assert!(connected());
        assert!(!of(&[me]).unwrap()[&me].elsewhere);
        let (taken, far) = server.accept().unwrap();
        let told = of(&[me]).unwrap()[&me].tcp.contains(&far);
        assert!(
            !told,
            "who comes to this process is none that it is connected to"
        );
        drop((client, taken));
        assert!(!connected());
    }

    #[test]
    fn a_unix_socket_is_told_by_its_path_also_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let path = folder.path().join("s");
        let server = UnixListener::bind(&path).unwrap();
        let me = std::process::id();
        let connected = || of(&[me]).unwrap()[&me].reach(&link.join("s"));
        assert!(!connected(), "who listens is no client");
        let client = UnixStream::connect(&path).unwrap();
        let taken = server.accept().unwrap();
        assert!(connected());
        drop((client, taken));
        assert!(!connected());
    }

    #[test]
    fn a_process_that_is_gone_is_left_out() {
        assert!(of(&[u32::MAX]).unwrap().is_empty());
        // One that has ended while it was looked at: nobody has waited for it yet.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let deadline = crate::host::wait::Deadline::after(std::time::Duration::from_secs(20));
        crate::host::wait::until("its end", deadline, crate::host::wait::Pace::QUICK, || {
            Ok((!processes::runs(child.id())).then_some(()))
        })
        .unwrap();
        assert!(processes::exists(child.id()));
        let me = std::process::id();
        let found = of(&[child.id(), me]).unwrap();
        assert!(found.keys().eq([&me]), "{found:?}");
        child.wait().unwrap();
    }
}
