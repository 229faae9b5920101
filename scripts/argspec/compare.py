"""Holds our answer to a case against that of Ansible's validator: the verdict, the message, each accepted value as the module reads it
and as the reply shows it, and which values became secrets.
"""

import json
from collections import Counter

import allowances
import specs

# What stands in a reply for a value that it does not repeat.
NOT_REPEATED = "not repeated here"


class Comparison:
    """Counts over many cases of one module against one validator."""

    def __init__(self, name, spec, core):
        self.name, self.spec, self.core = name, spec, core
        self.cases, self.accepted = 0, 0
        self.mismatches, self.allowed = [], Counter()

    def add(self, params, ours, theirs):
        self.cases += 1
        self.accepted += ours["ok"]
        if differences := self.differences(json.loads(params), ours, theirs):
            self.mismatches.append({"module": self.name, "core": self.core, "why": differences, "given": params, "ours": ours, "theirs": theirs})

    def differences(self, given, ours, theirs):
        if (ours["ok"], ours.get("msg")) != (theirs["ok"], theirs.get("msg")):
            return self.disallowed(given, ours, theirs)
        found = []
        if not theirs.get("crash") and (secrets := {*ours["secrets"]} - {""} ^ {*theirs["secrets"]}):
            found.append(f"secrets: {sorted(secrets)}")
        if ours["ok"]:
            found += self.values(ours, theirs["params"])
        return found

    def disallowed(self, given, ours, theirs):
        both = allowances.Both(self.spec, given, ours, theirs)
        rules = allowances.ALWAYS + (allowances.OLD if self.core == "2.16" else [])
        rule = next((rule for rule in rules if rule(both)), None)
        if rule:
            self.allowed[rule.__name__] += 1
            return []
        return ["verdict" if ours["ok"] != theirs["ok"] else "msg"]

    def values(self, ours, theirs):
        bulky = specs.BULKY.get(self.name, [])
        found = [f"{key} is not shown" for key in theirs.keys() - ours["shown"].keys()]
        for key, shown in ours["shown"].items():
            if key not in theirs:
                found.append(f"{key} is shown")
            elif key in bulky:
                self.allowed["bulky"] += 1
                found += [] if shown == NOT_REPEATED else [f"{key} is repeated"]
            elif not self.is_same(shown, theirs[key]):
                found.append(f"{key} is shown otherwise")
        if ours["params"].keys() != self.spec.keys():
            found.append("the module reads other options than there are")
        for option, read in ours["params"].items():
            if not self.is_same(read, self.read(option, theirs.get(option))):
                found.append(f"{option} is read otherwise")
        return found

    def read(self, option, value):
        """What a module in Rust reads for what one in Python would: 1 for the integer `True`."""
        words = self.spec.get(option, {})

        def counted(value):
            if isinstance(value, bool):
                self.allowed["counted_boolean"] += 1
                return int(value)
            return value

        if words.get("type") == "int":
            return counted(value)
        return value

    def is_same(self, ours, theirs):
        """Equal, and of the same types, all the way down."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            return ours.keys() == theirs.keys() and all(self.is_same(value, theirs[key]) for key, value in ours.items())
        if isinstance(theirs, list) and isinstance(ours, list):
            return len(ours) == len(theirs) and all(map(self.is_same, ours, theirs))
        if type(ours) is type(theirs) and ours == theirs:
            return True
        return self.is_nearest(ours, theirs)

    def is_nearest(self, ours, theirs):
        """Inside a dictionary an integer beyond 64 bits is read as the nearest float, and what is not finite as null."""
        if isinstance(theirs, int) and isinstance(ours, float):
            allowed = theirs not in allowances.WIDEST and ours == float(theirs)
        else:
            allowed = ours is None and isinstance(theirs, float) and (theirs != theirs or theirs in (float("inf"), float("-inf")))
        self.allowed["nearest_number"] += allowed
        return allowed
