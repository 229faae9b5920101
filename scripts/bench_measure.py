"""Measures what scripts/bench prepared and prints one table: what, measured, promised, kept.

The peer is ansible.builtin.systemd_service as Ansible itself sends it: the payload is made by a real run against the
lab and kept there, then both modules are started the same way, by the same small starter, inside the lab.

A scenario's time is told apart by what the replies of its tasks say: how long the module worked, and on what. The rest of
the wall time is Ansible's.
"""

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys

RUNS = 20
HEALTH_RUNS = 10
UNIT = "httpd"


def main():
    options = arguments()
    lab = Lab(options.lab, options.inventory)
    rows = [size(options.binary), *no_op(lab), *health(lab)]
    lost = []
    for scenario in ("connect", "reconnect"):
        play, said = lab.scenario(scenario, options.times)
        if play:
            rows += times(scenario, play)
        else:
            lost.append(f"failed to measure {scenario}: its play did not pass\n{said}")
    print_table(rows)
    sys.exit("\n".join(lost) or None)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the static binary")
    parser.add_argument("--inventory", required=True, help="Ansible's inventory of the lab `bench`")
    parser.add_argument("--times", required=True, help="a file to write, for the times of a play")
    parser.add_argument("--lab", required=True, help="the script that reaches the lab")
    return parser.parse_args()


class Lab:
    """The running lab `bench`: commands inside it, and Ansible against it."""

    def __init__(self, script, inventory):
        self.script = script
        self.inventory = inventory

    def sh(self, script):
        return output([self.script, "exec", "bench", "sh", "-c", script])

    def ansible(self, module, words, **environment):
        command = ["ansible", "--inventory", self.inventory, "pulp", "--module-name", module, "--args", words]
        return output(command, env=os.environ | environment)

    def variables(self):
        return json.loads(output(["ansible-inventory", "--inventory", self.inventory, "--host", "bench"]))

    def scenario(self, name, file):
        """Runs one scenario's playbook; returns what the callback wrote, nothing if it failed, and what was printed."""
        command = ["ansible-playbook", "--inventory", self.inventory, f"playbooks/broker_{name}.yml"]
        callback = {
            "ANSIBLE_CALLBACK_PLUGINS": "scripts/callbacks",
            "ANSIBLE_CALLBACKS_ENABLED": "bench_times",
            "PULP_BROKER_BENCH_TIMES": file,
        }
        capture = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        run = subprocess.run(command, **capture, timeout=900, check=False, env=os.environ | callback)
        if run.returncode != 0:
            return None, run.stdout
        with open(file, encoding="utf-8") as times_of_play:
            return json.load(times_of_play), run.stdout

    def cost(self, *command):
        """Median CPU seconds and the highest peak in bytes, of RUNS runs."""
        lines = output([self.script, "exec", "bench", "/run/bench-rusage", str(RUNS), *command]).splitlines()
        runs = [tuple(int(word) for word in line.split()) for line in lines]
        if len(runs) != RUNS:
            sys.exit(f"failed to measure `{' '.join(command)}`: {len(runs)} of {RUNS} runs were reported")
        return statistics.median(cpu for cpu, _ in runs) / 1e6, max(rss for _, rss in runs) * 1024


def output(command, **how):
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=False, **how)
    if run.returncode != 0:
        sys.exit(f"failed to run `{' '.join(command)}`: exit {run.returncode}\n{run.stdout}")
    return run.stdout


def size(binary):
    measured = os.path.getsize(binary)
    return ("binary size", mb(measured), "<= 3.2 MB", measured <= 3.2e6)


def no_op(lab):
    """A service that runs is asked to run: nothing is to be done, so what is left is what a call costs."""
    ours = no_op_of_ours(lab, [UNIT])
    all_of_ours = no_op_of_ours(lab, None)
    peer = lab.cost("/usr/bin/python3", peer_payload(lab))
    ratio = peer[0] / ours[0]
    memory = max(ours[1], all_of_ours[1])
    return [
        (f"pulp_services, {UNIT} runs already: CPU", ms(ours[0]), "", None),
        ("pulp_services, all of Pulp runs already: CPU", ms(all_of_ours[0]), "", None),
        (f"systemd_service, {UNIT} runs already: CPU", ms(peer[0]), "", None),
        ("pulp_services against systemd_service, one unit", f"{ratio:.0f} x less CPU", ">= 20 x", ratio >= 20),
        ("pulp_services: peak memory", mb(memory), "<= 8 MB", memory <= 8e6),
        ("systemd_service: peak memory", mb(peer[1]), "", None),
    ]


def no_op_of_ours(lab, names):
    parameters = {"state": "started", "_ansible_module_name": "pulp_services", "_ansible_keep_remote_files": True}
    if names:
        parameters["name"] = names
    lab.sh(f"echo '{json.dumps(parameters)}' > /run/args")
    reply = json.loads(lab.sh("/run/AnsiballZ_pulp_services /run/args"))
    if reply.get("failed") or reply.get("changed"):
        sys.exit(f"failed to measure pulp_services: expected nothing to do, got {reply}")
    return lab.cost("/run/AnsiballZ_pulp_services", "/run/args")


def peer_payload(lab):
    """Has Ansible leave the module that it sends, parameters included, and tells where."""
    lab.sh("rm -rf ~/.ansible/tmp")
    said = lab.ansible("ansible.builtin.systemd_service", f"name={UNIT} state=started", ANSIBLE_KEEP_REMOTE_FILES="1")
    if "CHANGED" in said:
        sys.exit(f"failed to measure systemd_service: expected nothing to do, got {said}")
    return lab.sh("ls ~/.ansible/tmp/*/AnsiballZ_systemd_service.py").strip()


def health(lab):
    """From the instant at which the last task had really ended, by the lab's own stamp, to our `healthy`."""
    variables = lab.variables()
    parameters = {
        "pulp_url": variables["pulp_broker_test_url"],
        "username": variables["pulp_broker_test_username"],
        "password": variables["pulp_broker_test_password"],
        "ca_path": variables["pulp_broker_test_ca_path"],
        "_ansible_module_name": "pulp_health",
        "_ansible_keep_remote_files": True,
    }
    lab.sh(f"umask 077; echo {shlex.quote(json.dumps(parameters))} > /run/args")
    replies = [json.loads(lab.sh("/run/AnsiballZ_pulp_health /run/args")) for _ in range(HEALTH_RUNS)]
    lab.sh("rm /run/args")
    ends = dict(line.split() for line in lab.sh("cat /var/lib/pulp/lab/task-ends").splitlines())
    lags = [known_after(reply, ends) for reply in replies]
    median = statistics.median(lags)
    return [
        (f"last task ended -> healthy, median of {HEALTH_RUNS}", ms(median), "<= 100 ms", median <= 0.1),
        (f"last task ended -> healthy, worst of {HEALTH_RUNS}", ms(max(lags)), "", None),
        ("one health check, median", sec(statistics.median(r["duration_seconds"] for r in replies)), "", None),
    ]


def known_after(reply, ends):
    last = max(int(ends[task["task_id"]]) for task in reply["tasks"])
    return (nanoseconds(reply["healthy_at"]) - last) / 1e9


def nanoseconds(instant):
    """`2026-01-02T03:04:05.123456789Z` since the epoch; Python's own instants end at microseconds."""
    whole, _, fraction = instant.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def times(scenario, play):
    """Where the time of one scenario went; the parts add up to its wall time."""
    calls = [Call(task) for task in play["tasks"] if task["action"].startswith("pulp_")]
    wall = play["ended"] - play["began"]
    worked = sum(call.worked for call in calls)
    hold = sum(call.told("outage", "held_seconds") for call in calls)
    boot = sum(call.told("outage", "boot_seconds") for call in calls)
    stop = sum(call.told("outage", "stop_seconds") for call in calls)
    control = stop + sum(call.worked for call in calls if call.reply.get("actions"))
    waits = sum(call.worked for call in calls if "actors" in call.reply or "met" in call.reply)
    tasks = sum(call.pulps_tasks() for call in calls)
    parts = {
        "beyond its hold": wall - hold,
        f"  Ansible ({len(calls)} calls of ours)": wall - worked,
        "  the broker's start": boot,
        "  systemd's stops and starts, proven": control,
        "  the services' backoff, then 5 s of standing connections": waits,
        "  Pulp's tasks": tasks,
        "  ours": worked - hold - boot - control - waits - tasks,
    }
    return [(f"{scenario}: {part}", sec(seconds), "", None) for part, seconds in parts.items()]


class Call:
    """One call of a module of ours on one host, as the callback recorded it."""

    def __init__(self, record):
        self.reply = record["reply"]
        self.worked = self.reply.get("duration_seconds") or 0

    def told(self, part, key):
        return (self.reply.get(part) or {}).get(key) or 0

    def pulps_tasks(self):
        """The steps of a health check that are nothing but waiting for a task of Pulp's."""
        waiting = ("sync", "publish", "delete_repository", "delete_orphan")
        steps = self.reply.get("steps") or []
        return sum(step["duration_seconds"] for step in steps if step["name"] in waiting)


def sec(seconds):
    return f"{seconds:.2f} s"


def ms(seconds):
    return f"{seconds * 1e3:.2f} ms"


def mb(size_in_bytes):
    return f"{size_in_bytes / 1e6:.2f} MB"


def print_table(rows):
    heading = ("what", "measured", "promised", "kept")
    words = {True: "yes", False: "NO", None: ""}
    table = [heading, *((what, measured, promised, words[kept]) for what, measured, promised, kept in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
