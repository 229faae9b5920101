//! Tasks of others, which an outage would hit: which they are, how they are told, and the look at them right
//! before something is taken away.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Error, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{Door, Options, Pulp, Task, objection};
use crate::host::wait::{Deadline, Pace, TimedOut, until};
use crate::names::verdict::Name;
use crate::names::{Actor, Failure, is_own_tag, option};

/// How many tasks of others are listed; their number is told in any case.
const LISTED: usize = 20;

/// How old a look may be when something is taken away.
const OLDEST: Duration = Duration::from_secs(2);

/// What ends a session between the look and the taking gets no longer than this.
const LOG_OUT: Duration = Duration::from_secs(1);

/// Why nothing may be taken away now, by the name of its verdict.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) name: Name,
    pub(crate) msg: String,
    /// The tasks of others, where they are in the way.
    pub(crate) tasks: Vec<Task>,
    /// The service that is in the way.
    pub(crate) actor: Option<Actor>,
}

impl Refusal {
    pub(crate) fn unhealthy(cause: &Error) -> Self {
        Self {
            name: Name::UnhealthyBefore,
            msg: format!("{cause:#}"),
            tasks: Vec::new(),
            actor: None,
        }
    }

    /// The same, because of a service.
    pub(crate) fn unhealthy_of(actor: Option<Actor>, msg: String) -> Self {
        Self {
            name: Name::UnhealthyBefore,
            msg,
            tasks: Vec::new(),
            actor,
        }
    }

    /// The test cannot be made so.
    pub(crate) fn unsupported(msg: String) -> Self {
        Self {
            name: Name::Unsupported,
            msg,
            tasks: Vec::new(),
            actor: None,
        }
    }

    /// In a reply.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            name: Some(self.name),
            actor: self.actor.clone(),
            text: self.msg.clone(),
            next_step: None,
        }
    }

    /// Names the two ways on.
    pub(crate) fn busy(tasks: Vec<Task>, url: &str, waited: Duration) -> Self {
        let after = if waited.is_zero() {
            String::new()
        } else {
            format!(" after {} s", waited.as_secs())
        };
        let count = match tasks.len() {
            1 => "1 task of others runs or waits".to_owned(),
            many => format!("{many} tasks of others run or wait"),
        };
        let msg = format!(
            "{count} at `{url}`{after}: {}; `{}: SECONDS` waits for them, \
             `{}: true` lets them be lost",
            named(&tasks),
            option("drain"),
            option("accept_task_loss")
        );
        Self {
            name: Name::Busy,
            msg,
            tasks,
            actor: None,
        }
    }
}

/// Whether it is not one of a health check.
pub(crate) fn is_of_others(task: &Task) -> bool {
    !task.tags.iter().any(|tag| is_own_tag(tag))
}

/// Those that have not ended.
///
/// # Errors
/// Pulp does not list them.
pub(crate) fn tasks_of_others(pulp: &mut Pulp, deadline: Deadline) -> Result<Vec<Task>> {
    demand_rights(&pulp.door)?;
    let mut tasks = pulp.open_tasks(deadline)?;
    tasks.retain(is_of_others);
    Ok(tasks)
}

fn demand_rights(door: &Door) -> Result<()> {
    if door.is_anonymous() {
        bail!(
            "failed to list the tasks of `{}`: no password was given; set `{}`",
            door.base,
            option("password")
        );
    }
    Ok(())
}

/// A task in a reply.
pub(crate) fn task(task: &Task) -> Value {
    let instant = |time: SystemTime| humantime::format_rfc3339_nanos(time).to_string();
    json!({
        "task_id": task.id,
        "task_type": task.kind,
        "state": task.word,
        "worker": task.worker,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "known_at": task.known_at.map(instant),
        "error": task.error,
        "tags": task.tags,
    })
}

/// Tasks of others in a reply.
pub(crate) fn listed(tasks: &[Task]) -> Value {
    let first: Vec<_> = tasks.iter().take(LISTED).map(task).collect();
    json!({"count": tasks.len(), "tasks": first})
}

/// The first three tasks, for a person.
pub(crate) fn named(tasks: &[Task]) -> String {
    let first: Vec<_> = tasks
        .iter()
        .take(3)
        .map(|task| format!("`{}` ({}, {})", task.id, task.word, task.tags.join(" ")))
        .collect();
    let more = if tasks.len() > first.len() {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", first.join(", "))
}

/// Whether tasks of others are in the way, asked so late that none can begin unseen more than 2 s before
/// something is taken away.
#[derive(Debug)]
pub(crate) struct Look {
    pulp: Pulp,
    url: String,
    accepts_loss: bool,
}

impl Look {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// Pulp cannot be asked so, whatever it says.
    pub(crate) fn new(url: &str, options: &Options, accepts_loss: bool) -> Result<Self> {
        let door = options.door(url)?;
        demand_rights(&door)?;
        Ok(Self {
            pulp: Pulp::new(door, options.site()?),
            url: url.to_owned(),
            accepts_loss,
        })
    }

    /// All that may be slow: finds Pulp, logs in, and asks for the first time.
    pub(crate) fn prepare(&mut self, deadline: Deadline) -> Result<(), Refusal> {
        let tasks = self.first(deadline).map_err(|e| Refusal::unhealthy(&e))?;
        self.judge(tasks)
    }

    fn first(&mut self, deadline: Deadline) -> Result<Vec<Task>> {
        let status = self.pulp.patient_status(deadline)?;
        // Without its database it lists no task, and takes half a minute to say so.
        if let Some(why) = objection(&status) {
            bail!("failed to use `{}`: {why}", self.pulp.door.base);
        }
        tasks_of_others(&mut self.pulp, deadline)
    }

    /// The last thing before the first act, which must not come after the deadline. Tells how long ago it began.
    /// Its connection ends with it: an httpd that is stopped waits some 5 s for one that is kept open.
    pub(crate) fn now(mut self, deadline: Deadline) -> Result<Duration, Refusal> {
        let pulp = &mut self.pulp;
        let limit = pulp.door.request_timeout;
        let in_the_way = |tasks: &[Task]| !self.accepts_loss && !tasks.is_empty();
        let looked = young(OLDEST, deadline, in_the_way, || {
            let tasks = tasks_of_others(pulp, deadline.at_most(limit))?;
            // A session that is left open would stay in Pulp's database.
            pulp.log_out(Deadline::for_cleanup(LOG_OUT));
            Ok(tasks)
        });
        let (tasks, age) = looked.map_err(|error| {
            if !error.is::<TimedOut>() {
                return Refusal::unhealthy(&error);
            }
            Refusal::unhealthy(&anyhow!(
                "failed to list the tasks of `{}` within {} s before the taking: {error:#}; try again when Pulp \
                 and this host are less busy",
                self.url,
                OLDEST.as_secs()
            ))
        })?;
        self.judge(tasks).map(|()| age)
    }

    fn judge(&self, tasks: Vec<Task>) -> Result<(), Refusal> {
        if tasks.is_empty() || self.accepts_loss {
            return Ok(());
        }
        Err(Refusal::busy(tasks, &self.url, Duration::ZERO))
    }
}

/// Lists until that takes so little time that the list is young enough. Tasks that were in the way when it
/// began are so however long that took.
fn young(
    oldest: Duration,
    deadline: Deadline,
    in_the_way: impl Fn(&[Task]) -> bool,
    mut list: impl FnMut() -> Result<Vec<Task>>,
) -> Result<(Vec<Task>, Duration)> {
    let what = format!(
        "Pulp to list its tasks within {} s",
        oldest.as_secs_f64().round()
    );
    until(&what, deadline, Pace::QUICK, || {
        let begun = Instant::now();
        let tasks = list()?;
        let age = begun.elapsed();
        let in_time = age <= oldest && !deadline.remaining().is_zero();
        Ok((in_time || in_the_way(&tasks)).then_some((tasks, age)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_of(tag: &str) -> Task {
        Task {
            id: "t1".to_owned(),
            word: "running".to_owned(),
            tags: vec![tag.to_owned()],
            ..Task::default()
        }
    }

    #[test]
    fn what_is_refused_names_three_tasks_and_both_ways_on() {
        let tasks = vec![task_of("pulp:action:sync"); 4];
        let refusal = Refusal::busy(tasks, "https://p", Duration::from_secs(9));
        assert_eq!(
            refusal.msg,
            "4 tasks of others run or wait at `https://p` after 9 s: `t1` (running, \
             pulp:action:sync), `t1` (running, pulp:action:sync), `t1` (running, \
             pulp:action:sync), …; `drain: SECONDS` waits for them, \
             `accept_task_loss: true` lets them be lost"
        );
        assert_eq!((refusal.name, refusal.tasks.len()), (Name::Busy, 4));
    }

    #[test]
    fn a_task_of_a_health_check_is_nobodys() {
        assert!(is_of_others(&task_of("pulp:repository:rhel")));
        assert!(!is_of_others(&task_of(
            "pulp:repository:pulp-broker-test-1"
        )));
    }

    /// So much that a busy machine does not make an immediate answer older.
    const YOUNG: Duration = Duration::from_secs(1);

    /// Older than that, in milliseconds.
    const OLD: u64 = 1_200;

    /// Lists of one task that take these milliseconds one after another, the last one again and again.
    fn lists(
        millis: &[u64],
        limit: Duration,
        in_the_way: bool,
    ) -> (Result<(Vec<Task>, Duration)>, usize) {
        let mut count = 0;
        let looked = young(
            YOUNG,
            Deadline::after(limit),
            |_| in_the_way,
            || {
                let at = count.min(millis.len() - 1);
                count += 1;
                std::thread::sleep(Duration::from_millis(millis[at]));
                Ok(vec![task_of("rhel")])
            },
        );
        (looked, count)
    }

    #[test]
    fn a_list_that_took_too_long_is_asked_for_again() {
        let (looked, count) = lists(&[OLD, OLD, 0], Duration::from_mins(1), false);
        assert!(looked.unwrap().1 <= YOUNG);
        assert_eq!(count, 3);
        assert_eq!(lists(&[0], Duration::from_mins(1), false).1, 1);
    }

    #[test]
    fn a_task_that_is_in_the_way_needs_no_second_list() {
        let (looked, count) = lists(&[OLD], Duration::from_mins(1), true);
        assert_eq!((looked.unwrap().0.len(), count), (1, 1));
    }

    #[test]
    fn lists_that_always_take_too_long_end_with_the_call() {
        let (looked, count) = lists(&[OLD], Duration::from_secs(3), false);
        let error = looked.unwrap_err().to_string();
        assert!(error.starts_with("timed out after "), "{error}");
        assert!(error.contains("Pulp to list its tasks"), "{error}");
        assert!((1..=3).contains(&count), "{count}");
    }

    #[test]
    fn a_young_list_that_comes_after_the_deadline_is_none() {
        let (looked, count) = lists(&[100], Duration::from_millis(20), false);
        assert!(looked.unwrap_err().is::<TimedOut>());
        assert_eq!(count, 1);
    }

    #[test]
    fn a_pulp_that_does_not_list_is_not_asked_twice() {
        let mut count = 0;
        let looked = young(
            OLDEST,
            Deadline::after(OLDEST),
            |_| false,
            || {
                count += 1;
                bail!("refused")
            },
        );
        let error = looked.unwrap_err().to_string();
        assert_eq!((error.as_str(), count), ("refused", 1));
    }
}
