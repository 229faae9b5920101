//! The health check as one list of steps. The check walks this list, check mode prints it, and
//! the reply tells of each step by its name.

/// One step of the health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    Status,
    Idle,
    Feed,
    Create,
    Sync,
    Distributor,
    Publish,
    Find,
    Download,
    Compare,
    Cancel,
    DeleteRepository,
    DeleteOrphan,
    ForgetTasks,
}

/// A step, its name in the reply, and what it does in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    /// It puts things back, and so is done after a failure too.
    pub(crate) cleans_up: bool,
}

const fn proves(kind: StepKind, name: &'static str, purpose: &'static str) -> Step {
    Step {
        kind,
        name,
        purpose,
        cleans_up: false,
    }
}

const fn cleans(kind: StepKind, name: &'static str, purpose: &'static str) -> Step {
    Step {
        kind,
        name,
        purpose,
        cleans_up: true,
    }
}

/// Every step, in order.
pub(crate) const ALL: &[Step] = &[
    proves(
        StepKind::Status,
        "status",
        "ask Pulp for its version and whether its database, broker and workers are there",
    ),
    proves(
        StepKind::Idle,
        "idle",
        "refuse while tasks of others run or wait",
    ),
    proves(
        StepKind::Feed,
        "feed",
        "build a package that nobody has seen before and serve it as an RPM repository",
    ),
    proves(
        StepKind::Create,
        "create",
        "create an RPM repository that syncs from the feed",
    ),
    proves(
        StepKind::Sync,
        "sync",
        "sync it and check that every package of the feed arrived",
    ),
    proves(
        StepKind::Distributor,
        "distributor",
        "add a distributor to the repository, or with Pulp 3, once it is published, a distribution",
    ),
    proves(StepKind::Publish, "publish", "publish the repository"),
    proves(
        StepKind::Find,
        "find",
        "find the package through repomd.xml and primary.xml",
    ),
    proves(
        StepKind::Download,
        "download",
        "download the package from Pulp",
    ),
    proves(StepKind::Compare, "compare", "compare every byte"),
    cleans(
        StepKind::Cancel,
        "cancel",
        "cancel tasks of ours that have not ended",
    ),
    cleans(
        StepKind::DeleteRepository,
        "delete_repository",
        "delete the repository, and with Pulp 3 its distribution, publication and remote",
    ),
    cleans(
        StepKind::DeleteOrphan,
        "delete_orphan",
        "delete exactly our package, by its type and unit id, or by its reference",
    ),
    cleans(
        StepKind::ForgetTasks,
        "forget_tasks",
        "delete the records of our tasks (Pulp 3)",
    ),
];

/// The steps of a check with these options. With a feed of the user's own nothing is built, and
/// no package is deleted, because every one of them may be somebody else's.
pub(crate) fn plan(require_idle: bool, own_feed: bool) -> impl Iterator<Item = &'static Step> {
    ALL.iter().filter(move |step| match step.kind {
        StepKind::Idle => require_idle,
        StepKind::Feed | StepKind::DeleteOrphan => own_feed,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_up_comes_last() {
        assert!(ALL.is_sorted_by_key(|step| step.cleans_up));
    }

    #[test]
    fn packages_of_others_are_never_deleted() {
        assert!(plan(false, true).any(|s| s.kind == StepKind::DeleteOrphan));
        assert!(plan(true, false).all(|s| s.kind != StepKind::DeleteOrphan));
        assert!(plan(false, false).all(|s| s.kind != StepKind::Idle));
    }
}
