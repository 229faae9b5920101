"""Where the time of the shipped scenarios goes. It is told apart by what the replies of the tasks say: how long the module worked, and
on what. The rest of the wall time is Ansible's.
"""

import json
import os
import subprocess

from table import sec


class Plays:
    """Both scenarios' playbooks, run once each."""

    def __init__(self, lab, file):
        self.inventory = lab.inventory
        self.file = file
        # What our modules replied, in order.
        self.replies = []
        # The words of the plays that did not pass.
        self.lost = []

    def rows(self):
        rows = []
        for scenario in ("connect", "reconnect"):
            play, said = self.run(scenario)
            if play:
                calls = [Call(task) for task in play["tasks"] if task["action"].startswith("pulp_")]
                self.replies += [call.reply for call in calls]
                rows += times(scenario, play["ended"] - play["began"], calls)
            else:
                self.lost.append(f"failed to measure {scenario}: its play did not pass\n{said}")
        return rows

    def run(self, scenario):
        """Runs one scenario's playbook; returns what the callback wrote, nothing if it failed, and what was printed."""
        command = ["ansible-playbook", "--inventory", self.inventory, f"playbooks/broker_{scenario}.yml"]
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


def times(scenario, wall, calls):
    """The parts add up to the wall time."""
    worked = sum(call.worked for call in calls)
    hold = sum(call.told("outage", "held_seconds") for call in calls)
    boot = sum(call.told("outage", "boot_seconds") for call in calls)
    stop = sum(call.told("outage", "stop_seconds") for call in calls)
    control = stop + sum(call.worked for call in calls if call.reply.get("actions"))
    waits = sum(call.worked for call in calls if "recovers" in call.does)
    tasks = sum(call.pulps_tasks() for call in calls)
    heartbeat = sum(call.reply.get("heard_seconds") or 0 for call in calls)
    parts = {
        "beyond its hold": wall - hold,
        f"  Ansible ({len(calls)} calls of ours)": wall - worked,
        "  the broker's start": boot,
        "  systemd's stops and starts, proven": control,
        "  the services' backoff, then 5 s of standing connections": waits,
        "  Pulp's tasks, and what its schedule is due": tasks,
        "  the heartbeats by which Pulp lists everybody": heartbeat,
        "  ours": worked - hold - boot - control - waits - tasks - heartbeat,
    }
    rows = [(f"{scenario}: {part}", sec(seconds), "", None) for part, seconds in parts.items()]
    if scenario != "reconnect":
        return rows
    overhead = wall - hold - boot - waits - tasks
    return rows + [
        ("reconnect: calls of our modules on its one host, from the first to the report", str(len(calls)), "<= 12", len(calls) <= 12),
        ("reconnect: all but hold, start, backoff and Pulp's tasks", sec(overhead), "<= 15 s", overhead <= 15),
    ]


class Call:
    """One call of a module of ours on one host, as the callback recorded it."""

    def __init__(self, record):
        self.reply = record["reply"]
        self.worked = self.reply.get("duration_seconds") or 0
        self.does = []
        if "actors" in self.reply or "met" in self.reply:
            self.does.append("recovers")

    def told(self, part, key):
        return (self.reply.get(part) or {}).get(key) or 0

    def pulps_tasks(self):
        """The steps of a health check that are nothing but waiting for a task of Pulp's, and what its scheduler was waited for."""
        waiting = ("sync", "publish", "delete_repository", "delete_orphan")
        # After the outage it is one part of the reply.
        health = self.reply.get("health") or self.reply
        # Others reply with steps of their own.
        steps = health["steps"] if "healthy" in health else []
        scheduler = (self.reply.get("working") or {}).get("scheduler") or {}
        return sum(step["duration_seconds"] for step in steps if step["name"] in waiting) + (scheduler.get("seconds") or 0)
