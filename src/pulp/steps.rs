//! The health check as one list of steps. The check walks this list, check mode prints it, and
//! the reply tells of each step by its name.

/// One step of the health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    /// It puts things back, and so is done after a failure too.
    pub(crate) cleans_up: bool,
}

const fn proves(kind: Kind, name: &'static str, purpose: &'static str) -> Step {
    Step {
        kind,
        name,
        purpose,
        cleans_up: false,
    }
}

const fn cleans(kind: Kind, name: &'static str, purpose: &'static str) -> Step {
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
        Kind::Status,
        "status",
        "ask Pulp for its version and whether its database, broker and workers are there",
    ),
    proves(
        Kind::Idle,
        "idle",
        "refuse while tasks of others run or wait",
    ),
    proves(
        Kind::Feed,
        "feed",
        "build a package that nobody has seen before and serve it as an RPM repository",
    ),
    proves(
        Kind::Create,
        "create",
        "create an RPM repository that syncs from the feed",
    ),
    proves(
        Kind::Sync,
        "sync",
        "sync it and check that every package of the feed arrived",
    ),
    proves(
        Kind::Distributor,
        "distributor",
        "add a distributor to the repository, or with Pulp 3, once it is published, a distribution",
    ),
    proves(Kind::Publish, "publish", "publish the repository"),
    proves(
        Kind::Find,
        "find",
        "find the package through repomd.xml and primary.xml",
    ),
    proves(Kind::Download, "download", "download the package from Pulp"),
    proves(Kind::Compare, "compare", "compare every byte"),
    cleans(
        Kind::Cancel,
        "cancel",
        "cancel tasks of ours that have not ended",
    ),
    cleans(
        Kind::DeleteRepository,
        "delete_repository",
        "delete the repository, and with Pulp 3 its distribution, publication and remote",
    ),
    cleans(
        Kind::DeleteOrphan,
        "delete_orphan",
        "delete exactly our package, by its type and unit id, or by its reference",
    ),
    cleans(
        Kind::ForgetTasks,
        "forget_tasks",
        "delete the records of our tasks (Pulp 3)",
    ),
];

/// The steps of a check with these options. With a feed of the user's own nothing is built, and
/// no package is deleted, because every one of them may be somebody else's.
pub(crate) fn plan(require_idle: bool, own_feed: bool) -> impl Iterator<Item = &'static Step> {
    ALL.iter().filter(move |step| match step.kind {
        Kind::Idle => require_idle,
        Kind::Feed | Kind::DeleteOrphan => own_feed,
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
        assert!(plan(false, true).any(|s| s.kind == Kind::DeleteOrphan));
        assert!(plan(true, false).all(|s| s.kind != Kind::DeleteOrphan));
        assert!(plan(false, false).all(|s| s.kind != Kind::Idle));
    }
}
