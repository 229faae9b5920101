"""One call of a module inside the lab, in slow motion, with everything that can be seen of it meanwhile and afterwards. It is handed
to the lab's Python as a text and reads what it is to do from its standard input: a secret in its own command line it would find."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

FOLDERS = ["/", "/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/pulp"]
LIMIT = 120


def found(text, forms):
    """What of a secret stands in it, with what is around it."""
    for form in forms:
        at = text.find(form)
        if at >= 0:
            return text[max(0, at - 60) : at + len(form) + 20]
    return None


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


class Sampler:
    """Command lines and environments of all processes, as `ps` in a loop would see them."""

    def __init__(self, own, forms):
        self.own, self.forms, self.seen, self.rounds, self.started, self.leaks = own, forms, 0, 0, set(), set()

    def look(self, child):
        self.rounds += 1
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            line = read(f"/proc/{entry}/cmdline")
            self.seen += self.own in line
            if f"{child}" in read(f"/proc/{entry}/stat").rpartition(")")[2].split()[1:2]:
                self.started.add(line.split("\0")[0])
            for what, text in (("cmdline", line), ("environ", read(f"/proc/{entry}/environ"))):
                if leak := found(text, self.forms):
                    self.leaks.add(f"{what} of process {entry}: {leak}")


def left(since, forms):
    """Files that were written since, and hold a secret; the journal, which is one that is not text."""
    listed = subprocess.run(
        ["find", *FOLDERS, "-xdev", "-type", "f", "-newermt", f"@{since - 1}", "-size", "-20M"], capture_output=True, text=True, check=False
    ).stdout.split("\n")  # fmt: skip
    leaks = [f"file {path}: {leak}" for path in listed if (leak := found(read(path), forms))]
    journal = subprocess.run(["journalctl", f"--since=@{int(since) - 1}", "--output=export"], capture_output=True, check=False).stdout
    leak = found(journal.decode("utf-8", "replace"), forms)
    return leaks + ([f"journal: {leak}"] if leak else [])


def carried_out(module, params, forms, interrupt=None, after=0.0, linger=0.0):
    """Interrupted by this signal so many seconds after it has its parameters, or right before it has all of them; watched so many
    seconds longer than it lives."""
    since = time.time()
    folder = tempfile.mkdtemp(prefix="ansible-tmp-sampled-", dir="/root")
    program, args = f"{folder}/AnsiballZ_{module}", f"{folder}/args"
    os.link("/root/pulp_broker_sampled", program)
    os.mkfifo(args, 0o600)
    # A pipe that nobody empties would hold up a long reply.
    printed = tempfile.TemporaryFile()
    child = subprocess.Popen([program, args], stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT)
    sampler = Sampler(program, forms)
    with open(args, "w", encoding="utf-8") as pipe:
        while not sampler.seen:
            sampler.look(child.pid)
        pipe.write(json.dumps(params))
        if interrupt and after is None:
            pipe.flush()
            os.kill(child.pid, getattr(signal, interrupt))
            interrupt = None
    begun, ended = time.monotonic(), None
    while ended is None or time.monotonic() < ended + linger:
        sampler.look(child.pid)
        if interrupt and time.monotonic() > begun + after:
            os.kill(child.pid, getattr(signal, interrupt))
            interrupt = None
        if ended is None and child.poll() is not None:
            ended = time.monotonic()
        if time.monotonic() > begun + LIMIT:
            child.kill()
    printed.seek(0)
    printed = printed.read().decode()
    # Decoded it is whole again.
    texts = [printed, json.dumps(json.loads(printed), ensure_ascii=False)] if printed.startswith("{") else [printed]
    leaks = [f"reply: {leak}" for text in texts if (leak := found(text, forms))]
    remains = os.listdir(folder) if os.path.isdir(folder) else []
    leaks += sorted(sampler.leaks) + left(since, forms)
    for name in remains:
        os.remove(f"{folder}/{name}")
    if remains:
        os.rmdir(folder)
    return {"printed": printed, "leaks": leaks, "remains": remains, "rounds": sampler.rounds, "started": sorted(sampler.started)}


print(json.dumps(carried_out(**json.load(sys.stdin))))
