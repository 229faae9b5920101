//! Who this process is on this host, and what the host is called.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};

/// Fails unless this process is root, saying what root is needed for.
///
/// # Errors
/// The effective user is not root.
pub(crate) fn require_root(to: &str) -> Result<()> {
    // The kernel gives a process's own directory to its effective user; see proc(5).
    let uid = std::fs::metadata("/proc/self")
        .context("failed to read `/proc/self`")?
        .uid();
    if uid != 0 {
        bail!(
            "failed to {to}: this needs root, but the module runs as uid {uid}; set `become: true`"
        );
    }
    Ok(())
}

/// This host's name, as the kernel knows it.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn host_name() -> Result<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .context("failed to read `/proc/sys/kernel/hostname`")
}

/// Which machine this is, until its next boot: the same by whatever name or address it is reached, another
/// one in each container.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn machine() -> Result<String> {
    let read = |path: &str| {
        std::fs::read_to_string(path).with_context(|| format!("failed to read `{path}`"))
    };
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let mut machine = boot.trim().to_owned();
    for namespace in ["pid", "net"] {
        let path = format!("/proc/self/ns/{namespace}");
        // An old kernel has no such files, and no containers of ours.
        if let Ok(about) = std::fs::metadata(&path) {
            machine = format!("{machine}-{}", about.ino());
        }
    }
    Ok(machine)
}

/// The wall clock: milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A name that no other run has: sixteen hexadecimal digits of the kernel's randomness.
///
/// # Errors
/// The kernel gives none.
pub(crate) fn nonce() -> Result<String> {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .context("failed to read `/proc/sys/kernel/random/uuid`")?;
    Ok(uuid
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect())
}
