"""Puts cases to those who answer: the spec as the binary has it, through an ignored test of the crate, and the validators of several
ansible-core, each under its own Python. All see the same environment, since paths are expanded from it.
"""

import json
import subprocess
from pathlib import Path

TEST = "modules::tests::argspec::answers_what_the_specs_make_of_the_cases"
ORACLE = Path(__file__).resolve().parent / "oracle.py"
ENVIRONMENT = {"HOME": "/home/argspec/", "ARGSPEC_NESTED": "$HOME", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}


class Work:
    """A directory for what goes to and fro."""

    def __init__(self, directory):
        self.directory = Path(directory)

    def write(self, name, text):
        (self.directory / name).write_text(text, encoding="utf-8")
        return self.directory / name

    def ours(self, crate_tests, cases):
        """What the Rust code answers."""
        asked, told = self.write("cases", "".join(f"{case}\n" for case in cases)), self.directory / "ours"
        environment = {**ENVIRONMENT, "ARGSPEC_CASES": str(asked), "ARGSPEC_ANSWERS": str(told)}
        run([crate_tests, "--ignored", "--exact", TEST], environment)
        return answers(told, cases)

    def theirs(self, python, specs, cases, rules=None):
        """What the validator of that Python's ansible-core answers, with rules between options if there are any. What is blank is
        not given to it: that is our one rule beyond Ansible's."""
        given = [without_blanks(specs, *case.split("\t", 1)) for case in cases]
        asked, told = self.write("cases", "".join(f"{case}\n" for case in given)), self.directory / "theirs"
        run([python, str(ORACLE), str(self.write("specs", json.dumps({"specs": specs, "rules": rules or {}}))), str(asked), str(told)], ENVIRONMENT)
        return answers(told, cases)


def without_blanks(specs, name, params):
    given = {option: value for option, value in json.loads(params).items() if option not in specs[name] or value not in (None, "")}
    return f"{name}\t{json.dumps(given)}"


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed to run `{command[0]}`:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def answers(file, cases):
    lines = file.read_text(encoding="utf-8").split("\n")
    file.unlink()
    told = [json.loads(line) for line in lines if line]
    if len(told) != len(cases):
        raise SystemExit(f"{len(cases)} cases were put, {len(told)} answered")
    return told
