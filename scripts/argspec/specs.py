"""What the modules may be asked, from a source that owes nothing to the Rust code: their documentation. What documentation cannot
say is stated here, and here alone; a statement that the Rust code does not share is found as a mismatch.
"""

from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent.parent / "library"

# The words of a documented option that are words of an argument spec.
WORDS = ("type", "elements", "required", "default", "choices")

# `no_log`: what is kept secret.
SECRET = {
    "pulp_broker": ["broker_url", "password"],
    "pulp_facts": ["broker_url"],
    "pulp_health": ["password"],
    "pulp_services": ["broker_url", "password"],
    "pulp_watch": ["broker_url"],
    "vocabulary": ["key", "keys", "code"],
}

# Options whose value the reply does not repeat, because it may be megabytes.
BULKY = {"pulp_report": ["results", "previous"], "vocabulary": ["table"]}


def documented():
    """Each module's argument spec by its name, options in the order in which they are documented: of several errors Ansible
    tells the first."""
    files = [*sorted(LIBRARY.glob("*.yml")), HERE / "vocabulary.yml"]
    specs = dict(of(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files)
    unknown = (set(SECRET) | set(BULKY)) - set(specs)
    assert not unknown, f"stated here, but documented nowhere: {unknown}"
    return specs


def of(document):
    about = document["DOCUMENTATION"]
    name, secret = about["module"], SECRET.get(about["module"], [])
    spec = {option: argument(option in secret, words) for option, words in about["options"].items()}
    assert set(secret) | set(BULKY.get(name, [])) <= set(spec), f"{name}: an option that is stated here is not documented"
    return name, spec


def argument(secret, words):
    spec = {word: words[word] for word in WORDS if word in words}
    if isinstance(spec.get("choices"), dict):
        spec["choices"] = list(spec["choices"])
    if secret:
        spec["no_log"] = True
    if "suboptions" in words:
        spec["options"] = {name: argument(False, inner) for name, inner in words["suboptions"].items()}
    return spec
