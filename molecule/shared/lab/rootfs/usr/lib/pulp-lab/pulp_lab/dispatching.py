"""Why this exists: how a reserved task's message is sent, and each way in which that goes wrong in the field while Pulp answers 202."""

import os
import time

from kombu.exceptions import OperationalError

from pulp_lab import defects, settings

# Celery's defaults are three retries, and 4 s to connect.
FOR_EVER = {
    "task_publish_retry_policy": {"max_retries": None, "interval_start": 0, "interval_step": 0.2, "interval_max": 1},
    "broker_connection_timeout": None,
}

_ASKED = os.path.join(settings.STATE, "lab/broker-to")


def configure(celery):
    if defects.active("dispatch_retries_for_ever"):
        celery.conf.update(FOR_EVER)


def send(task, args, queue):
    if defects.active("message_is_never_sent"):
        return
    if defects.active("dispatch_hangs"):
        defects.hang()
    if defects.active("dispatch_fails_and_task_waits"):
        raise OperationalError("[Errno 104] Connection reset by peer")
    if defects.active("broker_dies_with_the_message") and not os.path.exists(f"{_ASKED}-die"):
        _send_to_dying_broker(task, args, queue)
        return
    task.apply_async(args=args, queue=queue)


def _send_to_dying_broker(task, args, queue):
    """Over a connection that was used before, as those of a pool are, to a broker that hangs by then and dies before it has read:
    its kernel accepts the bytes. `saboteur` does to the broker what is asked here."""
    with task.app.producer_pool.acquire(block=True) as producer:
        task.app.tasks["pulp.server.async.tasks._release_resource"].apply_async(args=[""], queue=queue, producer=producer)
        _ask("freeze")
        task.apply_async(args=args, queue=queue, producer=producer)
        _ask("die")


def _ask(what):
    path = f"{_ASKED}-{what}"
    with open(path, "w", encoding="ascii"):
        pass
    while not os.path.getsize(path):
        time.sleep(0.05)
