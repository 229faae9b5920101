"""What the observer costs on a busy host. The lab gets as many units, processes and sockets as are promised; the observer is started as
the play does it and left alone for a while, in its busiest time: until two minutes after the broker's last change it expects new
connections. The kernel's accounts of its process, of its children and of PID 1, which answers them, are read before and after.
"""

import os
import re
import time
from collections import namedtuple

from table import mb, percent

UNITS = 20
PROCESSES = 200
SOCKETS = 5000
# Of these, connections to the broker beside those that Pulp has.
TO_BROKER = 20
SECONDS = 45

TICKS = os.sysconf("SC_CLK_TCK")

Accounts = namedtuple("Accounts", "uptime own children init")


def rows(lab):
    running = lab.running()
    try:
        ours = load(lab, UNITS - len(running))
        begun = begin(lab, running + ours)
        pid = begun["observer"]["pid"]
        before = accounts(lab, pid)
        time.sleep(SECONDS)
        after = accounts(lab, pid)
        memory = int(lab.sh(f"sed -n 's/^VmHWM:[^0-9]*//p' /proc/{pid}/status").split()[0]) * 1024
        seen = f"{len(begun['units'])} units, {processes(lab)} processes, {sockets(lab)} sockets"
    finally:
        unload(lab)
    own, children, init = (share(before, after, of) for of in ("own", "children", "init"))
    return [
        (f"observer and its children, {seen}: CPU of one core", percent(own + children), "<= 1.5 %", own + children <= 0.015),
        ("  the observer itself", percent(own), "", None),
        ("  its children", percent(children), "", None),
        ("  PID 1 in the same time, not counted above", percent(init), "", None),
        ("observer: peak memory", mb(memory), "<= 8 MB", memory <= 8e6),
    ]


def begin(lab, names):
    access = lab.pulp("pulp_url", "ca_path")
    return lab.module("pulp_watch", state="present", name=names, run_id="bench-load", deadline=300, **access)


def load(lab, units):
    """Units of sleepers and one that holds the sockets; their names."""
    names = [f"bench-sleepers-{number}" for number in range(units - 1)]
    missing = PROCESSES - processes(lab) - 1
    for number, name in enumerate(names):
        # The shell that waits for its sleepers is one, too.
        sleepers = (missing * (number + 1)) // len(names) - (missing * number) // len(names) - 1
        start(lab, name, f"sh -c '{'sleep 1d & ' * sleepers}wait'")
    # Both ends of a connection are sockets of this host.
    pairs = (SOCKETS - sockets(lab)) // 2 - TO_BROKER
    properties = "--property=Type=notify --property=LimitNOFILE=16384"
    start(lab, "bench-sockets", f"/usr/bin/python3 /run/bench-hold-sockets {pairs} {TO_BROKER}", properties)
    return [*names, "bench-sockets"]


def start(lab, name, command, properties=""):
    lab.sh(f"systemd-run --quiet --collect --unit={name} {properties} {command}")


def unload(lab):
    lab.module("pulp_watch", state="absent", run_id="bench-load")
    lab.sh("systemctl stop 'bench-*.service'")


def processes(lab):
    return int(lab.sh("ls -d /proc/[0-9]* | wc -l"))


def sockets(lab):
    """Those that are established."""
    return int(lab.sh("cat /proc/net/tcp /proc/net/tcp6 | grep -c ' 01 '"))


def accounts(lab, pid):
    uptime, observer, init = lab.sh(f"cat /proc/uptime /proc/{pid}/stat /proc/1/stat").splitlines()
    own, children = cpu(observer)
    return Accounts(float(uptime.split()[0]), own, children, sum(cpu(init)))


def cpu(stat):
    """CPU seconds of a process and of its children that it has waited for, from its line of `proc(5)`."""
    fields = [int(word) for word in re.sub(r".*\) . ", "", stat).split()]
    user, system, childrens_user, childrens_system = fields[10:14]
    return (user + system) / TICKS, (childrens_user + childrens_system) / TICKS


def share(before, after, of):
    return (getattr(after, of) - getattr(before, of)) / (after.uptime - before.uptime)
