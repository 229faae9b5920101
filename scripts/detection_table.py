"""Why this exists: `scripts/detection-table` boots the lab, this has the subjects judged on it and tells what came of each. The
subjects are in molecule/shared/harness/subjects.py, how one is judged in detection.py beside it."""

import re
import sys
import time
from pathlib import Path

number, only, *files = int(sys.argv[1]), re.compile(sys.argv[2], re.IGNORECASE), *sys.argv[3:]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "molecule" / "shared"))

from harness.detection import Found, cure, detect, table, version  # noqa: E402
from harness.lab import PROJECT, labs  # noqa: E402
from harness.subjects import SUBJECTS, healthy  # noqa: E402


def main():
    began, lab = time.monotonic(), labs()[0]
    chosen = [subject for subject in SUBJECTS if only.search(f"{subject.name} {subject.catalogue} {subject.expected}")]
    found = [judge(lab, subject) for subject in chosen]
    times = [judge(lab, healthy(n)) for n in range(number)]
    lab.use_defect()
    lab.leave()
    wrong, alarms = [one for one in found if not one.right], [one for one in times if not one.right]
    summary = (
        f"{len(found) - len(wrong)} of {len(found)} subjects named right; {len(alarms)} false alarms in {number} runs on a healthy lab; "
        f"{time.monotonic() - began:.0f} s, version {version(PROJECT)}"
    )
    print(f"\n{table(found + alarms)}\n{summary}")
    for file in files:
        write(Path(file), found, alarms, summary)
    sys.exit(bool(wrong or alarms) or not found + times)


def judge(lab, subject):
    try:
        one = detect(lab, subject)
    except Exception as error:
        one = Found(subject, "(not judged)", "", " ".join(str(error).split())[:400], 0)
        cure(lab, subject)
    print(" | ".join(one.row()), flush=True)
    return one


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
