"""Why this exists: a Pulp that is known to be bad is the real one in a configuration that somebody has had. Each of these makes one;
heal.py undoes them all."""

import sys
from pathlib import Path

from pulp_lab import host, ready

SETTINGS = Path("/etc/pulp/settings.py")
# The time that Pulp may take to be there again.
PATIENCE = 90


def worker_type(kind):
    _one_of(kind, "pulpcore", "redis")
    set_and_restart("WORKER_TYPE", f'"{kind}"')


def cache(state):
    _one_of(state, "on", "off")
    set_and_restart("CACHE_ENABLED", str(state == "on"))


def set_and_restart(name, value):
    setting(name, value)
    host.systemctl("restart", *host.PULP)
    ready.wait(PATIENCE)


def setting(name, value):
    """In place, so that owner and mode of the file stay."""
    lines = SETTINGS.read_text(encoding="utf-8").splitlines()
    lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
    SETTINGS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def restart_policy(policy, *units):
    _one_of(policy, "always", "on-failure", "no")
    for unit in units or host.PULP:
        host.add_drop_in(host.unit(unit), "restart", f"Restart={policy}")
    host.systemctl("daemon-reload")


def disable(*units):
    if not units:
        sys.exit("pulp-lab disable: which units?")
    host.systemctl("disable", "--now", *units)


def password_changes():
    """Changed while nobody can connect: no connection of before survives, and none is made in between."""
    host.add_drop_in(host.DATABASE, "password", "ExecStartPre=/usr/lib/pulp-lab/change-password Sesame-changed-7f3a")
    host.systemctl("daemon-reload")


def _one_of(given, *allowed):
    if given not in allowed:
        sys.exit(f"pulp-lab: {given} is none of: {', '.join(allowed)}")
