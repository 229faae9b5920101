"""Why this exists: when a Pulp 3 is ready. Its status lists a dead worker for 30 s more and a dead API process for 120 s, so a name counts
only if its process is the unit's of now."""

import os
import socket
import sys
import time

from pulp_lab import api, host


def wait(seconds):
    begun = time.monotonic()
    deadline = begun + float(seconds)
    while missing := lacks():
        if time.monotonic() > deadline:
            sys.exit(f"{os.uname().nodename}: not ready after {seconds} s: {missing}")
        time.sleep(0.2)
    print(f"{os.uname().nodename}: ready after {time.monotonic() - begun:.1f} s")


def lacks():
    """What is not there yet; the cheapest questions come first."""
    if not (said := _greeting(22, b"")).startswith(b"SSH-"):
        return f"sshd: {said.decode(errors='replace')}"
    if not (said := _greeting(6379, b"PING\r\n")).startswith(b"+PONG"):
        return f"redis-server: {said.decode(errors='replace')}"
    try:
        status = api.ask("status/", timeout=5)
    except (OSError, ValueError) as error:
        return f"status: {error}"
    missing = [unit for unit in host.PULP if host.show(unit, "UnitFileState") == "enabled" and not _is_online(unit, status)]
    return f"not online: {', '.join(missing)}" if missing else ""


def _greeting(port, say):
    try:
        with socket.create_connection(("localhost", port), timeout=2) as connection:
            connection.sendall(say)
            return connection.recv(16)
    except OSError as error:
        return str(error).encode()


def _is_online(unit, status):
    """A worker beats by its main process, the API and the content app by children of theirs."""
    kind = unit.partition(".")[0].partition("@")[0].removeprefix("pulpcore-")
    listed = status["online_workers"] if kind == "worker" else status[f"online_{kind}_apps"]
    pids = [int(actor["name"].partition("@")[0]) for actor in listed]
    main = host.main_pid(unit)
    return main != 0 and any(main in (pid, host.parent(pid)) for pid in pids)
