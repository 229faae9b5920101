"""Why this exists: each of httpd's processes holds a consumer for the replies of agents, by the gofer library. gofer 2.12.5 does
not survive a reconnect that fails once: the failed try leaves a half-made connection behind, which the second try takes for
an open one. From then on the queue `pulp.task` has no consumer until httpd is restarted, and status says nothing of it."""

import logging
import socket
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
LOST = (OSError, amqp.exceptions.AMQPError)


def start():
    threading.Thread(target=_run, name="pulp.task", daemon=True).start()


def _run():
    url = maybe_sanitize_url(settings.REPLY_URL)
    while True:
        connect_log.info("connecting: %s", url)
        try:
            connection = _connect()
        except LOST as error:
            connect_log.error("connect: %s, failed: %s", url, error)
            connect_log.info("retry in %d seconds", RETRY_SECONDS)
            time.sleep(RETRY_SECONDS)
            if settings.REPLIES_RECONNECT:
                continue
            connect_log.info("connected: %s", url)
            break
        connect_log.info("connected: %s", url)
        try:
            _consume(connection)
        except LOST as error:
            model_log.error("%s", error)
    while True:
        model_log.error("'NoneType' object is not callable")
        time.sleep(COMPLAIN_SECONDS)


def _connect():
    url = parse_url(settings.REPLY_URL)
    connection = amqp.Connection(
        f"{url['hostname']}:{url['port']}", userid=url["userid"], password=url["password"],
        virtual_host=url["virtual_host"], connect_timeout=4,
    )  # fmt: skip
    connection.connect()
    return connection


def _consume(connection):
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    channel.basic_consume(QUEUE, no_ack=True)
    while True:
        try:
            connection.drain_events(timeout=60)
        except socket.timeout:
            continue
