"""Why this exists: the defects of a worker's consumer, as small changes of Celery's own. Each lets the worker live and takes something
from what it does once it has lost its broker, or has had none at its start."""

import functools
import math
import socket
import threading
import time

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.utils.url import parse_url

from pulp_lab import defects, settings, store


class NeverReconnects(Consumer):
    """Lives, logs the loss and never tries again, as when cleaning the dead connection hangs (F04)."""

    hangs_for = math.inf

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
            return super().ensure_connected(conn)

    def _hang(self):
        end = time.monotonic() + self.hangs_for
        while time.monotonic() < end:
            maybe_shutdown()
            time.sleep(0.5)


class ReconnectsLate(NeverReconnects):
    """The same, with an end that comes later than any retry would (F04)."""

    hangs_for = 70


class ConnectsLate(Consumer):
    """Tries again in time each time, and then takes 5 s for the try that finds its broker again (F04)."""

    has_lost = False

    def on_connection_error_after_connected(self, exc):
        self.has_lost = True
        super().on_connection_error_after_connected(exc)

    def ensure_connected(self, conn):
        if self.has_lost:
            conn._establish_connection = functools.partial(self._late, conn._establish_connection)
        return super().ensure_connected(conn)

    def _late(self, establish):
        url = parse_url(settings.BROKER_URL)
        try:
            socket.create_connection((url["hostname"], url["port"]), timeout=2).close()
        except OSError:
            return establish()
        time.sleep(5)
        return establish()


class Idle(Consumer):
    """Takes no task once it is idle, also none of those that Celery reads while it subscribes: they stay unacknowledged."""

    def create_task_handler(self, *args, **kwargs):
        takes = super().create_task_handler(*args, **kwargs)
        return (lambda *_: None) if self._is_idle() else takes

    def _is_idle(self):
        return defects.outage_met()


class NeverConsumes(Idle):
    """Connects again, subscribes and beats, but nobody reads from the new connection (F01)."""

    def connect(self):
        if not self._is_idle():
            return super().connect()
        return self.connection_for_read(heartbeat=self.amqheartbeat)


class CancelsItsQueues(Idle):
    """Connects again, reads and answers `inspect ping`, but consumes from no queue (F46a)."""

    def on_ready(self):
        super().on_ready()
        if self._is_idle():
            self.task_consumer.cancel()


class IdleAfterRestartInATask(CancelsItsQueues):
    """A worker whose predecessor was stopped in the middle of a task never takes work (F42)."""

    idle = None

    def _is_idle(self):
        if self.idle is None:
            self.idle = store.delete("interrupted", self.hostname)
        return self.idle


class DeafAfterSilence(Consumer):
    """A broker that answered nothing for a while is never heard again, though the connection stands (F05, F08)."""

    def __init__(self, *args, **kwargs):
        self.silent = False
        threading.Thread(target=self._watch, daemon=True).start()
        super().__init__(*args, **kwargs)

    def on_ready(self):
        super().on_ready()
        self.timer.call_repeatedly(0.5, self._close_ears)

    def _close_ears(self):
        if self.silent and self.connection:
            self.hub.remove_reader(self.connection.connection.sock)

    def _watch(self):
        url = parse_url(settings.BROKER_URL)
        while not self.silent:
            time.sleep(1)
            try:
                with socket.create_connection((url["hostname"], url["port"]), timeout=2) as sock:
                    sock.sendall(b"AMQP\0\0\x09\x01")
                    sock.recv(1)
            except TimeoutError:
                self.silent = True
            except OSError:
                pass


class Flaps(Consumer):
    """Loses its new connection again and again before it settles (F17)."""

    losses = 6

    def on_ready(self):
        super().on_ready()
        if defects.outage_met() and self.losses:
            self.losses -= 1
            self.timer.call_after(1, self._lose)

    def _lose(self):
        self.connection.connection.sock.shutdown(socket.SHUT_RDWR)


class DiesUnready(Consumer):
    """Dies of what it is given before it is ready, as Celery 4.0.2 without Pulp's fix of July 2018 (celery PR 3752)."""

    def on_ready(self):
        super().on_ready()
        if defects.outage_met():
            raise TypeError("'NoneType' object is not callable")
