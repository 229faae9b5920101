//! A connection within TLS: how often a server may begin anew, and why it ended. Pulp 2's own web server asks for a client's
//! certificate when it has read the request, so by renegotiation, which there is up to TLS 1.2 only.

use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};

use openssl::ssl::{SslRef, SslStream};
use openssl::x509::X509;

use super::failure::{self, Phase, TlsFailure};
use super::{Shown, taken};
use crate::host::tls::Records;

/// How often a server may begin TLS anew before it answers a request. A stock Pulp 2's does so once for each, on the same connection too.
const RENEGOTIATIONS: u32 = 3;

/// A record that each side sends once a handshake; RFC 5246, section 7.1.
const CHANGE_CIPHER_SPEC: u8 = 20;

/// Below TLS: ends a connection on which handshakes do not end.
pub(super) struct TlsLine<S> {
    inner: S,
    sent: Records,
    /// Since something was last asked.
    handshakes: u32,
}

impl<S> TlsLine<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            sent: Records::default(),
            handshakes: 0,
        }
    }
}

impl<S: Read> Read for TlsLine<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl<S: Write> Write for TlsLine<S> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let handshakes = &mut self.handshakes;
        self.sent.pass(buffer, |kind, _| {
            *handshakes += u32::from(kind == CHANGE_CIPHER_SPEC);
        });
        if self.handshakes > RENEGOTIATIONS {
            return Err(TlsFailure::endless(RENEGOTIATIONS).into());
        }
        self.inner.write_all(buffer)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// A connection within TLS.
pub(in crate::pulp) struct Secured<S> {
    pub(super) stream: SslStream<TlsLine<S>>,
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) has_own: bool,
}

impl<S: Read + Write> Secured<S> {
    pub(in crate::pulp) fn line(&mut self) -> &mut S {
        &mut self.stream.get_mut().inner
    }

    /// Those between the server's own certificate and an authority.
    pub(in crate::pulp) fn between(&self) -> Vec<X509> {
        let all = self.stream.ssl().peer_cert_chain().into_iter().flatten();
        all.skip(1).map(ToOwned::to_owned).collect()
    }

    fn failed(&self, error: IoError) -> IoError {
        let phase = phase(self.stream.ssl());
        match error.downcast::<openssl::ssl::Error>() {
            Ok(inner) => failure::explain(inner, taken(&self.shown), self.has_own, phase),
            Err(error) if phase == Phase::Renegotiation && is_cut(&error) => {
                TlsFailure::cut().into()
            }
            Err(error) => error,
        }
    }
}

fn is_cut(error: &IoError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
    )
}

fn phase(ssl: &SslRef) -> Phase {
    if ssl.is_init_finished() {
        Phase::Conversation
    } else {
        Phase::Renegotiation
    }
}

impl<S: Read + Write> Read for Secured<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) if phase(self.stream.ssl()) == Phase::Renegotiation => {
                Err(TlsFailure::cut().into())
            }
            Ok(length) => Ok(length),
            Err(error) => Err(self.failed(error)),
        }
    }
}

impl<S: Read + Write> Write for Secured<S> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.stream.get_mut().handshakes = 0;
        self.stream
            .write(buffer)
            .map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
