//! The connections to one server as the kernel tells them over netlink, `sock_diag(7)`: filtered in the
//! kernel, so that a host with many sockets may be asked ten times a second. The question is the one
//! that every kernel since 2.6 knows; it is answered for IPv4 and IPv6 in one walk through the table.
//! Where netlink is refused, `/proc/net/tcp` tells the same, without what moved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use procfs::net::TcpState;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, netlink};

use super::{plain, resolved, table};

// linux/netlink.h
const REQUEST: u16 = 1;
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER: usize = 16;

// linux/inet_diag.h, linux/unix_diag.h, linux/sock_diag.h
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
/// Name and peer of a Unix socket.
const UDIAG_SHOW: u32 = 1 | 4;
const ESTABLISHED_STATE: u8 = 1;
const ESTABLISHED: u32 = 1 << ESTABLISHED_STATE;
const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;

/// Where `tcp_info` says how much was acknowledged by the far end and received from it; since Linux 4.2.
const BYTES: usize = 120;

/// The kernel answers at once; this is for one that does not.
const LIMIT: Duration = Duration::from_secs(1);

/// By what the kernel finds one connection at once, without a walk through its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    family: u8,
    /// `struct inet_diag_sockid`
    id: [u8; 48],
}

impl Key {
    /// The same connection, seen from its other end: `struct inet_diag_sockid` begins with the two ports, then the
    /// two addresses; no interface is asked for, and no cookie.
    fn of_the_other_end(&self) -> Self {
        let mut id = [0; 48];
        for (to, from, length) in [(0, 2, 2), (2, 0, 2), (4, 20, 16), (20, 4, 16)] {
            id[to..to + length].copy_from_slice(&self.id[from..from + length]);
        }
        id[40..].fill(0xff);
        Self {
            family: self.family,
            id,
        }
    }
}

/// An established connection, seen from the end that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The kernel's inode of the socket, by which its owner is found.
    pub(crate) inode: u64,
    /// How much went each way; none where the kernel does not tell.
    pub(crate) traffic: Option<Traffic>,
    /// None where only all can be asked for.
    pub(crate) key: Option<Key>,
}

/// How many bytes went over a connection since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// The far end acknowledged so many.
    pub(crate) acked: u64,
    pub(crate) received: u64,
}

/// The kernel's table of sockets.
#[derive(Debug)]
pub(crate) struct Table {
    netlink: Option<OwnedFd>,
}

impl Table {
    pub(crate) fn open() -> Self {
        let socket = || -> rustix::io::Result<OwnedFd> {
            let socket = rustix::net::socket(
                AddressFamily::NETLINK,
                SocketType::RAW,
                Some(netlink::SOCK_DIAG),
            )?;
            set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT))?;
            Ok(socket)
        };
        Self {
            netlink: socket().ok(),
        }
    }

    /// The established connections of this host to any of `peers`, which all have the same port.
    ///
    /// # Errors
    /// Neither netlink nor `/proc` shows them.
    pub(crate) fn of_addresses(&mut self, peers: &[SocketAddr]) -> Result<Vec<Connection>> {
        let port = peers.first().map_or(0, SocketAddr::port);
        if let Some(socket) = &self.netlink {
            let mut found = Vec::new();
            let request = tcp_request(AF_INET, &sought(port));
            let asked = ask(socket, TCPDIAG_GETSOCK, REQUEST_DUMP, &request, |body| {
                found.extend(tcp_answer(body).filter(|(peer, _)| peers.contains(peer)));
            });
            if asked.is_ok() {
                return Ok(found
                    .into_iter()
                    .map(|(_, connection)| connection)
                    .collect());
            }
            // Refused once is refused for good: a filter of system calls, or a kernel without it.
            self.netlink = None;
        }
        let entries = table()?.into_iter();
        Ok(entries
            .filter(|e| e.state == TcpState::Established)
            .filter(|e| peers.contains(&plain(e.remote_address)))
            .map(|e| Connection {
                inode: e.inode,
                traffic: None,
                key: None,
            })
            .collect())
    }

    /// One connection as it is now; none when it is not established any more.
    pub(crate) fn again(&self, key: Key) -> Option<Connection> {
        let mut found = None;
        let request = tcp_request(key.family, &key.id);
        let asked = ask(
            self.netlink.as_ref()?,
            TCPDIAG_GETSOCK,
            REQUEST,
            &request,
            |body| {
                if body.get(1) == Some(&ESTABLISHED_STATE) {
                    found = tcp_answer(body).map(|(_, connection)| connection);
                }
            },
        );
        asked.ok().and(found)
    }

    /// Whether a process of this host holds the other end, and it is established too. One that nobody has
    /// accepted yet has no inode.
    pub(crate) fn is_held_at_both_ends(&self, key: Key) -> bool {
        self.again(key.of_the_other_end())
            .is_some_and(|other| other.inode != 0)
    }

    /// The established connections of this host to the Unix socket at `path`. Nothing but netlink tells
    /// whose they are.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn of_path(&mut self, path: &Path) -> Result<Vec<Connection>> {
        let path = resolved(path);
        let mut all = self.unix_clients()?;
        all.retain(|(_, server)| *server == path);
        let connection = |(inode, _)| Connection {
            inode,
            traffic: None,
            key: None,
        };
        Ok(all.into_iter().map(connection).collect())
    }

    /// The client end of each established connection to a Unix socket that has a path, and that path.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn unix_clients(&mut self) -> Result<Vec<(u64, PathBuf)>> {
        let socket = self
            .netlink
            .as_ref()
            .context("failed to read this host's Unix sockets: netlink is refused")?;
        let mut found = Vec::new();
        ask(
            socket,
            SOCK_DIAG_BY_FAMILY,
            REQUEST_DUMP,
            &unix_request(),
            |body| found.extend(unix_answer(body)),
        )?;
        Ok(found)
    }
}

/// Asks and gives each answer's body to `each`.
fn ask(
    socket: &OwnedFd,
    kind: u16,
    flags: u16,
    request: &[u8],
    mut each: impl FnMut(&[u8]),
) -> Result<()> {
    let length = u32::try_from(HEADER + request.len())?;
    let mut message = Vec::with_capacity(HEADER + request.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(request);
    rustix::net::send(socket, &message, SendFlags::empty())?;
    let mut buffer = vec![0_u8; 32 * 1024];
    loop {
        let (length, _) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        if rest.is_empty() {
            bail!("failed to read this host's sockets: the kernel hung up");
        }
        while let (Some(length), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
            let length = usize::try_from(length)?;
            match kind {
                DONE => return Ok(()),
                ERROR => bail!("failed to read this host's sockets: the kernel refuses"),
                _ => each(rest.get(HEADER..length).unwrap_or_default()),
            }
            if flags == REQUEST {
                return Ok(());
            }
            rest = rest.get(aligned(length).max(HEADER)..).unwrap_or_default();
        }
    }
}

/// Any connection to a port.
fn sought(port: u16) -> [u8; 48] {
    let mut id = [0; 48];
    id[2..4].copy_from_slice(&port.to_be_bytes());
    id
}

/// `struct inet_diag_req`: established connections with their `tcp_info`.
fn tcp_request(family: u8, id: &[u8; 48]) -> [u8; 60] {
    let mut request = [0; 60];
    request[0] = family;
    request[3] = 1 << (INET_DIAG_INFO - 1);
    request[4..52].copy_from_slice(id);
    request[52..56].copy_from_slice(&ESTABLISHED.to_ne_bytes());
    request
}

/// `struct inet_diag_msg`.
fn tcp_answer(body: &[u8]) -> Option<(SocketAddr, Connection)> {
    let family = *body.first()?;
    let port = u16::from_be_bytes(body.get(6..8)?.try_into().ok()?);
    let address: IpAddr = if family == AF_INET {
        Ipv4Addr::from(<[u8; 4]>::try_from(body.get(24..28)?).ok()?).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(body.get(24..40)?).ok()?).into()
    };
    let info = attribute(body.get(72..)?, INET_DIAG_INFO);
    let connection = Connection {
        inode: u64::from(u32_at(body, 68)?),
        traffic: info.and_then(|info| {
            Some(Traffic {
                acked: u64_at(info, BYTES)?,
                received: u64_at(info, BYTES + 8)?,
            })
        }),
        key: Some(Key {
            family,
            id: body.get(4..52)?.try_into().ok()?,
        }),
    };
    Some((plain(SocketAddr::new(address, port)), connection))
}

/// `struct unix_diag_req`: every established socket.
fn unix_request() -> [u8; 24] {
    let mut request = [0; 24];
    request[0] = AF_UNIX;
    request[4..8].copy_from_slice(&ESTABLISHED.to_ne_bytes());
    request[12..16].copy_from_slice(&UDIAG_SHOW.to_ne_bytes());
    request
}

/// `struct unix_diag_msg`: of a socket that the server accepted, which has the server's path, the peer.
fn unix_answer(body: &[u8]) -> Option<(u64, PathBuf)> {
    let attributes = body.get(16..)?;
    let name = attribute(attributes, UNIX_DIAG_NAME)?;
    let name = std::str::from_utf8(name.split(|byte| *byte == 0).next()?).ok()?;
    let peer = u32_at(attribute(attributes, UNIX_DIAG_PEER)?, 0)?;
    (!name.is_empty()).then(|| (u64::from(peer), resolved(Path::new(name))))
}

/// The value of the attribute of this kind.
fn attribute(mut rest: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        if u16_at(rest, 2)? == kind {
            return rest.get(4..length);
        }
        rest = rest.get(aligned(length).max(4)..)?;
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
