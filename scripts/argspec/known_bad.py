"""A comparison that finds nothing proves something only if it would find something. So the documentation is altered here, one word of
one option at a time, and each alteration has to be reported by the same comparison, over few cases, which are about that option.
"""

import copy

from compare import Comparison

CASES = 400

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
    found, tried = [], 0

    def hold(name, what, wrong, asked):
        nonlocal tried
        tried += 1
        comparison = Comparison(name, wrong, "2.19")
        for case, own, other in zip(asked, work.ours(crate_tests, asked), work.theirs(python, {name: wrong}, asked), strict=True):
            comparison.add(case.split("\t", 1)[1], own, other)
        if not comparison.mismatches:
            found.append(f"{name}: the documentation of {what} was not found to be wrong")

    for name, option, words in WRONG:
        spec = documented[name]
        hold(name, f"{option} with {words}", change(spec, option, words), cases.about(name, spec, option, CASES))
    for name, spec in documented.items():
        last = list(spec)[-1]
        asked = cases.about(name, spec, last, CASES)
        hold(name, f"no {last}", {option: words for option, words in spec.items() if option != last}, asked)
        hold(name, "its options in reverse", {option: spec[option] for option in reversed(spec)}, cases.of(name, spec, CASES))
    print(f"    {tried} wrong documentations, {tried - len(found)} found")
    return found


def change(spec, option, words):
    altered = copy.deepcopy(spec)
    altered[option] = {word: value for word, value in {**altered[option], **words}.items() if value is not None}
    return altered
