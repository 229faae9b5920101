"""What one call costs, ours and the peer's. The peer is ansible.builtin.systemd_service as Ansible itself sends it: the payload is made
by a real run against the lab and kept there, then both modules are started the same way, by the same small starter, inside the lab.
"""

import statistics

from lab import Lost, output
from table import mb, ms

RUNS = 20
UNIT = "httpd"


def rows(lab):
    """A service that runs is asked to run: nothing is to be done, so what is left is what a call costs."""
    ours = ours_on(lab, [UNIT])
    all_of_ours = ours_on(lab, None)
    peer = cost(lab, "/usr/bin/python3", peer_payload(lab))
    ratio = peer[0] / ours[0]
    memory = max(ours[1], all_of_ours[1])
    return [
        (f"pulp_services, {UNIT} runs already: CPU", ms(ours[0]), "", None),
        ("pulp_services, all of Pulp runs already: CPU", ms(all_of_ours[0]), "", None),
        (f"systemd_service, {UNIT} runs already: CPU", ms(peer[0]), "", None),
        ("pulp_services against systemd_service, one unit", f"{ratio:.0f} x less CPU", ">= 30 x", ratio >= 30),
        ("pulp_services: peak memory", mb(memory), "<= 8 MB", memory <= 8e6),
        ("systemd_service: peak memory", mb(peer[1]), "", None),
    ]


def ours_on(lab, names):
    parameters = {"state": "started"} | ({"name": names} if names else {})
    reply = lab.module("pulp_services", **parameters)
    if reply.get("changed"):
        raise Lost(f"failed to measure pulp_services: expected nothing to do, got {reply}")
    lab.arguments("pulp_services", **parameters)
    measured = cost(lab, "/run/AnsiballZ_pulp_services", "/run/args")
    lab.sh("rm /run/args")
    return measured


def cost(lab, *command):
    """Median CPU seconds and the highest peak in bytes, of RUNS runs."""
    lines = output([lab.script, "exec", "bench", "/run/bench-rusage", str(RUNS), *command]).splitlines()
    runs = [tuple(int(word) for word in line.split()) for line in lines]
    if len(runs) != RUNS:
        raise Lost(f"failed to measure `{' '.join(command)}`: {len(runs)} of {RUNS} runs were reported")
    return statistics.median(cpu for cpu, _ in runs) / 1e6, max(rss for _, rss in runs) * 1024


def peer_payload(lab):
    """Has Ansible leave the module that it sends, parameters included, and tells where."""
    lab.sh("rm -rf ~/.ansible/tmp")
    said = lab.ansible("ansible.builtin.systemd_service", f"name={UNIT} state=started", ANSIBLE_KEEP_REMOTE_FILES="1")
    if "CHANGED" in said:
        raise Lost(f"failed to measure systemd_service: expected nothing to do, got {said}")
    return lab.sh("ls ~/.ansible/tmp/*/AnsiballZ_systemd_service.py").strip()
