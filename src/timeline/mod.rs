//! What an observer saw on one host, as lines of a journal: the only thing that the observer writes, that
//! the actors' stories are read from, and that a verdict is given on. Only changes are written. Times are
//! seconds since the observer began, by the monotonic clock; one wall-clock anchor makes instants of them.

mod actors;
mod backoff;
pub(crate) mod celery;
mod connections;
pub(crate) mod missing;
mod outage;
mod refusals;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub(crate) use actors::ActorState;
pub(crate) use backoff::Retry;
use backoff::Tried;
use connections::{ConnectionSpan, Held, Losses};
pub(crate) use outage::Outage;
use outage::answer_at;
pub(crate) use refusals::{BrokerRefusal, Reason};

/// Where an observer keeps what it writes. It ends when this is taken away from it, as the undo does.
pub(crate) const DIR: &str = "/run/pulp_broker_watch";

/// How `pulp_watch` is started to be the observer.
pub(crate) const OBSERVE: &str = "--observe";

/// All that one observer wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    #[serde(flatten)]
    pub(crate) begin: Begin,
    pub(crate) entries: Vec<Entry>,
    /// The last line was cut off: the observer, or its machine, died while it wrote.
    #[serde(default)]
    pub(crate) torn: bool,
    /// Services that were seen to meet the absent broker by whoever waited for that.
    #[serde(skip)]
    pub(crate) seen_met: Vec<String>,
}

/// The first line: who observed what, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// The host's own name for itself.
    pub(crate) host: String,
    /// The wall clock when the observer began: seconds since 1970, UTC.
    pub(crate) wall: f64,
    /// Seconds of the machine's monotonic clock at the same instant: logs and units tell theirs in it.
    pub(crate) monotonic: f64,
    /// The broker's endpoint; empty when none is known here.
    pub(crate) broker: String,
    /// What it is: `rabbitmq`, `redis` and the like; empty where nobody told.
    #[serde(default)]
    pub(crate) kind: String,
    /// It only keeps published content: no worker connects to it.
    #[serde(default)]
    pub(crate) caches_only: bool,
    /// The units that are observed.
    pub(crate) units: Vec<String>,
    /// How many listened for the agents' replies, by queue; empty where nobody could tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) listeners: BTreeMap<String, u64>,
    /// How Pulp's own settings have its services try again; none: nobody could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<Retry>,
}

/// One further line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Seconds since the observer began.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// Something that was seen to have changed. The first look at anything is a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A unit's state or main process.
    Unit {
        unit: String,
        /// `active/running` and the like.
        state: String,
        /// 0: none.
        main_pid: u32,
        /// How often its manager has started it again by itself.
        restarts: u32,
        /// How the last main process ended, as a person would say it; empty when none has.
        exit: String,
        /// systemd's `Restart=`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        restart: String,
    },
    /// A unit's process holds a connection to the broker.
    Opened {
        unit: String,
        pid: u32,
        /// It is not the unit's main process.
        child: bool,
        /// The kernel's inode of the socket.
        socket: u64,
    },
    /// The connection is there no more.
    Closed { unit: String, socket: u64 },
    /// The first sign of life on a connection since the broker last changed: bytes in both directions, or a broker
    /// that answers and holds the other end.
    Moved { unit: String, socket: u64 },
    /// What the broker answers: `answers`, `starting`, `silent`, `no_connection`, `refused`, `unreachable`.
    Broker { answer: String, words: String },
    /// What an endpoint of Pulp answers, at the instant of the answer; again when it differs or took much
    /// longer or less long.
    Api {
        url: String,
        /// The status code, or `timeout`, `refused`, `reset`, or a few words.
        outcome: String,
        milliseconds: u32,
        /// `messaging_connection.connected` and `database_connection.connected`, where it says so.
        broker: Option<bool>,
        database: Option<bool>,
    },
    /// Pulp lists a worker, by Pulp's own name for it: it was not listed, or its heartbeat is newer. Beyond
    /// the first newer heartbeat after each change of the broker none is written. The heartbeat is given by
    /// this host's clock, as far as Pulp's own words for it were understood.
    Listed { worker: String, heartbeat: String },
    /// Pulp lists a worker no more.
    Unlisted { worker: String },
    /// From the unit's log: what it says of its connection.
    Said {
        unit: String,
        what: Said,
        /// Of `Retries`: the seconds until the next attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// The last line of a unit's log that tells of a failure, of the highest level.
    Logged { unit: String, line: String },
    /// The last line of a unit's log that says why the broker refuses it.
    Refused {
        unit: String,
        #[serde(flatten)]
        refusal: BrokerRefusal,
    },
    /// The observer's last line: why it ended. Without it, it was killed.
    End { why: String },
}

/// What a unit's log says of its connection to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// `Connection to broker lost`
    Lost,
    /// `Cannot connect to amqp://…`
    Refused,
    /// `Trying again in 4.00 seconds...`
    Retries,
    /// `Connected to amqp://…`
    Connected,
    /// `Unrecoverable error`
    GaveUp,
    /// Lost or refused, at some time since the main process began, which is the entry's instant: the
    /// log tells no instants of its own.
    Met,
}

impl Timeline {
    /// Reads a journal. None when not even its first line is whole.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let begin = serde_json::from_str(lines.next()?).ok()?;
        let mut torn = !text.ends_with('\n');
        let mut entries = Vec::new();
        for line in lines {
            match serde_json::from_str(line) {
                Ok(entry) => entries.push(entry),
                // A torn line; what stands before and after it was seen all the same.
                Err(_) => torn = true,
            }
        }
        Some(Self {
            begin,
            entries,
            torn,
            seen_met: Vec::new(),
        })
    }

    /// When the broker was away.
    pub(crate) fn outage(&self) -> Outage {
        Outage::of(self)
    }

    /// What became of each unit, as of the instant `now`. `main_pids` are the processes that units should
    /// have still.
    pub(crate) fn actors(&self, main_pids: &BTreeMap<String, u32>, now: f64) -> Vec<ActorState> {
        actors::tell(self, self.outage(), main_pids, now)
    }

    /// Why the observer ended; none when it was killed, or observes still.
    pub(crate) fn end(&self) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.event {
                Event::End { why } => Some(why.as_str()),
                _ => None,
            })
    }

    /// The last instant of which anything is known.
    pub(crate) fn last_at(&self) -> f64 {
        self.entries
            .iter()
            .map(|entry| entry.at)
            .fold(0.0, f64::max)
    }

    /// Adds what was learned later, each at its place in time.
    pub(crate) fn add(&mut self, entries: Vec<Entry>) {
        self.entries.extend(entries);
        self.entries.sort_by(|a, b| a.at.total_cmp(&b.at));
    }

    /// The instant of `at` by this host's wall clock at the beginning.
    pub(crate) fn instant(&self, at: f64) -> SystemTime {
        UNIX_EPOCH + Duration::try_from_secs_f64(self.begin.wall + at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was seen of two units on one host.
    pub(super) fn timeline(seen: impl IntoIterator<Item = (f64, Event)>) -> Timeline {
        let units = ["pulp_worker-0.service", "pulp_celerybeat.service"];
        Timeline {
            begin: Begin {
                host: "a.example.com".to_owned(),
                wall: 1_000_000.0,
                monotonic: 500.0,
                caches_only: false,
                kind: "rabbitmq".to_owned(),
                broker: "b:5672".to_owned(),
                units: units.map(str::to_owned).to_vec(),
                listeners: BTreeMap::new(),
                retry: None,
            },
            entries: seen
                .into_iter()
                .map(|(at, event)| Entry { at, event })
                .collect(),
            torn: false,
            seen_met: Vec::new(),
        }
    }

    const BEGIN: &str =
        r#"{"host":"a","wall":100.0,"monotonic":7.5,"broker":"b:5672","units":["x.service"]}"#;

    #[test]
    fn a_torn_last_line_costs_that_line_only() {
        let text = format!(
            "{BEGIN}\n{{\"at\":1.5,\"event\":\"closed\",\"unit\":\"x.service\",\"socket\":9}}\n{{\"at\":2.0,\"ev"
        );
        let timeline = Timeline::parse(&text).unwrap();
        assert!(timeline.torn);
        let [entry] = &timeline.entries[..] else {
            panic!("{:?}", timeline.entries)
        };
        assert_eq!(entry.at.to_bits(), 1.5f64.to_bits());
        assert_eq!(
            timeline.instant(1.5),
            UNIX_EPOCH + Duration::from_millis(101_500)
        );
    }

    #[test]
    fn events_of_a_later_version_are_skipped_and_told() {
        let text = format!("{BEGIN}\n{{\"at\":1.0,\"event\":\"sung\"}}\n");
        let timeline = Timeline::parse(&text).unwrap();
        assert!(timeline.torn && timeline.entries.is_empty());
    }

    #[test]
    fn a_journal_without_a_beginning_is_none() {
        assert_eq!(Timeline::parse(""), None);
        assert_eq!(Timeline::parse("{\"host\":"), None);
    }
}
