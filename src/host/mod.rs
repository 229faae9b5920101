//! This host: subprocesses through one door, waiting with a deadline, processes and sockets as the
//! kernel shows them.

pub(crate) mod interrupt;
pub(crate) mod process;
pub(crate) mod wait;
