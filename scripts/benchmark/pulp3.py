"""The health check on an idle Pulp 3 against what Pulp itself says of it: how long its tasks ran, by its own stamps, and how long the other
requests took, by nginx's log. Looking at a task while it runs is no such request; the look that tells its end is one."""

import datetime
import statistics

from table import sec

RUNS = 5
LOG = "/var/log/nginx/times.log"


def rows(lab):
    access = lab.pulp("pulp_url", "username", "password", "ca_path")
    runs = [Run(lab, access) for _ in range(RUNS)]
    worst = max(runs, key=Run.beyond)
    median = statistics.median(run.wall for run in runs)
    return [
        (f"Pulp 3: one health check, median of {RUNS}", sec(median), "", None),
        ("Pulp 3: the same, the worst: in all", sec(worst.wall), f"<= {sec(worst.allowed())}", worst.beyond() <= 0),
        ("Pulp 3: the worst:   its tasks, as Pulp stamps them", sec(worst.tasks), "1.2 x", None),
        ("Pulp 3: the worst:   all other requests", sec(worst.requests), "", None),
    ]


class Run:
    def __init__(self, lab, access):
        lab.sh(f"truncate --size 0 {LOG}")
        reply = lab.module("pulp_health", **access)
        lines = [line.split() for line in lab.sh(f"cat {LOG}").splitlines()]
        self.wall = reply["duration_seconds"]
        self.tasks = sum(seconds(task["finished_at"]) - seconds(task["started_at"]) for task in reply["tasks"])
        # By task the last one stays.
        looks = {path: float(took) for _, took, method, path in lines if is_look(method, path)}
        self.requests = sum(looks.values()) + sum(float(took) for _, took, method, path in lines if not is_look(method, path))

    def allowed(self):
        return 1.2 * self.tasks + self.requests

    def beyond(self):
        return self.wall - self.allowed()


def is_look(method, path):
    """At one task, not at the list of them."""
    return method == "GET" and "/tasks/" in path and not path.endswith("/tasks/")


def seconds(instant):
    return datetime.datetime.fromisoformat(instant).timestamp()
