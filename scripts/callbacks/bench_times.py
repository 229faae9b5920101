"""Writes when each task of a play began and ended on each host, and what it replied, as one JSON file.

Ansible's own timing callbacks live in collections that this project does not need, and none of them keeps the replies,
in which our modules tell how long they held, waited and worked. scripts/benchmark/scenarios.py reads the file.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: bench_times
type: aggregate
short_description: write the times and replies of a play's tasks
description:
  - Writes to the file that the environment variable PULP_BROKER_BENCH_TIMES names; without it, does nothing.
"""


class CallbackModule(CallbackBase):
    """One record for each task and host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.file = os.environ.get("PULP_BROKER_BENCH_TIMES")
        self.disabled = not self.file
        self.began = time.time()
        self.running = {}
        self.tasks = []

    def v2_runner_on_start(self, host, task):
        self.running[host.get_name(), task._uuid] = time.time()

    def v2_runner_on_ok(self, result):
        self.record(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self.record(result, "unreachable")

    def record(self, result, outcome):
        ended = time.time()
        host, task = result.host.get_name(), result.task
        self.tasks.append(
            {
                "host": host,
                "task": task.get_name(),
                "action": task.action,
                "outcome": outcome,
                "began": self.running.pop((host, task._uuid), ended),
                "ended": ended,
                "reply": {key: value for key, value in result.result.items() if key != "invocation"},
            }
        )

    def v2_playbook_on_stats(self, stats):
        with open(self.file, "w", encoding="utf-8") as times:
            json.dump({"began": self.began, "ended": time.time(), "tasks": self.tasks}, times, default=str)
