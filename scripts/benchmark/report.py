"""What the report of many hosts costs. Its input has the shape of the sample run that the tests judge, as the play hands it over: both
scenarios on each host, with as many services, and observed for an hour together. What each journal holds is made up, and as dense as
the labs' are: a line for each state and connection, for each failed try of the backoff and what it says, and on the host that asks
Pulp's API for each answer that differs and for each worker that Pulp lists.
"""

import copy
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

from lab import Lost
from table import mb, sec

HOSTS = 50
SERVICES = ["httpd", "pulp_celerybeat", "pulp_resource_manager", *(f"pulp_worker-{number}" for number in range(7))]
HOUR = 3600
RUNS = 5

SAMPLE = "src/verdict/tests/sample.json"
DOWN = 10.0
# An observation ends so long after the broker's return.
AFTER = 60.0
# From one answer of the API that differs to the next.
API_SECONDS = 5.0


def rows(binary):
    with tempfile.TemporaryDirectory(prefix="bench-report-") as folder:
        program, arguments = os.path.join(folder, "AnsiballZ_pulp_report"), os.path.join(folder, "args")
        shutil.copy2(binary, program)
        parameters = {"results": results(), "report_path": "/var/tmp/report.html"}
        with open(arguments, "w", encoding="utf-8") as file:
            json.dump(parameters | {"_ansible_module_name": "pulp_report", "_ansible_keep_remote_files": True}, file)
        measured = [run(program, arguments) for _ in range(RUNS)]
        given = os.path.getsize(arguments)
    wall, html = statistics.median(seconds for seconds, _ in measured), measured[0][1]
    what = f"report for {HOSTS} hosts x {len(SERVICES)} services x 1 h"
    return [
        (f"{what}, wall time, median of {RUNS}", sec(wall), "<= 0.7 s", wall <= 0.7),
        (f"{what}, the page", mb(html), "<= 2 MB", html <= 2e6),
        (f"{what}, what it is made of", mb(given), "", None),
    ]


def run(program, arguments):
    """Seconds until the reply was read, and the size of its page."""
    began = time.monotonic()
    printed = subprocess.run([program, arguments], stdout=subprocess.PIPE, check=False, timeout=60).stdout
    seconds = time.monotonic() - began
    reply = json.loads(printed)
    if reply.get("failed") or reply["verdict"]["value"] not in ("survived", "survived_with_defects"):
        raise Lost(f"failed to measure pulp_report: expected survivors, got: {reply['msg']}")
    return seconds, len(reply["html"].encode())


def results():
    with open(SAMPLE, encoding="utf-8") as file:
        whole = json.load(file)
    template = whole["hosts"].pop("demo")
    chance = random.Random(1)
    whole["hosts"] = {name: host(template, name, index, chance) for index, name in enumerate(names())}
    return whole


def names():
    return [f"pulp{number:02}.example.com" for number in range(HOSTS)]


def host(template, name, index, chance):
    """The first has the broker, and asks the API."""
    made = copy.deepcopy(template)
    made["facts"]["pulp_deployment"]["services"] = [
        {"name": f"{service}.service", "active_state": "active", "running": True, "umbrella": False} for service in SERVICES
    ]
    for scene in made["scenarios"].values():
        scene["watch"] = watch(scene["watch"], name, index == 0, chance)
        if index > 0:
            scene |= {"down": {"changed": False, "role": "remote"}, "health": {}, "working": {}, "queues": {}}
            scene["held"] = scene["up"] = scene["down"]
    return made


def watch(template, name, asks, chance):
    """Half of the hour: one scenario of two."""
    up = HOUR / 2 - AFTER + chance.random()
    stories = [story(template["actors"], service, name, up, chance) for service in SERVICES]
    entries = [entry for _, lines in stories for entry in lines]
    entries += [{"at": 0.01, "event": "broker", "answer": "answers", "words": ""}]
    entries += [{"at": DOWN, "event": "broker", "answer": "refused", "words": ""}]
    entries += [{"at": up, "event": "broker", "answer": "answers", "words": ""}]
    entries += api(up, chance) if asks else []
    entries.sort(key=lambda entry: entry["at"])
    entries.append({"at": HOUR / 2, "event": "end", "why": "it was asked to end"})
    timeline = template["timeline"] | {"host": name, "units": [f"{service}.service" for service in SERVICES], "entries": entries}
    return template | {
        "broker": {"down_at": DOWN, "up_at": up},
        "actors": [actor for actor, _ in stories],
        "timeline": timeline,
    }


def story(actors, service, name, up, chance):
    """What became of one service, and what its host's journal has of it."""
    unit, pid = f"{service}.service", chance.randrange(1000, 30000)
    kind = service.partition("-")[0]
    recorded = next(actor for actor in actors if actor["name"].startswith(kind))
    lost = DOWN + chance.random() / 10
    actor = recorded | {"name": unit, "worker": listed_as(service, name), "main_pid": pid}
    lines = [
        {"at": 0.02, "event": "unit", "unit": unit, "state": "active/running", "main_pid": pid, "restarts": 0, "exit": ""},
        opened(0.03, unit, pid, chance),
    ]
    lines += [{"at": lost, "event": "closed", "unit": unit, "socket": lines[1]["socket"]}]
    if recorded["role"] not in ("worker", "resource_manager"):
        back = up + chance.random() * 10
        # They come and go with what there is to say.
        for at in (back + step for step in range(0, 40, 4)):
            line = opened(at, unit, pid, chance)
            lines += [line, {"at": at + 1.5, "event": "closed", "unit": unit, "socket": line["socket"]}]
        return actor, lines
    tries = list(backoff(lost, up))
    back = tries.pop()
    for at, seconds in zip(tries, [2.0, 4.0, 6.0, *([8.0] * len(tries))], strict=False):
        lines += [said(at, unit, "refused"), said(at, unit, "retries") | {"seconds": seconds}]
    lines += [said(lost, unit, "lost"), opened(back + 0.1, unit, pid, chance), said(back + 0.15, unit, "connected")]
    times = {"lost_at": lost, "retries": tries, "predicted_at": back, "connected_at": back + 0.1, "settled_at": back + 5.1}
    return actor | times | {"listed_at": back + 6, "met": {"at": lost, "how": "its connection was lost"}}, lines


def backoff(lost, up):
    """The failed tries, and the one that succeeds."""
    at, interval = lost, 0.0
    while at < up:
        yield at
        interval = min(interval + 2.0, 32.0)
        at += interval
    yield at


def opened(at, unit, pid, chance):
    return {"at": at, "event": "opened", "unit": unit, "pid": pid, "child": False, "socket": chance.randrange(10**6, 10**7)}


def said(at, unit, what):
    return {"at": at, "event": "said", "unit": unit, "what": what}


def listed_as(service, name):
    kind, _, number = service.partition("-")
    known = {"pulp_worker": f"reserved_resource_worker-{number}", "pulp_resource_manager": "resource_manager"}
    known["pulp_celerybeat"] = "scheduler"
    return f"{known[kind]}@{name}" if kind in known else None


def api(up, chance):
    """What Pulp's status said, and whom it listed: all of Pulp, before and after."""
    at, entries = 0.05, []
    while at < HOUR / 2:
        away = DOWN < at < up
        entries.append(
            {
                "at": at,
                "event": "api",
                "url": "https://pulp00.example.com/pulp/api/v2/status/",
                "outcome": "timeout" if away and chance.random() < 0.05 else "200",
                "milliseconds": chance.randrange(20, 3000 if away else 400),
                "broker": not away,
                "database": True,
            }
        )
        at += API_SECONDS * (0.5 + chance.random())
    workers = [worker for name in names() for service in SERVICES if (worker := listed_as(service, name))]
    for worker in workers:
        entries.append({"at": 0.06, "event": "listed", "worker": worker, "heartbeat": "2026-01-02T03:04:05.000Z"})
        entries.append({"at": DOWN + 30, "event": "unlisted", "worker": worker})
        entries.append({"at": up + 15, "event": "listed", "worker": worker, "heartbeat": "2026-01-02T04:04:05.000Z"})
    return entries
