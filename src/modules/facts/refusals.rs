//! What speaks against an outage on this host, each refusal with its remedy in the same line. What only
//! the whole play can know, such as whether another host is one of Pulp's, is judged there.

use serde::Serialize;

use super::{ApplyAt, BrokerSight, Heard, Sight, Wish};
use crate::broker::ProbeAnswer;
use crate::broker::witness::Witness;
use crate::names::Actor;
use crate::names::option;
use crate::names::verdict::Name;

/// One refusal; its name is a verdict's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PreflightRefusal {
    name: Name,
    msg: String,
    /// The service that is in the way.
    actor: Option<Actor>,
}

/// The way to test a broker that must not be touched itself.
fn from_pulps_side() -> String {
    format!(
        "test it from Pulp's side: `{}: partition` and `{}: pulp`",
        option("method"),
        option("apply_at")
    )
}

pub(super) fn all(sight: &Sight, wish: Wish) -> Vec<PreflightRefusal> {
    let mut found = endpoint(sight, wish);
    if let Some(broker) = sight.acts_on_broker(wish) {
        found.extend(broker_here(sight, broker));
    }
    found.extend(undo(sight, wish));
    let mut all: Vec<PreflightRefusal> = found
        .into_iter()
        .map(|msg| PreflightRefusal {
            name: Name::Unsupported,
            msg,
            actor: None,
        })
        .collect();
    all.extend(sight.url.uncertain.iter().map(|why| PreflightRefusal {
        name: Name::BrokerUncertain,
        msg: why.clone(),
        actor: None,
    }));
    all.extend(against(sight).map(|msg| PreflightRefusal {
        name: Name::BrokerUncertain,
        msg,
        actor: None,
    }));
    all.extend(shared(sight, wish).map(|msg| PreflightRefusal {
        name: Name::BrokerShared,
        msg,
        actor: neighbour(sight),
    }));
    all
}

/// The settings name it, and the kernel shows Pulp connected to others. Where the user names it that is told on the page only.
fn against(sight: &Sight) -> Option<String> {
    let broker = sight.broker.as_ref().filter(|_| !sight.url.by_user)?;
    let Some(Witness::Against(statements)) = &sight.witness else {
        return None;
    };
    let told: Vec<String> = statements.iter().map(ToString::to_string).collect();
    let told = if told.is_empty() {
        "its services ended while they were looked at".to_owned()
    } else {
        told.join("; ")
    };
    Some(format!(
        "{} says {}, but no service of Pulp's is connected there: {told}; restart Pulp's services if its settings were changed \
         since they were started, or set `{}` to what is to be taken away",
        broker.source,
        broker.endpoint,
        option("broker_url")
    ))
}

/// What the URL alone tells.
fn endpoint(sight: &Sight, wish: Wish) -> Vec<String> {
    let source = &sight.url.source;
    let mut found = Vec::new();
    if sight.url.names_several {
        found.push(format!(
            "{source} names several brokers, and Pulp would go to the next one; leave the URL of one broker \
             there for the test"
        ));
    }
    let socket = sight.broker.as_ref().is_some_and(|b| b.socket);
    if socket && wish.method.cuts() {
        found.push(format!(
            "{source} names a Unix socket, whose packets no firewall sees; use \
             `{}: stop`, `kill` or `freeze`",
            option("method")
        ));
    }
    found
}

/// What the broker on this host is.
fn broker_here(sight: &Sight, broker: &BrokerSight) -> Vec<String> {
    let mut found = Vec::new();
    let at = &broker.endpoint;
    let answers = matches!(broker.answer, ProbeAnswer::Answers(_));
    if let Some(foreign) = broker.foreign.as_ref().filter(|_| broker.unit.is_none()) {
        found.push(format!(
            "{foreign} listens at {at}, which is not known as this broker's but perhaps a proxy or a container engine; \
             set `{}` if it is the right one, or {}",
            option("broker_unit"),
            from_pulps_side()
        ));
    } else if answers && broker.heard == Heard::Nobody {
        found.push(format!(
            "the broker at {at} answers, but nothing listens there on this host itself: it is in a container \
             or behind a forwarded port; {}", from_pulps_side()
        ));
    } else if broker.heard == Heard::Contained {
        found.push(format!(
            "the broker at {at} runs in a container; {}",
            from_pulps_side()
        ));
    }
    if !broker.elsewhere.is_empty() {
        let there: Vec<String> = broker.elsewhere.iter().map(ToString::to_string).collect();
        found.push(format!(
            "the broker's name at {at} stands for {} as well, which is not this host: these are several \
             brokers; {}",
            there.join(", "),
            from_pulps_side()
        ));
    }
    for manager in &sight.cluster {
        found.push(format!(
            "{manager} may move or restart the broker at {at} when it is taken away; {}",
            from_pulps_side()
        ));
    }
    found
}

/// What the undo needs on this host.
fn undo(sight: &Sight, wish: Wish) -> Vec<String> {
    if !sight.is_touched() {
        return Vec::new();
    }
    let mut found: Vec<String> = sight
        .missing
        .iter()
        .map(|program| format!("the undo needs {program}, which is not on this host; install it"))
        .collect();
    if let Some(why) = sight.unfit_for_undo() {
        found.push(format!(
            "the undo cannot be written: {why}; make 1 MiB free in /run (`df -h /run; df -i /run`)"
        ));
    }
    if sight.cuts_here(wish) && !sight.may_change_firewall {
        found.push(format!(
            "the firewall may not be changed here (no CAP_NET_ADMIN; a container lacks it unless it is \
             given); use `{}: stop` or give it the capability",
            option("method")
        ));
    }
    found
}

/// The first of the services of this host that would lose the broker.
fn neighbour(sight: &Sight) -> Option<Actor> {
    let mut units = sight.others.users.iter().filter_map(|u| u.unit.as_deref());
    units.next().map(Actor::of_unit)
}

/// Who would lose the broker and is not Pulp.
fn shared(sight: &Sight, wish: Wish) -> Option<String> {
    let broker = sight.broker.as_ref().filter(|_| !wish.accept_shared)?;
    let mut who: Vec<String> = Vec::new();
    let hits_this_host = wish.apply_at == ApplyAt::Broker || sight.cuts_here(wish);
    if hits_this_host {
        who.extend(sight.others.users.iter().map(ToString::to_string));
    }
    let from_elsewhere = sight.acts_on_broker(wish).is_some();
    if from_elsewhere {
        let strangers = &sight.others.virtual_hosts;
        who.extend(strangers.iter().map(ToString::to_string));
    }
    if who.is_empty() {
        return None;
    }
    let instead = match wish.apply_at {
        ApplyAt::Broker => ", or test it from Pulp's side",
        ApplyAt::Pulp => "",
    };
    Some(format!(
        "not Pulp's, but on the broker at {} as well: {}; stop them, or set \
         `{}: true` if they may lose it{instead}",
        broker.endpoint,
        who.join("; "),
        option("accept_shared")
    ))
}
