"""Measures what scripts/bench prepared and prints one table: what, measured, promised, kept.

The peer is ansible.builtin.systemd_service as Ansible itself sends it: the payload is made by a real run against the lab
and kept there, then both modules are started the same way, by the same small starter, inside the lab.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

RUNS = 20
UNIT = "httpd"


def main():
    options = arguments()
    lab = Lab(options.lab, options.inventory)
    rows = [size(options.binary), *no_op(lab)]
    print_table(rows)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the static binary")
    parser.add_argument("--inventory", required=True, help="Ansible's inventory of the lab `bench`")
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
    return ("binary size", mb(measured), "<= 2.5 MB", measured <= 2.5e6)


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
    lab.sh("rm -rf /root/.ansible/tmp")
    said = lab.ansible("ansible.builtin.systemd_service", f"name={UNIT} state=started", ANSIBLE_KEEP_REMOTE_FILES="1")
    if "CHANGED" in said:
        sys.exit(f"failed to measure systemd_service: expected nothing to do, got {said}")
    return lab.sh("ls /root/.ansible/tmp/*/AnsiballZ_systemd_service.py").strip()


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
