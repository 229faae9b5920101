"""One module, called as a person would: `ansible HOST -m MODULE`."""

import json
import os
import subprocess

from harness.lab import INVENTORY, PROJECT, password, variables


def connection(**other):
    """How the lab's Pulp is reached, with something wrong in it."""
    given = variables()
    right = {
        "pulp_url": given["pulp_broker_test_url"],
        "username": "admin",
        "password": password(),
        "ca_path": given["pulp_broker_test_ca_path"],
    }
    return {key: value for key, value in (right | other).items() if value is not None}


class Call:
    """Begins at once; `reply` ends it."""

    def __init__(self, lab, module, connection=(), **arguments):
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
        own |= {"ANSIBLE_LIBRARY": str(PROJECT / "library"), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_NOCOLOR": "1"}
        self.what = f"{module} {arguments}"
        command = ["ansible", lab.name, "--inventory", INVENTORY, "--module-name", module, "--args", json.dumps(arguments) if arguments else ""]
        self.process = subprocess.Popen(
            [*command, *connection], cwd="/", env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def reply(self, fails=False):
        """Whether it fails has to be as expected."""
        try:
            printed, errors = self.process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            self.end()
            raise
        status, _, reply = printed.partition(" => ")
        if not reply:
            raise AssertionError(f"{self.what}: {printed}{errors}")
        if ("FAILED" in status) != fails:
            raise AssertionError(f"{self.what}: {printed}")
        return json.loads(reply)

    def end(self):
        """Whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.process.communicate()


def call(lab, module, fails=False, connection=(), **arguments):
    """Its reply."""
    return Call(lab, module, connection, **arguments).reply(fails)
