"""Where the time of the shipped scenarios goes, beside what a plain script takes for the same outage in the same run (plain.py). It is told
apart by what the replies of the tasks say: how long the module worked, and on what. The rest of the wall time is Ansible's.
"""

import json
import os
import subprocess
import time

from plain import Plain
from table import sec

# Those that run on a host; what else is ours runs on the controller.
MODULES = ("pulp_broker", "pulp_facts", "pulp_health", "pulp_report", "pulp_services", "pulp_watch")

# For how many seconds the broker is away at the least, as the shipped scenarios and the plain script have it.
HOLDS = {"connect": 15, "reconnect": 30}

# How often each of both is run, in turn: a boot of the broker alone differs by two seconds, and a retry falls where it falls.
ROUNDS = 3

# The steps of a health check that are nothing but waiting for a task of Pulp's.
TASKS = ("sync", "publish", "delete_repository", "delete_orphan")


class Plays:
    """Both scenarios' playbooks, and after each run of them the plain script. The parts are those of the run that took the middle time."""

    def __init__(self, lab, file):
        self.lab = lab
        self.file = file
        # What our modules replied, in order.
        self.replies = []
        # The words of the plays that did not pass.
        self.lost = []

    def rows(self):
        rows = []
        for scenario, hold in HOLDS.items():
            rounds = [self.round(scenario, hold) for _ in range(ROUNDS)]
            mine = sorted((done for done, _ in rounds if done), key=lambda done: done[0])
            plain = sorted((done for _, done in rounds if done), key=lambda done: done[0])
            if mine and plain:
                (beyond, calls), (theirs_beyond, script) = mine[len(mine) // 2], plain[len(plain) // 2]
                rows += compared(scenario, beyond, theirs_beyond, calls) + ours(scenario, beyond, hold, calls) + theirs(scenario, script)
        return rows

    def round(self, scenario, hold):
        """Of both what they took beyond the hold, and of what it is made."""
        self.lab.sh("pulp-lab wait 120")
        begun = time.monotonic()
        play, said = self.run(scenario)
        wall = time.monotonic() - begun
        if not play:
            self.lost.append(f"failed to measure {scenario}: its play did not pass\n{said}")
            return None, None
        calls = [Call(task) for task in play["tasks"] if task["action"] in MODULES]
        self.replies += [call.reply for call in calls]
        self.lab.sh("pulp-lab wait 120")
        plain = Plain(self.lab)
        taken = plain.run(scenario, hold)
        plain.clean_up()
        return (wall - hold, calls), (taken - hold, plain)

    def run(self, scenario, *options):
        """Runs one scenario's playbook; returns what the callback wrote, nothing if it failed, and what was printed."""
        command = ["ansible-playbook", "--inventory", self.lab.inventory, f"playbooks/broker_{scenario}.yml", *options]
        callback = {
            "ANSIBLE_CALLBACK_PLUGINS": "scripts/callbacks",
            "ANSIBLE_CALLBACKS_ENABLED": "bench_times",
            "PULP_BROKER_BENCH_TIMES": self.file,
        }
        capture = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        run = subprocess.run(command, **capture, timeout=900, check=False, env=os.environ | callback)
        if run.returncode != 0:
            return None, run.stdout
        with open(self.file, encoding="utf-8") as times_of_play:
            return json.load(times_of_play), run.stdout


def compared(scenario, beyond, plain, calls):
    """Of what nobody can shorten, the broker's boot, the backoff and Pulp's tasks, all has to be waited for."""
    hold = f"its {HOLDS[scenario]} s"
    fixed = sum(call.told("outage", "boot_seconds") + call.pulps_tasks() for call in calls) + max(call.backoff() for call in calls)
    limit = max(0.6 * plain, fixed + 8)
    promise = f"<= {limit:.1f} s: 0.6 x the plain script, or what is fixed + 8 s"
    return [
        (f"{scenario}: beyond {hold}, median of {ROUNDS}", sec(beyond), promise, beyond <= limit),
        (f"{scenario}: fixed are the broker's boot, the backoff and Pulp's tasks", sec(fixed), "", None),
        (f"{scenario}: beyond {hold}, the plain script, median of {ROUNDS}", sec(plain), "", None),
    ]


def ours(scenario, beyond, hold, calls):
    """The parts add up to what is beyond the hold."""
    worked = sum(call.worked for call in calls)
    held = sum(call.told("outage", "held_seconds") for call in calls)
    boot = sum(call.told("outage", "boot_seconds") for call in calls)
    stop = sum(call.told("outage", "stop_seconds") for call in calls)
    control = stop + sum(call.worked for call in calls if call.reply.get("actions"))
    met = sum(call.worked for call in calls if "met" in call.reply)
    # The call that proves waits for it.
    backoff = max(call.backoff() for call in calls)
    proofs = [call for call in calls if "working" in call.reply]
    proven = sum(call.worked for call in proofs) - backoff
    before = sum(call.pulps_tasks() for call in calls if call not in proofs)
    agents = sum(call.told("queues", "seconds") for call in calls)
    parts = {
        f"Ansible, {len(calls)} calls of ours, and the way to the host": beyond + hold - worked,
        "the broker's boot": boot,
        "services and broker, stopped and started, proven": control,
        "until each service has met the absent broker": met,
        "the services' backoff, from the broker's return": backoff,
        "all proofs, side by side": proven,
        "until httpd listens for the agents' replies, or has had its time": agents,
        "Pulp's own tasks before the outage": before,
        "all else": worked - held - boot - control - met - backoff - proven - agents - before,
    }
    told = {
        "in the proofs: Pulp's own tasks of the health check": sum(call.pulps_tasks() for call in proofs),
        "in the proofs: until the scheduler's turn came": sum(call.scheduler() for call in proofs),
    }
    rows = [(f"  {scenario}, ours: {part}", sec(seconds), "", None) for part, seconds in [*parts.items(), *told.items()]]
    if scenario != "reconnect":
        return rows
    # The health check and the scheduler's turn are side by side.
    overhead = beyond + hold - held - boot - backoff - agents - before - max(told.values())
    ansible = beyond + hold - worked
    return rows + [
        ("reconnect: Ansible's own time on its one host", sec(ansible), "<= 6 s", ansible <= 6),
        ("reconnect: calls of our modules on its one host, from the first to the report", str(len(calls)), "<= 12", len(calls) <= 12),
        ("reconnect: all but hold, boot, backoff, agents, schedule and Pulp's tasks", sec(overhead), "<= 15 s", overhead <= 15),
    ]


def theirs(scenario, plain):
    parts = {
        "the broker's boots, two": plain.took("broker"),
        "services and broker, stopped and started": plain.took("stop", "start"),
        "backoff, Pulp's own tasks, and looks each 2 s": plain.took("health"),
    }
    return [(f"  {scenario}, the plain script: {part}", sec(seconds), "", None) for part, seconds in parts.items()]


class Call:
    """One call of a module of ours on one host, as the callback recorded it."""

    def __init__(self, record):
        self.reply = record["reply"]
        self.worked = self.reply.get("duration_seconds") or 0

    def backoff(self):
        """From the broker's return until the last consumer was connected, by what the observer saw."""
        up = (self.reply.get("broker") or {}).get("up_at")
        consumers = [actor for actor in self.reply.get("actors", ()) if actor["role"] in ("worker", "resource_manager")]
        back = [actor["connected_at"] - up for actor in consumers if up is not None and actor["connected_at"] is not None]
        return max(back, default=0)

    def told(self, part, key):
        return (self.reply.get(part) or {}).get(key) or 0

    def pulps_tasks(self):
        # After the outage it is one part of the reply.
        health = self.reply.get("health") or self.reply
        # Others reply with steps of their own.
        steps = health["steps"] if "healthy" in health else []
        return sum(step["duration_seconds"] for step in steps if step["name"] in TASKS)

    def scheduler(self):
        return ((self.reply.get("working") or {}).get("scheduler") or {}).get("seconds") or 0
