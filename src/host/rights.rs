//! What this process may do on this host: its capabilities, and who else has a say (`SELinux`).

use anyhow::{Context as _, Result};

/// `CAP_NET_ADMIN` of `capabilities(7)`: the firewall may be changed.
const NET_ADMIN: u64 = 1 << 12;

/// Where the kernel tells whether `SELinux` enforces; the second is where EL6 has it.
const ENFORCE: &[&str] = &["/sys/fs/selinux/enforce", "/selinux/enforce"];

/// Whether this process may change the firewall of this host.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn may_change_firewall() -> Result<bool> {
    let path = "/proc/self/status";
    let status =
        std::fs::read_to_string(path).with_context(|| format!("failed to read `{path}`"))?;
    let held = effective(&status).with_context(|| format!("failed to find CapEff in `{path}`"))?;
    Ok(held & NET_ADMIN != 0)
}

/// The effective capabilities in a process's status; proc(5).
fn effective(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// `none`, `permissive` or `enforcing`.
pub(crate) fn selinux() -> &'static str {
    let text = ENFORCE
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok());
    mode(text.as_deref())
}

fn mode(enforce: Option<&str>) -> &'static str {
    match enforce.map(str::trim) {
        None => "none",
        Some("0") => "permissive",
        Some(_) => "enforcing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_their_line() {
        let status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t00000000a80435fb\n";
        assert_eq!(effective(status), Some(0xa804_35fb));
        assert_eq!(effective("Name:\tx\n"), None);
    }

    #[test]
    fn selinux_enforces_unless_the_kernel_says_otherwise() {
        assert_eq!(mode(None), "none");
        assert_eq!(mode(Some("0\n")), "permissive");
        assert_eq!(mode(Some("1")), "enforcing");
    }

    #[test]
    fn the_kernel_tells_what_this_process_may() {
        assert!(may_change_firewall().is_ok());
    }
}
