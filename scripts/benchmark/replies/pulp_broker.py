"""Makes a call of ours as it is made, but with one parameter that it refuses, and answers what was recorded of the same call. Only the first
host has Pulp's API and its broker; all others have workers. Each file beside this one is a link to it: Ansible finds an action by its
module's name.
"""

import importlib.util
import json
import os

PLUGIN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../playbooks/action_plugins/pulp_broker.py")
spec = importlib.util.spec_from_file_location("pulp_broker_of_the_play", PLUGIN)
sent = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sent)

FIRST = "pulp00"
# What tells calls of a module apart.
TOLD_BY = ("state", "hold", "connected", "wait_for")


class ActionModule(sent.ActionModule):
    def run(self, tmp=None, task_vars=None):
        wanted = self._task.args
        self._task.args = wanted | {"bench": True}
        made = super().run(tmp, task_vars)
        if "bench" not in made.get("msg", ""):
            return made
        host = task_vars["inventory_hostname"]
        reply = answer(self._task.action, wanted, host)
        return reply | {"ansible_facts": reply.get("ansible_facts", {}) | made.get("ansible_facts", {})}


def answer(module, wanted, host):
    with open(os.environ["PULP_BROKER_BENCH_REPLIES"], encoding="utf-8") as file:
        recorded = json.load(file)
    kind = [str(wanted.get(key)) if key == "state" else key in wanted for key in TOLD_BY]
    found = [call["reply"] for call in recorded["calls"] if call["action"] == module and call["kind"] == kind]
    if not found:
        # Several hosts wait each for itself, which one does not.
        return {"changed": False, "msg": "recovered", "actors": []}
    reply = json.loads(json.dumps(found[0]).replace(recorded["host"], host))
    if host == FIRST:
        return reply
    if module == "pulp_broker":
        return {"changed": False, "role": "remote", "msg": "the broker is on another host"}
    if deployment := reply.get("ansible_facts", {}).get("pulp_deployment"):
        deployment["api"] = False
        deployment["actors"] = [actor for actor in deployment["actors"] if actor["role"] == "worker"]
        deployment["running"] = [name for name in deployment["running"] if "worker" in name]
        deployment["preflight"]["outage"] = {"role": "remote", "steps": [], "refusals": []}
    return reply
