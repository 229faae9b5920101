//! `reset`: packets to and from the broker are answered with a TCP reset, as by a firewall that rejects
//! or a load balancer without backend: new connections are refused, standing ones are cut.

use anyhow::Result;

use super::{Command, OutageStep, OutageTarget, Pair, Verdict, cut};

/// `ss` is the program of that name, which tells the kernel to cut standing connections at once
/// (`ss -K`, Linux 4.9 and newer). Without it each is cut at its next packet.
pub(super) fn plan(target: &OutageTarget<'_>, ss: Option<&str>) -> Result<Pair> {
    let mut pair = cut(target, Verdict::Reset)?;
    if let Some(ss) = ss {
        let cuts = filters(target).into_iter();
        pair.inject.extend(cuts.map(|filter| {
            let mut command: Command = [ss, "-K", "-H", "-n", "-t"].map(str::to_owned).to_vec();
            command.push(filter);
            OutageStep::Try(command)
        }));
    }
    Ok(pair)
}

/// The connections to be cut, in ss's language.
fn filters(target: &OutageTarget<'_>) -> Vec<String> {
    let port = target.port;
    match &target.addresses {
        None => vec![format!("( sport = :{port} )")],
        Some(addresses) => addresses
            .iter()
            .map(|address| format!("( dst {address} and dport = :{port} )"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Firewall;
    use super::*;

    #[test]
    fn standing_connections_are_cut_after_the_rules_stand() {
        let firewall = Firewall::Nft("nft".to_owned());
        let target = OutageTarget {
            port: 5672,
            unit: None,
            processes: &[],
            addresses: Some(vec![[10, 0, 0, 7].into()]),
            firewall: Some(&firewall),
            manager: &crate::service::Systemd,
        };
        let pair = plan(&target, Some("ss")).unwrap();
        assert!(matches!(&pair.inject[0], OutageStep::Run(c) if c[0] == "nft"));
        let Some(OutageStep::Try(last)) = pair.inject.last() else {
            panic!("{pair:?}");
        };
        assert_eq!(last[5], "( dst 10.0.0.7 and dport = :5672 )");
    }
}
