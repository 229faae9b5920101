"""A comparison that finds nothing proves something only if it would find something. So the documentation is altered here, one word of
one option at a time, and each alteration has to be reported by the same comparison, over few cases.
"""

import copy

from compare import Comparison

CASES = 800

# A module, its option, and what its documentation says of it wrongly; None: nothing, where it should.
WRONG = [
    ("pulp_broker", "state", {"required": None}),
    ("pulp_broker", "timeout", {"default": 121}),
    ("pulp_facts", "method", {"choices": ["stop", "kill", "freeze", "partition"]}),
    ("pulp_facts", "pulp_url", {"required": True}),
    ("pulp_health", "password", {"no_log": None}),
    ("pulp_watch", "ca_path", {"type": "str"}),
    ("pulp_report", "results", {"type": "list"}),
    ("pulp_report", "strict", {"type": "str"}),
    ("pulp_services", "name", {"elements": "int"}),
    ("pulp_services", "main_pids", {"default": {}}),
    ("pulp_watch", "wait_for", {"choices": None}),
    ("pulp_watch", "run_id", {"no_log": True}),
    ("vocabulary", "switch", {"choices": ["on", "off"]}),
    ("vocabulary", "share", {"type": "int"}),
    ("vocabulary", "tables", {"elements": "str"}),
]


def unnoticed(work, documented, python, crate_tests, cases):
    """What was documented wrongly and not found, in words."""
    found = []
    altered = [(name, f"{option} with {words}", change(documented[name], option, words)) for name, option, words in WRONG]
    for name, spec in documented.items():
        options = list(spec)
        altered.append((name, f"no {options[-1]}", {option: spec[option] for option in options[:-1]}))
        altered.append((name, "its options in reverse", {option: spec[option] for option in reversed(options)}))
    for name, spec in documented.items():
        asked = cases.of(name, spec, CASES)
        ours = work.ours(crate_tests, asked)
        for _, what, wrong in (it for it in altered if it[0] == name):
            comparison = Comparison(name, wrong, "2.19")
            theirs = work.theirs(python, {name: wrong}, asked)
            for case, own, other in zip(asked, ours, theirs, strict=True):
                comparison.add(case.split("\t", 1)[1], own, other)
            if not comparison.mismatches:
                found.append(f"{name}: the documentation of {what} was not found to be wrong")
    print(f"    {len(altered)} wrong documentations, {len(altered) - len(found)} found")
    return found


def change(spec, option, words):
    altered = copy.deepcopy(spec)
    altered[option] = {word: value for word, value in {**altered[option], **words}.items() if value is not None}
    return altered
