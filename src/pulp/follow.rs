//! Looks at a task until it has ended, often while it is young, because its end is what the
//! caller waits for and measures.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Task, TaskState};
use crate::host::wait::{Deadline, Pace, until};
use crate::names::option;

const YOUNG: Duration = Duration::from_secs(10);
const YOUNG_PACE: Pace = Pace {
    first: Duration::from_millis(20),
    last: Duration::from_millis(50),
};
const OLD_PACE: Pace = Pace {
    first: Duration::from_millis(100),
    last: Duration::from_secs(1),
};

/// Returns the task once it has ended well.
///
/// `unbegun` is what may keep it from being begun.
///
/// # Errors
/// It ended otherwise, with Pulp's reason; or it did not end in time, with where it stood.
pub(super) fn to_its_end(
    id: &str,
    deadline: Deadline,
    unbegun: &str,
    mut look: impl FnMut() -> Result<Task>,
) -> Result<Task> {
    let what = format!("task `{id}` to end");
    let born = Instant::now();
    let mut last: Option<Task> = None;
    let mut ended = || -> Result<bool> {
        let task = look()?;
        let ended = task.state != TaskState::Open;
        last = Some(task);
        Ok(ended)
    };
    let waited = until(&what, deadline, YOUNG_PACE, || {
        let ended = ended()?;
        Ok((ended || born.elapsed() >= YOUNG).then_some(ended))
    })
    .and_then(|over| {
        if over {
            return Ok(());
        }
        until(&what, deadline, OLD_PACE, || Ok(ended()?.then_some(())))
    });
    match (waited, last) {
        (Ok(()), Some(task)) if task.state == TaskState::Done => Ok(task),
        (Ok(()), Some(task)) => bail!(failed(&task)),
        (Err(error), Some(task)) => Err(error.context(unfinished(&task, unbegun))),
        (Ok(()), None) => bail!("failed to wait for {what}"),
        (Err(error), None) => Err(error),
    }
}

fn failed(task: &Task) -> String {
    let reason = task.error.as_deref();
    format!(
        "task `{}` ended as `{}`: {}",
        task.id,
        task.word,
        reason.unwrap_or("Pulp gave no reason; see its log where its worker runs")
    )
}

fn unfinished(task: &Task, unbegun: &str) -> String {
    match (&task.worker, &task.started_at) {
        (Some(worker), _) => format!(
            "task `{}` is still `{}` on `{worker}`; set a longer `{}` if it is merely slow, else see \
             that worker's log",
            task.id,
            task.word,
            option("timeout")
        ),
        (None, Some(begun)) => format!(
            "task `{}` is still `{}`, begun at {begun}; set a longer `{}` if it is merely slow, else see \
             the workers' logs: of a worker that died a task stays so",
            task.id,
            task.word,
            option("timeout")
        ),
        (None, None) => format!(
            "task `{}` is still `{}` and no worker has begun it; {unbegun}",
            task.id, task.word
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(word: &str, state: TaskState) -> Task {
        Task {
            id: "t1".to_owned(),
            word: word.to_owned(),
            state,
            ..Task::default()
        }
    }

    #[test]
    fn it_looks_until_the_task_has_ended() {
        let mut looks = 0;
        let ended = to_its_end("t1", Deadline::after(Duration::from_mins(1)), "", || {
            looks += 1;
            Ok(if looks < 3 {
                task("running", TaskState::Open)
            } else {
                task("finished", TaskState::Done)
            })
        });
        assert_eq!(ended.expect("ended").word, "finished");
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_failed_task_tells_pulps_reason() {
        let error = to_its_end("t1", Deadline::after(Duration::ZERO), "", || {
            Ok(Task {
                error: Some("No space left on device".to_owned()),
                ..task("error", TaskState::Failed)
            })
        });
        assert_eq!(
            format!("{:#}", error.expect_err("failed")),
            "task `t1` ended as `error`: No space left on device"
        );
    }

    #[test]
    fn a_task_that_never_ends_is_told_with_its_state_and_worker() {
        let error = to_its_end("t1", Deadline::after(Duration::ZERO), "", || {
            Ok(Task {
                worker: Some("w-0@h".to_owned()),
                ..task("running", TaskState::Open)
            })
        });
        assert_eq!(
            format!("{:#}", error.expect_err("late")),
            "task `t1` is still `running` on `w-0@h`; set a longer `timeout` if it is merely slow, else see \
             that worker's log: timed out after 0 s while waiting for task `t1` to end"
        );
        let error = to_its_end("t1", Deadline::after(Duration::ZERO), "", || {
            Ok(task("waiting", TaskState::Open))
        });
        let text = format!("{:#}", error.expect_err("late"));
        assert!(text.contains("no worker has begun it"), "{text}");
    }
}
