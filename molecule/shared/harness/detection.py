"""What the shipped play names on a Pulp that is broken in a known way: one subject on one lab.
`scripts/detection-table` does all of subjects.py; a few are claims of the scenario subjects."""

import dataclasses
import re
import subprocess
import time

from harness.play import PLAYBOOKS, Play

# The play's last words, and where it has none the last task's message.
LINE = re.compile(r"PULP_BROKER_TEST verdict=(?P<verdict>\S*) name=(?P<name>\S*) actor=(?P<actor>\S*)")
CAUSE = re.compile(r"(?:FAILED|VOID) ([a-z_]+): (.*)", re.DOTALL)
# The longest play here waits for a lost host, or for a broker that never comes.
LIMIT = 600
TOLD = 160


@dataclasses.dataclass
class Found:
    subject: object
    named: str
    actor: str
    evidence: str
    seconds: float
    # What the verdict was made of.
    results: dict | None = None
    value: str = ""
    # All of it; `evidence` is its beginning.
    sentence: str = ""
    next_step: str = ""
    # The try before this one.
    first: "Found | None" = None

    @property
    def right(self):
        stem = self.subject.actor.removesuffix(".service")
        says = self.subject.says in f"{self.sentence} {self.next_step}"
        return self.named == self.subject.expected and stem in self.actor and says

    def row(self):
        mark = "" if self.right else "WRONG: "
        first = f"at first {self.first.named}, {self.first.evidence}; then " if self.first else ""
        expected = " of ".join(filter(None, [self.subject.expected, self.subject.actor]))
        if self.named == self.subject.expected and not self.right:
            mark = f"WRONG, not said: {self.subject.says}: "
        return [self.subject.name, self.subject.catalogue, expected, mark + self.named, first + self.evidence, f"{self.seconds:.0f}"]


def detect(lab, subject, inventory=None):
    """A run that could not tell, where it was to tell, is played once more, and both are told."""
    found = detect_once(lab, subject, inventory)
    if found.right or found.value != "void":
        return found
    again = detect_once(lab, subject, inventory)
    again.first = found
    return again


def detect_once(lab, subject, inventory=None):
    """Plays it, and leaves the lab empty; the defect stays."""
    try:
        lab.use_subject(subject)
        if subject.prepare:
            lab.shell(subject.prepare)
        began = time.monotonic()
        more = {"inventory": inventory} if inventory else {}
        play = Play(PLAYBOOKS / subject.playbook(), variables=subject.settings(), hooks=subject.played_hooks(lab), **more)
        try:
            play.wait(LIMIT)
            seconds = time.monotonic() - began
            given = [event["given"] for event in play.events() if "given" in event]
            value = LINE.search(play.printed.read_text(encoding="utf-8", errors="replace"))
            *told, sentence = named(play)
            results = given[-1] if given else None
            verdicts = reported(play)
            step = verdicts[-1]["next_step"] if verdicts else ""
            return Found(subject, *told, _short(sentence), seconds, results, value["verdict"] if value else "", sentence, step)
        finally:
            if play.process.poll() is None:
                play.kill(9)
            play.forget()
    finally:
        cure(lab, subject)


def reported(play):
    """What pulp_report judged; other modules name verdicts of their own."""
    replies = [event["reply"] for event in play.events()]
    return [reply["verdict"] for reply in replies if "line" in reply and "verdict" in reply]


def named(play):
    """The verdict's name, of whom, and the first words of why."""
    told = [event["reply"].get("msg", "") for event in play.events() if event["outcome"] == "failed"]
    sentences = [verdict["sentence"] for verdict in reported(play)]
    cause = CAUSE.search(told[-1] if told else "")
    evidence = sentences[-1] if sentences else cause[2] if cause else ""
    line = LINE.search(play.printed.read_text(encoding="utf-8", errors="replace"))
    if line:
        name = line["name"] if line["name"] not in ("", "-") else line["verdict"]
        return name, line["actor"], evidence
    if cause:
        return cause[1], evidence, evidence
    if play.process.returncode == 0:
        return "survived", "", evidence
    return "(no verdict)", "", " ".join(told) or play.text()


def _short(text):
    text = " ".join(text.split())
    return text if len(text) <= TOLD else f"{text[:TOLD]}…"


def cure(lab, subject):
    """As little as possible: the next subject restarts the services in any case."""
    if subject.repair:
        lab.shell(subject.repair, check=False)
    lab.shell("[ ! -e /run/pulp_broker/heal ] || sh /run/pulp_broker/heal", check=False)
    lab.start_broker()
    try:
        left = lab.left_behind()
    except Exception:
        left = True
    if left:
        lab.use_defect()
        lab.empty()
        lab.remove_ansible_files()


def table(found):
    """In Markdown."""
    rows = [["subject", "modelled on", "expected", "named", "evidence", "seconds"], ["---"] * 6, *(one.row() for one in found)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def version(project):
    done = subprocess.run(["git", "-C", project, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
