//! One line to the host's log, so that whoever looks at it later sees when a broker was taken away and
//! by whom. A host without a log is no reason to fail.

use std::os::unix::net::UnixDatagram;

/// Where every syslog daemon and journald listen.
const SOCKET: &str = "/dev/log";

/// Facility daemon, severity notice; RFC 3164, section 4.1.1.
const PRIORITY: u8 = 3 * 8 + 5;

/// Writes the line, as far as there is somebody to take it.
pub(crate) fn note(text: &str) {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let message = format!("<{PRIORITY}>pulp_broker[{}]: {line}", std::process::id());
    let _ = UnixDatagram::unbound().and_then(|socket| {
        // A log that is full must not hold the module up.
        socket.set_nonblocking(true)?;
        socket.send_to(message.as_bytes(), SOCKET)
    });
}
