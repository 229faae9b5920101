"""Sends a managed host the build of our module that is for its architecture, and that one only. Each file beside this one is a
link to it: Ansible finds an action by its module's name.

library/ holds the modules for x86_64 and works without this file. Those for another architecture stand beside it, in
library-aarch64: Ansible takes what is below library/ for modules too. A host is asked once a play, and not at all where its
facts are known; it needs no Python for that.

Where the play wishes it (pulp_broker_test_resident) the program is sent once and stays on the host for the run, in a folder of
root's; each call is then one command, with the parameters on its standard input. Where that does not work, for whatever
reason, the call goes Ansible's ordinary way."""

import dataclasses
import hashlib
import json
import os
import secrets
import shlex

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as Normal
from ansible.utils.display import Display

IN_LIBRARY = "x86_64"
BESIDE_LIBRARY = ("aarch64",)
MODULES = ("pulp_broker", "pulp_facts", "pulp_health", "pulp_report", "pulp_services", "pulp_watch")

# The role of our play, and the key by which a module knows that it calls: its messages name the play's variables then.
ROLE = "pulp_broker_test"
PLAY = "_ansible_pulp_broker_play"

# Where a play keeps what a host has said, and that the program cannot stay there: by its own process, because facts may be kept for days.
FACT = "pulp_broker_machine"
ORDINARY = "pulp_broker_ordinary"

# Where the program stays: below the first of these where programs may be started. Their parents are root's or sticky, so nobody else can
# exchange it. The role's last task and the undo take it away.
PLACES = "/run /var/lib /var/tmp"
FOLDER = "pulp_broker_program"

# Starts the program, once its content is what was sent. It says so on the standard error right before: until then a call may be
# repeated, from then on never.
START = """\
s=; case $(uname -m) in {checksums} esac; c=absent;
if [ -n "$s" ] && [ "$(id -u)" = 0 ]; then for d in {places}; do f=$d/{folder}; p=$f/$s/AnsiballZ_{module};
if [ -O "$f" ] && [ ! -L "$f" ] && [ -f "$p" ]; then
if echo "$s  $p" | sha256sum -c >/dev/null 2>&1; then echo {mark} started >&2; exec "$p" /dev/stdin; fi; c=changed; fi; done; fi;
echo {mark} $c $(uname -m) $(id -u) >&2; exit 83"""

# Copied, not moved: whoever sent it may hold it open. One that another run has sent is exchanged in one step.
KEEP = """\
umask 077; for d in {places}; do f=$d/{folder}; mkdir "$f" 2>/dev/null;
if [ -d "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] && chmod 0700 "$f"; then n=$f/new.$$; p=$n/program; ok=;
if mkdir "$n" && cp {sent} "$p" && chmod 0700 "$p" && echo "{checksum}  $p" | sha256sum -c >/dev/null 2>&1 && "$p" --version >/dev/null 2>&1;
then ok=1; for m in {modules}; do ln "$p" "$n/AnsiballZ_$m" || ok=; done; fi;
if [ -n "$ok" ]; then for o in "$f"/*; do case $o in "$f"/new.*) ;; *) rm -rf "$o" ;; esac; done; mv "$n" "$f/{checksum}" && exit 0; fi;
rm -rf "$n"; rmdir "$f" 2>/dev/null; fi; done; exit 84"""

display = Display()


class ActionModule(Normal):
    _machine = IN_LIBRARY
    # The parameters of a call of the program that stays.
    _stays = False
    _parameters = None

    def run(self, tmp=None, task_vars=None):
        # Facts are those of the inventory's host, not of one to which its task is delegated.
        own = not self._task.delegate_to
        self._host = task_vars["inventory_hostname"] if own else self._task.delegate_to
        learned = {}
        try:
            self._stays = self._may_stay(task_vars)
            if self._stays:
                try:
                    return super().run(tmp, task_vars)
                except Ordinary as why:
                    display.vv(f"pulp_broker: {why}; this call goes the ordinary way", host=self._host)
                    self._stays = False
                    learned[ORDINARY] = os.getppid()
            known = own and (task_vars.get(FACT) or task_vars.get("ansible_facts", {}).get("architecture"))
            self._machine = self._built_for(known or self._ask())
            result = super().run(tmp, task_vars)
        except NoBuild as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        if not known:
            learned[FACT] = self._machine
        if own and learned:
            result["ansible_facts"] = {**result.get("ansible_facts", {}), **learned}
        return result

    def _ask(self):
        # Nobody has to become root for it.
        said = self._low_level_execute_command("uname -m", sudoable=False)
        # A log-in script may have spoken first.
        if said["rc"] == 0 and (words := said["stdout"].split()):
            return words[-1]
        told = said.get("stderr", "").strip() or said["stdout"].strip() or "no answer"
        raise NoBuild(f"failed to ask `{self._host}` for its architecture: `uname -m` exited with {said['rc']}: {told}; run it there by hand")

    def _built_for(self, machine):
        if machine not in (IN_LIBRARY, *BESIDE_LIBRARY):
            raise NoBuild(
                f"failed to find a build of pulp_broker for `{self._host}`: expected {' or '.join((IN_LIBRARY, *BESIDE_LIBRARY))}, "
                f"the host says `{machine}`; there is none for it: leave this host out"
            )
        return str(machine)

    def _may_stay(self, task_vars):
        become = self._connection.become
        return (
            boolean(self._templar.template(task_vars.get("pulp_broker_test_resident", False)), strict=False)
            and task_vars.get("ansible_facts", {}).get(ORDINARY) != os.getppid()
            and not self._task.async_val
            and not C.DEFAULT_KEEP_REMOTE_FILES
            # It is told what is on the standard input, and nothing of a terminal.
            and self._connection.has_pipelining
            and not (become and (become.require_tty or become.name.rpartition(".")[2] == "su"))
        )

    def _configure_module(self, module_name, module_args, task_vars):
        *built, path = super()._configure_module(module_name, module_args, task_vars)
        if module_name != self._task.action:
            # Ansible asks for what wraps an asynchronous task too, which is for any architecture.
            return (*built, path)
        self._library = path
        if self._task._role and self._task._role.get_name(include_role_fqcn=False) == ROLE:
            module_args[PLAY] = True
        if self._stays:
            # As Ansible itself handles what it can send with the command.
            self._parameters = encoded(module_args, *built)
            if len(built) == 1:
                built = [dataclasses.replace(built[0], module_style="new", shebang="#!/bin/sh", b_module_data=self._parameters)]
            else:
                built = ["new", "#!/bin/sh", self._parameters]
            return (*built, path)
        if self._machine != IN_LIBRARY:
            path = self._build(self._machine)
            if not os.path.exists(path):
                raise NoBuild(f"failed to find `{path}`: only {IN_LIBRARY} is built; run `make build ARCH={self._machine}`")
        return (*built, path)

    def _build(self, machine):
        library, name = os.path.split(self._library)
        return self._library if machine == IN_LIBRARY else os.path.join(f"{os.path.realpath(library)}-{machine}", name)

    def _is_pipelining_enabled(self, module_style, wrap_async=False):
        return self._stays or super()._is_pipelining_enabled(module_style, wrap_async)

    def _low_level_execute_command(self, cmd, *args, in_data=None, **kwargs):
        if self._parameters is None or in_data is not self._parameters:
            return super()._low_level_execute_command(cmd, *args, in_data=in_data, **kwargs)
        checksums = {machine: checksum(self._build(machine)) for machine in (IN_LIBRARY, *BESIDE_LIBRARY)}
        said = self._start(checksums)
        if said["rc"] == 83:
            self._send(*said["refused"], checksums)
            said = self._start(checksums)
        if said["rc"] == 83 or not said["is_started"]:
            raise Ordinary(f"the program that stays could not be started: {said['rc']}, {said.get('stderr', '').strip()}")
        return said

    def _start(self, checksums):
        """What it said; `refused` tells in which state it was found, and the host's machine and user."""
        mark = f"pulp_broker-{secrets.token_hex(4)}:"
        cases = " ".join(f"{machine}) s={value};;" for machine, value in checksums.items() if value)
        module = os.path.basename(self._library)
        command = START.replace("\n", " ").format(checksums=cases, places=PLACES, folder=FOLDER, module=module, mark=mark)
        environment = self._compute_environment_string()
        said = super()._low_level_execute_command(
            f"{environment} /bin/sh -c {shlex.quote(command)}".strip(), sudoable=True, in_data=self._parameters
        )
        lines = (said.get("stderr", "") or "").splitlines()
        # A connection that makes one of both outputs must not have a program started twice.
        both = [*lines, *said["stdout"].splitlines()]
        marked = [line.partition(mark)[2].split() for line in both if mark in line]
        # Where the shell could not start it after all, it has done nothing.
        said["is_started"] = ["started"] in marked and not (said["rc"] in (126, 127) and "{" not in said["stdout"])
        said["refused"] = next((words for words in marked if len(words) == 3), ("unknown", "", ""))
        # The program's empty lines only tell it that somebody listens.
        said["stderr"] = "\n".join(line for line in lines if line.strip() and mark not in line)
        return said

    def _send(self, state, machine, user, checksums):
        if user != "0":
            raise Ordinary(f"user {user or '?'} is not root")
        self._built_for(machine)
        if not checksums[machine]:
            raise Ordinary(f"there is no build for {machine}")
        if state == "changed":
            display.warning(f"pulp_broker: the program on `{self._host}` is not the one that was sent there; it was not started, and is sent anew")
        folder = self._make_tmp_path()
        try:
            sent = self._connection._shell.join_path(folder, "program")
            self._transfer_file(self._build(machine), sent)
            command = KEEP.replace("\n", " ").format(
                places=PLACES, folder=FOLDER, sent=shlex.quote(sent), checksum=checksums[machine], modules=" ".join(MODULES)
            )
            kept = super()._low_level_execute_command(f"/bin/sh -c {shlex.quote(command)}", sudoable=True)
        finally:
            self._remove_tmp_path(folder)
        if kept["rc"] != 0:
            raise Ordinary(f"the program cannot stay below any of {PLACES}: {kept['rc']}, {kept.get('stderr', '').strip()}")


def encoded(module_args, built, *_):
    """As Ansible writes the parameters of a binary module."""
    try:
        from ansible.module_utils.common.json import Direction, get_module_encoder
    except ImportError:
        return json.dumps(module_args).encode()
    return json.dumps(module_args, cls=get_module_encoder(built.serialization_profile, Direction.CONTROLLER_TO_MODULE)).encode()


def checksum(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


class NoBuild(Exception):
    """There is no module that could be sent to this host."""


class Ordinary(Exception):
    """This call has to go Ansible's ordinary way; nothing was started."""
