//! Who counts as Pulp and who does not, by subjects of each kind.

use super::*;

const OWN: [u8; 4] = [10, 0, 0, 1];

fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || address == IpAddr::from(OWN)
}

fn caller(pid: i32, unit: Option<&str>, name: &str, arguments: &[&str], port: u16) -> Caller {
    Caller {
        client: Client {
            from: ([127, 0, 0, 1], port).into(),
            pid: Some(pid),
            unit: unit.map(str::to_owned),
        },
        program: Some(Program {
            pid,
            name: name.to_owned(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        }),
    }
}

fn named(user: &str, virtual_host: &str, host: &str, port: u16) -> Named {
    Named {
        user: user.to_owned(),
        virtual_host: virtual_host.to_owned(),
        host: host.to_owned(),
        port,
    }
}

fn seen() -> CallersSeen<'static> {
    CallersSeen {
        own_pid: 99,
        broker_unit: Some("rabbitmq-server.service"),
        pulps_virtual_hosts: ["/".to_owned()].into(),
        ..CallersSeen::default()
    }
}

#[test]
fn pulp_the_broker_and_this_module_are_nobody_else() {
    let observer = [
        "/root/.ansible/tmp/ansible-tmp-1/AnsiballZ_pulp_watch",
        "--observe",
    ];
    let celery = ["/usr/bin/celery", "worker", "-A", "pulp.server.async.app"];
    let seen = CallersSeen {
        callers: vec![
            caller(1, Some("pulp_worker-0.service"), "celery", &[], 1),
            caller(2, Some("pulp_streamer.service"), "twistd", &[], 2),
            caller(3, Some("httpd.service"), "httpd", &[], 3),
            caller(4, Some("goferd.service"), "goferd", &[], 4),
            caller(5, Some("rabbitmq-server.service"), "beam.smp", &[], 5),
            caller(6, None, "celery", &celery, 6),
            caller(7, None, "httpd", &["/usr/sbin/httpd"], 7),
            caller(99, Some("sshd.service"), "pulp_facts", &[], 8),
            caller(8, Some("ssh.service"), "AnsiballZ_pulp_", &observer, 9),
        ],
        ..seen()
    };
    assert_eq!(judge(&seen, &is_own), Others::default());
}

#[test]
fn another_process_is_named_with_its_unit_and_who_it_is_to_the_broker() {
    let seen = CallersSeen {
        callers: vec![
            caller(
                41,
                Some("billing.service"),
                "python3",
                &["python3", "bill"],
                5001,
            ),
            caller(
                41,
                Some("billing.service"),
                "python3",
                &["python3", "bill"],
                5002,
            ),
        ],
        named: vec![
            named("billing", "bills", "127.0.0.1", 5001),
            named("billing", "bills", "::ffff:127.0.0.1", 5002),
        ],
        ..seen()
    };
    let others = judge(&seen, &is_own);
    assert_eq!(
        others.users[0].to_string(),
        "process 41 (python3 of billing.service) as user billing of vhost bills with 2 connections"
    );
    assert_eq!(others.users.len(), 1);
    // It is told once, although its virtual host is not Pulp's.
    assert_eq!(others.virtual_hosts, []);
}

#[test]
fn a_web_server_of_another_unit_is_not_pulps() {
    let seen = CallersSeen {
        callers: vec![caller(5, Some("apache2.service"), "httpd", &["httpd"], 1)],
        ..seen()
    };
    assert_eq!(judge(&seen, &is_own).users.len(), 1);
}

#[test]
fn a_connection_whose_process_is_not_seen_is_somebody_elses() {
    let mut hidden = caller(5, None, "", &[], 1);
    hidden.client.pid = None;
    hidden.program = None;
    let seen = CallersSeen {
        callers: vec![hidden],
        ..seen()
    };
    let text = judge(&seen, &is_own).users[0].to_string();
    assert_eq!(
        text,
        "a process that is not seen from here (perhaps a container's) with 1 connection"
    );
}

#[test]
fn other_hosts_are_counted_and_this_one_is_none_of_them() {
    let far = |address: [u8; 4], port| SocketAddr::from((address, port));
    let seen = CallersSeen {
        far_ends: vec![
            far([127, 0, 0, 1], 1),
            far(OWN, 2),
            far([10, 0, 0, 9], 3),
            far([10, 0, 0, 9], 4),
        ],
        named: vec![named("pulp", "/", "10.0.0.9", 3)],
        ..seen()
    };
    let peers = judge(&seen, &is_own).peers;
    assert_eq!(peers.len(), 1);
    assert_eq!(
        peers[0].to_string(),
        "10.0.0.9 with 2 connections (user pulp of /)"
    );
}

#[test]
fn another_virtual_host_than_pulps_is_told_with_who_uses_it_from_where() {
    let seen = CallersSeen {
        named: vec![
            named("pulp", "/", "10.0.0.9", 1),
            named("billing", "bills", "10.0.0.9", 2),
            named("billing", "bills", "10.0.0.9", 3),
        ],
        ..seen()
    };
    let strangers = judge(&seen, &is_own).virtual_hosts;
    assert_eq!(strangers.len(), 1);
    assert_eq!(
        strangers[0].to_string(),
        "user billing of vhost bills from 10.0.0.9 with 2 connections"
    );
}

#[test]
fn pulp_3s_own_services_are_no_others() {
    for unit in ["pulpcore-worker@1.service", "pulpcore-api.service"] {
        let own = caller(
            7,
            Some(unit),
            "pulpcore-worker",
            &["pulpcore-worker"],
            40_001,
        );
        let found = judge(
            &CallersSeen {
                callers: vec![own],
                ..seen()
            },
            &is_own,
        );
        assert_eq!(found.users, [], "{unit}");
    }
}

#[test]
fn of_two_pulps_on_one_host_the_one_that_is_not_tested_is_another_user() {
    let callers = || {
        vec![
            caller(1, Some("pulp_worker-0.service"), "celery", &[], 1),
            caller(2, Some("httpd.service"), "httpd", &[], 2),
            caller(
                3,
                Some("pulpcore-worker@1.service"),
                "pulpcore-worker",
                &[],
                3,
            ),
        ]
    };
    let users = |pulp| {
        let seen = CallersSeen {
            callers: callers(),
            pulp,
            ..seen()
        };
        let found = judge(&seen, &|_| true).users;
        let pids = found.iter().filter_map(|user| user.pid);
        pids.collect::<Vec<i32>>()
    };
    assert_eq!(users(Some(Generation::Two)), [3]);
    assert_eq!(users(Some(Generation::Three)), [1, 2]);
    assert_eq!(users(None), Vec::<i32>::new());
}
