"""Runs in the lab, as a unit of its own: holds established connections until it is stopped, so many to itself, and so many to the broker
of this host's Pulp, and tells systemd when they stand.
"""

import configparser
import os
import signal
import socket
import sys

from kombu import Connection

own, brokers = (int(word) for word in sys.argv[1:])


def main():
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    held = []
    for _ in range(own):
        held.append(socket.create_connection(server.getsockname()))
        held.append(server.accept()[0])
    for _ in range(brokers):
        connection = Connection(url())
        connection.connect()
        held.append(connection)
    tell_systemd()
    signal.pause()


def url():
    config = configparser.RawConfigParser()
    config.read("/etc/pulp/server.conf")
    return config["messaging"]["url"]


def tell_systemd():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"])
        notify.send(b"READY=1")


main()
