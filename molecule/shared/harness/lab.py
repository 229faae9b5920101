"""A lab seen from outside: asked with podman, never through the modules or the connection that are under test."""

import json
import math
import os
import subprocess
import time
from pathlib import Path

INVENTORY = Path(os.environ["LAB_INVENTORY"])
SHARED = Path(__file__).resolve().parent.parent
PROJECT = SHARED.parent.parent
INSIDE = Path(__file__).resolve().parent / "inside.py"

BROKER = "rabbitmq-server.service"
WORKERS = ["pulp_worker-0.service", "pulp_worker-1.service"]
# Those of the first host; a second host has only workers.
SERVICES = ["httpd.service", "pulp_celerybeat.service", "pulp_resource_manager.service", *WORKERS]

# RabbitMQ takes up to 21 s on a busy machine, workers then retry after up to 14 s.
PATIENCE = 90
SLACK = 6


def until(what, probe, seconds=PATIENCE):
    """Waits until the probe says something true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (seen := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return seen


class Lab:
    SERVICES = SERVICES

    def __init__(self, name, services, serves):
        self.name = name
        self.services = services
        self.serves = serves
        self._inside = None

    def ask(self, function, *arguments):
        """Puts a question to inside.py, which runs in the lab. One is answered after the other."""
        if self._inside is None or self._inside.poll() is not None:
            command = f"exec podman exec --interactive pulp-broker-test-{self.name} python3 -c \"$0\""
            self._inside = self._podman(command, INSIDE.read_text(encoding="utf-8"))
        self._inside.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._inside.stdin.flush()

    def answer(self):
        line = self._inside.stdout.readline()
        if not line:
            raise AssertionError(f"{self.name}: nobody answers in the lab: {self._inside.wait(10)}")
        return json.loads(line)

    def look(self, function, *arguments):
        """A question with its answer."""
        self.ask(function, *arguments)
        return self.answer()

    def leave(self):
        """Ends what `ask` has started there."""
        if self._inside:
            self._inside.communicate()
            self._inside = None

    def _podman(self, script, *arguments):
        script = f'eval "$({SHARED}/lab/lab.sh env)"; {script}'
        return subprocess.Popen(["sh", "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def exec(self, *command, check=True, timeout=120):
        result = subprocess.run(
            [SHARED / "lab" / "lab.sh", "exec", self.name, *command], capture_output=True, check=False, text=True, timeout=timeout
        )
        if check and result.returncode:
            raise AssertionError(f"{self.name}: {' '.join(command)}: {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout

    def shell(self, script, **options):
        return self.exec("sh", "-c", script, **options)

    def bring(self, path, folder):
        """A file or folder of this machine, into a folder that is there."""
        tar = 'tar -C "$0" -cf - "$1" | podman exec -i "$2" tar -xf - -C "$3" --no-same-owner'
        process = self._podman(tar, path.parent, path.name, f"pulp-broker-test-{self.name}", folder)
        process.communicate(timeout=120)
        if process.returncode:
            raise AssertionError(f"{self.name}: {path} did not get into {folder}")

    def mount(self, script):
        """Mounting needs a capability that the lab's own processes do not have."""
        process = self._podman(f'exec podman exec --privileged pulp-broker-test-{self.name} sh -c "$0" 2>&1', script)
        said = process.communicate(timeout=60)[0]
        if process.returncode:
            raise AssertionError(f"{self.name}: {script}: {process.returncode}: {said}")

    @property
    def units(self):
        return [BROKER, *self.services] if self.serves else self.services

    def restore_after(self, longest, shortest):
        """As short as an outage of that length allows, in seconds: the undo begins earlier by one and a half times the broker's last start,
        which takes its time on a busy machine, and 2 s."""
        return max(shortest, math.ceil(longest + 1.5 * self.look("last_start", BROKER) + SLACK))

    def main_pids(self):
        """Each unit's main process: the same before and after means that nothing was restarted in between."""
        return self.look("main_pids", self.units)

    def dead(self):
        return sorted(unit for unit, pid in self.main_pids().items() if pid == 0)

    def broker_is_there(self):
        """It listens and answers the protocol's greeting."""
        return self.look("answer") == "answers"

    def wait_until_ready(self, seconds=PATIENCE):
        """The broker, the API and every worker of this host, as Pulp says, and every main process."""
        self.exec("pulp-lab", "wait", str(seconds), timeout=seconds + 30)
        until(f"{self.name}: every main process", lambda: not self.dead(), seconds)

    def undo(self):
        """What of the undo is there: its files, its timer."""
        return self.look("files") + self.look("units")

    def ansible_files(self):
        """What Ansible brought and did not remove."""
        return self.shell("find /root/.ansible/tmp -mindepth 2 2>/dev/null; true").split()

    def remove_ansible_files(self):
        self.shell("rm -rf /root/.ansible/tmp/*")

    def left_behind(self):
        """What a run made and did not remove: on the host, in its kernel, and in Pulp."""
        found = self.look("left") + self.ansible_files()
        if self.serves:
            found += [repository["id"] for repository in self.api("repositories/")]
            orphans = self.api("content/orphans/")["rpm"]["count"]
            found += [f"{orphans} orphaned packages"] if orphans else []
            found += [f"task {task['task_id']} {task['state']}" for task in self.tasks()]
        return found

    def tasks(self):
        """Those that run or wait."""
        return [task for task in self.api("tasks/") if task["state"] in ("running", "waiting")]

    def api(self, path, method="GET"):
        reply = self.exec(
            "curl", "--silent", "--show-error", "--fail", "--cacert", "/etc/pki/pulp/ca.crt", "--user",
            f"admin:{password()}", "--request", method, f"https://localhost/pulp/api/v2/{path}",
        )  # fmt: skip
        return json.loads(reply)

    def use_defect(self, defect="", actors="", begins="", replies=""):
        """Restarts the services with it, or healthy. What is not said is as in a lab that was just booted."""
        wishes = {"DEFECT": defect, "DEFECT_ACTORS": actors, "DEFECT_BEGINS": begins, "REPLIES": replies}
        lines = "\\n".join(f"PULP_LAB_{name}={value}" for name, value in wishes.items())
        self.shell(f"printf '{lines}\\n' >/etc/default/pulp_lab")
        self.exec("systemctl", "restart", *self.services)
        self.wait_until_ready()

    def use_subject(self, subject):
        self.use_defect(subject.defect, subject.actors, subject.begins, subject.replies)

    def start_broker(self):
        self.exec("systemctl", "start", BROKER)

    def empty(self):
        """Of whatever a subject or its play has left in Pulp."""
        for task in self.tasks():
            self.api(f"tasks/{task['task_id']}/", method="DELETE")
        for repository in self.api("repositories/"):
            self.api(f"repositories/{repository['id']}/", method="DELETE")
        until("the repositories to be deleted", lambda: not self.api("repositories/") and not self.tasks())
        if self.api("content/orphans/")["rpm"]["count"]:
            self.api("content/orphans/", method="DELETE")
            until("the packages to be deleted", lambda: not self.api("content/orphans/")["rpm"]["count"])

    # Nobody reaches it over the network any more: no new connection, and the standing ones are gone.
    LOSE = "systemctl stop ssh.service ssh.socket; pkill -KILL -x sshd; true"

    def find(self):
        self.exec("systemctl", "start", "ssh.service")


def password():
    return variables()["pulp_broker_test_password"]


def variables():
    lines = INVENTORY.read_text(encoding="utf-8").partition("[pulp:vars]\n")[2].split()
    return dict(line.split("=", 1) for line in lines)


def labs(inventory=INVENTORY, kind=Lab):
    """The scenario's labs; the first is the one with the broker and the API."""
    hosts = inventory.read_text(encoding="utf-8").partition("[pulp]\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in hosts.splitlines()]
    return [kind(names[0], kind.SERVICES, True), *(kind(name, WORKERS, False) for name in names[1:])]
