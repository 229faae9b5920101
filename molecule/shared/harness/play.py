"""A play as a process of its own, as a user starts it: it may fail, and it may be killed."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness.lab import INVENTORY, PROJECT, SHARED, until

PLAYBOOKS = PROJECT / "playbooks"

# How a user who sees nothing happen would end it.
LIMIT = 300


class Play:
    """Starts at once; `wait` ends it. Everything it prints and does is kept for the judging."""

    def __init__(self, playbook=PLAYBOOKS / "broker_test.yml", *options, variables=None, hooks=None, inventory=INVENTORY, cwd="/", environment=None, program=("ansible-playbook",)):
        self.folder = Path(tempfile.mkdtemp(prefix="pulp-broker-test-"))
        self.record = self.folder / "record"
        self.printed = self.folder / "printed"
        command = [*program, "--inventory", inventory, playbook, *options]
        self.reports = self.folder / "reports"
        command += ["--extra-vars", json.dumps({"pulp_broker_test_report_dir": str(self.reports)} | (variables or {}))]
        with open(self.printed, "wb") as printed:
            # A session of its own, so that a Ctrl-C reaches this play and its children, and nobody else.
            self.process = subprocess.Popen(
                command, cwd=cwd, env=self._environment(hooks) | (environment or {}), stdin=subprocess.DEVNULL, stdout=printed,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _environment(self, hooks):
        # Nothing of molecule's own settings: a user has none.
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
        own |= {
            "ANSIBLE_CALLBACK_PLUGINS": str(SHARED / "plugins" / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_tasks",
            "ANSIBLE_NOCOLOR": "1",
            "PULP_BROKER_TEST_RECORD": str(self.record),
        }
        if hooks:
            own["PULP_BROKER_TEST_ACTIONS"] = str(SHARED / "plugins" / "action")
            own["PULP_BROKER_TEST_HOOKS"] = json.dumps(hooks)
        return own

    def wait(self, limit=LIMIT):
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            raise AssertionError(f"the play did not end within {limit} s:\n{self.text()}") from None
        return self

    def kill(self, number, group=False):
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(60)

    def wait_for(self, task, host):
        """Until the task has begun there."""
        try:
            until(f"{task} to begin on {host}", lambda: self.outcomes(task).get(host) or self._ended(task), LIMIT)
        except AssertionError as error:
            if self.process.poll() is not None:
                raise
            raise AssertionError(f"{error}; the play is at:\n{self.text()}") from None

    def _ended(self, task):
        if self.process.poll() is not None:
            raise AssertionError(f"the play ended before {task}:\n{self.text()}")

    def events(self):
        try:
            # The last line may be half written.
            whole = self.record.read_text(encoding="utf-8").rpartition("\n")[0]
            return [json.loads(line) for line in whole.splitlines()]
        except FileNotFoundError:
            return []

    def outcomes(self, task):
        """What came of the task on each host: began, ok, skipped, failed, ignored or unreachable."""
        return {event["host"]: event["outcome"] for event in self.events() if event["task"] == task}

    def reply(self, task, host):
        """The task's last reply there."""
        return [e["reply"] for e in self.events() if (e["task"], e["host"]) == (task, host)][-1]

    def causes(self):
        """Why the play failed, by host."""
        return {e["host"]: e["reply"].get("msg", "") for e in self.events() if e["outcome"] == "failed"}

    def text(self):
        """The end of what it printed."""
        return "\n".join(self.printed.read_text(encoding="utf-8", errors="replace").splitlines()[-50:])

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def hook(task, host=None, run=None, unreachable=False):
    """See plugins/action/pulp_broker.py."""
    return {"task": task, "host": host, "run": run and [str(word) for word in run], "unreachable": unreachable}
