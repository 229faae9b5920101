//! Stories as the observer writes them, from the lab: stopped, killed, frozen and cut brokers.

use super::*;
use crate::timeline::Retry;
use crate::timeline::tests::timeline;

const WORKER: &str = "pulp_worker-0.service";

fn unit(main_pid: u32, exit: &str) -> Event {
    Event::Unit {
        unit: WORKER.to_owned(),
        state: if main_pid == 0 {
            "failed/failed"
        } else {
            "active/running"
        }
        .to_owned(),
        main_pid,
        restarts: 0,
        exit: exit.to_owned(),
        restart: String::new(),
    }
}

fn broker(answer: &str) -> Event {
    Event::Broker {
        answer: answer.to_owned(),
        words: String::new(),
    }
}

fn opened(socket: u64) -> Event {
    Event::Opened {
        unit: WORKER.to_owned(),
        pid: 7,
        child: false,
        socket,
    }
}

fn closed(socket: u64) -> Event {
    Event::Closed {
        unit: WORKER.to_owned(),
        socket,
    }
}

fn moved(socket: u64) -> Event {
    Event::Moved {
        unit: WORKER.to_owned(),
        socket,
    }
}

fn said(what: Said) -> Event {
    Event::Said {
        unit: WORKER.to_owned(),
        what,
        seconds: None,
    }
}

/// A failed try, as kombu's one message has it.
fn tried(unit: &str, at: f64, wait: f64) -> [(f64, Event); 2] {
    let said = |what, seconds| Event::Said {
        unit: unit.to_owned(),
        what,
        seconds,
    };
    [
        (at, said(Said::Refused, None)),
        (at, said(Said::Retries, Some(wait))),
    ]
}

fn begin() -> Vec<(f64, Event)> {
    vec![
        (0.0, unit(7, "")),
        (0.0, broker("answers")),
        (0.0, opened(1)),
    ]
}

fn worker(seen: Vec<(f64, Event)>, now: f64) -> ActorState {
    let timeline = timeline(seen);
    timeline.actors(&BTreeMap::new(), now).remove(0)
}

fn reconnect() -> Vec<(f64, Event)> {
    let mut seen = begin();
    seen.extend([
        (3.0, closed(1)),
        (3.01, said(Said::Lost)),
        (3.02, said(Said::Refused)),
        (3.2, broker("refused")),
        (5.02, said(Said::Refused)),
        (33.0, broker("answers")),
        (33.05, opened(2)),
        (34.0, closed(2)),
        (36.1, opened(3)),
    ]);
    seen
}

#[test]
fn a_worker_that_reconnects_is_told_from_loss_to_settling() {
    let actor = worker(reconnect(), 60.0);
    assert_eq!(actor.actor.role, Role::Worker);
    assert_eq!(actor.lost_at, Some(3.0));
    assert_eq!(
        actor.met.as_ref().map(|m| m.how.as_str()),
        Some("its connection was lost")
    );
    assert_eq!(actor.retries, [3.02, 5.02]);
    assert_eq!(actor.predicted_at, Some(33.02));
    assert_eq!(actor.connected_at, Some(33.05));
    assert_eq!(actor.further_losses, 1);
    assert_eq!(actor.settled_at, Some(41.1));
    assert!(actor.has_recovered() && !actor.survived_connection && actor.exits.is_empty());
}

#[test]
fn a_connection_counts_only_after_five_seconds_without_a_break() {
    assert!(!worker(reconnect(), 41.0).has_recovered());
    assert!(worker(reconnect(), 41.2).has_recovered());
    let mut cut = reconnect();
    cut.push((45.0, closed(3)));
    let actor = worker(cut, 50.0);
    assert!(!actor.has_recovered());
    assert_eq!(actor.settled_at, Some(41.1));
}

#[test]
fn a_service_that_lost_its_new_connection_a_moment_ago_is_on_its_way_back() {
    // It had one again for 2.9 s, then for another 5 s, and lost it: RabbitMQ costs such losses.
    assert!(worker(reconnect(), 39.0).settling);
    let mut lost = reconnect();
    lost.push((39.0, closed(3)));
    assert!(worker(lost.clone(), 43.9).settling);
    let late = worker(lost, 44.1);
    assert!(!late.settling && !late.has_recovered());
    // What never came back is not on its way.
    let mut never = begin();
    never.extend([
        (3.0, closed(1)),
        (3.2, broker("refused")),
        (33.0, broker("answers")),
    ]);
    assert!(!worker(never, 34.0).settling);
}

#[test]
fn an_exit_is_one_from_the_outage_on_and_a_stop_before_it_is_none() {
    let mut seen = reconnect();
    seen.push((33.5, unit(0, "exited with status 1")));
    let actor = worker(seen, 60.0);
    assert_eq!(actor.exits.len(), 1);
    assert_eq!(actor.exits[0].how, "exited with status 1");
    assert!(!actor.runs() && !actor.has_recovered());

    let connect = vec![
        (0.0, unit(7, "")),
        (0.0, broker("answers")),
        (0.0, opened(1)),
        (2.0, closed(1)),
        (2.1, unit(0, "exited with status 0")),
        (3.5, broker("refused")),
        (5.0, unit(9, "")),
        (7.0, said(Said::Refused)),
        (20.0, broker("answers")),
        (27.1, opened(2)),
    ];
    let actor = worker(connect.clone(), 40.0);
    assert_eq!(actor.exits, []);
    assert_eq!(actor.lost_at, None);
    assert_eq!(
        actor.met.as_ref().map(|m| m.how.as_str()),
        Some("its log says so")
    );
    assert_eq!(actor.predicted_at, Some(27.0));
    assert_eq!(actor.connected_at, Some(27.1));
    assert!(actor.has_recovered());
    let before = BTreeMap::from([(WORKER.to_owned(), 7)]);
    let expected = timeline(connect).actors(&before, 40.0).remove(0);
    assert_eq!(expected.exits[0].how, "exited with status 0");
}

#[test]
fn a_service_that_its_supervisor_started_again_has_exited() {
    let mut seen = begin();
    seen.extend([(3.2, broker("refused")), (4.0, unit(8, ""))]);
    let actor = worker(seen, 10.0);
    assert!(
        actor.exits[0]
            .how
            .starts_with("exited and was started again")
    );
    assert!(actor.runs());
}

#[test]
fn a_frozen_broker_keeps_its_connections_and_they_count_when_bytes_move() {
    let mut seen = begin();
    seen.extend([(3.2, broker("silent")), (33.0, broker("answers"))]);
    let waiting = worker(seen.clone(), 40.0);
    assert_eq!(
        waiting.met.as_ref().map(|m| m.how.as_str()),
        Some("its connection was silent")
    );
    assert!(!waiting.survived_connection && !waiting.has_recovered());
    assert!(waiting.keeps_silence());
    seen.push((33.1, moved(1)));
    seen.push((35.0, opened(2)));
    let actor = worker(seen, 40.0);
    assert!(actor.survived_connection && actor.has_recovered());
    assert_eq!((actor.lost_at, actor.connected_at), (None, None));
}

#[test]
fn a_cut_connection_that_is_back_in_the_same_instant_was_lost() {
    let mut seen = begin();
    seen.extend([(5.0, closed(1)), (5.0, opened(2))]);
    let actor = worker(seen, 20.0);
    assert_eq!(actor.lost_at, Some(5.0));
    assert_eq!(actor.connected_at, Some(5.0));
    assert_eq!(actor.settled_at, Some(10.0));
    assert!(actor.has_recovered());
}

#[test]
fn a_worker_that_waits_has_not_recovered_and_none_is_predicted_while_the_broker_is_away() {
    let mut seen = begin();
    seen.extend([(3.0, closed(1)), (3.2, broker("refused"))]);
    let actor = worker(seen, 30.0);
    assert!(!actor.has_recovered() && actor.runs());
    assert_eq!(actor.predicted_at, None);
    assert!(
        actor.prediction.contains("come back"),
        "{}",
        actor.prediction
    );
}

#[test]
fn pulps_own_name_is_found_by_host_and_a_stale_row_does_not_count() {
    let listed = |heartbeat: &str| Event::Listed {
        worker: "reserved_resource_worker-0@a.example.com".to_owned(),
        heartbeat: heartbeat.to_owned(),
    };
    let mut seen = reconnect();
    let other = Event::Listed {
        worker: "reserved_resource_worker-0@b.example.com".to_owned(),
        heartbeat: String::new(),
    };
    seen.extend([
        (33.4, other),
        // 1,000,000 s after the epoch is 13:46:40; the observer began then.
        (33.5, listed("1970-01-12T13:46:42Z")),
        (39.5, listed("1970-01-12T13:47:18Z")),
    ]);
    let actor = worker(seen, 60.0);
    assert_eq!(
        actor.actor.worker.as_deref(),
        Some("reserved_resource_worker-0@a.example.com")
    );
    assert_eq!(actor.listed_at, Some(39.5));
}

#[test]
fn where_nothing_went_away_a_standing_connection_is_enough() {
    assert!(!worker(begin(), 4.0).has_recovered());
    let actor = worker(begin(), 6.0);
    assert!(actor.has_recovered() && actor.met.is_none());
    assert_eq!((actor.connected_at, actor.settled_at), (None, Some(5.0)));
}

#[test]
fn nothing_seen_is_no_recovery() {
    for actor in timeline([]).actors(&BTreeMap::new(), 100.0) {
        assert!(!actor.has_recovered() && actor.met.is_none() && !actor.runs());
    }
    let roles: Vec<Role> = timeline([])
        .actors(&BTreeMap::new(), 1.0)
        .iter()
        .map(|a| a.actor.role)
        .collect();
    assert_eq!(roles, [Role::Worker, Role::Scheduler]);
}

const WORKER_3: &str = "pulpcore-worker@1.service";

fn unit_3(state: &str, main_pid: u32, exit: &str, restart: &str) -> Event {
    Event::Unit {
        unit: WORKER_3.to_owned(),
        state: state.to_owned(),
        main_pid,
        restarts: 0,
        exit: exit.to_owned(),
        restart: restart.to_owned(),
    }
}

fn worker_3(restart: &str, after: &[(f64, Event)]) -> ActorState {
    let mut seen = vec![
        (0.0, unit_3("active/running", 7, "", restart)),
        (0.0, broker("answers")),
        (3.0, broker("refused")),
        (
            4.0,
            unit_3(
                "activating/auto-restart",
                0,
                "exited with status 0",
                restart,
            ),
        ),
    ];
    seen.extend(after.iter().cloned());
    seen.push((33.0, broker("answers")));
    let timeline = timeline(seen);
    let actors = tell(&timeline, timeline.outage(), &BTreeMap::new(), 70.0);
    actors.into_iter().find(|a| a.unit() == WORKER_3).unwrap()
}

#[test]
fn a_service_of_pulp_3_may_exit_as_long_as_it_is_started_again() {
    let again = (
        7.0,
        unit_3("active/running", 8, "exited with status 0", "always"),
    );
    let actor = worker_3("always", &[again]);
    assert!(actor.runs() && !actor.is_lost());
    assert_eq!(actor.exits.len(), 1);
    assert_eq!(actor.met.unwrap().how, "exited with status 0");
    assert!(!worker_3("always", &[]).is_lost(), "it is on its way");
}

#[test]
fn a_service_of_pulp_3_that_is_given_up_is_told_with_its_restart_setting() {
    let dead = (
        4.5,
        unit_3("inactive/dead", 0, "exited with status 0", "on-failure"),
    );
    let actor = worker_3("on-failure", &[dead]);
    assert!(actor.is_lost());
    assert_eq!(
        actor.ending(),
        "exited with status 0 and is not started again (Restart=on-failure, which status 0 is not)"
    );
}

const BEAT: &str = "pulp_celerybeat.service";

/// An outage from 3.2 to 21.0 s in which these tries failed, and then the worker's new connection.
fn outage(tries: &[(&str, f64, f64)], connected: f64) -> Vec<(f64, Event)> {
    let mut seen = begin();
    seen.extend([(3.0, closed(1)), (3.2, broker("refused"))]);
    for (unit, at, wait) in tries {
        seen.extend(tried(unit, *at, *wait));
    }
    seen.extend([(21.0, broker("answers")), (connected, opened(2))]);
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    seen
}

#[test]
fn the_last_try_and_the_lag_are_learnt_from_the_log() {
    let lagged = [(WORKER, 3.1, 2.0), (WORKER, 7.1, 4.0), (WORKER, 13.1, 6.0)];
    let actor = worker(outage(&lagged, 21.2), 60.0);
    // The try that was due at 19.1 is under way, because tries are 2 s late on this host.
    assert_eq!((actor.predicted_at, actor.lag), (Some(20.0), 2.0));
    assert_eq!(actor.predicted_from, "its log");
    let prompt = [
        (WORKER, 3.1, 2.0),
        (WORKER, 5.1, 4.0),
        (WORKER, 9.11, 6.0),
        (WORKER, 15.11, 8.0),
    ];
    let actor = worker(outage(&prompt, 28.1), 60.0);
    assert_eq!((actor.predicted_at, actor.lag), (Some(23.11), 0.01));
    assert_eq!(actor.next_try(24.0), Some(33.11));
}

#[test]
fn one_slow_service_beside_a_prompt_one_is_no_lag_of_the_host() {
    let both = [
        (WORKER, 3.1, 2.0),
        (WORKER, 10.1, 4.0),
        (WORKER, 19.1, 6.0),
        (BEAT, 3.1, 2.0),
        (BEAT, 5.2, 4.0),
        (BEAT, 9.2, 6.0),
        (BEAT, 15.2, 8.0),
    ];
    assert_eq!(Some(worker(outage(&both, 25.1), 60.0).lag), Some(0.1));
    // Another process begins anew.
    let mut again = outage(&[(WORKER, 3.1, 2.0), (WORKER, 10.1, 2.0)], 22.1);
    again.push((4.0, unit(8, "")));
    again.sort_by(|a, b| a.0.total_cmp(&b.0));
    let actor = worker(again, 60.0);
    assert_eq!((actor.predicted_at, actor.lag), (Some(22.1), 0.0));
}

#[test]
fn a_service_whose_log_does_not_serve_is_predicted_from_its_loss_and_that_is_said() {
    // Its log is empty, or in words that nobody knows; the scheduler's tells the host's lag.
    let beat = [(BEAT, 3.1, 2.0), (BEAT, 5.2, 4.0), (BEAT, 9.3, 6.0)];
    let silent = worker(outage(&beat, 30.0), 60.0);
    assert_eq!(silent.predicted_at, Some(23.0));
    assert_eq!(
        silent.predicted_from,
        "its loss, because its log names no next try"
    );
    assert!(
        (silent.lag - 0.4).abs() < 0.01,
        "four tries since the loss: {}",
        silent.lag
    );
    // A log without dates tells nobody how far the tries have drifted.
    let mut undated = outage(&[], 30.0);
    undated.push((3.0, said(Said::Met)));
    let actor = worker(undated, 60.0);
    assert_eq!(
        actor.predicted_from,
        "its loss, because its log has no dates"
    );
    assert_eq!((actor.predicted_at, actor.lag), (Some(23.0), 10.0));
    // What nobody can predict has no lag.
    let beat = timeline(outage(&beat, 30.0))
        .actors(&BTreeMap::new(), 60.0)
        .remove(1);
    assert_eq!(
        (beat.predicted_at, beat.predicted_from, beat.lag),
        (None, String::new(), 0.0)
    );
}

#[test]
fn pulps_own_settings_say_how_often_a_service_tries() {
    let mut seen = timeline(outage(&[], 30.0));
    let told = |seen: &Timeline| seen.actors(&BTreeMap::new(), 60.0).remove(0).prediction;
    assert_eq!(told(&seen), "");
    seen.begin.retry = Some(Retry {
        retries: true,
        most: Some(2),
    });
    assert!(told(&seen).contains("the 2 tries, 6 s, after which kombu gives up"));
    seen.begin.retry = Some(Retry {
        retries: false,
        most: Some(2),
    });
    assert!(told(&seen).contains("not to try again"));
}
