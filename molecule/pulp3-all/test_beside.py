"""What else is on a Pulp 3's host, and how its services are started: a Pulp 2 beside it, a shell or another interpreter before it."""

import unittest

from harness.lab import until
from harness.module import call
from harness.pulp3 import WORKER, Pulp3Claims

# Of a Pulp 2 no more is needed to be in the way: its configuration, and a service of its.
MANAGER = "pulp_resource_manager"
UNIT = f"/etc/systemd/system/{MANAGER}.service"
SERVER_CONF = "/etc/pulp/server.conf"
# Where nothing listens.
OTHER_BROKER = "amqp://localhost:5999//"


class Beside(Pulp3Claims):
    def facts(self, **arguments):
        return call(self.lab, "pulp_facts", preflight=True, **arguments)["ansible_facts"]["pulp_deployment"]

    def line(self, facts, word):
        return next(line for line in facts["preflight"]["lines"] if line.startswith(f"{word} "))

    def names(self, facts):
        return [refusal["name"] for refusal in facts["preflight"]["refusals"]]

    def main_pid(self, unit):
        return self.lab.exec("systemctl", "show", "--value", "--property=MainPID", unit).strip()


class Pulp2(Beside):
    """A Pulp 2 and a Pulp 3 on one host, as in the years of migration; here the Pulp 3 is the real one."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.lab.shell, f"systemctl stop {MANAGER}; rm {UNIT} {SERVER_CONF}; systemctl daemon-reload")
        self.lab.shell(f"printf '[tasks]\\nbroker_url: {OTHER_BROKER}\\n' >{SERVER_CONF}")
        program = "import time; time.sleep(600)"
        self.lab.shell(f"printf '[Service]\\nExecStart=/usr/bin/python3 -c \"{program}\"\\n' >{UNIT}; systemctl daemon-reload")
        self.lab.exec("systemctl", "start", MANAGER)

    def test_each_is_found_and_neither_is_guessed(self):
        facts = self.facts()
        self.assertEqual((self.names(facts), facts["broker"]), (["broker_uncertain"], None))
        self.assertIn("a Pulp 2 and a Pulp 3 are on this host; set `pulp` to 2 or 3", facts["preflight"]["refusals"][0]["msg"])

        facts = self.facts(pulp="3")
        self.assertEqual((facts["pulp"], self.names(facts), facts["broker"]["port"]), (3, [], 5432))
        self.assertEqual([s["name"] for s in facts["services"] if s["name"].startswith("pulp_")], [])
        self.assertIn(f"; Pulp 2 is here too, and is left alone: {MANAGER} runs; ", self.line(facts, "FOUND"))

        facts = self.facts(pulp="2")
        self.assertEqual((facts["pulp"], facts["broker"]["port"]), (2, 5999))
        self.assertEqual([s["name"] for s in facts["services"]], [f"{MANAGER}.service"])
        # It was asked first: its interpreter has no Pulp 2.
        self.assertIn(f"read {SERVER_CONF}: failed to ask Pulp's own settings", self.line(facts, "SETTINGS"))

    def test_the_only_one_that_runs_is_meant(self):
        self.lab.exec("systemctl", "stop", MANAGER)
        facts = self.facts()
        self.assertEqual((facts["pulp"], self.names(facts), facts["broker"]["port"]), (3, [], 5432))


class Started(Beside):
    """A worker that is started in another way than by its own program."""

    def start_by(self, command):
        folder = f"/run/systemd/system/{WORKER}.d"
        self.addCleanup(self.lab.shell, f"rm -r {folder}; systemctl daemon-reload; systemctl restart {WORKER}")
        self.lab.shell(f"mkdir {folder}; printf '[Service]\\nExecStart=\\nExecStart={command}\\n' >{folder}/claim.conf")
        self.lab.shell(f"systemctl daemon-reload; systemctl restart {WORKER}")
        until("its Python", lambda: self.workers_of_unit())

    def workers_of_unit(self):
        processes = self.lab.exec("systemctl", "status", "--no-pager", "--lines=0", WORKER)
        return [line.split()[0].lstrip("├└─") for line in processes.splitlines() if "bin/python" in line and "pulpcore-worker" in line]

    def asked(self):
        facts = self.facts()
        self.assertEqual((self.names(facts), facts["broker"]["port"]), ([], 5432))
        return self.line(facts, "SETTINGS")

    def test_by_a_shell_that_stays_as_in_a_software_collection(self):
        self.start_by("/bin/sh -c \"/usr/local/lib/pulp/bin/pulpcore-worker; exit 1\"")
        shell = self.main_pid(WORKER)
        asked = self.asked()
        self.assertNotIn(f"(process {shell} of ", asked)
        self.assertRegex(asked, rf"^SETTINGS asked Pulp's own settings as user pulp \(process \d+ of {WORKER}\)")

    def test_by_an_interpreter_that_is_named(self):
        self.start_by("/usr/local/lib/pulp/bin/python3 /usr/local/lib/pulp/bin/pulpcore-worker")
        self.assertIn(f"as user pulp (process {self.main_pid(WORKER)} of {WORKER})", self.asked())

    def test_of_a_stopped_pulp_its_unit_is_asked_as_it_would_be_started(self):
        services = list(self.lab.services)
        self.addCleanup(self.lab.exec, "systemctl", "start", *services)
        self.lab.exec("systemctl", "stop", *services)
        facts = self.facts()
        self.assertIn("as user pulp (as pulpcore-worker@1.service would start)", self.line(facts, "SETTINGS"))
        self.assertEqual(facts["broker"]["port"], 5432)

    def test_of_a_pulp_whose_api_is_stopped_a_worker_is_asked(self):
        self.addCleanup(self.lab.exec, "systemctl", "start", "pulpcore-api.service")
        self.lab.exec("systemctl", "stop", "pulpcore-api.service")
        self.assertIn(f"(process {self.main_pid(WORKER)} of {WORKER})", self.asked())


if __name__ == "__main__":
    unittest.main()
