//! What a host saw of one of Pulp's services. All instants are seconds on that host's timeline.

use serde_json::Value;

use super::{flag, list, number, text};

/// What a service does with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Worker,
    ResourceManager,
    Scheduler,
    Web,
    Content,
    /// A worker, where only the cache was taken away.
    Bystander,
    Other,
}

impl Role {
    /// Of a word in the results; the unit's name decides where it is unknown.
    fn read(word: &str, unit: &str) -> Self {
        match word {
            "worker" => Self::Worker,
            "resource_manager" => Self::ResourceManager,
            "scheduler" => Self::Scheduler,
            "web" => Self::Web,
            "content" => Self::Content,
            "bystander" => Self::Bystander,
            _ => Self::of_unit(unit),
        }
    }

    pub(crate) fn of_unit(unit: &str) -> Self {
        let starts = |names: &[&str]| names.iter().any(|name| unit.starts_with(name));
        if starts(&[
            "pulp_worker-",
            "pulpcore-worker",
            "pulpcore-resource-manager",
        ]) {
            Self::Worker
        } else if starts(&["pulp_resource_manager"]) {
            Self::ResourceManager
        } else if starts(&["pulp_celerybeat"]) {
            Self::Scheduler
        } else if starts(&["pulpcore-content"]) {
            Self::Content
        } else if starts(&["httpd", "apache2", "pulpcore-api", "nginx"]) {
            Self::Web
        } else {
            Self::Other
        }
    }

    /// It runs tasks.
    pub(crate) fn works(self) -> bool {
        self.consumes() || self == Self::Bystander
    }

    /// It holds a standing connection, which has to come back by itself.
    pub(crate) fn consumes(self) -> bool {
        matches!(self, Self::Worker | Self::ResourceManager)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::ResourceManager => "resource manager",
            Self::Scheduler => "scheduler",
            Self::Web => "web server",
            Self::Content => "content",
            Self::Bystander => "worker (the cache is none of its)",
            Self::Other => "service",
        }
    }
}

/// The end of a main process.
#[derive(Debug, PartialEq)]
pub(crate) struct Exit {
    pub(crate) at: Option<f64>,
    pub(crate) how: String,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Pulp's own name for it.
    pub(crate) worker: String,
    pub(crate) main_pid: Option<f64>,
    pub(crate) running: Option<bool>,
    /// Its evidence that it met the outage.
    pub(crate) met_at: Option<f64>,
    pub(crate) met_how: String,
    pub(crate) exits: Vec<Exit>,
    pub(crate) restarts: f64,
    /// systemd's `Restart=`; empty where nobody told.
    pub(crate) restart_setting: String,
    /// Its manager does not start it again.
    pub(crate) given_up: Option<bool>,
    pub(crate) lost_at: Option<f64>,
    pub(crate) connected_at: Option<f64>,
    pub(crate) settled_at: Option<f64>,
    pub(crate) further_losses: f64,
    pub(crate) survived_connection: bool,
    pub(crate) retries: Vec<f64>,
    pub(crate) predicted_at: Option<f64>,
    /// Why there is no prediction.
    pub(crate) prediction: String,
    pub(crate) unlisted_at: Option<f64>,
    pub(crate) listed_at: Option<f64>,
}

impl Actor {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let name = text(&value["name"]);
        let exit = |value: &Value| Exit {
            at: number(&value["at"]),
            how: text(&value["how"]),
        };
        let met = &value["met"];
        (!name.is_empty()).then(|| Self {
            role: Role::read(&text(&value["role"]), &name),
            worker: text(&value["worker"]),
            main_pid: number(&value["main_pid"]).filter(|pid| *pid > 0.0),
            running: flag(&value["running"]),
            met_at: number(&met["at"]),
            met_how: text(&met["how"]),
            exits: list(&value["exits"]).iter().map(exit).collect(),
            restarts: number(&value["restarts"]).unwrap_or_default(),
            restart_setting: text(&value["restart_setting"]),
            given_up: value["given_up"].as_bool(),
            lost_at: number(&value["lost_at"]),
            connected_at: number(&value["connected_at"]),
            settled_at: number(&value["settled_at"]),
            further_losses: number(&value["further_losses"]).unwrap_or_default(),
            survived_connection: flag(&value["survived_connection"]) == Some(true),
            retries: list(&value["retries"]).iter().filter_map(number).collect(),
            predicted_at: number(&value["predicted_at"]),
            prediction: text(&value["prediction"]),
            unlisted_at: number(&value["unlisted_at"]),
            listed_at: number(&value["listed_at"]),
            name,
        })
    }

    /// There is evidence that it met the outage.
    pub(crate) fn met(&self) -> bool {
        self.met_at.is_some() || !self.met_how.is_empty()
    }

    /// Its connection stands again, or stood through.
    pub(crate) fn has_recovered(&self) -> bool {
        self.survived_connection || (self.connected_at.is_some() && self.settled_at.is_some())
    }

    /// From the broker's return to its first connection.
    pub(crate) fn recovery(&self, up_at: Option<f64>) -> Option<f64> {
        // One that connects to a frozen broker is connected before that answers.
        Some((self.connected_at? - up_at?).max(0.0))
    }

    /// The same, as its backoff predicts it.
    pub(crate) fn predicted(&self, up_at: Option<f64>) -> Option<f64> {
        Some(self.predicted_at? - up_at?)
    }
}
