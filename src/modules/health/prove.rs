//! The steps that prove: each fails with what it expected, what it found and what to do.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use super::{Check, PACE, Published, detail, named};
use crate::feed::{self, Feed};
use crate::host::wait::interrupt;
use crate::host::wait::{Deadline, TimedOut, until};
use crate::names::verdict::Name;
use crate::names::{Failure, Generation, Role, VerdictError, option, verdict_of};
use crate::pulp::repodata::{self, Listed};
use crate::pulp::steps::StepKind;
use crate::pulp::{self, Created, Task, TaskState};

/// The largest repomd.xml, primary.xml (as served) and package that are fetched, in bytes.
const REPOMD_CAP: u64 = 1024 * 1024;
const PRIMARY_CAP: u64 = 64 * 1024 * 1024;
const PACKAGE_CAP: u64 = 64 * 1024 * 1024;

/// How long after one run of a task another one of it may end, where something is amiss already.
const OTHER_RUN: Duration = Duration::from_secs(5);

pub(super) fn step(
    check: &mut Check,
    kind: StepKind,
    deadline: Deadline,
) -> Result<Map<String, Value>> {
    deadline.check_signals("the next step")?;
    if deadline.remaining().is_zero() {
        bail!("the time is over; set a longer `{}`", option("timeout"));
    }
    match kind {
        StepKind::Status => status(check, deadline),
        StepKind::Idle => idle(check, deadline),
        StepKind::Feed => feed(check),
        StepKind::Create => create(check, deadline),
        StepKind::Sync => sync(check, deadline),
        StepKind::Distributor => {
            check.pulp.distribute(&check.name, deadline)?;
            Ok(Map::new())
        }
        StepKind::Publish => {
            check.pulp.publish(&check.name, deadline)?;
            Ok(Map::new())
        }
        StepKind::Find => find(check, deadline),
        StepKind::Download => download(check, deadline),
        StepKind::Compare => compare(check, deadline),
        StepKind::Cancel
        | StepKind::DeleteRepository
        | StepKind::DeleteOrphan
        | StepKind::ForgetTasks => Ok(Map::new()),
    }
}

fn status(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let (mut objection, mut missing) = (None, None);
    let ready = deadline.at_most(check.request.ready_timeout);
    let status = until("Pulp to be ready for tasks", ready, PACE, || {
        let status = check.pulp.status(deadline)?;
        check.version.clone_from(&status.version);
        objection = pulp::objection(&status);
        missing = pulp::missing(&status);
        Ok(objection.is_none().then_some(status))
    });
    let status = match (status, objection) {
        (Err(error), Some(objection)) if error.is::<TimedOut>() => {
            let text = format!("failed to use `{}`: {objection}", check.pulp.door.base);
            let failure = Failure {
                name: Some(Name::HealthFailed),
                actor: missing,
                text: text.clone(),
                next_step: None,
            };
            return Err(VerdictError::unnamed(text).with(failure).into());
        }
        (status, _) => status?,
    };
    let workers = status.names().into();
    Ok(detail([
        ("workers", workers),
        ("pulp_version", status.version.into()),
        ("database_connected", status.database.into()),
        ("messaging_connected", status.messaging.into()),
    ]))
}

fn idle(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    check.busy = check.pulp.open_tasks(deadline)?;
    let count = check.busy.len();
    if count > 0 {
        bail!(verdict_of!(
            Busy,
            "tasks of others run or wait at `{}`, {count} in number: {}; wait until \
             they have ended, or call without require_idle",
            check.pulp.door.base,
            named(&check.busy)
        ));
    }
    Ok(Map::new())
}

fn feed(check: &mut Check) -> Result<Map<String, Value>> {
    let request = &check.request;
    let feed = Feed::serve(
        &check.name,
        &check.nonce,
        &request.feed_host,
        request.feed_port,
    )?;
    let told = detail([
        ("url", feed.url.clone().into()),
        ("package", feed.package.filename.clone().into()),
        ("sha256", feed.package.sha256.clone().into()),
    ]);
    check.feed = Some(feed);
    Ok(told)
}

fn feed_url(check: &Check) -> &str {
    let built_in = check.feed.as_ref().map(|feed| feed.url.as_str());
    check
        .request
        .feed
        .as_deref()
        .or(built_in)
        .unwrap_or_default()
}

fn create(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    if check.request.feed.is_some() {
        // Only told, so a Pulp that cannot count them in time is not at fault.
        check.orphans_before = check.pulp.orphan_count(deadline).ok();
    }
    let name = &check.name;
    let feed = feed_url(check).to_owned();
    let created = check.pulp.create(name, &feed, deadline);
    check.created = !matches!(created, Created::No(_));
    match created {
        Created::Yes => Ok(detail([("repository", name.as_str().into())])),
        Created::No(error) | Created::Unknown(error) => Err(error),
    }
}

fn sync(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let synced = check.pulp.sync(&check.name, deadline);
    let counted = synced.and_then(|added| {
        let counts = check.pulp.counts(&check.name, deadline)?;
        let counts = counts
            .with_context(|| format!("failed to read repository `{}`: it is gone", check.name))?;
        let packages = counts["rpm"].as_u64().unwrap_or_default();
        judge(feed_url(check), check.feed.is_some(), added, packages)?;
        Ok((added, packages, counts))
    });
    let requests = check.feed.as_ref().map(Feed::requests);
    let is_done = |task: &Task| task.state == TaskState::Done;
    if counted.is_err() && check.pulp.tasks().last().is_some_and(is_done) {
        // The other run may be about to end.
        demand_one_sync(check, deadline.at_most(OTHER_RUN))?;
    }
    let (added, packages, counts) = counted.map_err(|error| match &requests {
        Some(requests) if has_tried(check) => {
            anyhow::anyhow!("{error:#}; {}", witness(feed_url(check), requests))
        }
        None if has_tried(check) => anyhow::anyhow!(
            "{error:#}; the feed is `{}`: it has to be an RPM repository that Pulp's workers reach",
            feed_url(check)
        ),
        _ => error,
    })?;
    check.packages = packages;
    Ok(detail([
        ("added", added.into()),
        ("content_unit_counts", counts),
        ("feed_requests", requests.map(|r| r.len()).into()),
    ]))
}

/// A worker had the time to look at the feed.
fn has_tried(check: &Check) -> bool {
    let last = check.pulp.tasks().last();
    interrupt::pending().is_none()
        && last.is_some_and(|task| task.worker.is_some() || task.started_at.is_some())
}

/// A sync that ended well may have added nothing; only the counts tell.
fn judge(feed: &str, built_in: bool, added: Option<u64>, packages: u64) -> Result<()> {
    let told = added.map_or("not told".to_owned(), |added| added.to_string());
    match (built_in, added, packages) {
        (true, Some(1) | None, 1) => Ok(()),
        (true, ..) => bail!(
            "the sync ended well, but of the feed's 1 package the repository holds {packages} \
             (added_count: {told})"
        ),
        (false, Some(0), _) | (false, _, 0) => bail!(
            "the sync ended well, but the repository holds {packages} packages (added_count: \
             {told}); does the feed `{feed}` hold any?"
        ),
        (false, ..) => Ok(()),
    }
}

/// What the feed saw of a sync that failed.
fn witness(url: &str, requests: &[feed::Request]) -> String {
    if requests.is_empty() {
        return format!(
            "no worker reached the feed `{url}`; check on their hosts a proxy that applies to \
             it, SELinux denials and the firewall, and that {} is an address of this host \
             that they reach",
            option("feed_host")
        );
    }
    let seen: Vec<_> = requests
        .iter()
        .map(|request| format!("{} ({})", request.path, request.status))
        .collect();
    format!("the workers fetched from the feed: {}", seen.join(", "))
}

fn find(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let base = check.pulp.published(&check.name)?;
    let get = |path: &str, cap: u64| -> Result<Vec<u8>> {
        let url = pulp::below(&base, path)?;
        let answer = check.pulp.door.content(&url, cap, deadline);
        Ok(answer
            .map_err(|cause| check.pulp.explain_content(cause))?
            .body)
    };
    let unreadable = || format!("failed to read what is published at `{base}`");
    let repomd = get("repodata/repomd.xml", REPOMD_CAP)?;
    let primary = repodata::primary(&repomd).with_context(unreadable)?;
    let extent = repodata::extent(&repomd).with_context(unreadable)?;
    let bytes = get(&primary.href, PRIMARY_CAP)?;
    if primary
        .sha256
        .is_some_and(|sum| sum != repodata::sha256(&bytes))
    {
        bail!(
            "failed to verify `{base}{}`: its bytes are not those that repomd.xml names",
            primary.href
        );
    }
    let wanted = check.feed.as_ref().map(|feed| feed.package.name.as_str());
    let mut found: Option<Listed> = None;
    let count = repodata::packages(&bytes, |package| {
        let smaller = found.as_ref().is_none_or(|known| package.size < known.size);
        if wanted.map_or(smaller, |name| package.name == name) {
            found = Some(package);
        }
    })
    .with_context(unreadable)?;
    let Some(listed) = found else {
        bail!(
            "failed to find `{}` in `{base}{}`: it lists {count} packages, none of them ours",
            wanted.unwrap_or("a package"),
            primary.href
        );
    };
    if count != check.packages {
        bail!(
            "failed to verify `{base}{}`: it lists {count} packages, the repository holds {}",
            primary.href,
            check.packages
        );
    }
    let url = pulp::below(&base, &listed.href)?;
    let told = detail([
        ("packages", count.into()),
        ("href", listed.href.clone().into()),
    ]);
    check.remains = check.pulp.is_three().then_some(extent);
    check.published = Some(Published {
        listed,
        url,
        bytes: Vec::new(),
    });
    Ok(told)
}

fn download(check: &mut Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let Some(published) = &mut check.published else {
        bail!("failed to download the package: it was not found");
    };
    let answer = check
        .pulp
        .door
        .content(&published.url, PACKAGE_CAP, deadline)
        .map_err(|cause| check.pulp.explain_content(cause))?;
    published.bytes = answer.body;
    Ok(detail([
        ("url", published.url.clone().into()),
        ("bytes", published.bytes.len().into()),
    ]))
}

fn compare(check: &Check, deadline: Deadline) -> Result<Map<String, Value>> {
    let Some(Published { listed, url, bytes }) = &check.published else {
        bail!("failed to compare the package: it was not downloaded");
    };
    let made = check.feed.as_ref().map(|feed| &feed.package);
    let found = repodata::sha256(bytes);
    let expected = made.map(|package| package.sha256.as_str());
    let Some(expected) = expected.or(listed.sha256.as_deref()) else {
        bail!(
            "failed to compare `{url}`: its repository names no SHA-256 checksum; use a feed \
             with SHA-256 checksums"
        );
    };
    if found != expected || made.is_some_and(|package| package.bytes != *bytes) {
        bail!(
            "failed to compare `{url}`: Pulp serves {} bytes with SHA-256 {found}, expected were \
             {} bytes with {expected}",
            bytes.len(),
            made.map_or(listed.size, |package| package.bytes.len() as u64),
        );
    }
    // Whoever runs a task a second time has had the time to end by now.
    demand_one_sync(check, deadline.at_most(Duration::ZERO))?;
    Ok(detail([("sha256", found.into())]))
}

/// One sync was asked for. A Pulp that does not tell how many have run is not held to it.
fn demand_one_sync(check: &Check, deadline: Deadline) -> Result<()> {
    let id = &check.name;
    let asked = "our sync to be in Pulp's history twice";
    let twice = until(asked, deadline, PACE, || {
        Ok(match check.pulp.syncs_ended(id, deadline)? {
            Some(0 | 1) => None,
            told => Some(told),
        })
    });
    let Ok(Some(ended)) = twice else {
        return Ok(());
    };
    bail!(verdict_of!(
        TaskDuplicated,
        "{ended} syncs of repository `{id}` have ended, and one was asked for{}; see \
         {} for the workers that ran it",
        check
            .pulp
            .tasks()
            .first()
            .map_or(String::new(), |task| format!(" (task `{}`)", task.id)),
        Generation::Two.log_of(Role::Worker)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_judged_by_what_arrived() {
        assert!(judge("f", true, Some(1), 1).is_ok());
        assert!(judge("f", true, None, 1).is_ok());
        for (added, packages) in [(Some(0), 0), (Some(1), 0), (Some(0), 1), (None, 2)] {
            assert!(judge("f", true, added, packages).is_err());
        }
        assert!(judge("f", false, Some(7), 5).is_ok());
        let error = judge("https://f/", false, Some(0), 0).expect_err("empty");
        assert!(
            error
                .to_string()
                .contains("does the feed `https://f/` hold any")
        );
    }

    #[test]
    fn a_feed_that_nobody_reached_says_what_to_check() {
        let text = witness("http://f/", &[]);
        for word in [
            "no worker reached",
            "proxy",
            "SELinux",
            "firewall",
            "feed_host",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        let seen = feed::Request {
            path: "repodata/repomd.xml".to_owned(),
            status: 200,
        };
        assert_eq!(
            witness("http://f/", &[seen]),
            "the workers fetched from the feed: repodata/repomd.xml (200)"
        );
    }
}
