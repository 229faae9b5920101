"""Why this exists: `pulp-lab`, what a test needs inside the container beyond Pulp's own interface.

    pulp-lab wait SECONDS            until sshd, the broker, the API and all workers of this host are ready; says what is not
    pulp-lab task SECONDS|forever    dispatch somebody else's task; prints its id
    pulp-lab init                    check the chosen defect's name and make the state's database (done at boot)
"""

import json
import os
import pwd
import socket
import ssl
import sys
import time
import urllib.request

from pulp_lab import defects, settings, store


def main():
    commands = {"wait": wait, "task": task, "init": init}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    # The state belongs to Pulp's account; files made by root would lock Pulp out.
    if os.getuid() == 0:
        apache = pwd.getpwnam("apache")
        os.setgroups([])
        os.setgid(apache.pw_gid)
        os.setuid(apache.pw_uid)
    commands[sys.argv[1]](*sys.argv[2:])


def init():
    chosen = os.environ.get("PULP_LAB_DEFECT")
    if chosen and chosen not in defects.ALL:
        sys.exit(f"PULP_LAB_DEFECT={chosen} is no defect of this lab; there are: {', '.join(defects.ALL)}")
    store.initialise()


def task(seconds):
    from pulp_lab import jobs

    seconds = None if seconds == "forever" else float(seconds)
    print(jobs.sleep.dispatch_reserved(f"lab:{time.time()}", ["pulp:action:sleep"], [seconds]))


def wait(seconds):
    deadline = time.monotonic() + float(seconds)
    phases = {"sshd": _sshd_answers, "broker": _broker_answers, "api": _api_answers, "workers": _workers_are_known}
    begun = time.monotonic()
    for phase, ready in phases.items():
        while (lacking := ready()) is not None:
            if time.monotonic() > deadline:
                sys.exit(f"{settings.HOST}: {phase} not ready after {seconds} s: {lacking}")
            time.sleep(0.2)
        print(f"{settings.HOST}: {phase} ready after {time.monotonic() - begun:.1f} s")


def _greeting(host, port, say):
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.settimeout(2)
            sock.sendall(say)
            return sock.recv(8)
    except OSError as error:
        return str(error).encode()


def _sshd_answers():
    greeting = _greeting("localhost", 22, b"")
    return None if greeting.startswith(b"SSH-") else greeting.decode(errors="replace")


def _broker_answers():
    from kombu.utils.url import parse_url

    url = parse_url(settings.BROKER_URL)
    greeting = _greeting(url["hostname"], url["port"], b"AMQP\0\0\x09\x01")
    return None if greeting.startswith(b"\x01") else greeting.decode(errors="replace")


def _status():
    context = ssl.create_default_context(cafile="/etc/pki/pulp/ca.crt")
    # httpd may ask for a certificate late, and under TLS 1.3 it may ask only who has said so.
    context.post_handshake_auth = True
    server = settings.SERVER
    with urllib.request.urlopen(f"https://{server}/pulp/api/v2/status/", timeout=5, context=context) as reply:
        return json.load(reply)


def _api_answers():
    try:
        return None if _status()["messaging_connection"]["connected"] else "httpd cannot reach the broker"
    except OSError as error:
        return str(error)


def _workers_are_known():
    known = {worker["_id"] for worker in _status()["known_workers"]}
    missing = _expected() - known
    return f"missing: {', '.join(sorted(missing))}" if missing else None


def _expected():
    with open("/etc/default/pulp_workers", encoding="ascii") as defaults:
        count = int(dict(line.strip().split("=", 1) for line in defaults)["PULP_CONCURRENCY"])
    names = {f"reserved_resource_worker-{n}@{settings.HOST}" for n in range(count)}
    if settings.SERVER == settings.HOST:
        names |= {f"scheduler@{settings.HOST}", f"resource_manager@{settings.HOST}"}
    return names


if __name__ == "__main__":
    main()
