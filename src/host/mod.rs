//! This host: subprocesses through one door, waiting with a deadline, processes and sockets as the
//! kernel shows them, private files.

pub(crate) mod addresses;
pub(crate) mod command_lines;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod interpreter;
pub(crate) mod process;
pub(crate) mod processes;
pub(crate) mod programs;
pub(crate) mod rights;
pub(crate) mod sockets;
pub(crate) mod syslog;
pub(crate) mod tls;
pub(crate) mod wait;
