"""A health check that finds everything well and asks nobody, for tests that are about something else and are in a hurry."""

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        told = {"workers": [], "tasks_of_others": [], "lines": [], "refusals": [], "steps": []}
        return {"changed": False, "healthy": True, "msg": "not asked: this test is in a hurry", **told}
