"""Writes one JSON line for each task and host as it happens, so that a test can wait for a moment in a running play, and
afterwards ask what ran where. Ansible's own output is for people."""

import json
import os

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader

DOCUMENTATION = """
name: record_tasks
type: aggregate
short_description: write what happens, as it happens, as JSON lines
description:
  - Appends to the file that the environment variable PULP_BROKER_TEST_RECORD names.
  - Where PULP_BROKER_TEST_ACTIONS names a folder of actions, they come before those beside the playbook, which Ansible's own
    setting does not do.
"""


def _of(result, name):
    """Releases before 2.19 have only a private name for it."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_tasks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        if folder := os.environ.get("PULP_BROKER_TEST_ACTIONS"):
            # Before any task: tasks run in processes that know what is known here.
            action_loader._extra_dirs.insert(0, folder)
            action_loader._clear_caches()

    def v2_runner_on_start(self, host, task):
        self._write(host, task, "began", {})

    def v2_runner_on_ok(self, result):
        # All that a verdict is made of, so that it can be judged again.
        given = _of(result, "task_fields")["args"].get("results") if _of(result, "task").action == "pulp_report" else None
        self._came(result, "ok", **({"given": given} if given else {}))

    def v2_runner_on_skipped(self, result):
        self._came(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._came(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._came(result, "unreachable")

    def _came(self, result, outcome, **more):
        self._write(_of(result, "host"), _of(result, "task"), outcome, _of(result, "result"), **more)

    def _write(self, host, task, outcome, reply, **more):
        file = os.path.basename(task.get_path().rpartition(":")[0])
        line = {
            "host": host.get_name(),
            "task": f"{file}/{task.name}",
            "outcome": outcome,
            "reply": {key: value for key, value in reply.items() if key != "invocation"},
            **more,
        }
        with open(os.environ["PULP_BROKER_TEST_RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")
