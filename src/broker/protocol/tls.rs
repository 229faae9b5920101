//! The same conversation inside TLS. Only words that are no secret are said, so no certificate has to
//! be trusted here: a broker that we would not trust, or that asks for ours, still answers.

use std::io::{Error, ErrorKind, Read, Result, Write};

use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, HandshakeError, Ssl, SslOptions, SslVerifyMode, SslVersion};

use super::{Heard, Kind};
use crate::host::tls::{Records, context};

/// The first byte of an alert and of a handshake record; RFC 8446, section 5.1.
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
/// What is encrypted under TLS 1.3.
const ENCRYPTED: u8 = 0x17;
/// The message of TLS 1.2 with which a client answers that it is asked for a certificate.
const CERTIFICATE: u8 = 11;

/// Has TLS begin and goes on as without. A server that refuses us within TLS, with an alert or in a
/// version that is too old for us, is there.
pub(super) fn talk(kind: &Kind, line: &mut (impl Read + Write)) -> Result<Heard> {
    let ssl = client().map_err(Error::other)?;
    let line = Watched {
        line,
        first: None,
        records: Records::default(),
        encrypted: 0,
        showed_nothing: false,
    };
    let (spoken, line) = match ssl.connect(line) {
        Ok(mut stream) => {
            let line = stream.get_mut();
            line.showed_nothing |= line.encrypted > 1;
            let spoken = super::talk(kind, &mut stream);
            // Who hangs up without a word is an error in PostgreSQL's log.
            let _ = stream.shutdown();
            let line = stream.get_ref();
            (spoken, (line.first, line.showed_nothing))
        }
        Err(HandshakeError::SetupFailure(cause)) => return Err(Error::other(cause)),
        Err(HandshakeError::Failure(ended) | HandshakeError::WouldBlock(ended)) => {
            let line = (ended.get_ref().first, ended.get_ref().showed_nothing);
            (Err(as_io(ended.into_error())), line)
        }
    };
    let Err(error) = spoken else {
        return spoken;
    };
    let (first, was_asked) = line;
    let is_tls = first.is_some_and(|byte| byte == ALERT || byte == HANDSHAKE);
    let refused_by_tls = matches!(error.get_ref(), Some(inner) if inner.is::<ssl::Error>());
    let cut = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
    );
    match first {
        Some(_) if is_tls && (refused_by_tls || (cut && was_asked)) => Ok(Heard::Answer),
        Some(byte) if !is_tls => Ok(Heard::Foreign(byte)),
        _ => Err(error),
    }
}

/// The server's name is not known here, and a wrong one may be refused: none is sent.
fn client() -> std::result::Result<Ssl, ErrorStack> {
    let mut context = context(SslVersion::TLS1_2, SslVersion::TLS1_3)?;
    context.set_verify(SslVerifyMode::NONE);
    // An end without a farewell is an end.
    context.set_options(SslOptions::IGNORE_UNEXPECTED_EOF);
    Ssl::new(&context.build())
}

/// A failure of the line itself as that, one of TLS as what it is.
fn as_io(error: ssl::Error) -> Error {
    match error.into_io_error() {
        Ok(error) => error,
        Err(error) if matches!(error.code(), ErrorCode::SYSCALL | ErrorCode::ZERO_RETURN) => {
            ErrorKind::UnexpectedEof.into()
        }
        Err(error) => Error::other(error),
    }
}

/// Remembers the first byte that came, and whether we answered that we have no certificate: OpenSSL tells nobody that a server has
/// asked for one.
struct Watched<'a, L> {
    line: &'a mut L,
    first: Option<u8>,
    records: Records,
    /// How many encrypted records we have sent. The end of a handshake is one; an empty certificate before it makes two.
    encrypted: usize,
    showed_nothing: bool,
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
        let length = self.line.write(buffer)?;
        let (encrypted, showed_nothing) = (&mut self.encrypted, &mut self.showed_nothing);
        self.records.pass(&buffer[..length], |kind, first| {
            *encrypted += usize::from(kind == ENCRYPTED);
            *showed_nothing |= kind == HANDSHAKE && first == CERTIFICATE;
        });
        Ok(length)
    }

    fn flush(&mut self) -> Result<()> {
        self.line.flush()
    }
}
