//! The lines of the page: what is there, what would be done, and what nobody has checked.

use super::{Preflight, list, text};
use crate::names::option;

/// How late a worker may give a silent connection up: two of RabbitMQ's heartbeats, of 60 s, are missing, and it looks each 30 s.
const SILENT_SECONDS: i64 = 150;

impl Preflight<'_> {
    /// One host's page: what is there, tasks of others after those who use the broker, what would be run here.
    pub(super) fn page(&self, host: usize) -> Vec<String> {
        let found = &self.play.deployment(host)["preflight"];
        let said = list(&found["lines"])
            .iter()
            .chain(list(&self.play.raw("idle", host)["lines"]));
        let said: Vec<String> = said.map(text).collect();
        let mut lines = in_order(said);
        let asks = self.api == Some(host);
        if asks && self.intent.tls_minimum == "1.0" {
            lines.push(format!(
                "TLS 1.0 and 1.1, which are broken, may be spoken with `{}` ({}: \"1.0\")",
                text(&self.play.deployment(host)["pulp_url"]),
                option("tls_minimum")
            ));
        }
        let steps = list(&found["outage"]["steps"]).iter();
        lines.extend(steps.map(|step| format!("WOULD run on {}: {}", self.name(host), text(step))));
        if asks {
            lines.extend(self.would());
            lines.extend(self.not_checked());
        }
        lines
    }

    fn would(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for scenario in &self.scenarios {
            lines.extend(match scenario.as_str() {
                "health" => self.would_check(),
                "connect" => self.would_connect(),
                "reconnect" => self.would_reconnect(),
                _ => Vec::new(),
            });
        }
        if self.takes_away() {
            lines.push(self.would_end());
        }
        lines
    }

    fn would_check(&self) -> Vec<String> {
        vec![format!(
            "WOULD health: create a repository, sync it, publish it, download its one package, compare every byte and delete it all \
             again; some seconds, at most {} s; your users feel nothing",
            self.intent.health_timeout
        )]
    }

    fn would_connect(&self) -> Vec<String> {
        let kept = self.intent.kept();
        let stop = if kept.is_empty() {
            "httpd among them; until step 3, some seconds; the API and published content are away"
                .to_owned()
        } else {
            format!(
                "but not {} ({}); until step 3, some seconds; what runs on serves on",
                kept.join(", "),
                option("keep")
            )
        };
        // Pulp 2's httpd opens the connection for the replies of agents while it starts, and answers nothing before.
        let felt = if self.is_pulp(2) && !kept.iter().any(|unit| unit == "httpd") {
            "published content is served, but the whole API hangs until the broker is back, because httpd connects to it before it \
             answers"
                .to_owned()
        } else {
            self.felt().work
        };
        vec![
            format!(
                "WOULD connect, 1: stop Pulp's services, {stop}, and tasks that run are canceled because their workers are stopped"
            ),
            format!("WOULD connect, 2: {}; until step 4", self.would_take()),
            format!(
                "WOULD connect, 3: start Pulp's services without a broker; {} s and until each worker has met the absent broker, at \
                 most {} s more; {felt}",
                self.intent.connect_hold, self.intent.met_timeout
            ),
            format!("WOULD connect, 4: {}", self.would_recover()),
        ]
    }

    fn would_reconnect(&self) -> Vec<String> {
        let felt = self.felt();
        vec![
            format!(
                "WOULD reconnect, 1: {}, under running services; {} s; {}",
                self.would_take(),
                self.intent.reconnect_hold,
                felt.work
            ),
            format!("WOULD reconnect, 1, tasks: {}", felt.tasks),
            format!("WOULD reconnect, 2: {}", self.would_recover()),
        ]
    }

    fn would_take(&self) -> String {
        let hosts = self.broker_hosts().join(", ");
        format!(
            "take the broker away by {} on {}{}",
            self.intent.method,
            if hosts.is_empty() {
                "(no host)"
            } else {
                &hosts
            },
            if self.intent.apply_at == "pulp" {
                " (the hosts of Pulp; the broker is not touched)"
            } else {
                ""
            }
        )
    }

    fn would_recover(&self) -> String {
        let starts = matches!(self.intent.method.as_str(), "stop" | "kill");
        format!(
            "give the broker back{}; wait until each worker is connected, at most {} s; then sync, publish, download and delete a \
             repository of the test's own",
            if starts {
                ", which takes as long as it needs to start"
            } else {
                ""
            },
            self.intent.recovery_timeout
        )
    }

    fn would_end(&self) -> String {
        let restart = match self.intent.final_restart.as_str() {
            "always" => "restart all of Pulp's services, which cancels their tasks",
            "never" => "restart nothing, even where it does not work again by itself",
            _ => {
                "restart all of Pulp's services where they do not work again by themselves, which cancels their tasks"
            }
        };
        let kept = self.intent.kept();
        let kept = if kept.is_empty() {
            String::new()
        } else {
            format!(
                "; {} ({}) is never stopped nor restarted",
                kept.join(", "),
                option("keep")
            )
        };
        format!(
            "WOULD always: start what ran before and does not run, and prove it; {restart}{kept}"
        )
    }

    /// How the outage shows: refused at once, accepted by nobody, or lost on the way.
    fn felt(&self) -> Felt {
        let silent = matches!(self.intent.method.as_str(), "freeze" | "partition");
        let work = if self.is_pulp(3) {
            self.felt_by_3(silent)
        } else {
            self.felt_by_2()
        };
        let predicted = text(&self.idle()["outlook"]["msg"]);
        let tasks = if silent && !self.is_pulp(3) {
            "they may be canceled, once their workers notice".to_owned()
        } else if predicted.is_empty() {
            "they may be lost".to_owned()
        } else {
            predicted
        };
        Felt {
            work: work.to_owned(),
            tasks,
        }
    }

    fn felt_by_2(&self) -> &'static str {
        match self.intent.method.as_str() {
            "freeze" => {
                "published content is served and reading works, but /status/ answers 4 s late; a sync, publish or delete hangs, or is \
                 accepted and waits until the broker goes on"
            }
            "partition" => {
                "published content is served and reading works, but /status/ answers 4 s late; a sync, publish or delete hangs for \
                 some seconds and gets HTTP 500, or is accepted and lost"
            }
            // Measured with a real qpidd: the API was away for 31.7 to 78.5 s, as long as the outage or longer; gofer waits 10 s and
            // more between two tries.
            _ if self.broker_kind() == "qpid" => {
                "published content is served; the API may hang, reading too, until httpd has reached Qpid again: it tries after 10 s, \
                 12 s, 14 s, ..."
            }
            _ => {
                "published content is served and reading works; a sync, publish or delete gets HTTP 500 at once"
            }
        }
    }

    /// Pulp 3's services exit without their database, and wait for one that is silent. Its API asks Redis for the cache too, with no
    /// limit.
    fn felt_by_3(&self, silent: bool) -> &'static str {
        if silent {
            "the API and published content hang while nothing answers; a sync, publish or delete is accepted late"
        } else if self.broker_kind() == "postgresql" {
            "the API and published content answer HTTP 500, or nothing while services exit and are started again"
        } else if self.deployment()["broker"]["caches_only"] == true {
            "all of it works, without the cache"
        } else {
            "reading and published content work; a sync, publish or delete is accepted, and waits for a worker"
        }
    }

    fn not_checked(&self) -> Vec<String> {
        if !self.takes_away() {
            return vec![
                "NOT CHECKED: whether this Pulp survives the loss of its broker, which the scenarios connect and reconnect test"
                    .to_owned(),
            ];
        }
        let agents = match self.broker_kind().as_str() {
            "qpid" => "with Qpid httpd listens again by itself, if qpidd stores its queues",
            "rabbitmq" if self.is_pulp(2) => "with RabbitMQ httpd needs a restart for it",
            _ => "httpd may need a restart for it",
        };
        let mut lines: Vec<String> = self.may_not_reconnect().into_iter().collect();
        lines.extend([
            format!(
                "NOT CHECKED: whether hosts that answer to Pulp through an agent (gofer) are heard after reconnect; {agents}"
            ),
            format!(
                "NOT CHECKED: who uses this broker without being connected now, and tasks that begin between the last look, {}, and \
                 the taking",
                self.age_of_the_look()
            ),
            "NOT CHECKED: what may start the broker meanwhile (puppet, a watchdog, somebody); the outage is then void, and says so"
                .to_owned(),
            "NOT CHECKED: whether messages that wait in the broker would survive its restart".to_owned(),
        ]);
        lines
    }

    fn may_not_reconnect(&self) -> Option<String> {
        let silent = matches!(self.intent.method.as_str(), "freeze" | "partition");
        let short = self.intent.reconnect_hold < SILENT_SECONDS;
        (self.runs("reconnect") && silent && short && self.is_pulp(2)).then(|| {
            format!(
                "NOT CHECKED: whether services connect again: they may give a silent connection up as late as after {SILENT_SECONDS} s \
                 (two AMQP heartbeats), and {} for {} s may end before; set {} to {SILENT_SECONDS}, or {} to stop, which ends every \
                 connection at once",
                self.intent.method,
                self.intent.reconnect_hold,
                option("hold"),
                option("method"),
            )
        })
    }

    /// What takes something away looks itself, on the API's host. Another host cannot ask Pulp.
    fn age_of_the_look(&self) -> String {
        if self.intent.accept_task_loss {
            return "however long before, because their loss is accepted".to_owned();
        }
        let elsewhere = self.elsewhere();
        if !self.runs("reconnect") || elsewhere.is_empty() {
            return "at most 2 s before".to_owned();
        }
        let mut ages = Vec::new();
        if self.runs("connect") {
            ages.push("at most 2 s before in connect".to_owned());
        }
        if let Some(api) = self
            .api
            .map(|api| self.name(api))
            .filter(|api| self.broker_hosts().contains(api))
        {
            ages.push(format!("at most 2 s before in reconnect on {api}"));
        }
        ages.push(format!(
            "a second or two before, which nothing limits, in reconnect on {}",
            elsewhere.join(", ")
        ));
        ages.join("; ")
    }

    /// What will happen, and the ways out.
    pub(super) fn will(&self) -> Vec<String> {
        if !self.takes_away() {
            return Vec::new();
        }
        vec![
            format!(
                "{}: the broker is taken away on {}; whatever dies, everything comes back by itself within {} s of the last step",
                self.play.scenarios().join(", then "),
                self.broker_hosts().join(", "),
                self.play.restore_after()
            ),
            "by hand, on each host: sudo sh /run/pulp_broker/heal".to_owned(),
            format!(
                "from here, with this inventory: ansible-playbook {}",
                self.play.heal()
            ),
        ]
    }
}

/// What the users feel of it.
struct Felt {
    work: String,
    tasks: String,
}

/// What was found and how it is known, the broker and who else uses it, their tasks, and all else.
fn in_order(lines: Vec<String>) -> Vec<String> {
    const PARTS: [&[&str]; 3] = [
        &["FOUND", "SETTINGS"],
        &["BROKER", "WITNESS", "OTHERS"],
        &["TASKS"],
    ];
    let part = |line: &String| {
        let of = |words: &&[&str]| words.iter().any(|word| line.starts_with(word));
        PARTS.iter().position(of).unwrap_or(PARTS.len())
    };
    let mut lines = lines;
    lines.sort_by_key(part);
    lines
}
