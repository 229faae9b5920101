"""From the instant at which the health check's last task had really ended, by the lab's own stamp, to our `healthy`; and what one health
check takes beside Pulp's own tasks: the time from our request to the end of the task, by the same stamps.
"""

import datetime
import statistics

from scenarios import TASKS
from table import ms, sec

RUNS = 10


def rows(lab):
    access = lab.pulp("pulp_url", "username", "password", "ca_path")
    replies = [lab.module("pulp_health", **access) for _ in range(RUNS)]
    ends = dict(line.split() for line in lab.sh("cat /var/lib/pulp/lab/task-ends").splitlines())
    lags = [known_after(reply, ends) for reply in replies]
    median = statistics.median(lags)
    took = statistics.median(reply["duration_seconds"] for reply in replies)
    tasks = statistics.median(pulps_own(reply, ends) for reply in replies)
    most = 1.2 * tasks + 0.3
    return [
        (f"last task ended -> healthy, median of {RUNS}", ms(median), "<= 100 ms", median <= 0.1),
        (f"last task ended -> healthy, worst of {RUNS}", ms(max(lags)), "", None),
        (f"one health check, median of {RUNS}", sec(took), f"<= {sec(most)}, 1.2 x Pulp's tasks + 0.3 s", took <= most),
        (f"  Pulp's own tasks of it, median of {RUNS}", sec(tasks), "", None),
    ]


def known_after(reply, ends):
    last = max(int(ends[task["task_id"]]) for task in reply["tasks"])
    return (nanoseconds(reply["healthy_at"]) - last) / 1e9


def pulps_own(reply, ends):
    """The steps that wait for a task, but for how late we knew of its end."""
    waited = sum(step["duration_seconds"] for step in reply["steps"] if step["name"] in TASKS)
    late = sum((nanoseconds(task["known_at"]) - int(ends[task["task_id"]])) / 1e9 for task in reply["tasks"])
    return waited - late


def nanoseconds(instant):
    """`2026-01-02T03:04:05.123456789Z` since the epoch; Python's own instants end at microseconds."""
    whole, _, fraction = instant.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC).timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
