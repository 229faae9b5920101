"""Where an answer of ours may differ from Ansible's, one narrow rule each, with its reason. A rule looks at both answers and at what
was given; it allows what it describes and nothing else. The tool prints how often each was needed.

Two kinds: what we do otherwise than every Ansible, on purpose, and what ansible-core 2.16 does otherwise than 2.19, whose rules are
ours. An answer is held against both, so what is allowed against 2.16 still has to be what 2.19 says.
"""

import json
import re
from decimal import Decimal, InvalidOperation

ERROR = re.compile(
    r"(?:argument|Elements value for option) '(?P<option>[^']*)' is of type (?P<of>.+?) and we were unable to convert to (?P<to>\w+): (?P<cause>.*)",
    re.DOTALL,
)
BOOLEANS = re.compile(r"(?P<head>.*is not a valid boolean\. )( ?)Valid booleans include: (?P<words>.*)", re.DOTALL)
WIDEST = range(-(2**63), 2**64)


class Both:
    """The two answers to one case, and what the rules ask of them."""

    def __init__(self, spec, given, ours, theirs):
        self.spec, self.given, self.ours, self.theirs = spec, given, ours, theirs
        self.own, self.other = (ERROR.fullmatch(it["msg"]) if not it["ok"] else None for it in (ours, theirs))

    def values(self, option):
        """What was given for an option: its value, or the elements that its value is read as."""
        words = self.spec[option]
        value = self.given.get(option)
        if "elements" not in words:
            return [value]
        return value if isinstance(value, list) else str(value).split(",")

    def kind(self, option):
        words = self.spec.get(option, {})
        return words.get("elements", words.get("type"))


def decimal(value):
    if isinstance(value, bool):
        return None
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None


def is_whole(value):
    number = decimal(value)
    return number is not None and number.is_finite() and number.to_integral_value() == number


def as_float(value):
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


# What we do otherwise, on purpose.


def boolean_words(both):
    """Ansible lists the valid booleans in the random order of a set."""
    ours, theirs = BOOLEANS.fullmatch(both.ours.get("msg", "")), BOOLEANS.fullmatch(both.theirs.get("msg", ""))
    if not (ours and theirs) or ours[2] != theirs[2]:
        return False
    return ours["head"] == theirs["head"] and sorted(ours["words"].split(", ")) == sorted(theirs["words"].split(", "))


def wide_integer(both):
    """An integer that 64 bits do not hold is refused: Python would take it, and no option means anything by it."""
    at = both.own
    if not at or at["to"] != "int" or both.kind(at["option"]) != "int":
        return False
    return any(at["cause"] == f'"{value!r}" cannot be converted to an int' and is_whole(value) and int(Decimal(value)) not in WIDEST for value in both.values(at["option"]))


def infinite_integer(both):
    """Infinity as an integer is refused, where a module in Python ends with a traceback (OverflowError)."""
    if both.theirs.get("crash") != "OverflowError" or both.ours["ok"]:
        return False
    integers = [option for option in both.spec if both.kind(option) == "int"]
    numbers = [decimal(value) for option in integers for value in both.values(option)]
    return any(number is not None and number.is_infinite() for number in numbers)


def not_finite(both):
    """Infinity and not-a-number are refused as a number with a fraction: JSON cannot hold them, and no option means anything by them."""
    at = both.own
    if not at or at["to"] != "float" or both.kind(at["option"]) != "float":
        return False
    floats = [as_float(value) for value in both.values(at["option"])]
    return any(value is not None and (value != value or value in (float("inf"), float("-inf"))) for value in floats) or any(
        isinstance(value, int) and as_float(value) is None for value in both.values(at["option"])
    )


def foreign_digits(both):
    """Digits of other scripts than ours are refused in a number: Python would take them, and a table of all is not worth its size."""
    at = both.own
    if not at or at["to"] not in ("int", "float") or both.kind(at["option"]) != at["to"]:
        return False
    read = decimal if at["to"] == "int" else as_float
    texts = [value for value in both.values(at["option"]) if isinstance(value, str)]
    return any(any(c.isdecimal() and not c.isascii() for c in text) and read(text) is not None for text in texts)


def json_alone(both):
    """A dictionary given as text is JSON: no play sends Python's literals or `key=value` pairs."""
    at = both.own
    if not at or at["to"] != "dict" or both.kind(at["option"]) != "dict":
        return False
    told = "unable to evaluate string as dictionary", "dictionary requested, could not parse JSON or key=value"
    texts = [value for value in both.values(at["option"]) if isinstance(value, str)]
    expected = {told[0] if text.startswith("{") else told[1] for text in texts if not is_json(text) and ("=" in text or text.startswith("{"))}
    return at["cause"] in expected


def is_json(text):
    """As every reader of JSON takes it, which half a surrogate pair and `NaN` are not, also where a later entry takes their place."""
    try:
        value = json.loads(text, object_pairs_hook=list, parse_constant=float)
        return bool(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        return False


# What ansible-core 2.16 does otherwise.


def type_names(both):
    """2.16 writes a type as `<class 'str'>`, 2.19 as `str`."""
    return same_but(both, of=lambda of: f"<class '{of}'>", cause=lambda _, cause: cause)


def integer_cause(both):
    """2.16 names the type of what is no integer, 2.19 shows the value."""
    return same_but(both, to="int", of=lambda of: f"<class '{of}'>", cause=lambda of, _: f"<class '{of}'> cannot be converted to an int")


def boolean_blanks(both):
    """2.16 has two blanks before the list of booleans, which is in random order."""
    ours, theirs = BOOLEANS.fullmatch(both.ours.get("msg", "")), BOOLEANS.fullmatch(both.theirs.get("msg", ""))
    if not (ours and theirs and both.own and both.other) or (ours[2], theirs[2]) != ("", " "):
        return False
    heads = ours["head"].replace(f"is of type {both.own['of']} ", f"is of type {both.other['of']} ", 1), theirs["head"]
    return heads[0] == heads[1] and sorted(ours["words"].split(", ")) == sorted(theirs["words"].split(", "))


def whole_number(both):
    """2.16 refuses a whole number that is written with a point or an exponent (`1.0`, `1e3`), 2.19 takes it for an integer."""
    at = both.other
    if not at or at["to"] != "int" or both.kind(at["option"]) != "int":
        return False
    return any(is_whole(value) and not is_plain(value) and at["of"] == str(type(value)) for value in both.values(at["option"]))


def is_plain(value):
    """Whether `int` itself takes it as text, which is what 2.16 asks."""
    try:
        return isinstance(value, str) and int(value) is not None
    except ValueError:
        return False


def null_text(both):
    """2.16 refuses null where a text is needed, 2.19 takes it for an empty one."""
    at = both.other
    if not at or both.kind(at["option"]) not in ("str", "path") or at["cause"] != "'None' is not a string and conversion is not allowed":
        return False
    return None in both.values(at["option"])


def same_but(both, of, cause, to=None):
    at, other = both.own, both.other
    if not at or not other or (to and at["to"] != to):
        return False
    expected = (at["option"], of(at["of"]), at["to"], cause(at["of"], at["cause"]))
    return expected == (other["option"], other["of"], other["to"], other["cause"])


ALWAYS = [boolean_words, wide_integer, infinite_integer, not_finite, foreign_digits, json_alone]
OLD = [type_names, integer_cause, boolean_blanks, whole_number, null_text]

# Of accepted values; compare.py has these rules.
IN_VALUES = {
    "bulky": "A value that may be megabytes is named in the reply, not repeated.",
    "counted_boolean": "A module reads 1 where Python leaves `True` in an integer; the reply shows the boolean, as Python's does.",
    "nearest_number": "Inside a dictionary an integer beyond 64 bits is read as the nearest float, and what is not finite as null.",
}
