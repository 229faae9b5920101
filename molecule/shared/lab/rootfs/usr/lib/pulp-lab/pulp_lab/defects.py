"""Why this exists: each defect is a failure that was really reported, made by as little as possible, so that a test of the
test can demand the right verdict. PULP_LAB_DEFECT names the one that is on; PULP_LAB_DEFECT_ACTORS (units, separated by
commas) limits it, else every process that the defect concerns has it. Those of CONSUMERS and SETTINGS bite when a worker loses
its broker or has none at its start; those of WORK from the start on, or with PULP_LAB_DEFECT_BEGINS=outage once the process has lived
through an outage, so that a restart cures them. To add one: an entry in one of the three, and for WORK a question
`active("name")` where it bites. The lab's README lists them with the reports that they are modelled on."""

import logging
import os
import socket
import time

from kombu.exceptions import OperationalError

from pulp_lab import settings

# The class that a worker's and the resource manager's consumer then has, in consumers.py.
CONSUMERS = {
    "worker_never_reconnects": "NeverReconnects",
    "worker_reconnects_late": "ReconnectsLate",
    "worker_connects_late": "ConnectsLate",
    "worker_never_consumes": "NeverConsumes",
    "worker_cancels_its_queues": "CancelsItsQueues",
    "worker_deaf_after_silence": "DeafAfterSilence",
    "worker_flaps": "Flaps",
    "worker_dies_unready": "DiesUnready",
    "worker_idle_after_restart_in_a_task": "IdleAfterRestartInATask",
}
# What Celery itself can be told, to workers and the resource manager.
SETTINGS = {
    "worker_exits_without_broker": {"broker_connection_retry": False},
    "worker_gives_up": {"broker_connection_max_retries": 2},
}
WORK = {
    "worker_purges_at_start",
    "worker_hangs_at_start",
    "worker_never_beats",
    "resource_manager_never_assigns",
    "task_runs_twice",
    "scheduler_exits_without_broker",
    "scheduler_never_reconnects",
    "scheduler_hangs",
    "dispatch_retries_for_ever",
    "dispatch_hangs",
    "dispatch_fails_and_task_waits",
    "message_is_never_sent",
    "broker_dies_with_the_message",
    "sync_never_ends",
    "sync_fails",
    "publish_is_stale",
    "package_is_altered",
    "deletion_fails",
    "api_fails",
    "api_hangs",
    "database_is_mongod",
}
ALL = sorted([*CONSUMERS, *SETTINGS, *WORK])

# When this process began; children of a worker are as old as it is.
_BEGAN = time.time()
_MET = os.path.join(settings.STATE, "lab/outage-met")
_WORDS = ("Cannot connect to", "Connection to broker lost")


def active(name):
    actors = [actor for actor in os.environ.get("PULP_LAB_DEFECT_ACTORS", "").split(",") if actor]
    concerned = not actors or os.environ.get("PULP_LAB_ACTOR") in actors
    if not concerned or os.environ.get("PULP_LAB_DEFECT") != name:
        return False
    return os.environ.get("PULP_LAB_DEFECT_BEGINS") != "outage" or name not in WORK or outage_met()


def outage_met():
    """Since this process began some worker has said that it has no broker."""
    try:
        return os.stat(_MET).st_mtime > _BEGAN
    except FileNotFoundError:
        return False


def database_connected():
    """The lab keeps its records in a file, which is never away. With this defect it is as good as what listens at MongoDB's port."""
    if not active("database_is_mongod"):
        return True
    try:
        socket.create_connection(("localhost", 27017), timeout=1).close()
        return True
    except OSError:
        return False


def hang():
    while True:
        time.sleep(1)


def hang_without_broker(celery):
    """As what revokes a stale task at its start and waits for the broker to take that (F42)."""
    try:
        celery.connection_for_write().ensure_connection(max_retries=1).release()
    except OperationalError:
        hang()


def configure(celery):
    """Of a worker, before it starts."""
    logging.getLogger("celery.worker.consumer.consumer").addHandler(_Ears())
    for name, consumer in CONSUMERS.items():
        if active(name):
            celery.conf.update(worker_consumer=f"pulp_lab.consumers:{consumer}")
    for name, changes in SETTINGS.items():
        if active(name):
            celery.conf.update(changes)


class _Ears(logging.Handler):
    """Hears a worker say that its broker is away, and tells all processes by a file."""

    def emit(self, record):
        if any(words in record.getMessage() for words in _WORDS):
            with open(_MET, "a", encoding="ascii"):
                os.utime(_MET)
