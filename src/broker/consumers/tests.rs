//! Which consumers have exited, have met the outage, and are connected.

use super::*;

fn unit(main_pid: u32, active_state: &str) -> Unit {
    Unit {
        name: "pulp_worker-0.service".to_owned(),
        active_state: active_state.to_owned(),
        sub_state: String::new(),
        main_pid,
        running: main_pid != 0,
        umbrella: false,
        found: true,
        last_exit: "exited with status 1".to_owned(),
        restarts: 0,
        restart: String::new(),
        active_since_us: 100,
    }
}

#[test]
fn a_service_that_its_supervisor_started_again_has_exited() {
    assert_eq!(exit_of(&unit(7, "active"), Some(7)), None);
    let how = exit_of(&unit(8, "active"), Some(7)).unwrap();
    assert!(how.starts_with("exited and was started again"), "{how}");
    assert!(exit_of(&unit(0, "activating"), Some(7)).is_some());
    assert_eq!(exit_of(&unit(0, "activating"), None), None);
}

#[test]
fn a_service_of_pulp_3_has_exited_only_where_nothing_starts_it_again() {
    let of_3 = |main_pid, state| Unit {
        name: "pulpcore-worker@1.service".to_owned(),
        restart: "on-failure".to_owned(),
        ..unit(main_pid, state)
    };
    assert_eq!(exit_of(&of_3(8, "active"), Some(7)), None);
    assert_eq!(exit_of(&of_3(0, "activating"), Some(7)), None);
    let how = exit_of(&of_3(0, "inactive"), Some(7)).unwrap();
    assert!(how.contains("Restart=on-failure"), "{how}");
    let before = BTreeMap::from([("pulpcore-worker@1.service".to_owned(), 7)]);
    assert_eq!(
        shows_met(&[&of_3(8, "active")], &before, None)
            .unwrap()
            .len(),
        1
    );
    assert!(
        shows_met(&[&of_3(7, "active")], &before, None)
            .unwrap()
            .is_empty()
    );
}

/// As of a Pulp 2 with Qpid while the broker is frozen or cut off: its transport logs nothing until the kernel gives up.
#[test]
fn a_consumer_whose_try_is_not_answered_has_met_the_outage() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = socket.local_addr().unwrap();
    let url = format!("qpid://127.0.0.1:{}/", peer.port());
    let said = crate::broker::Overrides {
        url: Some(&url),
        ..crate::broker::Overrides::default()
    };
    let broker = Broker::of(said, None).unwrap().unwrap();
    let worker = unit(std::process::id(), "active");
    let shows = || shows_met(&[&worker], &BTreeMap::new(), Some(&broker)).unwrap();
    // One that is connected has not met it.
    let _connected = std::net::TcpStream::connect(peer).unwrap();
    assert!(shows().is_empty());
    rustix::net::listen(&socket, 0).unwrap();
    for _ in 0..3 {
        let limit = Duration::from_secs(20);
        std::thread::spawn(move || std::net::TcpStream::connect_timeout(&peer, limit));
    }
    let met = until(
        "a try",
        Deadline::after(Duration::from_secs(20)),
        PACE,
        || Ok(shows().first().cloned()),
    );
    assert_eq!(met.unwrap(), worker.name);
}

#[test]
fn an_exited_service_is_named_with_how_it_ended() {
    let error = refuse_exited(&[unit(0, "failed")], &BTreeMap::new()).unwrap_err();
    let expected = "FAILED service_exited: pulp_worker-0.service exited with status 1;";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn only_a_consumers_words_about_its_broker_since_it_started_count() {
    let said = |at_us, message: &str| LogLine {
        unit: "pulp_worker-0.service".to_owned(),
        message: message.to_owned(),
        at_us,
        dated: true,
    };
    let unit = unit(7, "active");
    let refused = "consumer: Cannot connect to amqp://u:**@h:5672//: [Errno 111]";
    assert!(tells_of_outage(&unit, &said(100, refused)));
    assert!(!tells_of_outage(&unit, &said(99, refused)));
    assert!(!tells_of_outage(
        &unit,
        &said(100, "mongodb: Connection refused")
    ));
}

#[test]
fn a_connection_counts_only_after_five_seconds_without_a_break() {
    let mut ages = Ages::default();
    let begin = Instant::now();
    ages.note(7, 1, begin);
    assert_eq!(ages.standing_since(7), None);
    ages.note(7, 1, begin + STANDING);
    assert_eq!(ages.standing_since(7), Some(begin));
    assert_eq!(ages.standing_since(8), None);
}
