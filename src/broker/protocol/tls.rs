//! The same conversation inside TLS. Only words that are no secret are said, so no certificate has to
//! be trusted here: a broker that we would not trust, or that asks for ours, still answers.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SignatureScheme};

use super::{Heard, Kind};
use crate::host::tls::Anybody;

/// The first byte of an alert and of a handshake record; RFC 8446, section 5.1.
const RECORDS: [u8; 2] = [0x15, 0x16];

/// Has TLS begin and goes on as without. A server that refuses us within TLS, with an alert or in a
/// version that is too old for us, is there.
pub(super) fn talk(kind: &Kind, line: &mut (impl Read + Write)) -> Result<Heard> {
    let stranger = Arc::new(Stranger::default());
    let mut client = client(&stranger).map_err(Error::other)?;
    let mut line = Watched { line, first: None };
    let spoken = super::talk(kind, &mut rustls::Stream::new(&mut client, &mut line));
    // Who hangs up without a word is an error in PostgreSQL's log.
    client.send_close_notify();
    let _ = client.write_tls(&mut line);
    let Err(error) = spoken else {
        return spoken;
    };
    let is_tls = line.first.is_some_and(|byte| RECORDS.contains(&byte));
    let refused_by_tls = matches!(error.get_ref(), Some(inner) if inner.is::<rustls::Error>());
    let cut = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
    );
    match line.first {
        Some(_) if is_tls && (refused_by_tls || (cut && stranger.asked())) => Ok(Heard::Answer),
        Some(byte) if !is_tls => Ok(Heard::Foreign(byte)),
        _ => Err(error),
    }
}

fn client(stranger: &Arc<Stranger>) -> std::result::Result<ClientConnection, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_client_cert_resolver(stranger.clone());
    // An address is not sent: the server's name is not known here, and a wrong one may be refused.
    let nobody = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    ClientConnection::new(Arc::new(config), nobody)
}

/// Remembers the first byte that came.
struct Watched<'a, L> {
    line: &'a mut L,
    first: Option<u8>,
}

impl<L: Read> Read for Watched<'_, L> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.line.read(buffer)?;
        if length > 0 && self.first.is_none() {
            self.first = buffer.first().copied();
        }
        Ok(length)
    }
}

impl<L: Write> Write for Watched<'_, L> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        self.line.write(buffer)
    }

    fn flush(&mut self) -> Result<()> {
        self.line.flush()
    }
}

/// We have no certificate, and know whether the server wanted one.
#[derive(Debug, Default)]
struct Stranger(AtomicBool);

impl Stranger {
    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Stranger {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
