"""Ansible's normal way to run a module, which does something first where the test says so: it fails the task instead, or
runs a command on the controller. So a test reaches into the middle of the shipped playbook without changing it.

PULP_BROKER_TEST_HOOKS is a JSON list of {"task": "file.yml/Task's name", "host": name or null (any), "run": [command] or
null (fail), "unreachable": true (as if the connection were lost for this one task)}. pulp_services.py beside it is a link to this file: Ansible finds an action by the module's name."""

import json
import os
import subprocess

from ansible.plugins.action.normal import ActionModule as Normal


class ActionModule(Normal):
    def run(self, tmp=None, task_vars=None):
        for hook in json.loads(os.environ["PULP_BROKER_TEST_HOOKS"]):
            if not self._is_meant(hook, task_vars["inventory_hostname"]):
                continue
            if hook["unreachable"]:
                return {"unreachable": True, "msg": f"lost by the test: {hook['task']}"}
            if hook["run"] is None:
                return {"failed": True, "msg": f"failed by the test: {hook['task']}"}
            subprocess.run(hook["run"], check=True, capture_output=True, timeout=60)
        return super().run(tmp, task_vars)

    def _is_meant(self, hook, host):
        file = os.path.basename(self._task.get_path().rpartition(":")[0])
        return hook["task"] == f"{file}/{self._task.name}" and hook["host"] in (None, host)
