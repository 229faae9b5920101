"""Why this exists: pulp_celerybeat. It writes its own heartbeat and removes missing workers without the broker; only a schedule
that is due makes it connect, and then it is Celery's own beat that does: it keeps that connection from then on."""

import logging
import socket
import time

from celery import beat

from pulp_lab import defects, schedules, settings, store, workers

log = logging.getLogger("pulp.server.async.scheduler")


class Scheduler(beat.Scheduler):
    def __init__(self, *args, **kwargs):
        self.name = f"scheduler@{settings.HOST}"
        self.due = 0
        super().__init__(*args, **kwargs)

    def tick(self, *_args, **_kwargs):
        if defects.active("scheduler_hangs"):
            defects.hang()
        if time.monotonic() >= self.due:
            if defects.active("scheduler_exits_without_broker"):
                self.app.connection_for_write().ensure_connection(max_retries=1).release()
            self.due = time.monotonic() + settings.HEARTBEAT_INTERVAL
            workers.beat(self.name)
            workers.remove_missing()
        for schedule in schedules.due():
            self._send(schedule)
        # Never longer than to the next heartbeat: a schedule that is new meanwhile is found then.
        wait = max(0, self.due - time.monotonic())
        return min([wait, *(seconds for seconds in [schedules.seconds_to_next()] if seconds is not None)])

    def _send(self, schedule):
        # As Celery's beat does: connect first, for as long as that may take, then count, then send; what cannot be sent is lost.
        producer, options = self.producer, {}
        if defects.active("scheduler_never_reconnects"):
            # It keeps the connection that was lost, whatever comes.
            producer.connection.connection.sock.shutdown(socket.SHUT_RDWR)
            options = {"retry": False}
        schedules.ran(schedule["_id"])
        entry = self.Entry(
            name=schedule["_id"], task=schedule["task"], args=schedule["args"], kwargs=schedule["kwargs"], options=options, app=self.app
        )
        self.apply_entry(entry, producer=producer)

    def close(self):
        log.info("Worker '%s' shutdown", self.name)
        store.delete("worker", self.name)
