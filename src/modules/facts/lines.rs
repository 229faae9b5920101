//! The pre-flight's lines, one a fact, each beginning with its word, for a person on call.

use super::{BrokerSight, Sight, Wish};
use crate::broker::ProbeAnswer;
use crate::broker::settings::file_of;
use crate::broker::witness::Witness;
use crate::names::{Generation, WORKERS};
use crate::service::{self, Unit};

pub(super) fn all(sight: &Sight, wish: Wish) -> Vec<String> {
    let mut all = vec![found(sight)];
    all.extend(settings(sight));
    all.push(broker(sight));
    all.extend(sight.witness.as_ref().map(witness));
    all.extend([others(sight, wish), disk(sight), undo(sight, wish)]);
    all
}

/// What the kernel shows of Pulp's connections to it.
fn witness(seen: &Witness) -> String {
    match seen {
        Witness::Connected { services, without } => {
            let are = if services.len() == 1 { "is" } else { "are" };
            let but = match without.as_slice() {
                [] => String::new(),
                names => format!("; not {}", names.join(", ")),
            };
            format!("WITNESS {} {are} connected to it{but}", services.join(", "))
        }
        Witness::NobodyRuns => "WITNESS none: no service of Pulp's that stays connected runs here, so that Pulp is connected to it \
                                cannot be told"
            .to_owned(),
        Witness::OnDemand => "WITNESS none yet: Pulp connects to its cache when it needs it; the kernel is asked again once the health \
                              check has used it"
            .to_owned(),
        Witness::Against(statements) => {
            let told: Vec<String> = statements.iter().map(ToString::to_string).collect();
            format!("WITNESS against it: {}", told.join("; "))
        }
    }
}

/// Whom of Pulp was asked where what is, or why nobody was.
fn settings(sight: &Sight) -> Option<String> {
    let told = sight.settings_asked.as_ref()?;
    let others = match sight.other_databases.as_slice() {
        [] => String::new(),
        names => format!(
            "; Pulp's other databases are left alone: {}",
            names.join(", ")
        ),
    };
    Some(format!("SETTINGS {told}{others}"))
}

fn found(sight: &Sight) -> String {
    let host = format!("{}; SELinux: {}", sight.manager, sight.selinux);
    if !sight.has_pulp() {
        let both = [Generation::Two, Generation::Three];
        let units: Vec<&str> = both.into_iter().flat_map(Generation::prefixes).collect();
        return format!(
            "FOUND no Pulp on this host (no {}, no unit {}*); {host}",
            both.map(file_of).join(" or "),
            units.join("* or ")
        );
    }
    let pulp = match (sight.generation, &sight.version) {
        (Generation::Three, Some(version)) => version,
        (generation, _) => generation.word(),
    };
    let configuration = match sight.configured {
        Some(file) => format!("configuration {file}"),
        None => format!("no {}", file_of(sight.generation)),
    };
    let beside = if sight.beside.is_empty() {
        String::new()
    } else {
        let other = sight.generation.other().word();
        format!(
            "; Pulp {other} is here too, and is left alone: {}",
            services(&sight.beside)
        )
    };
    format!(
        "FOUND Pulp {pulp} ({configuration}): {}{beside}; {host}",
        services(&sight.units)
    )
}

fn services(units: &[Unit]) -> String {
    if units.is_empty() {
        return "no units of it".to_owned();
    }
    // Pulp 2's workers are told with their umbrella.
    let has_umbrella = units.iter().any(|u| u.name == WORKERS);
    let own = || units.iter().filter(|u| !u.is_worker() || !has_umbrella);
    let up: Vec<String> = own()
        .filter(|u| u.is_up())
        .map(|u| named(u, units))
        .collect();
    let down: Vec<String> = own()
        .filter(|u| !u.is_up())
        .map(|u| named(u, units))
        .collect();
    let said = |names: &[String], one: &str, many: &str| match names {
        [] => None,
        [name] => Some(format!("{name} {one}")),
        names => Some(format!("{} {many}", names.join(", "))),
    };
    [
        said(&up, "runs", "run"),
        said(&down, "does not run", "do not run"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join("; ")
}

/// A unit's short name; the umbrella of the workers with how many of them run.
fn named(unit: &Unit, units: &[Unit]) -> String {
    let name = service::short_name(&unit.name);
    if unit.name != WORKERS {
        return name.to_owned();
    }
    let workers: Vec<&Unit> = units.iter().filter(|u| u.is_worker()).collect();
    let up = workers.iter().filter(|u| u.is_up()).count();
    match (up, workers.len()) {
        (1, 1) => format!("{name} with 1 worker"),
        (up, all) if up == all => format!("{name} with {all} workers"),
        (up, all) => format!("{name} with {up} of {all} workers"),
    }
}

fn broker(sight: &Sight) -> String {
    let Some(broker) = &sight.broker else {
        return if let Some(why) = &sight.url.uncertain {
            format!("BROKER not known: {why}")
        } else if sight.url.names_several {
            format!("BROKER several, by {}", sight.url.source)
        } else {
            "BROKER none found: no /etc/pulp/server.conf, no unit of a broker".to_owned()
        };
    };
    let cluster = match sight.cluster.as_slice() {
        [] => String::new(),
        found => format!("; here is also {}", listed(found)),
    };
    let agents = broker.other_for_agents.as_ref().map(|other| {
        format!("; the agents use another broker at {other} ([messaging] url), which is left alone")
    });
    format!(
        "BROKER {} at {} ({}), {}, {}{cluster}{}",
        broker.kind,
        broker.endpoint,
        broker.source,
        place(broker),
        answer(&broker.answer),
        agents.unwrap_or_default()
    )
}

fn place(broker: &BrokerSight) -> String {
    if !broker.local {
        return "on another host".to_owned();
    }
    let place = match (&broker.unit, &broker.foreign) {
        (Some(unit), _) => format!("unit {unit}"),
        (None, Some(foreign)) => format!("{foreign} listens there"),
        (None, None) => "on this host, its unit is not known".to_owned(),
    };
    match &broker.behind {
        Some(behind) => format!("{place}, behind which is {behind}"),
        None => place,
    }
}

fn answer(answer: &ProbeAnswer) -> String {
    match answer {
        ProbeAnswer::Answers(after) => format!("answers after {} ms", after.as_millis()),
        other => format!("does not answer: {other}"),
    }
}

fn others(sight: &Sight, wish: Wish) -> String {
    let Some(broker) = &sight.broker else {
        return "OTHERS not known: no broker to look at".to_owned();
    };
    let others = &sight.others;
    let mut parts: Vec<String> = others.users.iter().map(ToString::to_string).collect();
    parts.extend(others.virtual_hosts.iter().map(ToString::to_string));
    let accepted = wish.accept_shared && !parts.is_empty();
    if parts.is_empty() {
        parts.push(match (broker.local, sight.asked) {
            (true, true) => "none that the kernel and rabbitmqctl show".to_owned(),
            (true, false) => "none that the kernel shows".to_owned(),
            (false, _) => "none on this host that the kernel shows".to_owned(),
        });
    }
    if !others.peers.is_empty() {
        parts.push(format!("from other hosts: {}", listed(&others.peers)));
    }
    let not_asked = sight.not_asked.as_ref();
    let not_asked = not_asked.map(|why| format!(" (rabbitmqctl could not be asked: {why})"));
    let socket = if broker.socket {
        " (who uses its Unix socket is not looked at)"
    } else {
        ""
    };
    format!(
        "OTHERS on this broker: {}{}{}{socket}",
        parts.join("; "),
        if accepted { " (accepted)" } else { "" },
        not_asked.unwrap_or_default()
    )
}

fn disk(sight: &Sight) -> String {
    if sight.spaces.is_empty() {
        return "DISK not known: no /run".to_owned();
    }
    let parts: Vec<String> = sight
        .spaces
        .iter()
        .map(|space| {
            let of = match space.path.as_str() {
                "/run" | "/var/lib/pulp" => space.path.clone(),
                other => format!("the broker's data ({other})"),
            };
            let read_only = if space.read_only { ", read-only" } else { "" };
            format!("{of} {} free{read_only}", space.free())
        })
        .collect();
    format!("DISK {}", parts.join(", "))
}

fn undo(sight: &Sight, wish: Wish) -> String {
    if !sight.is_touched() {
        return "UNDO not needed here: nothing is taken away on this host".to_owned();
    }
    let lacks_right = sight.cuts_here(wish) && !sight.may_change_firewall;
    let mut cannot: Vec<String> = sight.missing.iter().map(|m| format!("no {m}")).collect();
    cannot.extend(sight.unfit_for_undo());
    if lacks_right {
        cannot.push("no right to change the firewall".to_owned());
    }
    if cannot.is_empty() {
        return format!(
            "UNDO can run here: {}, /run writable",
            sight.there.join(", ")
        );
    }
    format!("UNDO cannot run here: {}", cannot.join(", "))
}

fn listed<T: ToString>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}
