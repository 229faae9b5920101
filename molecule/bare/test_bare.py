"""A host that has a broker, a shell, and no Python at all: looked at from outside by its own commands, because nothing else is
left there. Pulp itself is written in Python, so its host keeps its own; Ansible is not told of it."""

import tempfile
import unittest
from pathlib import Path

from harness.claims import Claims
from harness.lab import BROKER, Lab, until
from harness.module import call
from harness.play import PLAYBOOKS

CONFIGURATION = "/etc/pulp/server.conf"
HOLDS = ("connect.yml/Hold the broker away", "reconnect.yml/Hold the broker away")
RESULT = "report.yml/Tell the result"

# What runs there alone afterwards is the broker; Pulp's account, units and files go too.
STRIP = f"""set -e
systemctl stop pulp_workers.service 'pulp_worker-*.service' || true
rm -rf /etc/pulp /usr/bin/pulp-lab /usr/lib/pulp-lab
rm -rf /run/systemd/system/pulp_worker* /etc/systemd/system/pulp_* /etc/systemd/system/httpd.service /etc/systemd/system/multi-user.target.wants/pulp_*
systemctl daemon-reload
export DEBIAN_FRONTEND=noninteractive
# Not by apt: Debian's RabbitMQ brings a small tool in Python, and would go with it.
dpkg-query --show --showformat '${{db:Status-Status}} ${{Package}}\\n' 'python3*' 'libpython3*' celery libapache2-mod-wsgi-py3 |
    sed -n 's/^installed //p' | xargs --no-run-if-empty dpkg --purge --force-depends >/dev/null 2>&1
find / -xdev -depth -path '*python3*' -delete
systemctl start {BROKER}
rabbitmqctl await_startup --timeout 90 >/dev/null
"""
FIND_PYTHON = "find / -xdev -name '*python*' -type f -perm /111; find / -xdev -name 'python*' -type l"


class PulpHost(Lab):
    """Its broker is elsewhere."""

    @property
    def units(self):
        return self.services


class BrokerHost(Lab):
    @property
    def units(self):
        return [BROKER]

    def main_pids(self):
        return {BROKER: int(self.exec("systemctl", "show", "--value", "--property", "MainPID", BROKER))}

    def broker_is_there(self):
        return "0A" in self.shell("awk '$2 ~ /:1628$/ {print $4}' /proc/net/tcp /proc/net/tcp6")

    def wait_until_ready(self, seconds=90):
        until(f"{self.name}: its broker", lambda: self.broker_is_there() and not self.dead(), seconds)

    def undo(self):
        return self.shell("ls -d /run/pulp_broker 2>/dev/null; systemctl list-units --all --plain --no-legend 'pulp_broker-*'").splitlines()

    def left_behind(self):
        """Files, units, drop-ins, rules, and processes of ours."""
        files = "ls -d /run/pulp_broker* /run/systemd/system/*.d /etc/systemd/system/*.d/*pulp_broker* 2>/dev/null"
        rules = "nft list ruleset | grep -i pulp_broker; iptables-save | grep -i pulp_broker"
        return self.undo() + self.shell(f"{files}; {rules}; pgrep -af 'AnsiballZ[_]'; true").splitlines() + self.ansible_files()


class Bare(Claims):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pulp, broker = cls.labs
        cls.labs = [PulpHost(pulp.name, pulp.services, True), BrokerHost(broker.name, [], False)]
        cls.lab, cls.broker = cls.labs
        for lab in cls.labs:
            cls.addClassCleanup(lab.leave)
        if "@localhost:" in cls.lab.exec("cat", CONFIGURATION):
            cls.broker.shell(STRIP, timeout=300)
            cls.move_broker()

    @classmethod
    def move_broker(cls):
        """Pulp is told where its broker is now; its own host has none any more."""
        address, name = cls.broker.exec("hostname", "-I").split()[0], cls.broker.exec("hostname").strip()
        cls.lab.shell(f"echo '{address} {name}' >>/etc/hosts; sed -i 's/@localhost:5672/@{name}:5672/' {CONFIGURATION}")
        cls.lab.shell(f"systemctl stop {BROKER} epmd.service epmd.socket; systemctl mask --quiet {BROKER}")
        cls.lab.shell(f"systemctl restart {' '.join(cls.lab.services)}")

    def test_there_is_no_python(self):
        self.assertEqual(self.broker.shell(FIND_PYTHON), "")
        # It would be found where there is one.
        self.assertIn("python3", self.lab.shell(FIND_PYTHON))

    def test_a_module_of_ansible_s_own_cannot_run_there(self):
        ping = self.written("- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.ping: {}}]}")
        interpreter = {"ansible_python_interpreter": "auto"}
        self.demand_pass(self.play(ping, f"--limit={self.lab.name}", variables=interpreter))
        play = self.play(ping, f"--limit={self.broker.name}", variables=interpreter)
        self.assertNotEqual(play.wait().process.returncode, 0, play.text())
        self.assertRegex(play.text(), "(?i)python")

    def test_the_whole_test_passes(self):
        play = self.demand_pass(self.play())
        for hold in HOLDS:
            self.assertEqual([play.reply(hold, lab.name)["role"] for lab in self.labs], ["remote", "local"])
            self.assertGreaterEqual(play.reply(hold, self.broker.name)["outage"]["held_seconds"], 5)
        self.assertRegex(play.reply(RESULT, self.lab.name)["msg"][3], "^PULP_BROKER_TEST verdict=survived")
        self.demand_as_before()

    def test_other_methods_need_no_python_either(self):
        for method in ("kill", "partition"):
            with self.subTest(method):
                variables = {"pulp_broker_test_method": method}
                self.demand_pass(self.play(PLAYBOOKS / "broker_reconnect.yml", variables=variables))
                self.demand_as_before()

    def test_the_way_out_from_the_controller(self):
        call(self.broker, "pulp_broker", state="down", restore_after=600)
        self.assertFalse(self.broker.broker_is_there())
        self.demand_pass(self.play(PLAYBOOKS / "heal.yml"))
        self.demand_as_before()

    def test_the_undo_comes_by_itself(self):
        call(self.broker, "pulp_broker", state="down", restore_after=60)
        self.assertFalse(self.broker.broker_is_there())
        until("the undo to be done", lambda: self.broker.undo() == [], 150)
        self.demand_as_before()

    def written(self, text):
        """A playbook of this claim's own."""
        folder = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "play.yml"
        path.write_text(text + "\n", encoding="utf-8")
        return path


if __name__ == "__main__":
    unittest.main()
