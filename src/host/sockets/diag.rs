//! The connections to one server as the kernel tells them over netlink, `sock_diag(7)`: filtered in the
//! kernel, so that a host with many sockets may be asked ten times a second. The question is the one
//! that every kernel since 2.6 knows; it is answered for IPv4 and IPv6 in one walk through the table.
//! Where netlink is refused, `/proc/net/tcp` tells the same, without what moved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
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

    /// The established connections of this host to the Unix socket at `path`. Nothing but netlink tells
    /// whose they are.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn of_path(&mut self, path: &Path) -> Result<Vec<Connection>> {
        let socket = self
            .netlink
            .as_ref()
            .context("failed to read this host's Unix sockets: netlink is refused")?;
        let path = resolved(path);
        let mut found = Vec::new();
        ask(
            socket,
            SOCK_DIAG_BY_FAMILY,
            REQUEST_DUMP,
            &unix_request(),
            |body| {
                found.extend(unix_answer(body, &path));
            },
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
fn unix_answer(body: &[u8], path: &Path) -> Option<Connection> {
    let attributes = body.get(16..)?;
    let name = attribute(attributes, UNIX_DIAG_NAME)?;
    let name = name.split(|byte| *byte == 0).next()?;
    if resolved(Path::new(std::str::from_utf8(name).ok()?)) != path {
        return None;
    }
    Some(Connection {
        inode: u64::from(u32_at(attribute(attributes, UNIX_DIAG_PEER)?, 0)?),
        traffic: None,
        key: None,
    })
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
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    fn traffic_between(listen: &str) {
        let server = TcpListener::bind(listen).unwrap();
        let address = server.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        client.write_all(b"four").unwrap();
        accepted.write_all(b"seven..").unwrap();
        let mut buffer = [0; 7];
        client.read_exact(&mut buffer).unwrap();
        accepted.read_exact(&mut buffer[..4]).unwrap();
        let mut table = Table::open();
        let seen = table.of_addresses(&[address]).unwrap();
        let by_proc = Table { netlink: None }.of_addresses(&[address]).unwrap();
        assert_eq!(seen.len(), 1, "{listen}");
        assert_eq!(seen[0].inode, by_proc[0].inode);
        assert!(table.netlink.is_some());
        let traffic = seen[0].traffic.unwrap();
        assert_eq!(traffic.received, 7);
        assert!(traffic.acked >= 4, "{traffic:?}");
        let key = seen[0].key.unwrap();
        assert_eq!(table.again(key).map(|c| c.inode), Some(seen[0].inode));
        drop(client);
        assert_eq!(table.again(key), None);
        assert_eq!(table.of_addresses(&[address]).unwrap(), []);
    }

    #[test]
    fn the_client_end_is_seen_with_its_traffic() {
        traffic_between("127.0.0.1:0");
        if TcpListener::bind("[::1]:0").is_ok() {
            traffic_between("[::1]:0");
        }
    }

    #[test]
    fn the_client_end_of_a_unix_socket_is_its_servers_peer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let server = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let accepted = server.accept().unwrap();
        let mut table = Table::open();
        let inode = rustix::fs::fstat(&client).unwrap().st_ino;
        let seen: Vec<u64> = table
            .of_path(&path)
            .unwrap()
            .iter()
            .map(|c| c.inode)
            .collect();
        assert_eq!(seen, [inode]);
        drop((client, accepted));
        assert_eq!(table.of_path(&path).unwrap(), []);
    }
}
