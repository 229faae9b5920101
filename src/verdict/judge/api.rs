//! Pulp's API: described while the broker is away, judged when it has been back for long enough.

use serde_json::json;

use crate::names::verdict::Name;
use crate::verdict::results::{Api, Availability, Host, Stretch, WatchReply};
use crate::verdict::{Finding, shown};

/// Publishers and status need that long to notice that the broker is back.
const GRACE: f64 = 45.0;

/// What is wrong with each endpoint of one host. One that was of no use before the outage is not judged.
pub(super) fn judge(scenario: &str, host: &Host, watch: &WatchReply) -> Vec<Finding> {
    let (Some(down), Some(up)) = (watch.down_at, watch.up_at) else {
        return Vec::new();
    };
    let until = watch.known_until();
    let mut found = Vec::new();
    for api in watch.apis().iter().filter(|api| api.worked_before(down)) {
        // Of two names the one that was there first is the cause.
        let bad = |s: &&Stretch| s.kind.is_bad() && s.to > up + GRACE;
        if let Some(stretch) = api.between(up + GRACE, until).find(bad) {
            found.push(finding(api, stretch, up, until).of(scenario, &host.name));
        }
    }
    found
}

fn finding(api: &Api, stretch: &Stretch, up: f64, until: f64) -> Finding {
    let seconds = api.bad_seconds(up + GRACE, until);
    let (name, what) = if stretch.kind == Availability::Silent {
        (Name::ApiHangs, "did not answer".to_owned())
    } else {
        (
            Name::ApiUnavailable,
            format!("answered `{}`", stretch.outcome),
        )
    };
    let from = (stretch.from - up).max(0.0);
    Finding::new(
        name,
        format!(
            "{} {what} {} after the broker was back, and for {} of the time that was then watched",
            api.url,
            shown(from.max(GRACE)),
            shown(seconds)
        ),
    )
    .because(format!(
        "the same from {} to {} after the broker's return",
        shown(from),
        shown(stretch.to - up)
    ))
    .with("seconds", json!(seconds))
}
