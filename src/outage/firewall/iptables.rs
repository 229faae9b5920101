//! Packets cut by iptables and ip6tables, where there is no nft: two chains of our own a family, reached
//! by one jump each, which is added last and removed first.

use std::net::IpAddr;

use super::Verdict;
use crate::outage::methods::{Command, OutageStep, Pair};

/// Our chain and the built-in one that jumps to it.
const CHAINS: [(&str, &str); 2] = [("PULP_BROKER_IN", "INPUT"), ("PULP_BROKER_OUT", "OUTPUT")];

/// `families` are iptables and ip6tables with their options. No addresses: every one of this host.
pub(super) fn pair(
    families: &[Command],
    port: u16,
    addresses: Option<&[IpAddr]>,
    verdict: Verdict,
) -> Pair {
    let mut pair = Pair::default();
    for (family, is_v4) in families.iter().zip([true, false]) {
        let with = |words: &str| -> Command {
            let words = words.split_whitespace().map(str::to_owned);
            family.iter().cloned().chain(words).collect()
        };
        let undo: Vec<Command> = undo().iter().map(|words| with(words)).collect();
        pair.inject
            .extend(undo.iter().cloned().map(OutageStep::Try));
        pair.undo.extend(undo);
        let own = addresses.map(|all| all.iter().filter(|a| a.is_ipv4() == is_v4));
        let matches: Vec<(usize, String)> = match own {
            None => vec![
                (0, format!("--dport {port}")),
                (1, format!("--sport {port}")),
            ],
            Some(own) => own
                .flat_map(|address| {
                    [
                        (0, format!("-s {address} --sport {port}")),
                        (1, format!("-d {address} --dport {port}")),
                    ]
                })
                .collect(),
        };
        for (chain, _) in CHAINS {
            pair.inject
                .push(OutageStep::Run(with(&format!("-N {chain}"))));
            pair.left.push(with(&format!("-n -L {chain}")));
            pair.rules.push(with(&format!("-S {chain}")));
        }
        for (chain, what) in matches {
            for target in targets(verdict) {
                let (chain, _) = CHAINS[chain];
                let rule = format!("-A {chain} -p tcp {what} {target}");
                pair.inject.push(OutageStep::Run(with(&rule)));
            }
        }
        for (chain, from) in CHAINS {
            let jump = format!("-I {from} -j {chain}");
            pair.inject.push(OutageStep::Run(with(&jump)));
            pair.rules.push(with(&format!("-C {from} -j {chain}")));
        }
    }
    pair
}

fn targets(verdict: Verdict) -> &'static [&'static str] {
    match verdict {
        Verdict::Drop => &["-j DROP"],
        // A reset goes on to the rules of others.
        Verdict::Reset => &[
            "--tcp-flags RST RST -j RETURN",
            "-j REJECT --reject-with tcp-reset",
        ],
    }
}

fn undo() -> Vec<String> {
    let jumps = CHAINS.map(|(chain, from)| format!("-D {from} -j {chain}"));
    let chains = CHAINS.map(|(chain, _)| [format!("-F {chain}"), format!("-X {chain}")]);
    jumps
        .into_iter()
        .chain(chains.into_iter().flatten())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_cuts_its_own_addresses_and_jumps_last() {
        let families = [vec!["iptables".to_owned()], vec!["ip6tables".to_owned()]];
        let addresses = ["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        let pair = pair(&families, 5672, Some(&addresses), Verdict::Drop);
        let lines: Vec<String> = pair
            .inject
            .iter()
            .map(|step| match step {
                OutageStep::Run(c) | OutageStep::Try(c) => c.join(" "),
                OutageStep::Write { path, .. } => path.clone(),
            })
            .collect();
        let at = |line: &str| lines.iter().position(|l| l == line).unwrap();
        let rule = at("iptables -A PULP_BROKER_OUT -p tcp -d 10.0.0.7 --dport 5672 -j DROP");
        assert!(rule < at("iptables -I OUTPUT -j PULP_BROKER_OUT"));
        at("ip6tables -A PULP_BROKER_IN -p tcp -s fd00::7 --sport 5672 -j DROP");
        assert!(
            !lines
                .iter()
                .any(|l| l.starts_with("iptables") && l.contains("fd00"))
        );
    }
}
