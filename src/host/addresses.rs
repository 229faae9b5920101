//! The IP addresses of this host, as the kernel's `/proc` shows them: which it has, and at which of them
//! others can reach it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use procfs::net::RouteEntry;

const FIB_TRIE: &str = "/proc/net/fib_trie";
const IF_INET6: &str = "/proc/net/if_inet6";

/// What the names of networks inside a host begin with. Their addresses are the same on many hosts
/// (docker's is 172.17.0.1 everywhere) and lead nowhere from outside.
const INSIDE: &[&str] = &["docker", "podman", "cni", "virbr", "lxcbr", "lxdbr", "br-"];

/// The scopes of `if_inet6` that mean something on one link or one host only.
const NARROW_SCOPES: &[&str] = &["10", "20"];

/// The addresses at which other hosts can reach this one: no loopback, no link-local ones, none of
/// networks inside this host.
pub(crate) fn reachable() -> Vec<IpAddr> {
    let routes = procfs::net::route().unwrap_or_default();
    let v4 = match std::fs::read_to_string(FIB_TRIE) {
        Ok(text) => local_v4(&text),
        // Kernels before 2.6.39 could be built without it.
        Err(_) => routes.iter().filter_map(own_address_in).collect(),
    };
    // A kernel without IPv6 has no such file.
    let v6 = std::fs::read_to_string(IF_INET6).unwrap_or_default();
    let v4 = v4
        .into_iter()
        .filter(|a| !a.is_loopback() && !a.is_link_local() && !is_inside(*a, &routes));
    v4.map(IpAddr::V4)
        .chain(global_v6(&v6).into_iter().map(IpAddr::V6))
        .collect()
}

/// What stands in `fib_trie` as `|-- ADDRESS` with `/32 host LOCAL` below it.
fn local_v4(text: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

/// This host's address in a network that it is connected to: the one that it would speak from. No packet
/// is sent.
fn own_address_in(route: &RouteEntry) -> Option<Ipv4Addr> {
    if !route.gateway.is_unspecified() || route.destination.is_unspecified() {
        return None;
    }
    let somebody = Ipv4Addr::from(u32::from(route.destination) | 1);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((somebody, 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(own) => Some(*own.ip()),
        SocketAddr::V6(_) => None,
    }
}

fn is_inside(address: Ipv4Addr, routes: &[RouteEntry]) -> bool {
    routes.iter().any(|route| {
        let mask = u32::from(route.mask);
        mask != 0
            && u32::from(address) & mask == u32::from(route.destination)
            && is_inside_network(&route.iface)
    })
}

fn is_inside_network(interface: &str) -> bool {
    INSIDE.iter().any(|prefix| interface.starts_with(prefix))
}

/// The lines of `if_inet6`: address, interface's number, prefix, scope, flags, interface.
fn global_v6(text: &str) -> BTreeSet<Ipv6Addr> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [address, _, _, scope, _, interface] = fields[..] else {
                return None;
            };
            if NARROW_SCOPES.contains(&scope) || is_inside_network(interface) {
                return None;
            }
            u128::from_str_radix(address, 16).ok().map(Ipv6Addr::from)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 10.88.0.0/16 2 0 2\n           |-- 10.88.0.0\n\
        \x20             /16 link UNICAST\n           |-- 10.88.0.7\n              /32 host LOCAL\n\
        \x20       |-- 127.0.0.0\n           /8 host LOCAL\n        |-- 127.0.0.1\n           /32 host LOCAL\n\
        \x20    |-- 10.88.255.255\n        /32 link BROADCAST\n";

    fn route(iface: &str, destination: [u8; 4], mask: [u8; 4]) -> RouteEntry {
        RouteEntry {
            iface: iface.to_owned(),
            destination: destination.into(),
            gateway: Ipv4Addr::UNSPECIFIED,
            flags: 1,
            refcnt: 0,
            in_use: 0,
            metrics: 0,
            mask: mask.into(),
            mtu: 0,
            window: 0,
            irtt: 0,
        }
    }

    #[test]
    fn own_addresses_are_told_from_networks_and_broadcasts() {
        let expected: BTreeSet<Ipv4Addr> = [[10, 88, 0, 7].into(), [127, 0, 0, 1].into()].into();
        assert_eq!(local_v4(TRIE), expected);
    }

    #[test]
    fn a_network_of_containers_inside_the_host_is_left_out() {
        let routes = [
            route("eth0", [0, 0, 0, 0], [0, 0, 0, 0]),
            route("eth0", [10, 0, 0, 0], [255, 255, 255, 0]),
            route("docker0", [172, 17, 0, 0], [255, 255, 0, 0]),
        ];
        assert!(is_inside([172, 17, 0, 1].into(), &routes));
        assert!(!is_inside([10, 0, 0, 5].into(), &routes));
    }

    #[test]
    fn an_old_kernel_tells_its_address_by_the_one_it_speaks_from() {
        let loopback = route("lo", [127, 0, 0, 0], [255, 0, 0, 0]);
        assert_eq!(own_address_in(&loopback), Some(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn link_local_addresses_are_left_out() {
        let text = "fe8000000000000040ed50fffe205a95 02 40 20 80     eth0\n\
            fd000000000000000000000000000002 02 40 00 82     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\n";
        let expected: BTreeSet<Ipv6Addr> = ["fd00::2".parse().unwrap()].into();
        assert_eq!(global_v6(text), expected);
    }
}
