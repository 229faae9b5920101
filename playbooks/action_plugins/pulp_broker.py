"""Sends a managed host the build of our module that is for its architecture, and that one only. Each file beside this one is a
link to it: Ansible finds an action by its module's name.

library/ holds the modules for x86_64 and works without this file. Those for another architecture stand beside it, in
library-aarch64: Ansible takes what is below library/ for modules too. A host is asked once a play, and not at all where its
facts are known; it needs no Python for that."""

import os

from ansible.plugins.action.normal import ActionModule as Normal

IN_LIBRARY = "x86_64"
BESIDE_LIBRARY = ("aarch64",)

# Where a play keeps what a host has said.
FACT = "pulp_broker_machine"


class ActionModule(Normal):
    _machine = IN_LIBRARY

    def run(self, tmp=None, task_vars=None):
        # Facts are those of the inventory's host, not of one to which its task is delegated.
        own = not self._task.delegate_to
        known = own and (task_vars.get(FACT) or task_vars.get("ansible_facts", {}).get("architecture"))
        host = task_vars["inventory_hostname"] if own else self._task.delegate_to
        try:
            self._machine = str(known or self._ask(host))
            if self._machine not in (IN_LIBRARY, *BESIDE_LIBRARY):
                raise NoBuild(
                    f"failed to find a build of pulp_broker for `{host}`: expected {' or '.join((IN_LIBRARY, *BESIDE_LIBRARY))}, "
                    f"the host says `{self._machine}`; there is none for it: leave this host out"
                )
            result = super().run(tmp, task_vars)
        except NoBuild as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        if own and not known:
            result["ansible_facts"] = {**result.get("ansible_facts", {}), FACT: self._machine}
        return result

    def _ask(self, host):
        # Nobody has to become root for it.
        said = self._low_level_execute_command("uname -m", sudoable=False)
        # A log-in script may have spoken first.
        if said["rc"] == 0 and (words := said["stdout"].split()):
            return words[-1]
        told = said.get("stderr", "").strip() or said["stdout"].strip() or "no answer"
        raise NoBuild(f"failed to ask `{host}` for its architecture: `uname -m` exited with {said['rc']}: {told}; run it there by hand")

    def _configure_module(self, module_name, module_args, task_vars):
        *built, path = super()._configure_module(module_name, module_args, task_vars)
        # Ansible asks for what wraps an asynchronous task too, which is for any architecture.
        if self._machine != IN_LIBRARY and module_name == self._task.action:
            library, name = os.path.split(path)
            path = os.path.join(f"{os.path.realpath(library)}-{self._machine}", name)
            if not os.path.exists(path):
                raise NoBuild(f"failed to find `{path}`: only {IN_LIBRARY} is built; run `make build ARCH={self._machine}`")
        return (*built, path)


class NoBuild(Exception):
    """There is no module that could be sent to this host."""
