"""Why this exists: a Pulp that is known to be bad is the real one in a configuration that somebody has had. Each of these makes one;
heal.py undoes them all."""

import re
import sys
from pathlib import Path

from pulp_lab import host, ready

# The time that Pulp may take to be there again.
PATIENCE = 90
DATABASE_PORT, POOLER_PORT = 5432, 6432
POOLER = Path("/etc/pgbouncer/pgbouncer.ini")
# Whoever may connect to it here may be Pulp; each client has a session of its own, which Pulp's workers need.
POOLED = f"""[databases]
pulp = host=127.0.0.1 port={DATABASE_PORT} user=pulp password=Sesame-database-7f3a
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {POOLER_PORT}
unix_socket_dir =
auth_type = any
pool_mode = session
"""


def worker_type(kind):
    _one_of(kind, "pulpcore", "redis")
    set_and_restart("WORKER_TYPE", f'"{kind}"')


def cache(state):
    _one_of(state, "on", "off")
    set_and_restart("CACHE_ENABLED", str(state == "on"))


def set_and_restart(name, value):
    """One of Pulp's settings, as Python."""
    setting(name, value)
    host.systemctl("restart", *host.PULP)
    ready.wait(PATIENCE)


def setting(name, value):
    """In place, so that owner and mode of the file stay."""
    lines = host.SETTINGS.read_text(encoding="utf-8").splitlines()
    lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
    host.SETTINGS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pooler(state):
    """Every connection to the database goes through it, or none."""
    _one_of(state, "on", "off")
    if state == "on":
        POOLER.write_text(POOLED, encoding="ascii")
        host.systemctl("restart", host.POOLER)
    port(POOLER_PORT if state == "on" else DATABASE_PORT)
    host.systemctl("restart", *host.PULP)
    ready.wait(PATIENCE)


def port(number):
    text = host.SETTINGS.read_text(encoding="utf-8")
    host.SETTINGS.write_text(re.sub(r'"PORT": \d+', f'"PORT": {number}', text), encoding="utf-8")


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
