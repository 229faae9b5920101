"""Each way in which users start the shipped playbooks, after the whole of it has run with its own holds."""

import json
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from harness.claims import Claims
from harness.lab import until
from harness.play import PLAYBOOKS

SHORT = {"pulp_broker_test_connect_hold": 5, "pulp_broker_test_reconnect_hold": 5}
CONNECT = "connect.yml/Hold the broker away"
RECONNECT = "reconnect.yml/Hold the broker away"
HEALTH = "health.yml/Check that Pulp does its job end to end"
PAGE = "set_up.yml/Tell what is there, what would be done, and everything that is in the way"
RESULT = "report.yml/Tell the result"
# What a survey sends where nobody filled anything in.
EMPTY = (
    "accept_shared", "accept_task_loss", "api_root", "apply_at", "ask_pulp", "broker_timeout", "broker_unit", "broker_url", "connect_hold", "domain", "drain",
    "feed", "feed_port", "final_restart", "final_timeout", "health_timeout", "keep", "met_timeout", "method", "pulp", "ready_timeout", "reconnect_hold",
    "recovery_timeout", "request_timeout", "restore_after", "scenarios", "service_timeout", "strict", "target", "tls_minimum", "username", "void",
)  # fmt: skip


class WaysToStart(Claims):
    def test_the_whole_run_left_nothing_behind(self):
        self.demand_as_before()

    def test_check_mode_shows_the_plan_and_touches_nothing(self):
        before, requests = self.pids(), self.requests()
        empty = {f"pulp_broker_test_{name}": "" for name in EMPTY}
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_test.yml", "--check", variables=empty))
        for task in (CONNECT, RECONNECT):
            self.assertIn("would stop rabbitmq-server.service", play.reply(task, self.lab.name)["msg"])
        page = play.reply(PAGE, self.lab.name)["msg"]
        words = ["FOUND", "SETTINGS", "BROKER", "OTHERS", "TASKS", "DISK", "UNDO", "WOULD", "NOT CHECKED"]
        at = [next((n for n, line in enumerate(page) if line.startswith((f"{word} ", f"{word}:"))), None) for word in words]
        self.assertNotIn(None, at, page)
        self.assertEqual(at, sorted(at), page)
        self.assertEqual(self.requests(), requests, "check mode wrote to Pulp")
        self.demand_untouched(before)

    def requests(self):
        """What changed something in Pulp so far; a search only asks."""
        return self.lab.shell("grep -E '\"(POST|PUT|DELETE) ' /var/log/httpd/ssl_access_log | grep -vc /search/; true").strip()

    def test_health_alone_restarts_nothing(self):
        before = self.pids()
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_test.yml", "--tags", "health"))
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        self.demand_untouched(before)

    def test_tags_choose_the_scenario(self):
        for tag, runs, rests in (("connect", CONNECT, RECONNECT), ("reconnect", RECONNECT, CONNECT)):
            with self.subTest(tag):
                play = self.demand_pass(self.play(PLAYBOOKS / "broker_test.yml", "--tags", tag, "--check"))
                self.assertEqual(play.outcomes(runs), {self.lab.name: "ok"})
                self.assertEqual(play.outcomes(rests), {})

    def test_connect_alone_and_for_the_second_time(self):
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_connect.yml", variables=SHORT))
        self.assertEqual(play.outcomes(RECONNECT), {})
        self.assertEqual(len(play.reply("connect.yml/Wait until each service has met the absent broker", self.lab.name)["met"]), 3)
        self.demand_as_before()

    def test_reconnect_alone_and_for_the_second_time(self):
        # What listens for agents' replies was lost in the runs before, as in every real Pulp 2.
        self.lab.exec("systemctl", "restart", "httpd.service")
        until("httpd to listen for agents' replies", lambda: "pulp.task\t2" in self.lab.exec("rabbitmqctl", "list_queues", "name", "consumers"))
        before = self.pids()[0]
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_reconnect.yml", variables=SHORT))
        self.assertEqual(play.outcomes(CONNECT), {})
        self.demand_as_before()
        # The same processes came back by themselves; only the broker is another.
        after = self.pids()[0]
        self.assertEqual([unit for unit in after if after[unit] != before[unit]], ["rabbitmq-server.service"])
        sentence, verdict, felt, line = play.reply(RESULT, self.lab.name)["msg"]
        self.assertRegex(sentence, r"^Pulp is as it was before: yes \(checked \d\d:\d\d:\d\d UTC\), but for the replies of agents, which httpd\.service does not")
        # Every real Pulp 2.21 has this defect, and so has the lab.
        self.assertTrue(verdict.startswith("Pulp survived, with defects: agent_replies_lost: "), verdict)
        self.assertTrue(felt.startswith("What your users felt: reconnect: the broker was away for "), felt)
        self.demand_report(play, line)

    def demand_report(self, play, line):
        """The last line can be read by a program, and the files are there for who started the play, and for nobody else."""
        told = dict(word.split("=", 1) for word in line.removeprefix("PULP_BROKER_TEST ").split(" "))
        wanted = {"verdict": "survived_with_defects", "name": "agent_replies_lost", "actor": "httpd.service", "restored": "yes"}
        self.assertEqual({key: told[key] for key in wanted}, wanted, line)
        folder = Path(told["report"]).parent
        # Evidence is gathered where something failed only.
        names = {"report.html", "report.json", "junit.xml"}
        self.assertEqual({path.name for path in folder.iterdir()}, names)
        self.assertEqual({path.stat().st_mode & 0o077 for path in folder.iterdir()}, {0})
        latest = json.loads((folder.parent / "latest.json").read_text(encoding="utf-8"))
        self.assertEqual(latest, json.loads((folder / "report.json").read_text(encoding="utf-8")))
        self.assertEqual(latest["verdict"]["name"], "agent_replies_lost")
        testsuites = ElementTree.parse(folder / "junit.xml").getroot()
        self.assertEqual([case for case in testsuites.iter() if case.tag in ("failure", "error")], [])

    def test_a_deployment_playbook_elsewhere_imports_it(self):
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as elsewhere:
            site = Path(elsewhere) / "site.yml"
            site.write_text(f"- ansible.builtin.import_playbook: {PLAYBOOKS}/broker_test.yml\n", encoding="utf-8")
            # Check mode calls every module, health is done for real.
            play = self.demand_pass(self.play(site, "--check", cwd=elsewhere))
            self.assertEqual(play.outcomes(CONNECT), {self.lab.name: "ok"})
            play = self.demand_pass(self.play(site, "--tags", "health", cwd=elsewhere))
            self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])

    def test_the_role_checks_health_in_a_play_of_somebodys_own_and_refuses_outages(self):
        own = {"ANSIBLE_ROLES_PATH": f"{PLAYBOOKS}/roles", "ANSIBLE_ACTION_PLUGINS": f"{PLAYBOOKS}/action_plugins", "ANSIBLE_LIBRARY": f"{PLAYBOOKS}/../library"}
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as elsewhere:
            site = Path(elsewhere) / "site.yml"
            site.write_text("- hosts: pulp\n  gather_facts: false\n  tags: [connect]\n  roles: [pulp_broker_test]\n", encoding="utf-8")
            before = self.pids()
            play = self.play(site, variables={"pulp_broker_test_scenarios": "health"}, environment=own)
            self.assertTrue(self.demand_pass(play).reply(HEALTH, self.lab.name)["healthy"])
            for options, wish in ((), {}), (("--tags", "connect"), {"pulp_broker_test_scenarios": "health"}):
                play = self.play(site, *options, variables=wish, environment=own)
                self.demand_failure(play, "must be health in a play of your own", "import the playbook broker_test.yml")
            self.demand_untouched(before)

    def test_the_example_of_a_deployment_deploys_and_tests(self):
        # Whoever deploys has Python on the hosts, which this scenario else denies itself.
        wish = {"pulp_broker_test_scenarios": ["health"], "ansible_python_interpreter": "/usr/bin/python3"}
        play = self.demand_pass(self.play(PLAYBOOKS / "examples" / "deploy.yml", variables=wish))
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        # Its role ran, with its group_vars.
        self.assertEqual(play.outcomes("main.yml/Start Pulp's web server"), {self.lab.name: "ok"})


if __name__ == "__main__":
    unittest.main()
