//! TLS for ureq: its own connector knows no renegotiation and checks a certificate by common rules only, this one speaks TLS by
//! the rules that all who ask Pulp anything share.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::pulp::tls::{Newest, Secured, Tls};

/// Whether the server is known to refuse everything older than TLS 1.3.
#[derive(Debug, Default)]
pub(super) struct Offer(AtomicBool);

impl Offer {
    pub(super) fn newest(&self) -> Newest {
        if self.0.load(Ordering::Relaxed) {
            Newest::V1_3
        } else {
            Newest::V1_2
        }
    }

    pub(super) fn newer(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes a connection's TLS; the newest version that is offered may change from one connection to the next.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) tls: Arc<Tls>,
    pub(super) offer: Arc<Offer>,
}

impl<In: Transport> Connector<In> for Handshake {
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
        let mut line = TransportAdapter::new(plain.boxed(), Arc::clone(&details.current_time));
        line.set_timeout(rest(details));
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let stream = self.tls.connect(self.offer.newest(), host, line)?;
        let config = details.config;
        Ok(Some(Either::B(Secure {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stream,
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
    stream: Secured<TransportAdapter>,
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
        self.stream.line().set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.line().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.line().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
