//! TLS for ureq: its own connector has a certificate checked by the common rules only, this one by the rules that all who
//! ask Pulp anything share.

use std::fmt;
use std::io::{Error as IoError, Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

#[derive(Debug)]
pub(super) struct Secured(pub(super) Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Secured {
    type Out = Either<In, Secure>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        plain: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(plain) = plain else {
            return Ok(None);
        };
        if !details.needs_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(IoError::other)?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(IoError::other)?;
        let mut line = TransportAdapter::new(plain.boxed(), Arc::clone(&details.current_time));
        line.set_timeout(rest(details));
        connection.complete_io(&mut line)?;
        let config = details.config;
        Ok(Some(Either::B(Secure {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stream: StreamOwned::new(connection, line),
        })))
    }
}

/// What connecting has left of its time.
fn rest(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(limit), Instant::Exact(begun)) = (timeout.after, details.now) {
        timeout.after = Duration::Exact(limit.saturating_sub(begun.elapsed()));
    }
    timeout
}

pub(super) struct Secure {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}

impl Transport for Secure {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
