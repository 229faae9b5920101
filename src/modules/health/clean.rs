//! The steps that clean up: exactly what is ours, and what could not be deleted is named.
//!
//! With a feed of the user's own only the repository is deleted. Its packages may have been in
//! Pulp before, or may be wanted by another sync at this moment; how many units were left without
//! a repository is told instead.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::{Check, detail, leave};
use crate::host::wait::{Deadline, Pace, until};
use crate::pulp::TaskState;
use crate::pulp::steps::StepKind;

/// How long a package that a canceled sync had fetched may take to appear.
const LATE: Duration = Duration::from_secs(5);
const LATE_PACE: Pace = Pace {
    first: Duration::from_millis(100),
    last: Duration::from_millis(500),
};

/// Whether there is anything to do.
pub(super) fn is_needed(check: &Check, kind: StepKind) -> bool {
    check.created
        && match kind {
            StepKind::Cancel => check.has_failed(),
            StepKind::DeleteOrphan => check.feed.is_some(),
            StepKind::ForgetTasks => check.pulp.is_three(),
            _ => true,
        }
}

pub(super) fn step(
    check: &mut Check,
    kind: StepKind,
    deadline: Deadline,
) -> Result<Map<String, Value>> {
    match kind {
        StepKind::Cancel => {
            let canceled = check.pulp.cancel(&check.name, deadline)?;
            Ok(detail([("canceled", canceled.into())]))
        }
        StepKind::DeleteRepository => delete_repository(check, deadline).inspect_err(|cause| {
            leave(
                &mut check.leftovers,
                check.pulp.generation(),
                "repository",
                &check.name,
                cause,
            );
        }),
        StepKind::ForgetTasks => {
            let deleted = check.pulp.forget_tasks(deadline).inspect_err(|cause| {
                leave(
                    &mut check.leftovers,
                    check.pulp.generation(),
                    "tasks",
                    &check.name,
                    cause,
                );
            })?;
            Ok(detail([("deleted", deleted.into())]))
        }
        _ => delete_orphan(check, deadline).inspect_err(|cause| {
            leave(
                &mut check.leftovers,
                check.pulp.generation(),
                "package",
                &check.name,
                cause,
            );
        }),
    }
}

fn delete_repository(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let existed = check.pulp.delete(&check.name, deadline)?;
    if let Some(before) = check.orphans_before {
        let after = check.pulp.orphan_count(deadline).ok();
        check.orphans_left = after.map(|after| after.saturating_sub(before));
    }
    Ok(detail([("existed", existed.into())]))
}

fn delete_orphan(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let Some(feed) = &check.feed else {
        return Ok(Map::new());
    };
    let package = &feed.package;
    let fetched = feed.requests().iter().any(|r| r.path == package.filename);
    if check.leftovers.iter().any(|left| left.kind == "repository") {
        if fetched {
            bail!("its repository is left behind, and holds it");
        }
        return Ok(detail([("found", false.into())]));
    }
    // A sync that Pulp canceled may still be running on its worker.
    let canceled = check
        .pulp
        .tasks()
        .iter()
        .any(|t| t.state == TaskState::Failed);
    let pulp = &mut check.pulp;
    let mut look = || pulp.find_orphan(&package.name, &package.sha256, deadline);
    let mut orphan = look()?;
    if orphan.is_none() && fetched && canceled {
        let late = deadline.at_most(LATE);
        orphan = until("the package", late, LATE_PACE, || look().map(Some))
            .ok()
            .flatten();
    }
    let Some(orphan) = orphan else {
        return Ok(detail([("found", false.into())]));
    };
    check.pulp.delete_orphan(&orphan, deadline)?;
    Ok(detail([
        ("found", true.into()),
        ("unit_id", orphan.id.into()),
    ]))
}
