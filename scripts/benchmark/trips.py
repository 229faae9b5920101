"""What it takes to reach a host: a call of ours that has nothing to do, Ansible's own ping, and a whole *reconnect* over a slow line, each
with the program that stays on the host and without (which is how it was before).
"""

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time

from lab import Lost, output
from line import RATE, ROUND_TRIP, Line
from table import mb, ms, sec

# A call is what these take more than those, a connection that is new each time and what is sent once left out.
FEW, MANY = 2, 14
RUNS = 5

UNIT = "httpd"
OURS = {"pulp_services": {"state": "started", "name": [UNIT]}}
PING = {"ansible.builtin.ping": {}}
PEER = {"ansible.builtin.systemd_service": {"name": UNIT, "state": "started"}}


def rows(lab, binary, plays):
    resident, ordinary = Calls(lab, OURS, resident=True), Calls(lab, OURS, resident=False)
    ping, pipelined = Calls(lab, PING), Calls(lab, PING, pipelining=True)
    peer = Calls(lab, PEER)
    # In turn, so that a busy minute is everybody's.
    for _ in range(RUNS):
        for calls in (resident, ordinary, ping, pipelined, peer):
            calls.run()
    executions = resident.executions()
    share = resident.on_host() / peer.on_host()
    size = os.path.getsize(binary)
    sent = bytes_of_a_run(lab, plays)
    found = [
        ("one call over ssh, ours: wall", ms(resident.wall()), "", None),
        ("one call over ssh, ours, sent each time", ms(ordinary.wall()), "", None),
        ("one call over ssh, ping", ms(ping.wall()), "", None),
        ("one call over ssh, ping with pipelining", ms(pipelined.wall()), "", None),
        against("one call over ssh, ours against ping", resident.wall(), ping.wall(), 0.35),
        against("one call over ssh, ours against ping with pipelining", resident.wall(), pipelined.wall(), 1.1),
        ("ssh executions a call, ours", f"{executions:.1f}", "<= 1", executions <= 1),
        ("ssh executions a call, ours, sent each time", f"{ordinary.executions():.1f}", "", None),
        ("CPU on the host for one call, ours", ms(resident.on_host()), "", None),
        ("CPU on the host for one call, systemd_service", ms(peer.on_host()), "", None),
        ("CPU on the host for one call, ours against systemd_service", f"{share:.2f} x", "<= 0.12 x", share <= 0.12),
    ]
    for way, carried in sent.items():
        promise = ("<= 1.1 x the program", carried <= 1.1 * size) if way == "ours" else ("", None)
        found.append((f"bytes sent to the host in one reconnect, {way}", f"{mb(carried)} = {carried / size:.2f} x", *promise))
    return found + over_a_line(lab, plays)


def against(what, mine, theirs, limit):
    return (what, f"{mine / theirs:.2f} x", f"<= {limit} x", mine <= limit * theirs)


class Calls:
    """A task some times in one play, over a connection that is new with each play."""

    def __init__(self, lab, task, resident=None, pipelining=False):
        self.lab = lab
        self.task = task
        # Of the inventory's, which may deny it a Python.
        self.variables = {"ansible_python_interpreter": "/usr/bin/python3"} | ({} if resident is None else {"pulp_broker_test_resident": resident})
        self.pipelining = pipelining
        self.measured = []

    def run(self):
        few, many = self.play(FEW), self.play(MANY)
        self.measured.append([(more - less) / (MANY - FEW) for less, more in zip(few, many, strict=True)])

    def wall(self):
        return self.median(0)

    def executions(self):
        return self.median(1)

    def on_host(self):
        return self.median(2)

    def median(self, what):
        return statistics.median(run[what] for run in self.measured)

    def play(self, times):
        """Seconds on the clock, programs started to reach the host, and CPU seconds of the host's sshd and all below it."""
        play = [{"hosts": "pulp", "gather_facts": False, "tasks": [{"name": f"Call {number}", **self.task} for number in range(times)]}]
        with tempfile.TemporaryDirectory(prefix="bench-trips-") as folder:
            book = write(folder, "play.yml", json.dumps(play))
            count = os.path.join(folder, "count")
            # A connection ends when nobody needs it any more, and only then its sshd has accounted for it.
            own = {
                "ANSIBLE_LIBRARY": os.path.abspath("library"),
                "ANSIBLE_ACTION_PLUGINS": os.path.abspath("playbooks/action_plugins"),
                "ANSIBLE_SSH_EXECUTABLE": counting(folder, "ssh", count),
                "ANSIBLE_SFTP_EXECUTABLE": counting(folder, "sftp", count),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": folder,
                "ANSIBLE_PIPELINING": str(self.pipelining),
            }
            before = self.sshd()
            begun = time.monotonic()
            output(["ansible-playbook", "-i", self.lab.inventory, book, "-e", json.dumps(self.variables)], env=os.environ | own)
            wall = time.monotonic() - begun
            hang_up(folder)
            with open(count, encoding="utf-8") as lines:
                started = len(lines.readlines())
            return wall, started, self.sshd() - before

    def sshd(self):
        """What its listener and all that has ended below it have used so far."""
        for _ in range(50):
            pids = self.lab.sh("pgrep -x sshd | wc -l").strip()
            if pids == "1":
                break
            time.sleep(0.1)
        fields = self.lab.sh("cat /proc/$(pgrep -o -x sshd)/stat").rpartition(") ")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def counting(folder, program, count):
    """A program in its place, which leaves a line each time."""
    path = write(folder, program, f'#!/bin/sh\n[ "$1" = -O ] || echo {program} >>{count}\nexec {program} "$@"\n')
    os.chmod(path, 0o755)
    return path


def hang_up(folder):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name not in ("ssh", "sftp", "count") and not name.endswith(".yml"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "nobody"], stderr=subprocess.DEVNULL, check=False)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def bytes_of_a_run(lab, plays):
    """What the lab's network card received meanwhile: nobody else speaks to it."""
    counter = "cat /sys/class/net/eth0/statistics/rx_bytes"
    sent = {}
    for way, resident in (("ours", True), ("sent each time", False)):
        before = int(lab.sh(counter))
        seconds(plays, {"pulp_broker_test_resident": resident})
        sent[way] = int(lab.sh(counter)) - before
    return sent


def seconds(plays, variables):
    """Of a whole *reconnect*, beyond its hold."""
    plays.lab.sh("pulp-lab wait 120")
    begun = time.monotonic()
    play, said = plays.run("reconnect", "-e", json.dumps({"pulp_broker_test_reconnect_hold": 5} | variables))
    if not play:
        raise Lost(f"failed to measure a reconnect with {variables}: its play did not pass\n{said}")
    return time.monotonic() - begun - 5


def over_a_line(lab, plays):
    address = json.loads(output(["ansible-inventory", "--inventory", lab.inventory, "--host", lab.name]))["ansible_host"]
    took = {}
    for way, resident in (("ours", True), ("sent each time", False)):
        with contextlib.ExitStack() as stack:
            line = stack.enter_context(Line(address))
            # Another door is another host for who keeps keys.
            door = {"ansible_host": "127.0.0.1", "ansible_port": line.port, "ansible_host_key_checking": False}
            took[way] = seconds(plays, door | {"pulp_broker_test_resident": resident})
    slow = f"over a line of {ROUND_TRIP * 1e3:.0f} ms and {RATE * 8 / 1e6:.0f} Mbit/s"
    return [
        (f"reconnect beyond its hold, {slow}, ours", sec(took["ours"]), "", None),
        (f"reconnect beyond its hold, {slow}, sent each time", sec(took["sent each time"]), "", None),
        against(f"reconnect beyond its hold, {slow}, against what it was", took["ours"], took["sent each time"], 0.4),
    ]
