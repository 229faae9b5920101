"""A running lab: commands inside it, our modules inside it, and Ansible against it."""

import json
import os
import shlex
import subprocess


class Lost(Exception):
    """Something could not be measured; the rest can."""


class Lab:
    def __init__(self, script, name, inventory):
        self.script = script
        self.name = name
        self.inventory = inventory

    def sh(self, script):
        return output([self.script, "exec", self.name, "sh", "-c", script])

    def module(self, name, /, **parameters):
        """The reply of a module of ours, started under the name and with the file that Ansible would give it."""
        self.arguments(name, **parameters)
        reply = json.loads(self.sh(f"/run/AnsiballZ_{name} /run/args || true"))
        self.sh("rm -f /run/args")
        if reply.get("failed"):
            raise Lost(f"failed to measure {name}: {reply['msg']}")
        return reply

    def arguments(self, module, /, **parameters):
        """Leaves them in the lab as Ansible would; some are secret."""
        ansibles = {"_ansible_module_name": module, "_ansible_keep_remote_files": True}
        self.sh(f"umask 077; echo {shlex.quote(json.dumps(parameters | ansibles))} > /run/args")

    def running(self):
        """Pulp's units whose main process runs, each worker's own included."""
        facts = self.module("pulp_facts", **self.pulp("pulp_url"))
        services = facts["ansible_facts"]["pulp_deployment"]["services"]
        return [service["name"] for service in services if service["running"] and not service["umbrella"]]

    def pulp(self, *wanted):
        """How Pulp is reached, as the play hands it to a module."""
        variables = json.loads(output(["ansible-inventory", "--inventory", self.inventory, "--host", self.name]))
        known = {
            "pulp_url": variables["pulp_broker_test_url"],
            "username": variables["pulp_broker_test_username"],
            "password": variables["pulp_broker_test_password"],
            "ca_path": variables["pulp_broker_test_ca_path"],
        }
        return {name: known[name] for name in wanted}

    def ansible(self, module, words, **environment):
        command = ["ansible", "--inventory", self.inventory, "pulp", "--module-name", module, "--args", words]
        return output(command, env=os.environ | environment)


def output(command, **how):
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=False, **how)
    if run.returncode != 0:
        raise Lost(f"failed to run `{' '.join(command)}`: exit {run.returncode}\n{run.stdout}")
    return run.stdout
