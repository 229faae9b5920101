//! Every name that a verdict can have, with what it means, what it takes to say it, and what to do next.
//! The names are stable: plays, dashboards and `docs/verdicts.md`, which is made of this, know them.

use serde::{Serialize, Serializer};

use crate::names::{Actor, Generation, resolved, with_commands};

/// What a name is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// The test cannot tell.
    Void,
    /// Pulp did not survive.
    Failed,
    /// Pulp survived, and something is not as it should be.
    Defect,
    /// Something that the reader should know and that is as it should be.
    Told,
}

impl Grade {
    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Failed => "failed",
            Self::Defect => "defect",
            Self::Told => "told",
        }
    }
}

/// One name and all there is to say of it.
#[derive(Debug)]
pub(crate) struct NameEntry {
    pub(crate) name: Name,
    pub(crate) word: &'static str,
    pub(crate) grade: Grade,
    /// What it means, as a sentence.
    pub(crate) meaning: &'static str,
    /// What has to have been seen.
    pub(crate) evidence: &'static str,
    /// The exact next step. `{unit}` is the actor's unit, or a pattern of Pulp's units; options stand in braces too, and the commands
    /// of `names::with_commands`.
    pub(crate) next_step: &'static str,
    /// The known failures of others that look like this: ids of the catalogue.
    pub(crate) catalogue: &'static [&'static str],
}

/// Makes the enum and its table of one list, whose order is the precedence: of several findings the first
/// in this list is the cause, and those after it may be its symptoms.
macro_rules! names {
    ($($variant:ident $word:literal $grade:ident [$($id:literal)*]
       $meaning:literal; $evidence:literal; $next:literal)*) => {
        /// A verdict's name. The order is the precedence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Name { $(#[doc = $meaning] $variant,)* }

        /// All names, in the order of precedence.
        pub(crate) const ALL: &[NameEntry] = &[$(NameEntry {
            name: Name::$variant,
            word: $word,
            grade: Grade::$grade,
            meaning: $meaning,
            evidence: $evidence,
            next_step: $next,
            catalogue: &[$($id),*],
        },)*];

        impl Name {
            /// All there is to say of it.
            pub(crate) const fn entry(self) -> &'static NameEntry {
                match self { $(Self::$variant => &ALL[Self::$variant as usize],)* }
            }
        }
    };
}

names! {
    OutageNotProven "outage_not_proven" Void []
        "The broker was not proven to be away: nobody saw it gone, or nobody watched it for the whole time.";
        "the probe that answered just before still answers, or was not asked for too long, or no host reported an outage";
        "Read why it was not proven in the message, put it right, and run the test again: nothing is known of Pulp yet."
    UndoFired "undo_fired" Void []
        "The undo gave the broker back before the test did.";
        "the record of what this run took was gone, or its undo ran, before the step that gives the broker back";
        "Set a greater `{restore_after}` and run the test again."
    OutageInterrupted "outage_interrupted" Void []
        "Somebody else ended the outage.";
        "the broker answered, or had a new main process, in the midst of the outage that this run held";
        "Find what ended it (after `stop` and `kill`: what started the broker; after `freeze`: what let it go on; after `partition` and `reset`: what changed the firewall's rules), keep it off for the test, and run it again."
    Unsupported "unsupported" Void []
        "The test cannot be made here, or must not be.";
        "the pre-flight's refusal: a container, a cluster manager, a Unix socket that cannot be cut, no service manager, no Pulp; or a variable's value that cannot be";
        "Do what the refusal says; where the broker may not be touched: `{method}: partition` with `{apply_at}: pulp`."
    BrokerUncertain "broker_uncertain" Void []
        "It cannot be told for certain what of Pulp's would be taken away.";
        "Pulp could not be asked for its settings, or its answer leaves open where its broker is, or the kernel shows Pulp's processes connected elsewhere, and no variable says it";
        "Do what the refusal says, which names the cause: most often `{broker_url}`, with the URL of the broker that this Pulp uses; a restart of Pulp's services where its settings were changed since they were started."
    BrokerShared "broker_shared" Void []
        "Others use this broker and would lose it too.";
        "the kernel's sockets or rabbitmqctl show connections that are not Pulp's";
        "Test from Pulp's side (`{method}: partition`, `{apply_at}: pulp`), or accept it: `{accept_shared}: true`."
    Busy "busy" Void []
        "Tasks of others run or wait; the outage would cancel or strand them.";
        "Pulp lists tasks that are not ours as running or waiting";
        "Wait until they have ended, let the test wait (`{drain}: SECONDS`), or accept their loss: `{accept_task_loss}: true`."
    UnhealthyBefore "unhealthy_before" Void ["F38"]
        "Pulp did not do its job before anything was taken away, so the outage would prove nothing.";
        "the health check before the outage failed, Pulp did not list a worker, a resource manager and a scheduler, or it did not list its tasks within 2 s before the taking";
        "Repair Pulp first: `ansible-playbook playbooks/broker_test.yml --tags health` shows what does not work."
    BrokerNotRestored "broker_not_restored" Failed []
        "The broker did not come back after the outage.";
        "the broker does not answer its protocol although it was given back and waited for";
        "Start the broker by hand and look at its log; `sudo sh /run/pulp_broker/heal` on its host gives back what was taken."
    BrokerRefuses "broker_refuses" Failed ["F21"]
        "The broker is back and does not serve Pulp: it refuses its services, or blocks them.";
        "the broker's own words: its answer to Pulp's login or to a write of nothing, its alarms, or the same refusal as the last word in the log of each consumer that did not come back";
        "Cure at the broker what its words say (`journalctl -u {unit}`), then restart Pulp's services; what they did is the consequence."
    ServiceDidNotStart "service_did_not_start" Failed ["F03" "F26" "F28"]
        "A service gave up its start because its broker was away.";
        "the service manager reports the unit as failed, or it has no main process, although it was started";
        "Read why with `journalctl -u {unit}`; a service of Pulp has to wait for its broker and retry."
    ServiceExited "service_exited" Failed ["F02" "F09" "F10" "F26" "F28" "F47"]
        "A service's main process exited because the broker was away.";
        "the main process that ran before is gone, whether or not its supervisor started another";
        "Read why with `journalctl -u {unit}`, cure that, and start the unit: `systemctl start {unit}`{restart_always}."
    NotRecovered "not_recovered" Failed ["F04" "F05" "F06" "F08" "F31"]
        "A service runs, and did not connect to the broker again.";
        "the broker answers, the main process runs, and no standing connection was seen until the wait was over";
        "See what it hangs in (`journalctl -u {unit}`, `cat /proc/MAIN_PID/stack`), then restart it: `systemctl restart {unit}`."
    DatabaseUnavailable "database_unavailable" Failed ["F38"]
        "Pulp's own database was away during the outage or after it, so what failed then may be its doing.";
        "Pulp said `database_connection.connected: false`, and something failed that needs the database, or it was away at the end";
        "Find what stopped the database (`journalctl -u {unit}`; does it depend on the broker's unit?), start it, and run the test again."
    ApiUnavailable "api_unavailable" Failed ["F24" "F45"]
        "Pulp's API gave errors, or did not listen, when the broker was long back.";
        "an endpoint that answered before the outage gives 5xx, or no connection, later than 45 s after the broker's return";
        "Look at the web server's error log and `journalctl -u {unit}`, then restart it: `systemctl restart {unit}`."
    ApiHangs "api_hangs" Failed ["F19" "F20" "F21"]
        "Pulp's API accepted requests and did not answer them, when the broker was long back.";
        "an endpoint that answered before the outage gives no answer within 10 s, later than 45 s after the broker's return";
        "See what its processes wait for (`ss -tnp`, a publisher that retries without end?), then restart it: `systemctl restart {unit}`."
    HostUnreachable "host_unreachable" Void []
        "A host could not be reached, so nobody knows what happened on it.";
        "Ansible lost the host, or nothing came back from it";
        "Get the host back; what was taken away there comes back by itself. Then run the test again."
    ConnectedButIdle "connected_but_idle" Failed ["F01" "F08" "F11" "F13" "F14" "F16" "F17" "F18" "F29" "F32" "F42" "F46"]
        "A worker is connected to the broker again and takes no work.";
        "our tasks ran on other workers and never on this one, which Pulp lists and whose connection stands";
        "See whether its queue has a consumer (`rabbitmqctl list_queues name messages consumers`), then restart it: `systemctl restart {unit}`."
    SchedulerDead "scheduler_dead" Failed ["F25" "F27" "F30"]
        "The scheduler runs and schedules nothing.";
        "a schedule of ours that was due after the recovery did not fire, or Pulp has not heard of the scheduler since";
        "Restart it: `systemctl restart pulp_celerybeat`; until then nothing that is scheduled happens, and dead workers are not noticed."
    WorkerMissing "worker_missing" Failed ["F28" "F37" "F38"]
        "Pulp has not heard of a worker since the broker is back.";
        "Pulp does not list it, or with a heartbeat from before the broker's return";
        "Compare `{status}` with `systemctl list-units 'pulp*'`, then restart it: `systemctl restart {unit}`."
    TaskLost "task_lost" Failed ["F20" "F22" "F34" "F36"]
        "Pulp accepted a task, and nobody ever got it.";
        "a task of ours stays waiting while workers that could run it are idle, and no message of it is in a queue";
        "Cancel it (`{cancel_task}`); look for a publisher that writes to a dead connection."
    TaskStuck "task_stuck" Failed ["F12" "F23" "F29" "F39" "F40" "F44"]
        "A task began or waited, and did not end.";
        "a task of ours is still waiting or running at the deadline, or Pulp 3 shows a task, whoever's it is, as running that began before each of its workers";
        "See its state and worker (`{show_task}`), cancel it (`{cancel_task}`){restart_manager}."
    TaskDuplicated "task_duplicated" Failed ["F35"]
        "One task ran twice.";
        "two workers report the same task of ours, or its effect is there twice";
        "Look for late acknowledgements and a visibility timeout that is shorter than the task."
    HealthFailed "health_failed" Failed ["F23" "F34" "F45"]
        "Pulp came back and does not do its job: create, sync, publish, serve.";
        "a step of the health check failed after the outage; the same check passed before it";
        "Read the failed step's message; the task's own error is in it."
    ServicesNotRestored "services_not_restored" Failed []
        "What ran before the test does not run, or does not work, after it.";
        "a unit of the before-list has no main process, or no connection, or Pulp has not heard of it";
        "Start it: `systemctl restart {unit}`, or on each host `sudo sh /run/pulp_broker/heal`."
    Leftovers "leftovers" Failed []
        "Something that the health check made is still in Pulp.";
        "its deletion failed; it carries our nonce";
        "Delete what the message names, with the command that stands beside it."
    NotExercised "not_exercised" Void ["F05"]
        "There is no evidence that the service met the outage, or nobody looked whether it recovered.";
        "no lost connection, no word of it in the log, no silent connection; or the observation is missing or ended too early";
        "Read what is missing; hold the outage longer (`{hold}`) or make it a harder one (`{method}: kill`), and run the test again."
    AgentRepliesLost "agent_replies_lost" Defect ["F06" "F07" "F33"]
        "The web server does not listen to the replies of agents any more.";
        "the queue `pulp.task` has no consumer after the outage; one that had none before the run either is told too, and does not fail a `strict` run";
        "Restart the web server: `systemctl restart httpd`; until then tasks that wait for an agent of a consumer do not end. Each Pulp 2.21 with RabbitMQ needs that (gofer 2.12.5); with Qpid it listens again by itself."
    Flapping "flapping" Defect ["F06" "F17"]
        "A service lost its new connection more often than the one or two times that are normal.";
        "more than two further losses after the broker's return";
        "Look at the broker's log for connections that it closes, and at `journalctl -u {unit}`."
    Late "late" Defect ["F04" "F31"]
        "A service came back later than its backoff explains.";
        "its connection came more than 2 s after the predicted retry, and later than the lag of its host explains: that is learnt from the earlier tries of the same outage. Where no retry can be predicted: more than 45 s after the broker";
        "Look at `journalctl -u {unit}` between the broker's return and its connection."
    CanceledByPulp "canceled_by_pulp" Told ["F41" "F43"]
        "Pulp took workers for lost during the outage, and cancels the tasks that such workers have.";
        "Pulp listed a worker before the outage and no more during it, or a task is canceled";
        "Start again what was canceled. Nothing is canceled where workers are back at their retry 12 s after the loss (they retry after 2, 6, 12, 20, 30 s); the page before a run predicts it."
    ConnectionSurvived "connection_survived" Told ["F05"]
        "A connection stood through the outage, so the service had nothing to reconnect.";
        "the same socket before and after, and bytes moved on it after the broker's return";
        "Nothing; to test reconnecting, use a method that ends connections at once: `{method}: stop`, or a `partition` of 150 s."
    RestartedBySupervisor "restarted_by_supervisor" Told ["F47"]
        "A service exited and its supervisor started it again, as is the way of Pulp 3.";
        "another main process than before, a unit with `Restart=`, and a connection that stands";
        "Nothing, as long as the unit keeps `Restart=always`."
}

impl Name {
    /// The stable string.
    pub(crate) const fn word(self) -> &'static str {
        self.entry().word
    }

    pub(crate) const fn grade(self) -> Grade {
        self.entry().grade
    }

    /// The name of that stable string.
    pub(crate) fn of(word: &str) -> Option<Self> {
        ALL.iter().find(|e| e.word == word).map(|e| e.name)
    }

    /// The next step for this service.
    pub(crate) fn next_step(self, actor: Option<&Actor>) -> String {
        let unit = actor.map_or("'pulp*'", Actor::unit);
        let text = self.entry().next_step.replace("{unit}", unit);
        resolved(&with_commands(&text, Generation::of_unit(unit)))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests;
