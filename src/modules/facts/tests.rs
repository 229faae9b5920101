//! What the pre-flight says and refuses, by subjects of each kind: a host as it should be, changed in one
//! thing at a time.

use std::time::Duration;

use super::*;
use crate::broker::others::{Neighbour, Peer, Stranger};
use crate::broker::witness::Statement;

const STOP: Wish = Wish {
    method: Method::Stop,
    apply_at: ApplyAt::Broker,
    accept_shared: false,
};

/// The broker is left alone.
const AT_PULP: Wish = Wish {
    method: Method::Partition,
    apply_at: ApplyAt::Pulp,
    accept_shared: false,
};

fn unit(name: &str, umbrella: bool) -> Unit {
    Unit {
        name: format!("{name}.service"),
        active_state: "active".to_owned(),
        sub_state: String::new(),
        main_pid: u32::from(!umbrella),
        running: !umbrella,
        umbrella,
        found: true,
        last_exit: String::new(),
        restarts: 0,
        restart: String::new(),
        active_since_us: 0,
    }
}

fn space(path: &str) -> Space {
    Space {
        path: path.to_owned(),
        free_bytes: 300_000_000,
        free_files: Some(1000),
        read_only: false,
    }
}

/// A host with all of Pulp 2 and a broker of its own.
fn healthy() -> Sight {
    Sight {
        configured: Some("/etc/pulp/server.conf"),
        generation: Generation::Two,
        version: None,
        beside: Vec::new(),
        units: vec![
            unit("httpd", false),
            unit("pulp_workers", true),
            unit("pulp_worker-0", false),
            unit("pulp_worker-1", false),
        ],
        manager: "systemd 252".to_owned(),
        selinux: "none",
        broker: Some(broker()),
        url: UrlSight {
            source: "/etc/pulp/server.conf [tasks] broker_url".to_owned(),
            ..UrlSight::default()
        },
        witness: Some(Witness::Connected {
            services: vec!["pulp_worker-0".to_owned(), "pulp_worker-1".to_owned()],
            without: Vec::new(),
        }),
        others: Others::default(),
        not_asked: None,
        asked: true,
        settings_asked: None,
        other_databases: Vec::new(),
        cluster: Vec::new(),
        spaces: vec![space("/run"), space("/var/lib/rabbitmq")],
        missing: Vec::new(),
        there: vec!["systemd-run", "systemctl", "/bin/sh"],
        may_change_firewall: true,
        listeners: BTreeMap::new(),
    }
}

fn broker() -> BrokerSight {
    BrokerSight {
        kind: "rabbitmq".to_owned(),
        endpoint: "localhost:5672".to_owned(),
        source: "/etc/pulp/server.conf [tasks] broker_url".to_owned(),
        socket: false,
        local: true,
        unit: Some("rabbitmq-server.service".to_owned()),
        foreign: None,
        answer: ProbeAnswer::Answers(Duration::from_millis(1)),
        heard: Heard::Process,
        elsewhere: Vec::new(),
        other_for_agents: None,
        behind: None,
    }
}

fn with_broker(change: impl FnOnce(&mut BrokerSight)) -> Sight {
    let mut broker = broker();
    change(&mut broker);
    Sight {
        broker: Some(broker),
        ..healthy()
    }
}

fn user() -> Neighbour {
    Neighbour {
        pid: Some(41),
        name: "python3".to_owned(),
        unit: Some("billing.service".to_owned()),
        connections: 1,
        user: Some("billing".to_owned()),
        virtual_host: Some("bills".to_owned()),
    }
}

fn lines(sight: &Sight) -> Vec<String> {
    lines::all(sight, STOP)
}

/// The line that begins with this word.
fn line(sight: &Sight, word: &str) -> String {
    let all = lines(sight);
    all.into_iter()
        .find(|l| l.split(' ').next() == Some(word))
        .unwrap()
}

/// Each refusal as `name: msg`.
fn refused(sight: &Sight, wish: Wish) -> Vec<String> {
    let all = json!(refusals::all(sight, wish));
    let all = all.as_array().unwrap().iter();
    all.map(|r| {
        format!(
            "{}: {}",
            r["name"].as_str().unwrap(),
            r["msg"].as_str().unwrap()
        )
    })
    .collect()
}

/// The one refusal of the outage by `stop`, which a partition at Pulp's hosts does not meet.
#[track_caller]
fn demand_only_at_broker(sight: &Sight, words: &str) {
    let found = refused(sight, STOP);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("unsupported: "), "{found:?}");
    assert!(found[0].contains(words), "{found:?}");
    assert!(found[0].contains("`apply_at: pulp`"), "{found:?}");
    assert_eq!(refused(sight, AT_PULP), Vec::<String>::new());
}

#[test]
fn loopback_is_this_host_to_others() {
    let own = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    let found = ["::1", "127.0.0.1"].map(|a| a.parse().unwrap());
    assert_eq!(seen_from_outside(found.into_iter(), &own), own);
    let there: IpAddr = [192, 0, 2, 1].into();
    assert_eq!(seen_from_outside([there].into_iter(), &own), [there]);
}

#[test]
fn a_host_as_it_should_be_is_told_in_six_lines_and_refused_nothing() {
    let expected = [
        "FOUND Pulp 2 (configuration /etc/pulp/server.conf): httpd, pulp_workers with 2 workers run; \
         systemd 252; SELinux: none",
        "BROKER rabbitmq at localhost:5672 (/etc/pulp/server.conf [tasks] broker_url), unit \
         rabbitmq-server.service, answers after 1 ms",
        "WITNESS pulp_worker-0, pulp_worker-1 are connected to it",
        "OTHERS on this broker: none that the kernel and rabbitmqctl show",
        "DISK /run 300 MB free, the broker's data (/var/lib/rabbitmq) 300 MB free",
        "UNDO can run here: systemd-run, systemctl, /bin/sh, /run writable",
    ];
    assert_eq!(lines(&healthy()), expected);
    assert_eq!(refused(&healthy(), STOP), Vec::<String>::new());
}

#[test]
fn units_of_a_new_family_of_names_are_told_like_others() {
    let mut sight = Sight {
        generation: Generation::Three,
        units: ["made-up-rest", "made-up-tasks@1", "made-up-tasks@2"]
            .map(|name| unit(name, false))
            .into(),
        ..healthy()
    };
    let found = line(&sight, "FOUND");
    assert!(
        found.contains("made-up-rest, made-up-tasks@1, made-up-tasks@2 run; "),
        "{found}"
    );
    sight.configured = None;
    sight.units.clear();
    let found = line(&sight, "FOUND");
    assert!(found.contains("pulpcore-* or made-up-*)"), "{found}");
}

#[test]
fn what_does_not_run_is_told_apart() {
    let mut sight = healthy();
    sight.units[0].running = false;
    sight.units[3].running = false;
    let found = &line(&sight, "FOUND");
    assert!(
        found.contains("pulp_workers with 1 of 2 workers runs; httpd does not run;"),
        "{found}"
    );
}

#[test]
fn a_host_without_pulp_and_broker_needs_no_undo() {
    let sight = Sight {
        configured: None,
        units: Vec::new(),
        broker: None,
        witness: None,
        missing: vec!["systemd-run"],
        ..healthy()
    };
    let said = lines(&sight);
    assert!(
        said[0].starts_with("FOUND no Pulp on this host "),
        "{said:?}"
    );
    assert!(said[4].starts_with("UNDO not needed here"), "{said:?}");
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
}

#[test]
fn another_user_of_the_broker_is_refused_unless_accepted() {
    let sight = Sight {
        others: Others {
            users: vec![user()],
            ..Others::default()
        },
        ..healthy()
    };
    let found = refused(&sight, STOP);
    assert!(
        found[0].starts_with("broker_shared: not Pulp's, but on the broker at localhost:5672 as well: process 41 (python3 of billing.service)"),
        "{found:?}"
    );
    assert!(found[0].contains("`accept_shared: true`"));
    // Packets from this host are cut for everybody on it.
    assert_eq!(refused(&sight, AT_PULP).len(), 1);
    let accepted = Wish {
        accept_shared: true,
        ..STOP
    };
    assert_eq!(refused(&sight, accepted), Vec::<String>::new());
    assert!(lines::all(&sight, accepted)[3].ends_with("(accepted)"));
}

#[test]
fn users_of_another_virtual_host_are_hit_at_the_broker_only() {
    let sight = Sight {
        others: Others {
            virtual_hosts: vec![Stranger {
                user: "billing".to_owned(),
                virtual_host: "bills".to_owned(),
                host: "10.0.0.9".to_owned(),
                connections: 1,
            }],
            ..Others::default()
        },
        ..healthy()
    };
    assert!(refused(&sight, STOP)[0].contains("user billing of vhost bills from 10.0.0.9"));
    assert_eq!(refused(&sight, AT_PULP), Vec::<String>::new());
}

#[test]
fn other_hosts_are_told_and_left_to_the_play() {
    let sight = Sight {
        others: Others {
            peers: vec![Peer {
                address: [10, 0, 0, 9].into(),
                connections: 2,
                users: ["pulp of /".to_owned()].into(),
            }],
            ..Others::default()
        },
        ..healthy()
    };
    let said = line(&sight, "OTHERS");
    assert!(
        said.ends_with("; from other hosts: 10.0.0.9 with 2 connections (user pulp of /)"),
        "{said}"
    );
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
}

#[test]
fn a_rabbitmq_that_cannot_be_asked_is_told_and_not_refused() {
    let sight = Sight {
        asked: false,
        not_asked: Some("there is no rabbitmqctl".to_owned()),
        ..healthy()
    };
    let said = line(&sight, "OTHERS");
    assert!(
        said.contains("none that the kernel shows (rabbitmqctl could not be asked: "),
        "{said}"
    );
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
}

#[test]
fn a_broker_that_must_not_be_touched_can_be_tested_from_pulps_side() {
    let managed = Sight {
        cluster: vec![ClusterManager {
            name: "keepalived",
            evidence: "process 7".to_owned(),
        }],
        ..healthy()
    };
    demand_only_at_broker(&managed, "keepalived (process 7) may move or restart");
    let proxied = with_broker(|b| {
        b.unit = None;
        b.foreign = Some("process 7 of haproxy.service".to_owned());
    });
    demand_only_at_broker(&proxied, "process 7 of haproxy.service listens");
    demand_only_at_broker(
        &with_broker(|b| b.heard = Heard::Nobody),
        "in a container or behind",
    );
    demand_only_at_broker(
        &with_broker(|b| b.heard = Heard::Contained),
        "runs in a container",
    );
    let several = with_broker(|b| b.elsewhere = vec![[10, 0, 0, 2].into()]);
    demand_only_at_broker(&several, "stands for 10.0.0.2 as well");
}

#[test]
fn a_broker_that_is_away_already_is_in_no_container() {
    let sight = with_broker(|b| {
        b.heard = Heard::Nobody;
        b.answer = ProbeAnswer::Refused;
    });
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
}

#[test]
fn a_manager_beside_pulp_says_nothing_of_a_broker_elsewhere() {
    let mut sight = with_broker(|b| b.local = false);
    sight.cluster.push(ClusterManager {
        name: "keepalived",
        evidence: "process 7".to_owned(),
    });
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
    assert!(
        line(&sight, "BROKER")
            .contains("on another host, answers after 1 ms; here is also keepalived")
    );
}

#[test]
fn several_urls_are_refused_whatever_the_method() {
    let mut sight = healthy();
    sight.broker = None;
    sight.url.names_several = true;
    for wish in [STOP, AT_PULP] {
        let found = refused(&sight, wish);
        assert!(
            found[0].contains("broker_url names several brokers"),
            "{found:?}"
        );
    }
    assert!(line(&sight, "BROKER").starts_with("BROKER several, by /etc/pulp/server.conf"));
}

#[test]
fn a_broker_that_cannot_be_told_is_refused_whatever_the_method() {
    let why = "failed to find what is to be taken away in Pulp's settings: it raised KeyError; set \
               `broker_url`";
    let mut sight = healthy();
    sight.broker = None;
    sight.url.uncertain = Some(why.to_owned());
    sight.settings_asked = Some("Pulp's own settings were not asked: x".to_owned());
    for wish in [STOP, AT_PULP] {
        let found = refusals::all(&sight, wish);
        let [refusal] = found.as_slice() else {
            panic!("{found:?}")
        };
        let told = serde_json::json!(refusal);
        assert_eq!(
            (told["name"].as_str(), told["msg"].as_str()),
            (Some("broker_uncertain"), Some(why))
        );
    }
    assert_eq!(
        line(&sight, "SETTINGS"),
        "SETTINGS Pulp's own settings were not asked: x"
    );
    assert_eq!(line(&sight, "BROKER"), format!("BROKER not known: {why}"));
}

#[test]
fn whom_of_pulp_was_asked_is_told() {
    let mut sight = healthy();
    sight.settings_asked = Some("asked Pulp's own settings as user pulp (x)".to_owned());
    sight.other_databases = vec!["replica".to_owned()];
    let expected = "SETTINGS asked Pulp's own settings as user pulp (x); Pulp's other databases are left alone: replica";
    assert_eq!(line(&sight, "SETTINGS"), expected);
}

#[test]
fn a_unix_socket_has_no_packets_to_cut() {
    let sight = with_broker(|b| b.socket = true);
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
    assert!(line(&sight, "OTHERS").ends_with("(who uses its Unix socket is not looked at)"));
    assert!(refused(&sight, AT_PULP)[0].contains("names a Unix socket"));
}

#[test]
fn a_host_on_which_the_undo_cannot_run_is_refused_with_what_it_lacks() {
    let with = |change: &dyn Fn(&mut Space)| {
        let mut sight = healthy();
        change(&mut sight.spaces[0]);
        (refused(&sight, STOP), line(&sight, "UNDO"))
    };
    for (change, words) in [
        (
            &(|s: &mut Space| s.free_bytes = 4096) as &dyn Fn(&mut Space),
            "/run is full (4 kB free)",
        ),
        (
            &|s| s.free_files = Some(0),
            "/run is full (no inode is free)",
        ),
        (&|s| s.read_only = true, "/run is read-only"),
    ] {
        let (refused, line) = with(change);
        assert!(refused[0].contains(words), "{refused:?}");
        assert_eq!(line, format!("UNDO cannot run here: {words}"));
    }
    let lacking = Sight {
        missing: vec!["systemd-run"],
        ..healthy()
    };
    assert!(
        refused(&lacking, STOP)[0]
            .contains("needs systemd-run, which is not on this host; install it")
    );
}

#[test]
fn the_firewall_has_to_be_changeable_only_where_packets_are_cut() {
    let sight = Sight {
        may_change_firewall: false,
        ..healthy()
    };
    assert_eq!(refused(&sight, STOP), Vec::<String>::new());
    assert!(refused(&sight, AT_PULP)[0].contains("CAP_NET_ADMIN"));
    let broker_only = Sight {
        configured: None,
        units: Vec::new(),
        ..sight
    };
    assert_eq!(refused(&broker_only, AT_PULP), Vec::<String>::new());
}

/// As healthy, with a witness against it.
fn accused(by_user: bool) -> Sight {
    let statement = Statement {
        service: "pulp_worker-0.service".to_owned(),
        pid: 7,
        peers: Peers {
            tcp: [([10, 0, 0, 9], 5672).into()].into(),
            ..Peers::default()
        },
    };
    let healthy = healthy();
    Sight {
        witness: Some(Witness::Against(vec![statement])),
        url: UrlSight {
            by_user,
            ..healthy.url
        },
        ..healthy
    }
}

#[test]
fn a_broker_to_which_nothing_of_pulps_is_connected_is_uncertain_unless_the_user_named_it() {
    let found = refused(&accused(false), STOP);
    assert_eq!(found.len(), 1, "{found:?}");
    for words in [
        "broker_uncertain: /etc/pulp/server.conf [tasks] broker_url says localhost:5672, but",
        "pulp_worker-0 (process 7) is connected to 10.0.0.9:5672",
        "`broker_url`",
    ] {
        assert!(found[0].contains(words), "{found:?}");
    }
    assert_eq!(refused(&accused(true), STOP), Vec::<String>::new());
    let told = "WITNESS against it: pulp_worker-0 (process 7) is connected to 10.0.0.9:5672";
    assert!(lines(&accused(true)).contains(&told.to_owned()));
}

#[test]
fn what_the_kernel_cannot_show_is_said_and_not_refused() {
    for (witness, words) in [
        (Witness::NobodyRuns, "WITNESS none: "),
        (Witness::OnDemand, "WITNESS none yet: "),
    ] {
        let sight = Sight {
            witness: Some(witness),
            ..healthy()
        };
        assert!(
            lines(&sight).iter().any(|l| l.starts_with(words)),
            "{words}"
        );
        assert_eq!(refused(&sight, STOP), Vec::<String>::new());
    }
}

#[test]
fn what_is_behind_a_pooler_is_told() {
    let sight = with_broker(|broker| {
        broker.unit = Some("pgbouncer.service".to_owned());
        broker.behind = Some(Peers {
            tcp: [([127, 0, 0, 1], 5433).into()].into(),
            ..Peers::default()
        });
    });
    let words = "unit pgbouncer.service, behind which is 127.0.0.1:5433, answers";
    assert!(
        lines(&sight).iter().any(|l| l.contains(words)),
        "{:?}",
        lines(&sight)
    );
}

#[test]
fn another_pulp_on_the_host_is_told_apart() {
    let sight = Sight {
        beside: vec![unit("pulpcore-worker@1", false)],
        ..healthy()
    };
    let words = "run; Pulp 3 is here too, and is left alone: pulpcore-worker@1 runs; systemd 252";
    assert!(
        line(&sight, "FOUND").contains(words),
        "{}",
        line(&sight, "FOUND")
    );
}
