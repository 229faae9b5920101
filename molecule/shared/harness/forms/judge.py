"""Runs in a lab, by Pulp's own Python as root: where do Pulp's own connections go? For each form a child becomes Pulp's user, loads its
settings as a service does, and connects; the listener that it reaches is the answer. Standard input: the forms; output: a line each."""

import json
import os
import pwd
import resource
import selectors
import signal
import socket
import sys
import traceback

# What every form loads, once.
import django.conf
import django.db.backends.postgresql.base
import dynaconf  # noqa: F401
import redis  # noqa: F401

LIMIT = 60
DECOYS = [5432, 6379]
DEFAULT_FOLDER = "/var/run/postgresql"
NAMES = ["WORKER_TYPE", "CACHE_ENABLED", "API_ROOT", "CONTENT_ORIGIN"]
PULP = pwd.getpwnam("pulp")


def listeners(forms):
    found = []
    for port in [*DECOYS, *(form["port"] for form in forms)]:
        one = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        found.append(one)
    for form in forms:
        for path in [f"{form['folder']}/.s.PGSQL.{form['port']}", f"{form['folder']}/redis.sock", f"{DEFAULT_FOLDER}/.s.PGSQL.{form['port']}"]:
            one = socket.socket(socket.AF_UNIX)
            # A judge that was killed has left its own.
            if os.path.exists(path):
                os.unlink(path)
            one.bind(path)
            os.chmod(path, 0o777)
            one.listen()
            found.append(one)
    one = socket.socket(socket.AF_UNIX)
    path = f"{DEFAULT_FOLDER}/.s.PGSQL.5432"
    if not os.path.exists(path):
        one.bind(path)
        os.chmod(path, 0o777)
        one.listen()
        found.append(one)
    return found


def connect(form):
    os.setgroups(os.getgrouplist("pulp", PULP.pw_gid))
    os.setgid(PULP.pw_gid)
    os.setuid(PULP.pw_uid)
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "HOME": PULP.pw_dir, "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings"})
    os.environ.update(form["environment"])
    settings = django.conf.settings
    values = {name: getattr(settings, name, None) for name in NAMES}
    print(json.dumps(values, default=str), file=sys.stderr, flush=True)
    if form["target"] == "database":
        from django.db import connections

        connections["default"].ensure_connection()
    else:
        from pulpcore.app.redis_connection import get_redis_connection

        get_redis_connection().ping()


def judge(form, sockets):
    # Nothing of the one before, which may have connected again before it was killed.
    while accepted_late(sockets):
        pass
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.dup2(writing, 2)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            connect(form)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    try:
        said, reached = watch(reading, sockets)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
    said = said.decode(errors="replace")
    # Others may warn before.
    values = [json.loads(line) for line in said.splitlines() if line.startswith('{"WORKER_TYPE"')]
    return {"reached": reached, "values": values[0] if values else None, "said": said[-400:]}


def watch(reading, sockets):
    """What the child said, and which listener it reached."""
    said = b""
    # There are more of them than select() can number.
    with selectors.DefaultSelector() as selector:
        for one in [*sockets, reading]:
            selector.register(one, selectors.EVENT_READ)
        while ready := [key.fileobj for key, _ in selector.select(LIMIT)]:
            if reading not in ready:
                return said, accepted(ready[0])
            piece = os.read(reading, 65536)
            said += piece
            if not piece:
                break
    return said, None


def accepted_late(sockets):
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        ready = [key.fileobj for key, _ in selector.select(0)]
    for one in ready:
        one.accept()[0].close()
    return ready


def accepted(listener):
    end = listener.accept()[0]
    if listener.family == socket.AF_UNIX:
        return {"socket": listener.getsockname()}
    address, port = end.getsockname()[:2]
    end.settimeout(LIMIT)
    first = end.recv(1)
    return {"address": address.removeprefix("::ffff:"), "port": port, "tls": first == b"\x16"}


def main():
    forms = json.load(sys.stdin)
    # Each form has four listeners.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sockets = listeners(forms)
    try:
        for form in forms:
            print(json.dumps(judge(form, sockets)), flush=True)
    finally:
        for one in sockets:
            if one.family == socket.AF_UNIX:
                os.unlink(one.getsockname())


main()
