//! Packets cut by nftables: one table of our own, made and removed in one transaction each, beside
//! whatever other tables there are. `nft` speaks of hooks and chains; see nft(8).

use std::net::IpAddr;

use super::Verdict;
use crate::outage::methods::{OutageStep, Pair, command};

const TABLE: &str = "inet pulp_broker";

/// Before the filters of others, so that none of them has accepted the packet for good; it makes no
/// difference to a drop, but the reset of an unwanted connection should not be up to them.
const PRIORITY: &str = "-150";

/// The addresses are the broker's as seen from here; none means every address of this host.
pub(super) fn pair(nft: &str, port: u16, addresses: Option<&[IpAddr]>, verdict: Verdict) -> Pair {
    let mut parts = vec![
        format!("add table {TABLE}"),
        // One that an earlier run left behind goes; a table that is not there cannot be deleted.
        format!("delete table {TABLE}"),
        format!("add table {TABLE}"),
    ];
    for (chain, hook) in [("in", "input"), ("out", "output")] {
        parts.push(format!(
            "add chain {TABLE} {chain} {{ type filter hook {hook} priority {PRIORITY} ; }}"
        ));
    }
    for (chain, what) in matches(port, addresses) {
        if verdict == Verdict::Reset {
            parts.push(format!(
                "add rule {TABLE} {chain} {what} tcp flags & rst == rst accept"
            ));
        }
        let verdict = match verdict {
            Verdict::Drop => "drop",
            Verdict::Reset => "reject with tcp reset",
        };
        parts.push(format!("add rule {TABLE} {chain} {what} {verdict}"));
    }
    let [family, name] = ["inet", "pulp_broker"];
    Pair {
        inject: vec![OutageStep::Run(command([nft, &parts.join(" ; ")]))],
        undo: vec![command([nft, "delete", "table", family, name])],
        left: vec![command([nft, "list", "table", family, name])],
        rules: vec![command([nft, "list", "table", family, name])],
    }
}

/// Each chain with what it cuts: at the broker what comes in to it and goes out of it; elsewhere what
/// goes out to it and comes in from it.
fn matches(port: u16, addresses: Option<&[IpAddr]>) -> Vec<(&'static str, String)> {
    let Some(addresses) = addresses else {
        return vec![
            ("in", format!("tcp dport {port}")),
            ("out", format!("tcp sport {port}")),
        ];
    };
    addresses
        .iter()
        .flat_map(|address| {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            [
                ("in", format!("{family} saddr {address} tcp sport {port}")),
                ("out", format!("{family} daddr {address} tcp dport {port}")),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(addresses: Option<&[IpAddr]>, verdict: Verdict) -> String {
        let pair = pair("nft", 5672, addresses, verdict);
        let [OutageStep::Run(command)] = &pair.inject[..] else {
            panic!("{pair:?}");
        };
        command[1].clone()
    }

    #[test]
    fn every_address_of_both_families_is_cut_in_both_directions() {
        let addresses = ["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        let text = rules(Some(&addresses), Verdict::Drop);
        for part in [
            "out ip daddr 10.0.0.7 tcp dport 5672 drop",
            "in ip saddr 10.0.0.7 tcp sport 5672 drop",
            "out ip6 daddr fd00::7 tcp dport 5672 drop",
            "in ip6 saddr fd00::7 tcp sport 5672 drop",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn at_the_broker_connections_of_this_host_to_other_brokers_are_left_alone() {
        let text = rules(None, Verdict::Drop);
        assert!(text.contains("in tcp dport 5672 drop"));
        assert!(text.contains("out tcp sport 5672 drop"));
        assert!(!text.contains("out tcp dport"), "{text}");
    }

    #[test]
    fn a_reset_lets_resets_pass() {
        let text = rules(None, Verdict::Reset);
        let passes = text.find("out tcp sport 5672 tcp flags & rst == rst accept");
        let refuses = text.find("out tcp sport 5672 reject with tcp reset");
        assert!(passes.is_some() && passes < refuses, "{text}");
    }
}
