//! What cuts a broker's packets on this host: nft, or iptables where that is not here.

mod iptables;
mod nft;

use anyhow::{Result, bail};

use super::methods::{COMMAND_LIMIT, Command, OutageTarget, Pair};
use crate::host::{process, programs};
use crate::names::verdict::Name;
use crate::names::{VerdictError, verdict_of};

/// What is done with the broker's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    /// Refused and cut with a TCP reset; resets themselves pass, or nobody would get them.
    Reset,
}

/// What cuts packets on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Firewall {
    Nft(String),
    /// One a family of addresses, each with the options that it needs.
    Iptables(Vec<Command>),
}

impl Firewall {
    /// Finds what there is and asks it for its rules, which shows whether it may be used.
    ///
    /// # Errors
    /// Neither nft nor iptables is here, or the kernel does not let this process use it.
    pub(crate) fn find() -> Result<Self> {
        if let Some(nft) = programs::find("nft") {
            return may_use(&[&nft, "list", "tables"]).map(|()| Self::Nft(nft));
        }
        let Some(v4) = programs::find("iptables") else {
            bail!(VerdictError::new(
                Name::Unsupported,
                "neither nft nor iptables is on this host, one of which has to cut the \
                 packets; install one of them, or use another method"
            ));
        };
        // Before 1.4.20 iptables knows no lock to wait for.
        let waits = process::run(&[&v4, "-w", "-n", "-L", "OUTPUT"], COMMAND_LIMIT)?.code == 0;
        let with_options = |program: String| {
            let mut command = vec![program];
            command.extend(waits.then(|| "-w".to_owned()));
            command
        };
        let mut families = vec![with_options(v4)];
        if std::path::Path::new("/proc/net/if_inet6").exists() {
            families.extend(programs::find("ip6tables").map(with_options));
        }
        for family in &families {
            let mut ask: Vec<&str> = family.iter().map(String::as_str).collect();
            ask.extend(["-n", "-L", "OUTPUT"]);
            may_use(&ask)?;
        }
        Ok(Self::Iptables(families))
    }

    pub(super) fn cut(&self, target: &OutageTarget<'_>, verdict: Verdict) -> Pair {
        match self {
            Self::Nft(nft) => nft::pair(nft, target.port, target.addresses.as_deref(), verdict),
            Self::Iptables(families) => {
                iptables::pair(families, target.port, target.addresses.as_deref(), verdict)
            }
        }
    }
}

fn may_use(command: &[&str]) -> Result<()> {
    match process::run_ok(command, COMMAND_LIMIT) {
        Ok(_) => Ok(()),
        Err(error) => bail!(verdict_of!(
            Unsupported,
            "packets cannot be cut here: {error:#}; root needs CAP_NET_ADMIN for it, which \
             a container lacks unless it is given; or use another method"
        )),
    }
}
