"""Measures what scripts/bench prepared and prints one table: what, measured, promised, kept. Each file beside this one measures
one promise and gives its rows; nothing that it starts in the lab is left there.
"""

import argparse
import os
import re
import sys

import calls
import health
import hosts
import observer
import pulp3
import recoveries
import report
import scenarios
import table
import trips
from lab import Lab, Lost


def main():
    options = arguments()
    lab = Lab(options.lab, "bench", options.inventory)
    plays = scenarios.Plays(lab, options.times)
    # The recoveries of the plays count among those that are measured after them.
    parts = {
        "size": lambda: size(options.binary),
        "report": lambda: report.rows(options.binary),
        "calls": lambda: calls.rows(lab),
        "health": lambda: health.rows(lab),
        "scenarios": plays.rows,
        "trips": lambda: trips.rows(lab, options.binary, plays),
        "hosts": lambda: hosts.rows(lab, plays),
        "recoveries": lambda: recoveries.rows(lab, plays.replies),
        "observer": lambda: observer.rows(lab),
        "pulp3": lambda: pulp3.rows(Lab(options.lab, "bench-3", options.inventory_3)),
    }
    rows, lost = [], []
    for name, measure in parts.items():
        if re.search(options.only, name):
            print(f"    {name}", flush=True)
            try:
                rows += measure()
            except Lost as error:
                lost.append(str(error))
    print()
    table.show(rows)
    sys.exit("\n".join(lost + plays.lost) or None)


def arguments():
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the static binary")
    parser.add_argument("--inventory", required=True, help="Ansible's inventory of the lab `bench`")
    parser.add_argument("--inventory-3", required=True, help="that of the lab `bench-3`, a Pulp 3")
    parser.add_argument("--times", required=True, help="a file to write, for the times of a play")
    parser.add_argument("--lab", required=True, help="the script that reaches the lab")
    parser.add_argument("--only", default=".", help="a regular expression: which parts are measured")
    return parser.parse_args()


def size(binary):
    measured = os.path.getsize(binary)
    return [("binary size", table.mb(measured), "<= 3.2 MB", measured <= 3.2e6)]


main()
