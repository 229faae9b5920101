//! The page before the run, and what is refused before anything is touched: what one host can tell alone its modules told by now; what
//! depends on the whole play is added here.

mod page;
mod refusals;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::play::Play;
use super::results::{Replied, list, text};
use crate::names::verdict::Name;

/// How the run is meant.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(crate) struct Intent {
    pub(crate) method: String,
    pub(crate) apply_at: String,
    pub(crate) connect_hold: i64,
    pub(crate) reconnect_hold: i64,
    pub(crate) met_timeout: i64,
    pub(crate) recovery_timeout: i64,
    pub(crate) health_timeout: i64,
    pub(crate) final_restart: String,
    pub(crate) tls_minimum: String,
    pub(crate) accept_task_loss: bool,
    pub(crate) accept_shared: bool,
    pub(crate) keep: Option<Vec<String>>,
}

impl Intent {
    /// What may not be stopped. A unit may be named with or without `.service`.
    fn kept(&self) -> Vec<String> {
        let named = self
            .keep
            .iter()
            .flatten()
            .map(|name| without_suffix(name.trim()));
        named
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn without_suffix(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// All that set-up knows when every host has said what is there.
struct Preflight<'a> {
    play: &'a Play<'a>,
    intent: &'a Intent,
    /// Those that were chosen, health among them.
    scenarios: Vec<String>,
    /// None: Pulp is on no host.
    api: Option<usize>,
}

impl<'a> Preflight<'a> {
    fn new(play: &'a Play<'a>, intent: &'a Intent) -> Self {
        Self {
            play,
            intent,
            scenarios: play.chosen(),
            api: play.serves_api(),
        }
    }

    fn takes_away(&self) -> bool {
        !self.play.scenarios().is_empty()
    }

    fn runs(&self, scenario: &str) -> bool {
        self.scenarios.iter().any(|chosen| chosen == scenario)
    }

    fn name(&self, host: usize) -> &str {
        self.play.name(host)
    }

    /// What the host that speaks to Pulp's API has found.
    fn deployment(&self) -> &'a Value {
        self.api
            .map_or(&Value::Null, |api| self.play.deployment(api))
    }

    fn is_pulp(&self, generation: i64) -> bool {
        self.deployment()["pulp"].as_i64() == Some(generation)
    }

    fn broker_kind(&self) -> String {
        text(&self.deployment()["broker"]["kind"])
    }

    /// What Pulp's API was asked: who works, and the tasks of others.
    fn idle(&self) -> &'a Value {
        self.api
            .map_or(&Value::Null, |api| self.play.raw("idle", api))
    }

    fn broker_hosts(&self) -> Vec<&str> {
        self.play.broker_hosts()
    }

    /// Each host's page, with what is in the way there.
    fn pages(&self, refusals: &[Value]) -> serde_json::Map<String, Value> {
        let page = |host: usize| {
            let name = self.name(host);
            let own: Vec<Value> = refusals
                .iter()
                .filter(|refusal| refusal["host"] == name)
                .cloned()
                .collect();
            let refused = told(&own)
                .into_iter()
                .map(|refusal| format!("REFUSED {refusal}"));
            let lines: Vec<String> = self.page(host).into_iter().chain(refused).collect();
            (name.to_owned(), json!(lines))
        };
        self.play.each_host().map(page).collect()
    }

    /// Hosts that take the broker away and cannot ask Pulp right before.
    fn elsewhere(&self) -> Vec<&str> {
        let api = self.api.map(|api| self.name(api));
        let mut hosts = self.broker_hosts();
        hosts.retain(|host| Some(*host) != api);
        hosts
    }

    /// Pulp's services on all hosts.
    fn actors(&self) -> impl Iterator<Item = &'a Value> {
        self.play
            .each_host()
            .flat_map(|host| list(&self.play.deployment(host)["actors"]))
    }
}

/// What `pulp_report` replies before the run: each host's page, what is in the way, and what the play fails with.
pub(crate) fn before(results: &Value, intent: &Intent) -> Option<Value> {
    let play = Play::read(results)?;
    let preflight = Preflight::new(&play, intent);
    let obstacle = preflight.obstacle();
    let refusals = if obstacle.is_some() {
        Vec::new()
    } else {
        preflight.refusals()
    };
    let pages = if obstacle.is_some() {
        serde_json::Map::new()
    } else {
        preflight.pages(&refusals)
    };
    let (cause, host) = match obstacle {
        Some((cause, host)) => (cause, host.to_owned()),
        None => (
            cause(&told(&refusals)),
            refusals
                .first()
                .map(|first| text(&first["host"]))
                .unwrap_or_default(),
        ),
    };
    Some(json!({
        "pages": pages,
        "refusals": refusals,
        "cause": cause,
        "host": host,
        "will": preflight.will(),
        "elsewhere": preflight.elsewhere(),
    }))
}

/// What is in the way, each once.
fn told(refusals: &[Value]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for refusal in refusals {
        let refusal = format!("{}: {}", text(&refusal["name"]), text(&refusal["msg"]));
        if !told.contains(&refusal) {
            told.push(refusal);
        }
    }
    told
}

/// The play fails with the first, and says how many more the page shows.
fn cause(told: &[String]) -> String {
    let Some((first, more)) = told.split_first() else {
        return String::new();
    };
    let more = match more.len() {
        0 => String::new(),
        more => format!("{more} more above; "),
    };
    format!("VOID {first}; {more}nothing was touched")
}
