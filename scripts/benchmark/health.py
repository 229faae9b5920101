"""From the instant at which the health check's last task had really ended, by the lab's own stamp, to our `healthy`."""

import datetime
import statistics

from table import ms, sec

RUNS = 10


def rows(lab):
    access = lab.pulp("pulp_url", "username", "password", "ca_path")
    replies = [lab.module("pulp_health", **access) for _ in range(RUNS)]
    ends = dict(line.split() for line in lab.sh("cat /var/lib/pulp/lab/task-ends").splitlines())
    lags = [known_after(reply, ends) for reply in replies]
    median = statistics.median(lags)
    return [
        (f"last task ended -> healthy, median of {RUNS}", ms(median), "<= 100 ms", median <= 0.1),
        (f"last task ended -> healthy, worst of {RUNS}", ms(max(lags)), "", None),
        ("one health check, median", sec(statistics.median(r["duration_seconds"] for r in replies)), "", None),
    ]


def known_after(reply, ends):
    last = max(int(ends[task["task_id"]]) for task in reply["tasks"])
    return (nanoseconds(reply["healthy_at"]) - last) / 1e9


def nanoseconds(instant):
    """`2026-01-02T03:04:05.123456789Z` since the epoch; Python's own instants end at microseconds."""
    whole, _, fraction = instant.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
