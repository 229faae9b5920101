"""Why this exists: pulp_celerybeat. It never needs the broker: it writes its own heartbeat and removes missing workers."""

import logging
import time

from celery import beat

from pulp_lab import settings, store, workers

log = logging.getLogger("pulp.server.async.scheduler")


class Scheduler(beat.Scheduler):
    def __init__(self, *args, **kwargs):
        self.name = f"scheduler@{settings.HOST}"
        self.due = 0
        super().__init__(*args, **kwargs)

    def tick(self, *_args, **_kwargs):
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + settings.HEARTBEAT_INTERVAL
            workers.beat(self.name)
            workers.remove_missing()
        return max(0, self.due - time.monotonic())

    def close(self):
        log.info("Worker '%s' shutdown", self.name)
        store.delete("worker", self.name)
