//! The schemes of URLs: what each stands for, and how a protocol is written. One table, for URLs that are read and that are made.

use super::Protocol;

/// AMQP's port with TLS.
pub(super) const AMQPS_PORT: u16 = 5671;

/// What a URL's scheme stands for.
pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) protocol: Protocol,
    pub(super) tls: bool,
    pub(super) port: u16,
    /// The URL names a path of this host.
    pub(super) socket: bool,
}

const fn scheme(name: &'static str, protocol: Protocol, tls: bool, port: u16) -> Scheme {
    Scheme {
        name,
        protocol,
        tls,
        port,
        socket: false,
    }
}

const fn socket(name: &'static str) -> Scheme {
    Scheme {
        socket: true,
        ..scheme(name, Protocol::Redis, false, 6379)
    }
}

/// As kombu, gofer, redis-py and libpq write them; `qpids` is our own word for kombu's Qpid transport with TLS. Of those that mean
/// the same the first one is written.
const SCHEMES: &[Scheme] = &[
    scheme("amqp", Protocol::Amqp091, false, 5672),
    scheme("amqps", Protocol::Amqp091, true, AMQPS_PORT),
    scheme("pyamqp", Protocol::Amqp091, false, 5672),
    scheme("librabbitmq", Protocol::Amqp091, false, 5672),
    scheme("tcp", Protocol::Amqp091, false, 5672),
    scheme("ssl", Protocol::Amqp091, true, AMQPS_PORT),
    scheme("qpid", Protocol::Amqp010, false, 5672),
    scheme("qpids", Protocol::Amqp010, true, AMQPS_PORT),
    scheme("redis", Protocol::Redis, false, 6379),
    scheme("rediss", Protocol::Redis, true, 6379),
    socket("redis+socket"),
    socket("unix"),
    scheme("postgresql", Protocol::Postgresql, false, 5432),
    scheme("postgres", Protocol::Postgresql, false, 5432),
];

impl Scheme {
    /// By its name in lower case.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|scheme| scheme.name == name)
    }

    /// gofer's, which says nothing but whether TLS is spoken.
    pub(super) fn is_gofers(&self) -> bool {
        matches!(self.name, "tcp" | "ssl")
    }

    /// Celery hands it to kombu.
    pub(super) fn is_kombus(&self) -> bool {
        let amqp = matches!(self.protocol, Protocol::Amqp091 | Protocol::Amqp010);
        amqp && !self.is_gofers()
    }

    /// How the same is written with TLS, where Celery may turn that on beside the URL.
    pub(super) fn secured(&self) -> Option<&'static str> {
        let by_celery = self.is_kombus() || self.protocol == Protocol::Redis && !self.socket;
        (by_celery && !self.tls).then(|| written(self.protocol, true))
    }
}

/// All names, for an error.
pub(super) fn names() -> String {
    let names: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
    names.join(", ")
}

/// How a protocol is written. PostgreSQL's says nothing of TLS.
pub(super) fn written(protocol: Protocol, tls: bool) -> &'static str {
    let mut of_it = SCHEMES.iter().filter(|s| s.protocol == protocol);
    let exact = of_it.clone().find(|scheme| scheme.tls == tls);
    exact.or_else(|| of_it.next()).map_or("", |s| s.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for protocol in [
            Protocol::Amqp091,
            Protocol::Amqp010,
            Protocol::Redis,
            Protocol::Postgresql,
        ] {
            for tls in [false, true] {
                let read = Scheme::of(written(protocol, tls)).unwrap();
                let says_tls = tls && protocol != Protocol::Postgresql;
                assert_eq!((read.protocol, read.tls), (protocol, says_tls));
            }
        }
    }
}
