//! One connection to a broker, over TCP or a Unix socket, on which every read and write has to be over
//! by the same instant.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, socket_with,
};

use crate::host::sockets;

/// The shortest wait: the kernel takes zero for "for ever".
const SHORTEST: Duration = Duration::from_millis(1);

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
pub(super) struct Line {
    stream: Stream,
    end: Instant,
}

impl Line {
    pub(super) fn to_address(address: SocketAddr, end: Instant) -> Result<Self> {
        let stream = Stream::Tcp(TcpStream::connect_timeout(&address, left(end))?);
        Ok(Self { stream, end })
    }

    /// While its queue is full, as a frozen server's is after a while, connecting to a Unix socket waits;
    /// the standard library's waits for ever.
    pub(super) fn to_socket(path: &Path, end: Instant) -> Result<Self> {
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        set_socket_timeout(&socket, Timeout::Send, Some(left(end)))?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        let stream = Stream::Unix(UnixStream::from(socket));
        Ok(Self { stream, end })
    }

    /// Whether the far end's kernel has all that was said, so that only its process is silent. Of one that loses packets it cannot be
    /// told when it is back.
    pub(super) fn is_heard(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => match (stream.local_addr(), stream.peer_addr()) {
                (Ok(own), Ok(far)) => sockets::has_taken_all(own, far).unwrap_or(false),
                _ => false,
            },
            Stream::Unix(_) => true,
        }
    }

    /// Waits until `end` whether something comes, a word or the connection's end. Nothing is taken from it.
    pub(super) fn stays_silent(&mut self, end: Instant) -> bool {
        self.end = end;
        let limit = Some(left(end));
        let mut word = [0u8; 1];
        let peeked = match &self.stream {
            Stream::Tcp(stream) => set_socket_timeout(stream, Timeout::Recv, limit)
                .and_then(|()| recv(stream, &mut word, RecvFlags::PEEK)),
            Stream::Unix(stream) => set_socket_timeout(stream, Timeout::Recv, limit)
                .and_then(|()| recv(stream, &mut word, RecvFlags::PEEK)),
        };
        matches!(peeked, Err(Errno::AGAIN | Errno::INTR))
    }

    fn limit(&self) -> Result<Duration> {
        if Instant::now() >= self.end {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left(self.end))
    }
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).max(SHORTEST)
}

/// A time limit that is over has two names in the kernel.
fn plain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let limit = Some(self.limit()?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream
                .set_read_timeout(limit)
                .and_then(|()| stream.read(buffer)),
            Stream::Unix(stream) => stream
                .set_read_timeout(limit)
                .and_then(|()| stream.read(buffer)),
        }
        .map_err(plain)
    }
}

impl Write for Line {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let limit = Some(self.limit()?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream
                .set_write_timeout(limit)
                .and_then(|()| stream.write(buffer)),
            Stream::Unix(stream) => stream
                .set_write_timeout(limit)
                .and_then(|()| stream.write(buffer)),
        }
        .map_err(plain)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
