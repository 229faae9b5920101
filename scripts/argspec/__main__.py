"""Throws random parameters at every module's argument spec, as the binary has it and as Ansible's own validator understands its
documentation, and compares what each says. scripts/argspec-conformance prepares what this needs. No module runs.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter

import allowances
import documents
import known_bad
import live
import rules
import specs
from answers import Work
from cases import Cases
from compare import Comparison

# A spec of which nearly everything is refused, or nearly nothing, is not tried by its cases.
LEAST_SHARE = 0.1


def main():
    options = arguments()
    cores = dict(core.split("=", 1) for core in options.core)
    documented, cases, faults = specs.documented(), Cases(options.seed), []
    mismatches, allowed, compared = 0, Counter(), 0
    print(f"seed {options.seed}, {options.count} cases a module, against ansible-core {' and '.join(cores)}")
    with tempfile.TemporaryDirectory(prefix="argspec-") as directory:
        work = Work(directory)
        faults += known_bad.unnoticed(work, documented, cores["2.19"], options.crate_tests, cases)
        if options.binary:
            faults += rules.faults(work, documented, cores, options.binary)
        faults += documents.faults(work, documented, cores, options.crate_tests)
        for name, spec in documented.items():
            began = time.monotonic()
            asked = cases.of(name, spec, options.count)
            ours = work.ours(options.crate_tests, asked)
            comparisons = [Comparison(name, spec, core) for core in cores]
            for comparison in comparisons:
                theirs = work.theirs(cores[comparison.core], documented, asked)
                for case, own, other in zip(asked, ours, theirs, strict=True):
                    comparison.add(case.split("\t", 1)[1], own, other)
                show(comparison.mismatches, options.show)
                mismatches += len(comparison.mismatches)
                allowed.update({(comparison.core, rule): times for rule, times in comparison.allowed.items() if times})
                compared += comparison.cases
            accepted = comparisons[0].accepted
            print(f"    {name}: {len(asked)} cases, {accepted} accepted, {len(asked) - accepted} refused, {time.monotonic() - began:.0f} s", flush=True)
            if not LEAST_SHARE < accepted / len(asked) < 1 - LEAST_SHARE:
                faults.append(f"{name}: {accepted} of {len(asked)} cases were accepted, which tries too little")
            if options.binary and name != "vocabulary":
                faults += live.faults(options.binary, name, asked, ours)
    tell(allowed)
    if options.binary:
        print(f"{live.CALLS} refused calls a module were made of the built binary")
    print("".join(f"{fault}\n" for fault in faults), end="")
    print(f"{compared} comparisons, {mismatches} mismatches")
    sys.exit(bool(mismatches or faults))


def arguments():
    parser = argparse.ArgumentParser(prog="argspec", description=__doc__.splitlines()[0])
    parser.add_argument("--crate-tests", required=True, help="the crate's unit tests, built")
    parser.add_argument("--core", required=True, action="append", help="a version of ansible-core and the Python that has it: 2.19=PYTHON")
    parser.add_argument("--binary", help="the static binary, which is asked too, with what will be refused")
    parser.add_argument("--count", type=int, default=2000, help="cases a module")
    parser.add_argument("--seed", default="1", help="what the cases are drawn from")
    parser.add_argument("--show", type=int, default=5, help="how many mismatches a module are printed")
    return parser.parse_args()


def show(mismatches, most):
    for it in mismatches[:most]:
        told = [answer.get("crash") or answer.get("msg") or "accepted" for answer in (it["ours"], it["theirs"])]
        print(f"MISMATCH {it['module']} {it['core']} {'; '.join(it['why'])}\n  given  {it['given']}\n  ours   {told[0]}\n  theirs {told[1]}", flush=True)
    if len(mismatches) > most:
        print(f"and {len(mismatches) - most} more", flush=True)


def tell(allowed):
    """How often each rule was needed."""
    print("allowed differences:")
    for (core, rule), times in sorted(allowed.items()):
        print(f"    {core} {rule}: {times}")
    unknown = {rule for _, rule in allowed} - {rule.__name__ for rule in allowances.ALWAYS + allowances.OLD} - allowances.IN_VALUES.keys()
    assert not unknown, unknown


main()
