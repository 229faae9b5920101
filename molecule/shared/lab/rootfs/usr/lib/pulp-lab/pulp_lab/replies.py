"""Why this exists: httpd's processes hold consumers for the replies of agents, by the gofer library. gofer 2.12.5 does not survive a
reconnect that fails once: the failed try leaves a half-made connection behind, which the second try takes for an open one. From then on
the queue `pulp.task` has no consumer until httpd is restarted, and status says nothing of it. Pulp declares the queue while a process
loads it, so that a process that starts without a broker answers no request before there is one."""

import fcntl
import logging
import threading
import time

import amqp
from kombu.utils.url import maybe_sanitize_url, parse_url

from pulp_lab import settings

connect_log = logging.getLogger("gofer.messaging.adapter.connect")
model_log = logging.getLogger("gofer.messaging.adapter.model")

RETRY_SECONDS = 10
COMPLAIN_SECONDS = 30
QUEUE = "pulp.task"
# Of the three processes of a real Pulp 2.21.5 two were seen to hold one.
HOLDERS = 2
LOST = (OSError, amqp.exceptions.AMQPError)

_url = maybe_sanitize_url(settings.REPLY_URL)
_held = []


def start():
    connection = _connect(for_ever=True)
    _declare(connection)
    connection.close()
    if _is_holder():
        threading.Thread(target=_run, name=QUEUE, daemon=True).start()


def _is_holder():
    """The first processes are; the next one takes a place that ended with its process."""
    for n in range(HOLDERS):
        place = open(f"/run/pulp/{QUEUE}-{n}", "w", encoding="ascii")
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place.close()
            continue
        _held.append(place)
        return True
    return False


def _run():
    while (connection := _connect(settings.REPLIES_RECONNECT)) is not None:
        try:
            _consume(connection)
        except LOST as error:
            model_log.error("%s", error)
    while True:
        model_log.error("'NoneType' object is not callable")
        time.sleep(COMPLAIN_SECONDS)


def _connect(for_ever):
    """None where the first try failed and the second took its remains for a connection."""
    while True:
        connect_log.info("connecting: %s", _url)
        try:
            connection = _open()
        except LOST as error:
            connect_log.error("connect: %s, failed: %s", _url, error)
            connect_log.info("retry in %d seconds", RETRY_SECONDS)
            time.sleep(RETRY_SECONDS)
            if for_ever:
                continue
            connection = None
        connect_log.info("connected: %s", _url)
        return connection


def _open():
    url = parse_url(settings.REPLY_URL)
    connection = amqp.Connection(
        f"{url['hostname']}:{url['port']}", userid=url["userid"], password=url["password"],
        virtual_host=url["virtual_host"], connect_timeout=4,
    )  # fmt: skip
    connection.connect()
    return connection


def _declare(connection):
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    return channel


def _consume(connection):
    _declare(connection).basic_consume(QUEUE, no_ack=True)
    while True:
        try:
            connection.drain_events(timeout=60)
        except TimeoutError:
            continue
