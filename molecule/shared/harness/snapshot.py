"""Everything of a lab that a check must not change, as one picture; two pictures are compared byte by byte. The taking runs inside the
lab: it is handed to its Python as a text."""

import hashlib
import json
import os
import stat
import subprocess
import sys

FOLDERS = ["/", "/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/pulp"]

# What a live system writes by itself, or because somebody logs in or asks Pulp for its status. Nothing of ours is below any of these.
LIVE = {
    "/var/log/journal/": "journald",
    "/run/utmp": "each log-in over ssh",
    "/run/motd.dynamic": "each log-in over ssh",
    "/var/log/wtmp": "each log-in over ssh",
    "/var/log/lastlog": "each log-in over ssh",
    "/root/.ansible": "Ansible's own folder, which it empties itself; claims compare what is left there on their own",
    "/var/lib/rabbitmq/": "RabbitMQ's data: heartbeats and statistics",
    "/var/log/rabbitmq/": "RabbitMQ notes each connection, a probe of its protocol included",
    "/var/log/httpd/": "Apache notes each request",
    "/var/lib/pulp/lab/state.sqlite": "Pulp's heartbeats; its objects are compared through the API",
    "/var/lib/systemd/timers/": "timers of the system",
}


def is_live(path):
    return path.startswith(tuple(LIVE))


def picture():
    return {
        "file": dict(files()),
        "unit": units(),
        "process": processes(),
        "socket": sockets(),
        "rules": {"nft": printed("nft", "list", "ruleset"), "iptables": printed("iptables-save"), "ip6tables": printed("ip6tables-save")},
    }


def files():
    devices = {os.lstat(folder).st_dev for folder in FOLDERS if os.path.isdir(folder)}
    for folder in [folder for folder in FOLDERS if os.path.isdir(folder)]:
        for parent, below, names in os.walk(folder):
            below[:] = [name for name in below if on(devices, f"{parent}/{name}") and f"{parent}/{name}".replace("//", "/") not in FOLDERS]
            for name in [*below, *names]:
                path = f"{parent}/{name}".replace("//", "/")
                if is_live(path):
                    continue
                try:
                    yield path, told(path)
                except FileNotFoundError:
                    pass


def on(devices, path):
    try:
        return os.lstat(path).st_dev in devices
    except FileNotFoundError:
        return False


def told(path):
    about = os.lstat(path)
    kind = stat.S_IFMT(about.st_mode)
    rights = [oct(about.st_mode), about.st_uid, about.st_gid]
    if kind == stat.S_IFLNK:
        return [*rights, os.readlink(path)]
    if kind != stat.S_IFREG:
        # A folder is what it holds.
        return rights
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # Who writes the same again is noticed by the time of the change.
    return [*rights, about.st_size, about.st_mtime_ns, about.st_ctime_ns, digest]


def printed(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def units():
    listed = [line.split(None, 4) for line in printed("systemctl", "list-units", "--all", "--plain", "--no-legend").splitlines()]
    # Sessions and their users' managers come and go with each log-in.
    passing = ("session-", "user@", "user-runtime-dir@", "user-", "run-user-")
    found = {words[0]: words[1:4] for words in listed if not words[0].startswith(passing)}
    return found | {f"file {line.split()[0]}": line.split()[1] for line in printed("systemctl", "list-unit-files", "--no-legend").splitlines()}


def processes():
    found = {}
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
            with open(f"/proc/{entry}/cgroup", encoding="utf-8") as file:
                group = file.read()
        except (OSError, ValueError):
            continue
        # Of units alone: what podman starts is this one, and log-ins have sessions. What tells the lab's systemd of control groups
        # begins a process each half second.
        passing = "user@" in group or "pulp-lab-cgroups.service" in group
        # httpd begins a child for each request that it has none left for, and ends those that it does not need.
        passing |= "httpd.service" in group and rest.split()[1] != "1"
        if entry.isdigit() and ".service" in group and not passing and name not in ("sshd", "sd-pam"):
            found[entry] = [name, rest.split()[19]]
    return found


def sockets():
    """Who listens, and the connections to the broker."""
    found = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/net/{table}", encoding="utf-8") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        for row in rows:
            listens = row[3] == "0A" or table.startswith("udp")
            to_broker = row[2].endswith(":1628") and row[3] == "01"
            if listens or to_broker:
                found[f"{table} {row[1]} {row[2]}"] = row[3]
    return found


def differences(before, after):
    """One line for each thing that is not as it was."""
    lines = []
    for kind, was in before.items():
        now = after[kind]
        lines += [f"{kind} {name}: {was.get(name)} -> {now.get(name)}" for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    return lines


if __name__ == "__main__":
    json.dump(picture(), sys.stdout)
