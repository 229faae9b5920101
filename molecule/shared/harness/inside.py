"""What only a process inside the lab sees and does: the kernel's own words about processes, packets and sockets, and the
killing of what is of ours. It is handed to the lab's Python as a text (a managed host needs none, a lab has one), reads
one question a line, as a JSON list of a function's name and its arguments, and prints one answer a line."""

import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

PORT = 5672
BROKER_USER = "rabbitmq"
WATCH = "/run/pulp_broker_watch"
# Where the program may stay for a run.
PROGRAM = "/run/pulp_broker_program", "/var/lib/pulp_broker_program", "/var/tmp/pulp_broker_program"
OURS = ("AnsiballZ_", "/run/pulp_broker", "--unit=pulp_broker")
TCP_STATES = {"01": "ESTABLISHED", "02": "SYN_SENT", "08": "CLOSE_WAIT", "0A": "LISTEN"}


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _printed(*command):
    """What it prints, nothing where it is absent or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
    except FileNotFoundError:
        return ""


def _processes():
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = _read(f"/proc/{entry}/stat")
        if not stat:
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        if state not in "ZX":
            yield {"pid": int(entry), "name": name, "state": state, "parent": int(parent)}


def _arguments(pid):
    return _read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")


def _program(pid):
    """The file that runs; a process's own words may be another's."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def _is_observer(process):
    return "--observe" in _arguments(process["pid"]) and _program(process["pid"]).startswith("AnsiballZ_")


def _is_ours(process):
    if _is_observer(process):
        return False
    if _program(process["pid"]).startswith("AnsiballZ_") or "/pulp_broker-" in _read(f"/proc/{process['pid']}/cgroup"):
        return True
    arguments = _arguments(process["pid"])
    return any(word.startswith(OURS) or os.path.basename(word).startswith(OURS) for word in arguments)


def _told(process):
    return f"process {process['pid']} {process['state']} {' '.join(_arguments(process['pid']))[:120]}"


def ours():
    """Modules that run, and whatever runs the undo."""
    return [_told(process) for process in _processes() if _is_ours(process)]


def stopped():
    """By a signal, whoever sent it."""
    return [_told(process) for process in _processes() if process["state"] in "Tt"]


def rules():
    """Of the firewall: ours by name, and any that keeps packets back. The lab has none of its own."""
    lines = (_printed("nft", "list", "ruleset") + _printed("iptables-save") + _printed("ip6tables-save")).splitlines()
    ours = re.compile(r"pulp_broker|\b(drop|reject)\b", re.IGNORECASE)
    return sorted({line.strip() for line in lines if ours.search(line) and not line.startswith("#")})


def files():
    """State and drop-ins. Below /run/systemd/system the lab has units of workers and no drop-in."""
    found = [path for path in glob.glob("/run/pulp_broker*") if path not in (WATCH, *PROGRAM)] + glob.glob("/run/systemd/system/*.d") + glob.glob("/etc/systemd/system/*.d/*pulp_broker*")
    return sorted(found + [path for path in glob.glob("/run/systemd/transient/*") if "pulp_broker" in path])


def units():
    """Of ours, as systemd lists them."""
    listed = _printed("systemctl", "list-units", "--all", "--plain", "--no-legend", "pulp_broker-*")
    return [line.split()[0] for line in listed.splitlines()]


def observer():
    """Of a run that died before its undo had anything to give back; it ends by itself. Its files and its process."""
    return glob.glob(f"{WATCH}*/**", recursive=True) + [_told(process) for process in _processes() if _is_observer(process)]


def program():
    """A play takes it away at its end; of one that died the undo does, or the next run, which needs it."""
    return [path for path in PROGRAM if os.path.exists(path)]


def end_observer():
    """And takes the program away."""
    found = observer()
    for process in _processes():
        if _is_observer(process):
            os.kill(process["pid"], signal.SIGTERM)
    for path in (WATCH, *PROGRAM):
        shutil.rmtree(path, ignore_errors=True)
    return found


def left():
    """Everything of ours on this host."""
    return files() + units() + rules() + stopped() + ours() + observer() + program()


def broker_processes():
    """All but epmd, which has a user of its own: pid and state."""
    with open("/etc/passwd", encoding="utf-8") as accounts:
        fields = [line.split(":") for line in accounts]
    user = next((int(field[2]) for field in fields if field[0] == BROKER_USER), None)
    found = {}
    for process in _processes():
        try:
            if os.stat(f"/proc/{process['pid']}").st_uid == user:
                found[process["pid"]] = process["state"]
        except OSError:
            pass
    return found


def epmd():
    return [process["pid"] for process in _processes() if process["name"] == "epmd"]


def sockets():
    """Clients' connections to the broker's port, by inode. Pending: bytes that the other side has not acknowledged; timer 1
    is retransmission; retries: how often it was tried again; see proc_net_tcp.txt."""
    found = {}
    for line in (_read("/proc/net/tcp") + _read("/proc/net/tcp6")).splitlines():
        words = line.split()
        if len(words) < 10 or not words[2].endswith(f":{PORT:04X}"):
            continue
        found[words[9]] = {
            "state": TCP_STATES.get(words[3], words[3]),
            "pending": int(words[4].partition(":")[0], 16),
            "timer": int(words[5].partition(":")[0], 16),
            "retries": int(words[6], 16),
        }
    return found


def sockets_through(seconds):
    """The same through a time: what was seen of each, and last what became of it (nothing: it is gone)."""
    seen, end = {}, time.monotonic() + seconds
    while True:
        now = sockets()
        for inode, state in now.items():
            known = seen.setdefault(inode, {"states": [], "pending": 0, "retries": 0, "retransmits": False})
            known["states"] += [state["state"]] if state["state"] not in known["states"] else []
            known["pending"] = max(known["pending"], state["pending"])
            known["retries"] = max(known["retries"], state["retries"])
            known["retransmits"] |= state["timer"] == 1
        if time.monotonic() > end:
            return {inode: known | {"last": now.get(inode, {}).get("state")} for inode, known in seen.items()}
        time.sleep(0.05)


def answer(host="localhost", limit=1.0):
    """What a client meets at the broker: answers, refused, silent (connected, no word) or no connection."""
    stage = "no connection"
    try:
        with socket.create_connection((host, PORT), limit) as connection:
            stage = "silent"
            connection.settimeout(limit)
            connection.sendall(b"AMQP\0\0\x09\x01")
            return "answers" if connection.recv(1) == b"\x01" else stage
    except ConnectionError:
        return "refused"
    except TimeoutError:
        return stage
    except OSError as error:
        return str(error)


def main_pids(units):
    """Each unit's main process, 0 if it is gone."""
    shown = _printed("systemctl", "show", "--property=Id,MainPID", *units)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    alive = {process["pid"] for process in _processes()}
    return {block["Id"]: pid if (pid := int(block["MainPID"])) in alive else 0 for block in blocks}


OUTLIVES = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); signal.pause(); time.sleep(4)"
outliving = None


def outlive(unit):
    """Adds a process of ours to the unit, which outlives the unit's stop by some seconds."""
    global outliving
    group = _printed("systemctl", "show", "--property=ControlGroup", unit).strip().partition("=")[2]
    outliving = subprocess.Popen([sys.executable, "-c", OUTLIVES])
    paths = [f"{root}{group}/cgroup.procs" for root in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup")]
    with open(next(path for path in paths if os.path.exists(path)), "w", encoding="utf-8") as procs:
        procs.write(str(outliving.pid))


def outlived():
    """Systemd is told of the end of its own children only: this one is ours."""
    return outliving.poll() is not None


def last_start(unit):
    """How many seconds it took."""
    shown = _printed("systemctl", "show", "--property=InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic", unit)
    times = dict(line.split("=", 1) for line in shown.splitlines())
    return (int(times["ActiveEnterTimestampMonotonic"]) - int(times["InactiveExitTimestampMonotonic"])) / 1e6


def record():
    try:
        return json.loads(_read("/run/pulp_broker/record.json"))
    except ValueError:
        return None


def undone(since):
    """Whether it was the undo that has given everything back; a module can do so as well."""
    said = _printed("journalctl", "--quiet", "--output=cat", "--identifier=pulp_broker", f"--since=@{since}")
    return "everything that the broker test took away was given back" in said


def missing(units, busy):
    """What is not as it was; with busy somebody of ours still works here rightly. The cheapest questions come first."""
    if found := files():
        return found
    if dead := [unit for unit, pid in main_pids(units).items() if not pid]:
        return [f"no {', '.join(dead)}"]
    if (said := answer()) != "answers":
        return [f"the broker: {said}"]
    observed = observer() + program()
    return [thing for thing in left() if not (busy and "AnsiballZ_" in thing) and thing not in observed]


def restored(units, busy, within, margin):
    """Waits until nothing is missing: at the latest `margin` seconds after what was promised, by the record, in which it may
    change, or by who was just arming the undo anew and left a timer that ends itself `within` seconds from now."""
    began, promised = time.monotonic(), 0.0
    while True:
        if seen := record():
            promised = max(promised, _instant(seen["restores_at"]) - time.time() + time.monotonic())
        lacking = missing(units, busy)
        now = time.monotonic()
        limit = max(promised, began + within) + margin
        if not lacking or now > limit:
            return {"at": now, "missing": lacking, "promised": promised}
        time.sleep(0.1)


def _instant(text):
    import calendar

    return calendar.timegm(time.strptime(text.partition(".")[0].rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))


def strike(number, *victims):
    """A signal to all that are there, at once."""
    found, told = [], []
    for process in _processes():
        for victim in victims:
            if VICTIMS[victim](process):
                found.append(process["pid"])
                told.append(f"{process['name']}[{process['pid']}]")
    seen = record()
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return {"at": time.monotonic(), "killed": told, "record": seen}


def strike_when_there(within, later, nth, number, *victims):
    """The same, `later` seconds after the nth process that is the first victim is seen; in vain after `within` seconds."""
    end, seen = time.monotonic() + within, set()
    while time.monotonic() < end:
        seen |= {process["pid"] for process in _processes() if VICTIMS[victims[0]](process)}
        if len(seen) >= nth:
            time.sleep(later)
            break
        time.sleep(0.002)
    return strike(number, *victims)


def _is_module(process):
    return _program(process["pid"]).startswith("AnsiballZ_") and not _is_observer(process)


def _is_child(process):
    return _program(process["parent"]).startswith("AnsiballZ_")


def _is_arming(process):
    """What a module starts to have the undo started."""
    return process["name"] == "systemd-run"


def _is_undo(process):
    return "/pulp_broker-" in _read(f"/proc/{process['pid']}/cgroup")


def _is_shell(process):
    """The undo's own, whose children may live on."""
    return process["name"] in ("sh", "dash", "bash", "heal") and _is_undo(process)


def _is_connection(process):
    """The listener has systemd as its parent and says so."""
    return process["name"] == "sshd" and "[listener]" not in " ".join(_arguments(process["pid"]))


def connections():
    """What somebody sent over one of them begins even when he is dead, in a shell that may outlive it; then it is there, or
    nothing comes."""
    return [_told(process) for process in _processes() if _is_connection(process) or _begins_module(process)]


def _begins_module(process):
    words = _arguments(process["pid"])
    return _program(process["pid"]) in ("sh", "dash", "bash") and any("AnsiballZ_" in word for word in words)


VICTIMS = {
    "module": _is_module,
    "observer": _is_observer,
    "child": _is_child,
    "arming": _is_arming,
    "undo": _is_undo,
    "shell": _is_shell,
    "connection": _is_connection,
}

if __name__ == "__main__":
    for question in sys.stdin:
        name, *arguments = json.loads(question)
        print(json.dumps(globals()[name](*arguments)), flush=True)
