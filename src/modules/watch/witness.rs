//! What is asked once before and once after an observation, because it costs too much to be asked all the
//! time: who listens for the agents' replies, and the evidence that a restart would destroy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Params;
use crate::broker::{self, Broker, rabbitmqctl, trial};
use crate::evidence::{self, EvidenceScope};
use crate::host::wait::{Deadline, Pace, until};
use crate::observe::LIMIT;
use crate::pulp::{Access, Door};
use crate::timeline::{Begin, Timeline};

/// After how many seconds of the broker's return who listens for the agents' replies is back, if ever: gofer
/// tries each 10 s, and is counted some tenths of a second later.
const REPLIES_BACK: f64 = 11.0;

/// How many listen for the agents' replies, by queue; empty where nobody here can tell.
pub(super) fn listeners(broker: Option<&Broker>) -> BTreeMap<String, u64> {
    let here = broker.is_some_and(|b| b.has_rabbitmqctl() && b.ask().is_up());
    if !here {
        return BTreeMap::new();
    }
    rabbitmqctl::listeners(&broker::pulps_virtual_host()).unwrap_or_default()
}

/// The same once more, and for how long it was asked. Who does not listen yet has time for the next try.
pub(super) fn listeners_after(
    params: &Params,
    timeline: &Timeline,
    now: f64,
) -> (BTreeMap<String, u64>, Duration) {
    let begun = Instant::now();
    let broker = Broker::discover(params.broker.overrides());
    let broker = broker.ok().flatten();
    let before = &timeline.begin.listeners;
    let since_up = timeline.outage().up_at.map_or(f64::MAX, |up| now - up);
    let left = Duration::try_from_secs_f64(REPLIES_BACK - since_up).unwrap_or_default();
    let mut after = BTreeMap::new();
    // A count takes RabbitMQ most of a second, so there is one at once and one when the time is over.
    let once = Pace {
        first: left,
        last: left,
    };
    let _ = until("httpd to listen", Deadline::for_cleanup(left), once, || {
        after = listeners(broker.as_ref());
        let listens =
            |(name, count): (&String, &u64)| *count >= before.get(name).copied().unwrap_or(1);
        Ok(after.iter().all(listens).then_some(()))
    });
    (after, begun.elapsed())
}

/// Why the broker does not serve Pulp, by its own word; none where no broker is known here.
pub(super) fn refusal(params: &Params) -> Option<trial::Asked> {
    let broker = Broker::discover(params.broker.overrides()).ok().flatten()?;
    Some(trial::ask(&broker))
}

/// One text for a person.
pub(super) fn evidence(begin: &Begin, params: &Params) -> String {
    let broker = Broker::discover(params.broker.overrides());
    let pulp = door(params).ok().flatten();
    evidence::collect(&EvidenceScope {
        units: &begin.units,
        since_us: microseconds(begin.monotonic),
        broker: broker.ok().flatten().as_ref(),
        pulp: pulp
            .as_ref()
            .map(|pulp| (pulp, params.pulp_api_root.as_str())),
    })
}

fn door(params: &Params) -> Result<Option<Door>> {
    let Some(url) = &params.pulp_url else {
        return Ok(None);
    };
    Door::new(&Access {
        url,
        credentials: None,
        certificate: None,
        validate_certs: params.validate_certs,
        ca_path: params.ca_path.as_deref(),
        tls_minimum: params.tls_minimum,
        is_pulp_3: false,
        request_timeout: LIMIT,
    })
    .map(Some)
}

fn microseconds(seconds: f64) -> u64 {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}
