"""The claim: what the shipped binary finds of a Pulp 3 is where Pulp's own connections go, or it is refused; whatever the form of the
configuration."""

import collections
import dataclasses
import json
import os
import random
import socket
from pathlib import Path

from harness.forms.made import FOLDER, make
from harness.lab import PROJECT
from harness.pulp3 import DATABASE, REDIS, Pulp3Claims

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/local/lib/pulp/bin/python3"
UNITS = "pulpcore-api pulpcore-content pulpcore-worker@1 pulpcore-worker@2"


class FormsClaims(Pulp3Claims):
    COUNT = 30
    # Set FORMS_SEED to see a failure again.
    SEED = int(os.environ.get("FORMS_SEED", random.randrange(10**9)))

    def test_what_is_found_is_where_pulp_goes_or_it_is_refused(self):
        forms = make(self.COUNT, self.SEED)
        self.addCleanup(self.lab.shell, f"rm -rf {FOLDER} /tmp/forms; systemctl daemon-reload; systemctl start {DATABASE} {REDIS} {UNITS}")
        self.lab.shell(f"rm -rf {FOLDER}; mkdir -p {FOLDER} /tmp/forms; systemctl stop {UNITS}")
        self.lab.bring(HERE, "/tmp/forms")
        self.lab.bring(PROJECT / "library" / "pulp_facts", "/tmp/forms")
        self.run_in_lab("python3 -c", FILL, forms)
        # The listeners of the judge stand in their places meanwhile.
        found = self.run_in_lab("python3 /tmp/forms/forms/asked.py /tmp/forms/pulp_facts", None, forms)
        self.lab.shell(f"systemctl stop {DATABASE} {REDIS}")
        judged = self.run_in_lab(f"{PYTHON} -B /tmp/forms/forms/judge.py", None, forms)
        self.assertEqual((len(found), len(judged)), (self.COUNT, self.COUNT))
        table, wrong = collections.defaultdict(collections.Counter), []
        for form, one, other in zip(forms, found, judged, strict=True):
            what, why = compare(one, other)
            table[form.kind][what] += 1
            if what == "wrong":
                wrong.append(f"{why}: {form.kind}: {dataclasses.asdict(form)}: found {one}; judged {other}")
        if "FORMS_TABLE" in os.environ:
            Path(os.environ["FORMS_TABLE"]).write_text(shown(table), encoding="utf-8")
        self.assertEqual(wrong, [], f"FORMS_SEED={self.SEED}\n" + "\n".join(wrong))
        sums = sum(table.values(), collections.Counter())
        # Only what raises, or what systemd alone can read, may be refused.
        self.assertLess(sums["refused"], self.COUNT / 10, shown(table))
        self.assertLess(max(one["seconds"] for one in found if "seconds" in one), 60)

    def run_in_lab(self, command, script, forms):
        given = json.dumps([dataclasses.asdict(form) | {"port": form.port, "folder": form.folder} for form in forms])
        arguments = f"exec podman exec -i pulp-broker-test-{self.lab.name} {command}" + (' "$0"' if script else "")
        process = self.lab._podman(arguments, *([script] if script else []))
        printed = process.communicate(given, timeout=1800)[0]
        self.assertEqual(process.returncode, 0, printed[-2000:])
        return [json.loads(line) for line in printed.splitlines()]


FILL = """
import json, os, subprocess, sys
for form in json.load(sys.stdin):
    os.makedirs(form["folder"])
    for name, text in form["files"].items():
        with open(f"{form['folder']}/{name}", "wb") as file:
            file.write(text.encode("latin-1"))
subprocess.run(["chown", "-R", "pulp:", "/var/lib/pulp/forms"], check=True)
"""


def compare(found, judged):
    """`equal`, `refused` or `wrong`, and why."""
    if found.get("secrets"):
        return "wrong", "a secret is shown"
    if "failed" in found:
        return "wrong", "the module failed"
    reached, values, broker = judged["reached"], judged["values"], found["broker"]
    if broker is None:
        raised = values is None or reached is None
        return ("raised, refused" if raised else "refused"), ""
    if reached is None or values is None:
        return "wrong", "found where Pulp itself gets nowhere"
    if "socket" in reached:
        same = os.path.realpath(broker["socket"] or "") == os.path.realpath(reached["socket"])
    else:
        addresses = {one[4][0] for one in socket.getaddrinfo(broker["host"], None)} if broker["host"] else set()
        same = broker["port"] == reached["port"] and reached["address"] in addresses
        if broker["kind"] == "redis":
            same = same and broker["tls"] == reached["tls"]
    if not same:
        return "wrong", "another place"
    pulp3 = found["pulp3"]
    tasks = "redis" if values["WORKER_TYPE"] == "redis" else "postgresql"
    if (pulp3["tasks"], pulp3["cache"], pulp3["api_root"]) != (tasks, bool(values["CACHE_ENABLED"]), values["API_ROOT"]):
        return "wrong", "another setting"
    if values["CONTENT_ORIGIN"] and found["pulp_url"] != values["CONTENT_ORIGIN"]:
        return "wrong", "another CONTENT_ORIGIN"
    return "equal", ""


def shown(table):
    """In Markdown."""
    columns = ["equal", "raised, refused", "refused", "wrong"]
    heads = ["form", "where Pulp goes", "Pulp's settings raise: refused", "else refused", "wrong"]
    rows = [heads, ["---"] * len(heads), *([kind, *(str(counts[c]) for c in columns)] for kind, counts in table.items())]
    sums = sum(table.values(), collections.Counter())
    rows.append(["**all**", *(str(sums[column]) for column in columns)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
