//! TCP and Unix sockets and their owners, as the kernel's `/proc` shows them.

pub(crate) mod clients;
pub(crate) mod diag;
pub(crate) mod owners;
pub(crate) mod peers;
pub(crate) mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use procfs::ProcError;
use procfs::net::{TcpNetEntry, TcpState, UnixState};
use procfs::process::{FDTarget, Process};

use crate::host::processes;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) pid: i32,
    /// The systemd unit whose control group holds the process.
    pub(crate) unit: Option<String>,
}

/// The inodes of the established connections to any of `peers`, by the process that holds them. The
/// kernel's table is read once for all processes.
///
/// # Errors
/// The kernel does not let this process see the table or another's open files.
pub(crate) fn connections(
    pids: &[u32],
    peers: &[SocketAddr],
) -> Result<BTreeMap<u32, BTreeSet<u64>>> {
    let wanted: BTreeSet<u64> = established(&table()?, peers).collect();
    pids.iter()
        .map(|pid| {
            let own = i32::try_from(*pid)
                .ok()
                .and_then(|pid| Process::new(pid).ok())
                .map_or_else(|| Ok(BTreeSet::new()), |process| inodes(&process))?;
            Ok((*pid, own.intersection(&wanted).copied().collect()))
        })
        .collect()
}

/// Those of the processes that have a connection to any of `peers`, or try to: nobody need answer.
///
/// # Errors
/// The kernel does not let this process see the table or another's open files.
pub(crate) fn reaching(pids: &[u32], peers: &[SocketAddr]) -> Result<BTreeSet<u32>> {
    holders(pids, peers, &[TcpState::Established, TcpState::SynSent])
}

fn holders(pids: &[u32], peers: &[SocketAddr], states: &[TcpState]) -> Result<BTreeSet<u32>> {
    let wanted: BTreeSet<u64> = table()?
        .iter()
        .filter(|e| states.contains(&e.state))
        .filter(|e| peers.contains(&plain(e.remote_address)))
        .map(|e| e.inode)
        .collect();
    let mut found = BTreeSet::new();
    for pid in pids {
        let process = i32::try_from(*pid).ok().and_then(|p| Process::new(p).ok());
        let own = process.map(|process| inodes(&process)).transpose()?;
        if own.is_some_and(|own| !own.is_disjoint(&wanted)) {
            found.insert(*pid);
        }
    }
    Ok(found)
}

/// Those of the processes that try to connect to any of `peers` and are not answered.
///
/// # Errors
/// The kernel's table cannot be read.
pub(crate) fn unanswered(pids: &[u32], peers: &[SocketAddr]) -> Result<BTreeSet<u32>> {
    holders(pids, peers, &[TcpState::SynSent])
}

/// Whether a process has a connection that it opened itself: what hands connections on does.
///
/// # Errors
/// The kernel's table or the process's open files cannot be read.
pub(crate) fn reaches_out(pid: i32) -> Result<bool> {
    let own = inodes(&Process::new(pid)?)?;
    let table = table()?;
    let own: Vec<&TcpNetEntry> = table.iter().filter(|e| own.contains(&e.inode)).collect();
    let listens = own.iter().filter(|e| e.state == TcpState::Listen);
    let ports: BTreeSet<u16> = listens.map(|e| e.local_address.port()).collect();
    Ok(own.iter().any(|e| {
        matches!(e.state, TcpState::Established | TcpState::SynSent)
            && !ports.contains(&e.local_address.port())
    }))
}

/// Every TCP socket of this host; a kernel without IPv6 has one table only.
fn table() -> Result<Vec<TcpNetEntry>> {
    let mut table = procfs::net::tcp().context("failed to read `/proc/net/tcp`")?;
    table.extend(procfs::net::tcp6().unwrap_or_default());
    Ok(table)
}

fn established<'a>(
    table: &'a [TcpNetEntry],
    peers: &'a [SocketAddr],
) -> impl Iterator<Item = u64> + 'a {
    table
        .iter()
        .filter(|e| e.state == TcpState::Established)
        .filter(|e| peers.contains(&plain(e.remote_address)))
        .map(|e| e.inode)
}

/// Whether the far end's kernel has taken all that was sent on the connection from this address.
///
/// # Errors
/// The kernel's table cannot be read.
pub(crate) fn has_taken_all(own: SocketAddr, far: SocketAddr) -> Result<bool> {
    let ends = (plain(own), plain(far));
    Ok(table()?.iter().any(|e| {
        (plain(e.local_address), plain(e.remote_address)) == ends
            && e.state == TcpState::Established
            && e.tx_queue == 0
    }))
}

/// Whether anything on this host listens at any of these addresses.
///
/// # Errors
/// The kernel's table cannot be read.
pub(crate) fn listening(addresses: &[SocketAddr]) -> Result<bool> {
    Ok(!listener_inodes_of(addresses)?.is_empty())
}

/// Who listens there, as far as the kernel lets this process see others' open files.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn listener(addresses: &[SocketAddr]) -> Result<Option<Listener>> {
    holder(&listener_inodes_of(addresses)?)
}

/// Whether one process alone listens on the port, whatever the addresses.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn has_one_listener(port: u16) -> Result<bool> {
    let wanted = listener_inodes(port)?;
    let held = holder(&wanted)?.and_then(|listener| Process::new(listener.pid).ok());
    let held = held.map(|process| inodes(&process)).transpose()?;
    Ok(held.is_some_and(|held| wanted.is_subset(&held)))
}

/// Whether anything listens on the Unix socket at this path. The file alone says nothing: a killed
/// server leaves it.
///
/// # Errors
/// The kernel's table cannot be read.
pub(crate) fn listening_at(path: &Path) -> Result<bool> {
    Ok(!listener_inodes_at(path)?.is_empty())
}

/// Who listens on the Unix socket at this path.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn listener_at(path: &Path) -> Result<Option<Listener>> {
    holder(&listener_inodes_at(path)?)
}

/// The first process that holds one of these sockets.
fn holder(wanted: &BTreeSet<u64>) -> Result<Option<Listener>> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut unreadable = 0_usize;
    for process in procfs::process::all_processes()
        .context("failed to list `/proc`")?
        .flatten()
    {
        match inodes(&process) {
            Ok(own) if !own.is_disjoint(wanted) => {
                return Ok(Some(Listener {
                    pid: process.pid,
                    unit: unit_of(&process),
                }));
            }
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    refuse_unreadable(unreadable)?;
    Ok(None)
}

/// Who was looked for may be among those that cannot be looked into.
fn refuse_unreadable(processes: usize) -> Result<()> {
    if processes > 0 {
        bail!("failed to read the open files of {processes} processes: {NEEDS}");
    }
    Ok(())
}

/// The local and remote ports of every TCP socket that an ancestor of this process holds: that of the
/// connection over which it was started is among them.
///
/// # Errors
/// The kernel's tables cannot be read.
pub(crate) fn ports_of_ancestors() -> Result<BTreeSet<u16>> {
    let mut held = BTreeSet::new();
    let mut process = Process::myself().context("failed to read `/proc/self`")?;
    while let Ok(stat) = process.stat() {
        // One that may not be looked into is not ours, such as a container's parent.
        held.extend(inodes(&process).unwrap_or_default());
        match Process::new(stat.ppid) {
            // The first process holds the sockets of others.
            Ok(parent) if stat.ppid > 1 => process = parent,
            _ => break,
        }
    }
    Ok(table()?
        .iter()
        .filter(|e| held.contains(&e.inode))
        .flat_map(|e| [e.local_address.port(), e.remote_address.port()])
        .collect())
}

fn listener_inodes(port: u16) -> Result<BTreeSet<u64>> {
    Ok(table()?
        .iter()
        .filter(|e| e.state == TcpState::Listen && e.local_address.port() == port)
        .map(|e| e.inode)
        .collect())
}

/// As the kernel chooses: who is bound to the very address, else who takes all addresses of the port.
fn listener_inodes_of(addresses: &[SocketAddr]) -> Result<BTreeSet<u64>> {
    let mut listening = table()?;
    listening.retain(|e| e.state == TcpState::Listen);
    let at = |wanted: &dyn Fn(SocketAddr) -> bool| -> BTreeSet<u64> {
        let bound = listening.iter().filter(|e| wanted(plain(e.local_address)));
        bound.map(|e| e.inode).collect()
    };
    let of = |address: &SocketAddr| {
        let exact = at(&|bound| bound == plain(*address));
        if exact.is_empty() {
            at(&|bound| bound.ip().is_unspecified() && bound.port() == address.port())
        } else {
            exact
        }
    };
    Ok(addresses.iter().flat_map(of).collect())
}

/// A socket that listens is bound to its path and connected to nobody; those that it accepted show the
/// same path.
fn listener_inodes_at(path: &Path) -> Result<BTreeSet<u64>> {
    let path = resolved(path);
    Ok(procfs::net::unix()
        .context("failed to read `/proc/net/unix`")?
        .into_iter()
        .filter(|e| e.state == UnixState::UNCONNECTED)
        .filter(|e| {
            e.path
                .as_deref()
                .is_some_and(|bound| resolved(bound) == path)
        })
        .map(|e| e.inode)
        .collect())
}

/// A path as one that has no symbolic link before its last part: `/var/run` and `/run` are the same.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Why another's open files cannot be read.
const NEEDS: &str = "root needs CAP_SYS_PTRACE to see those of other users' processes; a container lacks it unless it is given";

/// The sockets among a process's open files; none when the process is gone meanwhile.
///
/// # Errors
/// The kernel does not let this process see them.
fn inodes(process: &Process) -> Result<BTreeSet<u64>> {
    let mut own = BTreeSet::new();
    let mut has_seen_one = false;
    let fds = match process.fd() {
        Err(ProcError::NotFound(_)) => return Ok(own),
        fds => fds?,
    };
    for fd in fds {
        match fd {
            Ok(fd) => {
                has_seen_one = true;
                if let FDTarget::Socket(inode) = fd.target {
                    own.insert(inode);
                }
            }
            // Closed between listing and reading.
            Err(ProcError::NotFound(_)) => {}
            Err(ProcError::Io(e, _)) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e.into()),
        }
    }
    // procfs leaves out what it may not read. A process that has ended meanwhile has nothing open.
    let ran = || u32::try_from(process.pid).is_ok_and(processes::runs);
    if !has_seen_one && process.fd_count().is_ok_and(|count| count > 0) && ran() {
        bail!("failed to read `/proc/{}/fd`: {NEEDS}", process.pid);
    }
    Ok(own)
}

fn unit_of(process: &Process) -> Option<String> {
    process
        .cgroups()
        .ok()?
        .0
        .into_iter()
        .find_map(|group| unit_in(&group.pathname))
}

/// The unit that a control group's path names, such as `…/system.slice/qpidd.service`.
fn unit_in(path: &str) -> Option<String> {
    path.split('/')
        .rev()
        .find(|part| part.ends_with(".service"))
        .map(str::to_owned)
}

/// Whether an address is one of this host's own: the kernel then answers from that same address. No
/// packet is sent. All of loopback is (the kernel answers 127.0.1.1, which Debian gives a host's own
/// name, from 127.0.0.1).
pub(crate) fn is_local(address: IpAddr) -> bool {
    if address.to_canonical().is_loopback() {
        return true;
    }
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    std::net::UdpSocket::bind(any)
        .and_then(|socket| {
            socket.connect((address, 9))?;
            socket.local_addr()
        })
        .is_ok_and(|own| plain(own).ip() == address)
}

/// An IPv4 address that a dual-stack socket shows as IPv6, as IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn an_own_listener_is_found_and_gone_when_closed() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let found = listener(&[at]).unwrap().unwrap();
        assert_eq!(u32::try_from(found.pid).unwrap(), std::process::id());
        drop(socket);
        assert!(!listening(&[at]).unwrap());
    }

    #[test]
    fn a_listener_at_another_address_of_the_port_is_another() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let other: SocketAddr = ([127, 0, 0, 2], at.port()).into();
        assert!(!listening(&[other]).unwrap());
        assert!(listening(&[other, at]).unwrap());
        let all = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = all.local_addr().unwrap().port();
        assert!(listening(&[([127, 0, 0, 2], port).into()]).unwrap());
    }

    #[test]
    fn an_established_connection_belongs_to_its_process_and_peer() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = socket.local_addr().unwrap();
        let client = TcpStream::connect(peer).unwrap();
        let me = std::process::id();
        let other = std::os::unix::process::parent_id();
        let held = |pid: u32| connections(&[pid], &[peer]).unwrap()[&pid].len();
        assert_eq!(held(me), 1);
        assert_eq!(
            reaching(&[me, other], &[peer]).unwrap(),
            BTreeSet::from([me])
        );
        assert_eq!(held(other), 0);
        drop(client);
        assert_eq!(held(me), 0);
    }

    #[test]
    fn who_tries_to_connect_and_is_not_answered_is_told_from_who_is_connected() {
        let me = std::process::id();
        let other = std::os::unix::process::parent_id();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = socket.local_addr().unwrap();
        let _connected = TcpStream::connect(peer).unwrap();
        assert!(unanswered(&[me], &[peer]).unwrap().is_empty());
        // A full queue of connections, as a frozen broker's: the kernel answers nobody.
        rustix::net::listen(&socket, 0).unwrap();
        let mut held: Vec<std::thread::JoinHandle<_>> = Vec::new();
        for _ in 0..3 {
            held.push(std::thread::spawn(move || {
                TcpStream::connect_timeout(&peer, std::time::Duration::from_secs(20))
            }));
        }
        let deadline = crate::host::wait::Deadline::after(std::time::Duration::from_secs(20));
        crate::host::wait::until("a try", deadline, crate::host::wait::Pace::QUICK, || {
            Ok((unanswered(&[me, other], &[peer])? == BTreeSet::from([me])).then_some(()))
        })
        .unwrap();
        drop(socket);
    }

    #[test]
    fn what_hands_connections_on_is_told_from_what_only_serves() {
        // In processes of their own: this one has connections of other tests.
        let bash = |script: &str| {
            std::process::Command::new("bash")
                .args(["-c", script])
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut client = bash(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r end"));
        let mut other = bash("read -r end");
        let (_stream, _) = socket.accept().unwrap();
        let reaches =
            |child: &std::process::Child| reaches_out(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(reaches(&client));
        assert!(!reaches(&other));
        for child in [&mut client, &mut other] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_listener_on_a_path_is_found_through_a_link_and_gone_when_closed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let socket = UnixListener::bind(folder.path().join("s")).unwrap();
        let path = link.join("s");
        let client = UnixStream::connect(&path).unwrap();
        let found = listener_at(&path).unwrap().unwrap();
        assert_eq!(u32::try_from(found.pid).unwrap(), std::process::id());
        drop(socket);
        assert!(!listening_at(&path).unwrap(), "the file is still there");
        drop(client);
    }

    #[test]
    fn the_unit_is_the_innermost_service_of_the_control_group() {
        let path = "/machine.slice/x.scope/system.slice/rabbitmq-server.service";
        assert_eq!(unit_in(path).as_deref(), Some("rabbitmq-server.service"));
        assert_eq!(unit_in("/user.slice/session-1.scope"), None);
    }

    #[test]
    fn loopback_is_local_and_a_documentation_address_is_not() {
        assert!(is_local([127, 0, 0, 1].into()));
        assert!(is_local([127, 0, 1, 1].into()));
        assert!(!is_local([192, 0, 2, 1].into()));
    }
}
