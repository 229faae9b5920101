"""Rules between options. No spec has any: what a module asks of its options together depends on their values, where Ansible's rules
ask only whether they are given, as null is, and `false`. So the modules refuse by themselves, in the words of the rule of Ansible's
that comes nearest; here the real rule is asked for its words, and the built binary for its reply.
"""

import json

import live

# A module, the rule, and parameters that break it and nothing else.
BROKEN = [
    ("pulp_services", {"mutually_exclusive": [["connected", "met_outage"]]}, {"state": "started", "connected": True, "met_outage": True}),
    ("pulp_services", {"mutually_exclusive": [["connected", "met_outage"]]}, {"state": "started", "connected": "yes", "met_outage": 1}),
    *(
        ("pulp_health", {"required_if": [["state", state, ["username", "password"]]]}, {"pulp_url": "https://192.0.2.1", "state": state, **given})
        for state in ("healthy", "working", "recovered")
        for given in ({}, {"username": "admin"}, {"password": "hunter2"})
    ),
]


def faults(work, documented, cores, binary):
    """Where the binary does not say what the rule says, in words."""
    found = []
    for name, rule, params in BROKEN:
        reply = live.call(binary, name, json.dumps(params))
        for core, python in cores.items():
            (told,) = work.theirs(python, {name: documented[name]}, [f"{name}\t{json.dumps(params)}"], {name: rule})
            if told["ok"] or (reply.get("failed"), reply.get("msg")) != (True, told["msg"]):
                found.append(f"{name} {params}: ansible-core {core} says `{told.get('msg')}`, the binary `{reply.get('msg')}`")
    print(f"    {len(BROKEN)} calls that break a rule between options, {len(found)} told otherwise than by Ansible")
    return found
