//! Whether the scheduler sends what is due: a sync of an empty repository of ours, which nobody but the
//! scheduler asks for.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::Work;
use crate::feed::Empty;
use crate::host::wait::Deadline;
use crate::names::repository_tag;
use crate::pulp::v2::schedule::Scheduled;
use crate::pulp::{Status, Task, TaskState};

/// How far ahead the schedule falls due, by Pulp's clock, which is told in whole seconds.
const AHEAD: Duration = Duration::from_secs(2);

/// How long after it is due a schedule may be sent. Until Pulp 2.11 the scheduler looks at its list each
/// 90 s, later each 6 s; an idle connection that broke costs it some seconds more.
const LATEST: Duration = Duration::from_mins(2);

/// After so long without being listed it is not waited for.
const UNLISTED: Duration = Duration::from_secs(30);

/// How often the schedule itself is read.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// What became of the schedule.
pub(super) enum Story {
    /// There is none, and why.
    None(String),
    Due(Due),
    Fired {
        due: Due,
        task_id: String,
        after: Duration,
        ended: bool,
    },
    /// It was due, and was not sent.
    Late(Due),
}

/// A schedule that was made.
pub(super) struct Due {
    pub(super) key: String,
    pub(super) at: SystemTime,
    since: Instant,
    read: Instant,
    /// How often Pulp says that it has run.
    pub(super) runs: Option<u64>,
    /// What the sync reads.
    _feed: Empty,
}

impl Due {
    /// For how long it has been due.
    pub(super) fn overdue(&self) -> Duration {
        self.since.elapsed()
    }

    /// Pulp says so.
    fn was_sent(&self) -> bool {
        self.runs.is_some_and(|runs| runs > 0)
    }
}

impl Story {
    /// Nothing more is to be learned.
    pub(super) fn is_settled(&self, stalled: bool) -> bool {
        match self {
            Self::None(_) | Self::Late(_) => true,
            // It was sent, and those who should have taken it are at fault.
            Self::Due(due) => stalled && due.was_sent(),
            Self::Fired { ended, .. } => *ended || stalled,
        }
    }

    /// The key of a schedule that is to be deleted again.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::None(_) => None,
            Self::Due(due) | Self::Fired { due, .. } | Self::Late(due) => Some(&due.key),
        }
    }
}

/// Makes the schedule, where a scheduler is expected.
pub(super) fn begin(work: &mut Work, deadline: Deadline) -> Result<()> {
    if work.scheduler().is_none() {
        work.story = Story::None("no scheduler is expected".to_owned());
        return Ok(());
    }
    let id = work.scheduled();
    let secret = work.name.rsplit('-').next().unwrap_or_default();
    let feed = Empty::serve(secret, &work.feed_host, work.feed_port)?;
    let created = work.pulp.create(&id, &feed.url, deadline);
    work.keep(created, &id, deadline)?;
    let told = work.status.as_ref().and_then(|s| s.at);
    let at = told.unwrap_or_else(SystemTime::now) + work.asked_status.elapsed() + AHEAD;
    // A second run, should the first be lost on a connection that is no more.
    let when = format!("R2/{}/PT1M", humantime::format_rfc3339_seconds(at));
    let now = Instant::now();
    work.story = match work.pulp.schedule_sync(&id, &when, deadline)? {
        Scheduled::Unknown(why) => Story::None(why),
        Scheduled::Yes(key) => Story::Due(Due {
            key,
            at,
            since: now + AHEAD,
            read: now,
            runs: None,
            _feed: feed,
        }),
    };
    Ok(())
}

/// Sees how far it is.
pub(super) fn look(work: &mut Work, deadline: Deadline) {
    let id = work.scheduled();
    let tag = repository_tag(&id);
    let task = work.pulp.tasks.iter().find(|task| is_sync(task, &tag));
    let ended = task.is_some_and(|task| task.state != TaskState::Open);
    let task_id = task.map(|task| task.id.clone());
    let listed = is_listed(work);
    let (pulp, begun) = (&work.pulp, work.begun);
    let story = std::mem::replace(&mut work.story, Story::None(String::new()));
    work.story = match (story, task_id) {
        (Story::Due(due), Some(task_id)) => Story::Fired {
            due,
            task_id,
            after: begun.elapsed(),
            ended,
        },
        (
            Story::Fired {
                due,
                task_id,
                after,
                ended: before,
            },
            _,
        ) => Story::Fired {
            due,
            task_id,
            after,
            ended: before || ended,
        },
        (Story::Due(mut due), None) => {
            if due.read.elapsed() >= READ_INTERVAL && !due.overdue().is_zero() {
                due.read = Instant::now();
                // It only explains; the task is the proof.
                due.runs = pulp.runs_of(&id, &due.key, deadline).ok().flatten();
            }
            let gone = !listed && begun.elapsed() >= UNLISTED;
            if gone || due.overdue() >= LATEST {
                Story::Late(due)
            } else {
                Story::Due(due)
            }
        }
        (story, _) => story,
    };
}

/// Nobody waits any longer. What was sent to workers that let it lie is not held against the scheduler, nor
/// what nobody waited for, because Pulp refused to send tasks.
pub(super) fn close(work: &mut Work) {
    let others_failed = !work.unproven().is_empty();
    let is_refused = work.refused.is_some();
    let story = std::mem::replace(&mut work.story, Story::None(String::new()));
    work.story = match story {
        Story::Due(due) if !(is_refused || others_failed && due.was_sent()) => Story::Late(due),
        story => story,
    };
}

fn is_listed(work: &Work) -> bool {
    let names = work.status.as_ref().and_then(Status::names);
    work.scheduler()
        .is_none_or(|name| names.is_none_or(|names| names.contains(&name)))
}

fn is_sync(task: &Task, tag: &str) -> bool {
    let has = |wanted: &str| task.tags.iter().any(|tag| tag == wanted);
    has(tag) && !has("pulp:action:delete")
}
