"""Writes when each task of a play began and ended on each host, and what it replied, as one JSON file.

Ansible's own timing callbacks live in collections that this project does not need, and none of them keeps the replies,
in which our modules tell how long they held, waited and worked. scripts/benchmark/scenarios.py reads the file.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader

DOCUMENTATION = """
name: bench_times
type: aggregate
short_description: write the times and replies of a play's tasks
description:
  - Writes to the file that the environment variable PULP_BROKER_BENCH_TIMES names; without it, does nothing.
  - Where PULP_BROKER_BENCH_ACTIONS names a folder of actions, they come before those beside the playbook.
"""


KIND = ("state", "hold", "connected", "wait_for")


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
        if folder := os.environ.get("PULP_BROKER_BENCH_ACTIONS"):
            # Before any task: tasks run in processes that know what is known here.
            action_loader._extra_dirs.insert(0, folder)
            action_loader._clear_caches()

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
        host, task, given = result.host.get_name(), result.task, result.task_fields.get("args", {})
        self.tasks.append(
            {
                "host": host,
                "task": task.get_name(),
                "action": task.action,
                # What tells calls of a module apart (benchmark/replies/).
                "kind": [str(given.get(key)) if key == "state" else key in given for key in KIND],
                "outcome": outcome,
                "began": self.running.pop((host, task._uuid), ended),
                "ended": ended,
                "reply": {key: value for key, value in result.result.items() if key != "invocation"},
            }
        )

    def v2_playbook_on_stats(self, stats):
        with open(self.file, "w", encoding="utf-8") as times:
            json.dump({"began": self.began, "ended": time.time(), "tasks": self.tasks}, times, default=str)
