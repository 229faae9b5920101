"""One module, called as a person would: `ansible HOST -m MODULE`."""

import json
import os
import subprocess

from harness.lab import INVENTORY, PROJECT


def call(lab, module, fails=False, connection=(), **arguments):
    """Its reply. Whether it fails has to be as expected."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    own |= {"ANSIBLE_LIBRARY": str(PROJECT / "library"), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_NOCOLOR": "1"}
    command = ["ansible", lab.name, "--inventory", INVENTORY, "--module-name", module, "--args", json.dumps(arguments)]
    result = subprocess.run([*command, *connection], cwd="/", env=own, capture_output=True, text=True, timeout=180)
    status, _, reply = result.stdout.partition(" => ")
    if not reply:
        raise AssertionError(f"{module}: {result.stdout}{result.stderr}")
    if ("FAILED" in status) != fails:
        raise AssertionError(f"{module} {arguments}: {result.stdout}")
    return json.loads(reply)
