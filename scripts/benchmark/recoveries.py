"""Real recoveries of the lab's consumers: how well the observer sees them, and how well they were predicted. The broker is taken away and
given back by our modules as the play calls them, stopped and cut in turn, for as long as to end between different retries; the
plays that were measured before count, too.
"""

import statistics

from lab import Lost
from table import ms, percent, sec

# For three consumers each, so that the rounds alone are 42 recoveries.
ROUNDS = [
    ("stop", 3), ("reset", 3), ("stop", 7), ("reset", 5), ("stop", 5), ("reset", 8), ("stop", 9),
    ("reset", 11), ("stop", 4), ("reset", 14), ("stop", 12), ("reset", 6), ("stop", 16), ("reset", 10),
]  # fmt: skip

# How near a prediction has to be.
NEAR = 0.5

# Of how many recoveries the promise is.
ENOUGH = 40


def rows(lab, replies):
    running = lab.running()
    rounds = [recovery(lab, running, number) for number in range(len(ROUNDS))]
    runs = [reply for reply in replies if "timeline" in reply] + rounds
    return [*seen(runs), *predicted(runs)]


def recovery(lab, running, number):
    """What the observer brought back of one outage."""
    method, hold = ROUNDS[number]
    whose = {"run_id": f"bench-{number}"}
    observed = {"name": running, **whose, **lab.pulp("pulp_url", "ca_path")}
    try:
        lab.module("pulp_watch", state="present", deadline=300, **observed)
        lab.module("pulp_broker", state="down", method=method, hold=hold, **whose)
        lab.module("pulp_broker", state="up", **whose)
        return lab.module("pulp_watch", state="absent", wait_for="recovered", **observed)
    except Lost:
        lab.module("pulp_broker", state="up", **whose)
        lab.module("pulp_watch", state="absent", **whose)
        raise


def seen(runs):
    """The instant at which a connection was there for the observer, against the one at which its owner's log says so."""
    apart = [difference for run in runs for actor in consumers(run) for difference in from_log(run, actor)]
    median = statistics.median(apart)
    return [
        (f"connected: observer against the worker's log, median of {len(apart)}", ms(median), "<= 100 ms", median <= 0.1),
        (f"connected: observer against the worker's log, worst of {len(apart)}", ms(max(apart)), "", None),
    ]


def from_log(run, actor):
    """How far both are apart; nothing where one of them did not see it."""
    logged = [
        entry["at"]
        for entry in run["timeline"]["entries"]
        if entry["event"] == "said" and entry["what"] == "connected" and entry["unit"] == actor["name"]
    ]
    if actor["connected_at"] is not None and logged:
        yield min(abs(at - actor["connected_at"]) for at in logged)


def predicted(runs):
    """Each recovery counts; a run does when each of its consumers was back when it was predicted to be."""
    errors = [[error(actor) for actor in consumers(run)] for run in runs]
    near = sum(all(one is not None and one <= NEAR for one in run) for run in errors)
    known = [one for run in errors for one in run if one is not None]
    unknown = sum(one is None for run in errors for one in run)
    of = f"{near} of {len(runs)} runs"
    services = [one for run in errors for one in run]
    close = sum(one is not None and one <= NEAR for one in services)
    by_log = sum(actor["predicted_from"] == "its log" for run in runs for actor in consumers(run))
    kept = close >= 0.95 * len(services) if len(services) >= ENOUGH else None
    return [
        ("prediction within 0.5 s of a service's return", f"{close} of {len(services)} recoveries", f">= 95 % of {ENOUGH} or more", kept),
        ("predictions by the service's own log", f"{by_log} of {len(services)}", "", None),
        ("prediction within 0.5 s of each return", of, ">= 9 of 10", near >= 0.9 * len(runs)),
        (f"prediction against return, median of {len(known)}", sec(statistics.median(known)), "", None),
        (f"prediction against return, worst of {len(known)}", sec(max(known)), "", None),
        ("returns without a prediction", percent(unknown / (len(known) + unknown)), "", None),
    ]


def error(actor):
    """Seconds between prediction and return; none where there is no prediction, or no return."""
    if actor["predicted_at"] is None or actor["connected_at"] is None:
        return None
    return abs(actor["predicted_at"] - actor["connected_at"])


def consumers(run):
    return [actor for actor in run["actors"] if actor["role"] in ("worker", "resource_manager")]
