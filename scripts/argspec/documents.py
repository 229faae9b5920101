"""What a reader gets: every `ansible-doc` shows each module and what it may be asked, and each example of the documentation is a play that
Ansible reads, with parameters that Ansible's validator and ours both accept.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import yaml

import specs

# `ansible-doc --list` opens what it lists as text, so it cannot list an ELF file, in no ansible-core from 2.14 to 2.19.
SHOWN = [("--json", "--type", "module"), ("--list_files", "--type", "module"), ("--metadata-dump",)]

# What stands for a template, which has a value only in a play.
TEMPLATES = {"dict": {}, "list": []}


def faults(work, documented, cores, crate_tests):
    """What a reader does not get, in words."""
    documents = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(specs.LIBRARY.glob("*.yml"))}
    plays = work.write("examples.yml", yaml.safe_dump([play(document) for document in documents.values()]))
    found = []
    for core, python in cores.items():
        for form in SHOWN:
            found += [f"ansible-core {core}: ansible-doc {form[0]} does not show {name}" for name in missing(python, form, documents)]
        done = ansible(python, "ansible-playbook", "--inventory", "localhost,", "--syntax-check", str(plays))
        found += [] if done.returncode == 0 else [f"ansible-core {core} does not read the examples: {done.stderr[-500:]}"]
    asked = [f"{name}\t{json.dumps(plain(documented[name], params))}" for name, document in documents.items() for params in calls(name, document)]
    answers = [work.ours(crate_tests, asked), *(work.theirs(python, documented, asked) for python in cores.values())]
    found += [f"the example is refused: {case}: {it['msg']}" for told in answers for case, it in zip(asked, told, strict=True) if not it["ok"]]
    print(f"    {len(documents)} modules shown by ansible-doc of {' and '.join(cores)}, {len(asked)} examples read and accepted")
    return found


def ansible(python, program, *arguments):
    environment = {**os.environ, "ANSIBLE_LIBRARY": str(specs.LIBRARY), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run([Path(python).with_name(program), *arguments], env=environment, capture_output=True, text=True, check=False)


def missing(python, form, documents):
    names = list(documents) if form[0] == "--json" else []
    told = ansible(python, "ansible-doc", *form, *names).stdout
    if form[0] == "--list_files":
        return [name for name in documents if not re.search(rf"\b{name}\s+\S*/{name}\b", told)]
    shown = json.loads(told or "{}")
    shown = shown.get("all", {}).get("module", {}) if form[0] == "--metadata-dump" else shown
    entries = {name.rsplit(".", 1)[-1]: entry for name, entry in shown.items()}
    return [name for name, document in documents.items() if not is_whole(entries.get(name, {}), document)]


def is_whole(entry, document):
    doc, told = entry.get("doc", {}), entry.get("return") or {}
    return doc.get("options", {}).keys() == document["DOCUMENTATION"]["options"].keys() and told.keys() == document["RETURN"].keys() and bool(entry.get("examples"))


def tasks(document):
    return yaml.safe_load(document["EXAMPLES"])


def play(document):
    return {"hosts": "localhost", "gather_facts": False, "tasks": tasks(document)}


def calls(name, document):
    return [task[name] or {} for task in tasks(document)]


def plain(spec, params):
    is_template = re.compile(r".*\{\{.*").match
    return {option: TEMPLATES.get(spec[option]["type"], "text") if is_template(str(value)) else value for option, value in params.items()}
