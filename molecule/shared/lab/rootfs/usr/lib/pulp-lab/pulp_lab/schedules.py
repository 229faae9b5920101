"""Why this exists: Pulp 2's scheduled syncs as documents: what a client may ask for, when one is due, what is known of its runs.
Times are seconds since 1970 here and ISO 8601 for clients."""

import datetime
import re
import time

from pulp_lab import errors, store

TASK = "pulp.server.tasks.repository.sync_with_auto_publish"
OPTIONS = {"schedule", "override_config", "failure_threshold", "enabled"}

_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_UNITS = (604800, 86400, 3600, 60, 1)


def resource(repo_id, importer_id):
    return f"pulp:importer:{repo_id}:{importer_id}"


def create(repo_id, importer_id, wanted):
    """Without a time to begin at, the first run is now."""
    unknown = sorted(set(wanted) - OPTIONS)
    if unknown:
        raise errors.invalid_value(*unknown)
    interval, first, runs = _parse(wanted.get("schedule"))
    enabled, threshold = wanted.get("enabled", True), wanted.get("failure_threshold")
    if not isinstance(enabled, bool):
        raise errors.invalid_value("enabled")
    if threshold is not None and (not isinstance(threshold, int) or threshold < 1):
        raise errors.invalid_value("failure_threshold")
    key = store.object_id()["$oid"]
    return store.create("schedule", key, {
        "_id": key, "task": TASK, "args": [repo_id], "kwargs": {"overrides": wanted.get("override_config") or {}},
        "schedule": wanted["schedule"], "enabled": enabled, "failure_threshold": threshold, "consecutive_failures": 0,
        "remaining_runs": runs, "total_run_count": 0, "resource": resource(repo_id, importer_id), "last_updated": time.time(),
        "interval": interval, "first": time.time() if first is None else first, "last": None,
    })  # fmt: skip


def of(resource_tag):
    return store.find("schedule", resource=resource_tag)


def get(resource_tag, key):
    found = store.get("schedule", key)
    if found is None or found["resource"] != resource_tag:
        raise errors.missing_resource(schedule_id=key)
    return found


def delete_all_of(resource_tag):
    for schedule in of(resource_tag):
        store.delete("schedule", schedule["_id"])


def shown(schedule):
    public = {key: value for key, value in schedule.items() if key not in ("interval", "first", "last")}
    return public | {
        "first_run": _stamp(schedule["first"]), "last_run_at": _stamp(schedule["last"]), "next_run": _stamp(_next(schedule)),
    }  # fmt: skip


def due():
    now = time.time()
    return [schedule for schedule in store.find("schedule") if schedule["enabled"] and _next(schedule) <= now]


def seconds_to_next():
    """None where nothing is planned."""
    nexts = [_next(schedule) for schedule in store.find("schedule") if schedule["enabled"]]
    return max(0, min(nexts) - time.time()) if nexts else None


def ran(key):
    """Pulp counts a run before it is sent: one that the broker never got counts too."""

    def change(schedule):
        schedule.update(last=time.time(), total_run_count=schedule["total_run_count"] + 1)
        if schedule["remaining_runs"]:
            schedule["remaining_runs"] -= 1
            schedule["enabled"] = schedule["remaining_runs"] > 0

    store.update("schedule", key, change)


def _next(schedule):
    """Runs are due on a grid that begins with the first; the last point of it that was missed is made up for once."""
    first, last, interval = schedule["first"], schedule["last"], schedule["interval"]
    if last is None:
        return first
    return first + (int((last - first) / interval) + 1) * interval


def _stamp(seconds):
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(text):
    """Of `R3/2026-01-02T03:04:05Z/P1DT`, of which all but the duration may be left out: seconds between runs, the first, how many."""
    parts = text.split("/") if isinstance(text, str) else []
    try:
        runs = int(parts.pop(0)[1:]) if parts and re.fullmatch(r"R\d+", parts[0]) else None
        *begin, length = parts
        numbers = _DURATION.fullmatch(length)
        interval = sum(int(number or 0) * unit for number, unit in zip(numbers.groups(), _UNITS, strict=True))
        first = _instant(begin[0]) if begin else None
    except (AttributeError, ValueError) as error:
        raise errors.invalid_value("schedule") from error
    if not interval or runs == 0 or len(begin) > 1:
        raise errors.invalid_value("schedule")
    return interval, first, runs


def _instant(text):
    try:
        instant = datetime.datetime.fromisoformat(text)
    except ValueError:
        # A time of day alone is today's.
        today = datetime.datetime.now(datetime.UTC).date()
        instant = datetime.datetime.combine(today, datetime.time.fromisoformat(text))
    return (instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)).timestamp()
