"""Why this exists: each defect is a failure that was really reported, made by as little as possible, so that a test of the
test can demand the right verdict. PULP_LAB_DEFECT names the one that is on; PULP_LAB_DEFECT_ACTORS (units, separated by
commas) limits it, else every process that the defect concerns has it. To add one: an entry in SETTINGS, or a
question `active("name")` where it bites and its name in OTHERS."""

import os
import time

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

# Celery settings that a defect changes in workers and the resource manager.
SETTINGS = {
    # A worker told not to retry: it exits when it loses the broker, and when there is none at its start (celery #419).
    "worker_exits_without_broker": {"broker_connection_retry": False},
    # The process lives, logs the loss and never tries again, as when cleaning the dead connection hangs (celery #9705).
    "worker_never_reconnects": {"worker_consumer": "pulp_lab.defects:NeverReconnects"},
}
OTHERS = {
    # A sync that never ends.
    "sync_never_ends",
}


def active(name):
    actors = [actor for actor in os.environ.get("PULP_LAB_DEFECT_ACTORS", "").split(",") if actor]
    concerned = not actors or os.environ.get("PULP_LAB_ACTOR") in actors
    return concerned and os.environ.get("PULP_LAB_DEFECT") == name


def configure(celery):
    for name, settings in SETTINGS.items():
        if active(name):
            celery.conf.update(settings)


class NeverReconnects(Consumer):
    def on_connection_error_after_connected(self, exc):
        super().on_connection_error_after_connected(exc)
        self._hang()

    def ensure_connected(self, conn):
        try:
            conn.connect()
            return conn
        except conn.connection_errors as exc:
            self.on_connection_error_before_connected(exc)
            self._hang()

    @staticmethod
    def _hang():
        while True:
            maybe_shutdown()
            time.sleep(0.5)
