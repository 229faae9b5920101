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

from harness.detection import Found, cure, detect, table, version  # noqa: E402
from harness.lab import PROJECT, labs  # noqa: E402
from harness.subjects import SUBJECTS, healthy  # noqa: E402


def main():
    began = time.monotonic()
    broken = [subject for subject in SUBJECTS if only.search(f"{subject.name} {subject.catalogue} {subject.expected}")]
    judged = judge_all([*broken, *(healthy(n) for n in range(number))])
    found, times = judged[: len(broken)], judged[len(broken) :]
    wrong, alarms = [one for one in found if not one.right], [one for one in times if not one.right]
    summary = (
        f"{len(found) - len(wrong)} of {len(found)} subjects named right; {len(alarms)} false alarms in {number} runs on a healthy lab; "
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
        lab = labs(Path(inventory))[0]
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
    file.parent.mkdir(exist_ok=True)
    text = f"""# Detection table

Made by `make detection-table WRITE=1`: the shipped play on Pulps that are broken in a known way, live on the lab (real RabbitMQ, real
Celery; *real* in a name: no code of ours makes the failure). The ids are those under which `docs/verdicts.md` lists what a name can
stand for; the lab's README says what each defect does.

{table(found + alarms)}
{summary}
"""
    file.write_text(text, encoding="utf-8")


main()
