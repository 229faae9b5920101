"""Why this exists: `scripts/detection-table` boots the labs, this has the subjects judged on them and tells what came of each. The
subjects are in molecule/shared/harness/subjects.py, how one is judged in detection.py beside it."""

import gzip
import json
import os
import queue
import re
import sys
import threading
import time
from pathlib import Path

number, only, file, folder, *inventories = int(sys.argv[1]), re.compile(sys.argv[2], re.IGNORECASE), *sys.argv[3:]
# What the harness reads when it is imported.
os.environ["LAB_INVENTORY"] = inventories[0]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "molecule" / "shared"))

from harness import subjects, subjects3
from harness.detection import Found, cure, detect, table, version
from harness.lab import PROJECT, Lab, labs
from harness.pulp3 import Pulp3Lab

PULP = os.environ.get("PULP", "2")
# How many processes burn a processor in each lab meanwhile.
LOAD = int(os.environ.get("LOAD", "0"))
KIND, CATALOGUE = (Pulp3Lab, subjects3) if PULP == "3" else (Lab, subjects)
SUBJECTS, healthy = CATALOGUE.SUBJECTS, CATALOGUE.burdened if LOAD else CATALOGUE.healthy
# In the file that it writes.
TITLE = f"## Pulp {PULP}\n"


def main():
    began = time.monotonic()
    broken = [subject for subject in SUBJECTS if only.search(f"{subject.name} {subject.catalogue} {subject.expected}")]
    judged = judge_all([*broken, *(healthy(n) for n in range(number))])
    found, times = judged[: len(broken)], judged[len(broken) :]
    wrong, alarms = [one for one in found if not one.right], [one for one in times if not one.right]
    burden = f" under a load of {LOAD}" if LOAD else ""
    summary = (
        f"{len(found) - len(wrong)} of {len(found)} subjects named right; {len(alarms)} false alarms in {number} runs on a healthy lab{burden}; "
        f"{time.monotonic() - began:.0f} s on {len(inventories)} labs, version {version(PROJECT)}"
    )
    print(f"\n{table(found + alarms)}\n{summary}")
    if file:
        write(Path(file), found, alarms, summary)
    if folder:
        record(Path(folder), found)
    sys.exit(bool(wrong or alarms) or not judged)


def judge_all(subjects):
    """On each lab one after the other; the answers in the order of the subjects."""
    waiting, judged = queue.SimpleQueue(), {}
    for place in enumerate(subjects):
        waiting.put(place)

    def work(inventory):
        lab = labs(Path(inventory), KIND)[0]
        while True:
            try:
                place, subject = waiting.get_nowait()
            except queue.Empty:
                break
            judged[place] = judge(lab, subject, inventory)
        lab.use_defect()
        lab.leave()

    workers = [threading.Thread(target=work, args=[inventory]) for inventory in inventories]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [judged[place] for place in range(len(subjects))]


def judge(lab, subject, inventory):
    try:
        one = detect(lab, subject, inventory)
    except Exception as error:
        one = Found(subject, "(not judged)", "", " ".join(str(error).split())[:400], 0)
        cure(lab, subject)
    print(" | ".join(one.row()), flush=True)
    return one


def record(folder, found):
    """For each name what the verdict was made of, the first time that it was right."""
    folder.mkdir(exist_ok=True)
    for one in reversed([one for one in found if one.right and one.results]):
        told = {"subject": one.subject.name, "name": one.named, "actor": one.actor, "results": one.results}
        text = json.dumps(told, separators=(",", ":")).encode()
        (folder / f"{one.named}.json.gz").write_bytes(gzip.compress(text, mtime=0))


def write(file, found, alarms, summary):
    """Its section; the other one stays."""
    file.parent.mkdir(exist_ok=True)
    before, _, after = file.read_text(encoding="utf-8").partition(TITLE)
    rest = after.partition("\n## ")
    others = "".join(rest[1:]).lstrip("\n")
    section = f"{TITLE}\n{table(found + alarms)}\n{summary}\n"
    file.write_text("\n".join(filter(None, [before.rstrip("\n") + "\n", section, others])), encoding="utf-8")


main()
