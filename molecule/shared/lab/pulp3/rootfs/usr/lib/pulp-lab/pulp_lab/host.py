"""Why this exists: the units of this host, and the one way to speak with systemd about them."""

import subprocess
from pathlib import Path

WORKERS = ["pulpcore-worker@1.service", "pulpcore-worker@2.service"]
CONTENT = "pulpcore-content.service"
PULP = ["pulpcore-api.service", CONTENT, *WORKERS]
DATABASE = "postgresql@15-main.service"
POOLER = "pgbouncer.service"
SETTINGS, SETTINGS_MADE = Path("/etc/pulp/settings.py"), Path("/usr/share/pulp-lab/settings.py")
UNIT_FILES = Path("/etc/systemd/system")


def systemctl(*words):
    subprocess.run(["systemctl", "--quiet", *words], check=True)


def kill(*units):
    """Those that still have a process."""
    subprocess.run(["systemctl", "--quiet", "kill", "--signal=KILL", *units], check=False, stderr=subprocess.DEVNULL)


def psql(database, script):
    """What it answers, without titles."""
    words = ["runuser", "-u", "postgres", "--", "psql", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", database]
    return subprocess.run(words, input=script, text=True, cwd="/", check=True, stdout=subprocess.PIPE).stdout.strip()


def show(unit, name):
    words = ["systemctl", "show", "--property", name, "--value", unit]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def main_pid(unit):
    return int(show(unit, "MainPID"))


def parent(pid):
    """0: there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0


def unit(name):
    return name if "." in name else f"{name}.service"


def drop_in(unit_name, name):
    return UNIT_FILES / f"{unit_name}.d" / f"pulp-lab-{name}.conf"


def add_drop_in(unit_name, name, *lines):
    file = drop_in(unit_name, name)
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in ["[Service]", *lines]), encoding="ascii")


def remove_drop_ins():
    for file in UNIT_FILES.glob("*.d/pulp-lab-*.conf"):
        file.unlink()
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
