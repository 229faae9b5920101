//! On real sockets of this machine.

use super::*;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

fn traffic_between(listen: &str) {
    let server = TcpListener::bind(listen).unwrap();
    let address = server.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut accepted, _) = server.accept().unwrap();
    client.write_all(b"four").unwrap();
    accepted.write_all(b"seven..").unwrap();
    let mut buffer = [0; 7];
    client.read_exact(&mut buffer).unwrap();
    accepted.read_exact(&mut buffer[..4]).unwrap();
    let mut table = Table::open();
    let seen = table.of_addresses(&[address]).unwrap();
    let by_proc = Table { netlink: None }.of_addresses(&[address]).unwrap();
    assert_eq!(seen.len(), 1, "{listen}");
    assert_eq!(seen[0].inode, by_proc[0].inode);
    assert!(table.netlink.is_some());
    let traffic = seen[0].traffic.unwrap();
    assert_eq!(traffic.received, 7);
    assert!(traffic.acked >= 4, "{traffic:?}");
    let key = seen[0].key.unwrap();
    assert_eq!(table.again(key).map(|c| c.inode), Some(seen[0].inode));
    drop(client);
    assert_eq!(table.again(key), None);
    assert_eq!(table.of_addresses(&[address]).unwrap(), []);
}

#[test]
fn the_client_end_is_seen_with_its_traffic() {
    traffic_between("127.0.0.1:0");
    if TcpListener::bind("[::1]:0").is_ok() {
        traffic_between("[::1]:0");
    }
}

#[test]
fn both_ends_are_held_from_when_it_is_accepted_until_one_is_closed() {
    for address in ["127.0.0.1:0", "[::]:0"] {
        let server = TcpListener::bind(address).unwrap();
        let port = server.local_addr().unwrap().port();
        let peer = SocketAddr::from(([127, 0, 0, 1], port));
        let client = TcpStream::connect(peer).unwrap();
        let mut table = Table::open();
        let key = table.of_addresses(&[peer]).unwrap()[0].key.unwrap();
        assert!(!table.is_held_at_both_ends(key));
        let accepted = server.accept().unwrap();
        assert!(table.is_held_at_both_ends(key));
        drop(accepted);
        assert!(!table.is_held_at_both_ends(key));
        drop(client);
    }
}

#[test]
fn the_client_end_of_a_unix_socket_is_its_servers_peer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let server = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let accepted = server.accept().unwrap();
    let mut table = Table::open();
    let inode = rustix::fs::fstat(&client).unwrap().st_ino;
    let seen: Vec<u64> = table
        .of_path(&path)
        .unwrap()
        .iter()
        .map(|c| c.inode)
        .collect();
    assert_eq!(seen, [inode]);
    drop((client, accepted));
    assert_eq!(table.of_path(&path).unwrap(), []);
}
