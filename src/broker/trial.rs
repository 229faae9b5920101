//! Asks a broker that answers why it does not serve Pulp, once something has failed: by a login as Pulp's, or by a write that writes
//! nothing. Nothing is asked where that would show a password to somebody whose certificate nobody has looked at.

use std::time::Duration;

use serde::Serialize;

use super::endpoint::{self, Endpoint};
use super::protocol::{self, Login};
use super::{Broker, Protocol, settings, url};
use crate::ansible::secrets;
use crate::timeline::{BrokerRefusal, Reason};

/// RabbitMQ takes a second for a login that it refuses.
const LIMIT: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Asked {
    /// None: it serves, or it cannot be told.
    pub(crate) refusal: Option<BrokerRefusal>,
    /// What cannot be told, and why.
    pub(crate) unknown: Vec<String>,
}

/// Asks it, once. What says "as many connections as there may be" is left to the logs: it may be so in good times.
pub(crate) fn ask(broker: &Broker) -> Asked {
    let words = match broker.endpoint.protocol {
        Protocol::Amqp091 => log_in(broker),
        Protocol::Redis if broker.endpoint.tls => {
            Err("it is spoken with by TLS, and only who proves its certificate is asked".to_owned())
        }
        Protocol::Redis => {
            let place = (broker.addresses(), broker.endpoint.socket());
            protocol::write_nothing(place.0, place.1, LIMIT).map_err(|cause| cause.to_string())
        }
        // Their clients' logs have it.
        Protocol::Amqp010 | Protocol::Postgresql => Ok(None),
    };
    judge(broker, words)
}

fn judge(broker: &Broker, words: Result<Option<String>, String>) -> Asked {
    let unknown = |why: String| Asked {
        unknown: vec![format!(
            "whether the broker at {} refuses Pulp cannot be told: {why}",
            broker.endpoint
        )],
        ..Asked::default()
    };
    let words = match words {
        Ok(Some(words)) => words,
        Ok(None) => return Asked::default(),
        Err(why) => return unknown(why),
    };
    let refusal = BrokerRefusal::of(broker.kind, &words).filter(|r| r.reason != Reason::Limit);
    match refusal {
        // We have no password of Redis.
        Some(refusal) if broker.endpoint.protocol == Protocol::Redis && refusal.is_of_user() => {
            unknown(format!("it serves only who logs in (`{words}`)"))
        }
        Some(refusal) => Asked {
            refusal: Some(refusal),
            ..Asked::default()
        },
        None => Asked::default(),
    }
}

/// As Pulp 2 does. What it is refused with; none: it is served.
fn log_in(broker: &Broker) -> Result<Option<String>, String> {
    // No Pulp 2 is here: its own host asks.
    let Some(url) = settings::url_of_file() else {
        return Ok(None);
    };
    for secret in endpoint::secrets(&url) {
        secrets::add(&secret);
    }
    if broker.endpoint.tls {
        return Err("it is spoken with by TLS, and a password goes to nobody whose certificate was not proven".to_owned());
    }
    let file =
        Endpoint::parse(&url, settings::SERVER_CONF).map_err(|cause| format!("{cause:#}"))?;
    if file != broker.endpoint {
        return Err(format!(
            "{} has the credentials for the broker at {file}",
            settings::SERVER_CONF
        ));
    }
    let Some((user, password)) = url::credentials(&url) else {
        return Err(format!("{} has no credentials", settings::SERVER_CONF));
    };
    let login = Login {
        user: &user,
        password: &password,
        virtual_host: &url::virtual_host(&url),
    };
    let asked = protocol::log_in(broker.addresses(), &login, LIMIT);
    asked.map_err(|cause| format!("a login was not answered: {cause}"))
}
