"""Random parameters for a spec. Half of what is drawn fits its option's type, else nothing but the first error would ever be seen;
the rest is what users and templates really send, and what nobody should. One seed gives one list of cases.
"""

import json
import random
import re

NASTY = [
    None, True, False, 0, 1, -1, 2, 30, -0.0, 0.0, 1.0, 1.5, -2.5, 3e300, 1e16, 1e-7, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
    -(2**63), -(2**63) - 1, 10**20, 10**40, [], [None], [1, 2], ["1", 2, None, True, 1.5], [[]], [["x"], {}], {}, {"a": 1},
    {"a": None, "b": [1, {"c": 2.0}], "": ""}, [{"a": 1}], [0], ["a,b"], [10**20], {"n": 10**20, "f": 1e300},
]  # fmt: skip

TEXTS = [
    "", " ", "yes", "No", "ON", "off", "y", "n", "T", "f", "True", "False", "TRUE", " true ", "\ttrue\n", "1", "0", "2", "-1", "+5", " 30 ",
    "30\n", "007", "1_000", "1__0", "_1", "1_", "0x10", "0b1", "0o7", "1.0", "1.", ".5", "1.5", "-0", "-0.0", "1e3", "1E3", "1e-3", "1e+3",
    "5e-1", "1000e-3", "1e", "e3", "1 0", "--1", "+-1", "nan", "-nan", "NaN", "sNaN", "inf", "-inf", "Infinity", "+infinity", "None", "null",
    "99999999999999999999", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e19", "1e20", "1e400",
    "abc", "a,b", "a, b", ",", ",,", "a,,b", "/srv/x", "~", "~/x", "~root/x", "~nosuchuser/x", "a~", "~/", "$HOME/x", "${HOME}/x",
    "$NO_SUCH_NAME/x", "${HOME", "$", "$$HOME", "${}", "$1", "$ARGSPEC_NESTED", "/a//b/../c", "é", "☃", "\U0001f600", "İ", "ß", "ﬁ", "١٢",
    "½", "²", "\u00a01\u00a0", "\x1f1", "a\u2028b", "a\x00b", "{{ x }}", "[1,2]", '["a"]', "a=b", "started", "down", "hunter2", "it's",
    'say "hi"', "back\\slash", "2026-01-02", "a\nb",
]  # fmt: skip

# What a path is expanded from.
PATHS = [text for text in TEXTS if "~" in text or "$" in text]

# Dictionaries in the two ways of Ansible's that ours do not take.
PAIRS = ["k=v", "k=v,k2=v2", "k= v", "=", 'k="a b"', "lone k=v", "é=ü", "k=v\n", "{'a': True}", "{'a': [None, 1.5]}", '{"a": None}', "{1: 2}", "{'a': (1,)}", "{'a'}"]

# Values in a dictionary that is written as JSON.
JSONS = [
    '"a"', '""', '"\\u00e9"', '"\\ud83d\\ude00"', "1", "-1", "0", "-0", "1.5", "1e3", "1E+3", "1e999", "-1e999", "01", "+1", ".5", "true", "false",
    "null", "NaN", "Infinity", "-Infinity", "[]", "[1, 2]", "[1,]", "{}", '{"x": {"y": [null]}}', '{"a": 1, "a": 2}', "18446744073709551616",
    "'a'", "tru", '"a\nb"', '"\t"', '"\\x"', '"\\ud800"',
]  # fmt: skip

# Names that no spec has, some of them near to one.
STRANGERS = ["bogus", "zzz", "Name", "state ", "stat", "é", "", "a.b", "timeout\n", "VERBOSE", "check_mode"]


class Cases:
    """All cases of one run."""

    def __init__(self, seed):
        self.seed = seed

    def of(self, name, spec, count):
        """So many cases for one module; each as the line that asks for it."""
        # A module's cases do not depend on which others there are.
        self.random = random.Random(f"{self.seed} {name}")
        return [f"{name}\t{json.dumps(self.params(spec))}" for _ in range(count)]

    def about(self, name, spec, option, count):
        """So many cases in which one option has every kind of value, and what is given beside it fits."""
        self.random = random.Random(f"{self.seed} {name} {option}")
        drawn = []
        for _ in range(count):
            params = {other: self.value(words, 0) for other, words in spec.items() if words.get("required") or self.random.random() < 0.2}
            params[option] = self.value(spec[option], 0.5)
            if self.random.random() < 0.2:
                del params[option]
            drawn.append(f"{name}\t{json.dumps(params)}")
        return drawn

    def params(self, spec):
        """Where few values are nasty, many cases are accepted, and the others are told something of a late check."""
        density, nastiness = self.random.random(), self.random.choice([0, 0.03, 0.1, 0.5])
        params = {}
        for option, words in self.shuffled(spec.items()):
            if self.random.random() < (0.96 if words.get("required") else density):
                params[option] = self.value(words, nastiness)
        while self.random.random() < 0.08:
            params[self.random.choice(STRANGERS)] = self.random.choice(NASTY + TEXTS)
        return params

    def value(self, words, nastiness):
        if self.random.random() < nastiness:
            return self.nasty()
        if words["type"] == "list":
            return self.listed(words, nastiness)
        return self.fitting(words["type"], words.get("choices"))

    def nasty(self):
        return self.random.choice([self.random.choice(NASTY), self.random.choice(TEXTS), self.mutated(), self.dictionary()])

    def listed(self, words, nastiness):
        kind = words.get("elements", "str")
        items = [self.value({"type": kind, "choices": words.get("choices")}, nastiness / 2) for _ in range(self.random.randrange(4))]
        as_text = all(isinstance(item, (str, int)) for item in items) and self.random.random() < 0.3
        return self.random.choice([",", ", "]).join(map(str, items)) if as_text else items

    def fitting(self, kind, choices):
        if choices:
            return self.random.choice(choices)
        return {
            "str": self.text,
            "path": lambda: self.random.choice([self.random.choice(PATHS), self.text()]),
            "int": lambda: self.random.choice([self.number(), str(self.number()), f" {self.number()} ", True, f"{self.number()}.0", 7.0]),
            "float": lambda: self.random.choice([self.number() / 8, str(self.number() / 8), self.number(), "1e3", "1_000.5", False]),
            "bool": lambda: self.random.choice([True, False, "yes", "no", "on", "off", "1", "0", 1, 0, 1.0, "TRUE", " f "]),
            "dict": self.dictionary,
        }[kind]()

    def number(self):
        return self.random.choice([0, 1, 5, 90, 3600, self.random.randrange(-(10**6), 10**6)])

    def text(self):
        return self.random.choice([self.random.choice(TEXTS), self.mutated(), "pulp_workers", "/etc/pki/tls", "httpd.service", self.number()])

    def mutated(self):
        """A text with characters taken out, doubled or exchanged."""
        text = list(self.random.choice(TEXTS))
        for _ in range(self.random.randrange(3)):
            at = self.random.randrange(len(text) + 1)
            text[at : at + self.random.randrange(2)] = self.random.choice(" ,=._-+eE10x'\"\\{}[]:~$/é\u3000\n%#()\r\x0c")
        text = "".join(text)
        # As an integer that is as many digits, and Python would be at it for hours.
        return text if not re.search(r"[eE]\+?[\d_]{4}", text) else "1e300"

    def dictionary(self):
        kind = self.random.randrange(4)
        if kind == 0:
            return {self.random.choice(["a", "b", "é", "", "httpd.service"]): self.random.choice(NASTY + TEXTS) for _ in range(self.random.randrange(4))}
        if kind == 1:
            return {"a": 1, "b": [self.number(), None]}
        if kind == 2:
            return self.random.choice(PAIRS)
        return self.written(sound=self.random.random() < 0.7)

    def written(self, sound):
        """A dictionary as text; where it is not to be sound, one character of it is another."""
        keys = [f'"{self.random.choice("abc")}"' if self.random.random() < 0.8 else self.random.choice(JSONS) for _ in range(3)]
        entries = [f"{key}: {self.random.choice(JSONS)}" for key in self.random.sample(keys, self.random.randrange(4))]
        text = "{" + self.random.choice([", ", ",", " ,\n "]).join(entries) + self.random.choice(["}"] * 6 + [",}", " } ", "} x"])
        if sound:
            return text
        at = self.random.randrange(1, len(text) + 1)
        return text[:at] + self.random.choice("{}[]()'\":,\\ #1a\n") + text[at + self.random.randrange(2) :]

    def shuffled(self, items):
        items = list(items)
        self.random.shuffle(items)
        return items
