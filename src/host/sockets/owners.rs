//! Whose a socket is: the processes that have it open, asked only about sockets that are new.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use procfs::process::{Process, all_processes};

use super::{inodes, unit_of};

/// A process that has a socket open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// The processes above it, its parent first.
    pub(crate) above: Vec<u32>,
    /// The systemd unit whose control group holds the process.
    pub(crate) unit: Option<String>,
}

/// Which of these processes has which of the sockets open. What cannot be looked into is left out, and nobody
/// is asked once all are known: a process may have thousands open.
pub(crate) fn among(
    pids: impl IntoIterator<Item = u32>,
    wanted: &BTreeSet<u64>,
) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for pid in pids {
        let own = i32::try_from(pid)
            .ok()
            .and_then(|pid| inodes(&Process::new(pid).ok()?).ok())
            .unwrap_or_default();
        for inode in own.intersection(wanted) {
            found.entry(*inode).or_insert(pid);
        }
        if found.len() == wanted.len() {
            break;
        }
    }
    found
}

/// The first process of this host that has each of the sockets open: parents come before their children.
///
/// # Errors
/// `/proc` cannot be listed.
pub(crate) fn anywhere(wanted: &BTreeSet<u64>) -> Result<BTreeMap<u64, Owner>> {
    let mut found = BTreeMap::new();
    for process in all_processes().context("failed to list `/proc`")?.flatten() {
        let Ok(own) = inodes(&process) else {
            continue;
        };
        for inode in own.intersection(wanted) {
            if !found.contains_key(inode) {
                found.insert(*inode, owner(&process));
            }
        }
        if found.len() == wanted.len() {
            break;
        }
    }
    Ok(found)
}

fn owner(process: &Process) -> Owner {
    let mut above = Vec::new();
    let mut stat = process.stat();
    while let Ok(parent) = stat.map(|stat| stat.ppid) {
        if parent <= 1 {
            break;
        }
        above.extend(u32::try_from(parent));
        stat = Process::new(parent).and_then(|process| process.stat());
    }
    Owner {
        pid: u32::try_from(process.pid).unwrap_or_default(),
        above,
        unit: unit_of(process),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_processs_and_the_process_its_parents() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        let wanted = BTreeSet::from([inode]);
        let me = std::process::id();
        assert_eq!(among([1, me], &wanted).get(&inode), Some(&me));
        let mut asked = 0;
        let counted = [me, 1].into_iter().inspect(|_| asked += 1);
        assert_eq!(among(counted, &wanted).get(&inode), Some(&me));
        assert_eq!(asked, 1);
        let owner = anywhere(&wanted).unwrap().remove(&inode).unwrap();
        assert_eq!(owner.pid, me);
        assert_eq!(
            owner.above.first(),
            Some(&std::os::unix::process::parent_id())
        );
        assert!(anywhere(&BTreeSet::from([u64::MAX])).unwrap().is_empty());
    }
}
