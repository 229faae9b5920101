"""What many hosts cost Ansible. The play *reconnect* once for real, and then again for 1 and for 16 hosts, each call as it is made, of the
program that stays on the host, but with nothing to do there: what it is answered was recorded (replies/). So what is left is Ansible and
the way to the host. All hosts are one lab. Beside it as many calls of Ansible's own ping.
"""

import json
import os
import subprocess
import tempfile
import time

from lab import Lost, output
from scenarios import MODULES
from table import sec
from trips import hang_up, write

HOSTS = 16
RUNS = 3


def rows(lab, plays):
    lab.sh("pulp-lab wait 120")
    play, said = plays.run("reconnect", "-e", "pulp_broker_test_reconnect_hold=5")
    if not play:
        raise Lost(f"failed to record a reconnect: its play did not pass\n{said}")
    calls = [task for task in play["tasks"] if task["action"] in MODULES]
    ping = [{"hosts": "pulp", "gather_facts": False, "tasks": [{"name": f"Ping {number}", "ansible.builtin.ping": {}} for number in range(len(calls))]}]
    # So many connect at once.
    lab.sh("echo 'MaxStartups 100' >/etc/ssh/sshd_config.d/bench.conf && systemctl reload ssh")
    try:
        took = {what: {} for what in ("ours", "ping", "ping with pipelining")}
        for count in (1, HOSTS):
            for what, seconds in took.items():
                seconds[count] = min(run(lab, what, count, calls, ping) for _ in range(RUNS))
    finally:
        lab.sh("rm /etc/ssh/sshd_config.d/bench.conf && systemctl reload ssh")
    added = {what: (seconds[HOSTS] - seconds[1]) / (HOSTS - 1) for what, seconds in took.items()}
    found = [(f"reconnect without its work, {count} hosts: wall", sec(took["ours"][count]), "", None) for count in (1, HOSTS)]
    for what, seconds in added.items():
        limits = ("<= 1.2 x ping", seconds <= 1.2 * added["ping"]) if what == "ours" else ("", None)
        found.append((f"each host more, from 1 to {HOSTS}: {what}", sec(seconds), *limits))
    return found


def run(lab, what, count, calls, ping):
    variables = json.loads(output(["ansible-inventory", "--inventory", lab.inventory, "--host", lab.name]))
    with tempfile.TemporaryDirectory(prefix="bench-hosts-") as folder:
        # A connection of its own for each.
        hosts = {f"pulp{number:02}": {"ansible_control_path": f"{folder}/{number}"} for number in range(count)}
        inventory = write(folder, "hosts.json", json.dumps({"pulp": {"hosts": hosts, "vars": variables}}))
        book = write(folder, "ping.yml", json.dumps(ping)) if what.startswith("ping") else "playbooks/broker_reconnect.yml"
        own = {
            "ANSIBLE_FORKS": str(HOSTS),
            "ANSIBLE_PIPELINING": str("pipelining" in what),
            "ANSIBLE_CALLBACK_PLUGINS": "scripts/callbacks",
            "ANSIBLE_CALLBACKS_ENABLED": "bench_times",
            "PULP_BROKER_BENCH_TIMES": os.path.join(folder, "times.json"),
            "PULP_BROKER_BENCH_ACTIONS": os.path.abspath("scripts/benchmark/replies"),
            "PULP_BROKER_BENCH_REPLIES": write(folder, "replies.json", json.dumps({"host": lab.name, "calls": calls})),
        }
        given = {"pulp_broker_test_report_dir": folder, "ansible_python_interpreter": "/usr/bin/python3"}
        begun = time.monotonic()
        done = subprocess.run(
            ["ansible-playbook", "-i", inventory, book, "-e", json.dumps(given)], env=os.environ | own, text=True, timeout=600, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wall = time.monotonic() - begun
        hang_up(folder)
        if done.returncode != 0:
            raise Lost(f"failed to measure {what} on {count} hosts\n{done.stdout[-3000:]}")
        return wall
