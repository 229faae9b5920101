"""A run that cannot or must not test says so, and restarts nothing."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from harness.claims import Claims
from harness.lab import PROJECT, until
from harness.module import call
from harness.play import INVENTORY, PLAYBOOKS

PAGE = "set_up.yml/Tell what is there, what would be done, and everything that is in the way"
RESULT = "report.yml/Tell the result"
LAST = "refuse.yml/Fail with what set-up said"


class Refused(Claims):
    def demand_refusal(self, *words, name="unsupported", variables=None, options=()):
        before = self.pids()
        play = self.demand_failure(self.play(PLAYBOOKS / "broker_test.yml", *options, variables=variables), *words)
        self.demand_untouched_by(play, before)
        # One task fails last, with what set-up said: a verdict comes first.
        last = [event for event in play.events() if event["outcome"] == "failed"][-1]
        self.assertEqual((last["task"], play.outcomes(LAST)), (LAST, {self.lab.name: "failed"}))
        self.assertTrue(last["reply"]["msg"].startswith(words[0]), last)
        if "--check" in options:
            self.assertEqual(play.outcomes(RESULT), {}, "the page alone is no run")
            self.assertFalse(play.reports.exists())
        else:
            self.demand_told(play, name, "error")
        return play

    def demand_untouched_by(self, play, before):
        self.assertEqual(play.outcomes("after_failure.yml/Give the broker back"), {}, "something was taken away")
        self.assertEqual(self.pids(), before)
        self.assertEqual(self.lab.undo() + self.lab.ansible_files(), [])

    def demand_told(self, play, name, outcome):
        """It ends in the same lines and files as every run, which say that nothing was touched."""
        sentence, verdict, felt, line = play.reply(RESULT, self.lab.name)["msg"]
        self.assertEqual(sentence, "Pulp is as it was before: yes (nothing was taken away)")
        self.assertTrue(verdict.startswith(f"VOID {name}: "), verdict)
        self.assertEqual(felt, "What your users felt: nothing; no outage was made")
        told = dict(word.split("=", 1) for word in line.removeprefix("PULP_BROKER_TEST ").split(" "))
        self.assertEqual((told["verdict"], told["name"], told["restored"]), ("void", name, "yes"), line)
        folder = Path(told["report"]).parent
        self.assertEqual({path.name for path in folder.iterdir()}, {"report.html", "report.json", "junit.xml"})
        # What the next run compares itself with is a run that tested something.
        self.assertEqual(list(play.reports.iterdir()), [folder])
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual((report["line"], report["scenarios"], report["verdict"]["restored"]), (line, [], True))
        testsuites = ElementTree.parse(folder / "junit.xml").getroot()
        counted = [(case.tag, case.get("type")) for case in testsuites.iter() if case.tag in ("failure", "error", "skipped")]
        self.assertEqual(counted, [(outcome, name)])
        return report

    def test_a_wrong_password(self):
        self.demand_refusal("VOID unhealthy_before: ", "401", "nothing was touched", name="unhealthy_before", variables={"pulp_broker_test_password": "no"})
        self.demand_as_before()

    def test_a_pulp_that_is_not_healthy(self):
        # One worker less would still sync; without the resource manager nothing runs.
        self.lab.exec("systemctl", "stop", "pulp_resource_manager.service")
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.exec, "systemctl", "start", "pulp_resource_manager.service")
        until("Pulp to know", lambda: "resource_manager" not in json.dumps(self.lab.api("status/")["known_workers"]))
        self.demand_refusal("VOID unhealthy_before: ", "resource_manager", "nothing was touched", name="unhealthy_before")

    def test_a_machine_that_stands_in_the_inventory_twice(self):
        """No restart of a service helps there, and none is named. The second name could be no file's."""
        before = self.pids()
        host = next(line for line in INVENTORY.read_text(encoding="utf-8").splitlines() if line.startswith(f"{self.lab.name} "))
        with tempfile.TemporaryDirectory() as folder:
            second = Path(folder) / "second.ini"
            second.write_text(f"[pulp]\n{host.replace(self.lab.name, 'höst/2', 1)}\n", encoding="utf-8")
            play = self.play(PLAYBOOKS / "broker_test.yml", "--inventory", str(second))
            self.demand_failure(play, "VOID unsupported: ", "is one machine and stands in the inventory more than once", "nothing was touched")
        self.assertNotIn("restart", "\n".join(play.causes().values()))
        self.demand_untouched_by(play, before)

    def test_somebody_elses_task(self):
        task = self.lab.exec("pulp-lab", "task", "forever").strip()
        self.addCleanup(self.demand_as_before)
        self.addCleanup(self.lab.api, f"tasks/{task}/", method="DELETE")
        until("the task to run", lambda: [t for t in self.lab.tasks() if t["state"] == "running"])
        self.demand_refusal("VOID busy: ", task, "pulp_broker_test_drain: SECONDS", "nothing was touched", name="busy")
        # Everything in the way is told at once, and stands in the report.
        url = {"pulp_broker_test_broker_url": "amqp://192.0.2.1:5672//"}
        play = self.demand_refusal("VOID busy: ", "1 more above", name="busy", variables=url)
        evidence = self.demand_told(play, "busy", "error")["verdict"]["evidence"]
        self.assertEqual(len([line for line in evidence if "192.0.2.1" in line]), 1, evidence)
        # The page alone refuses as the run does.
        play = self.demand_refusal("VOID busy: ", "1 more above", variables=url, options=["--check"])
        refused = [line.split(":")[0] for line in play.reply(PAGE, self.lab.name)["msg"] if line.startswith("REFUSED ")]
        self.assertEqual(refused, ["REFUSED busy", "REFUSED unsupported"])

    def test_a_task_that_ends_in_time_is_waited_for_and_one_that_does_not_is_named(self):
        task = self.lab.exec("pulp-lab", "task", "forever").strip()
        self.addCleanup(self.demand_as_before)
        self.addCleanup(self.lab.api, f"tasks/{task}/", method="DELETE")
        until("the task to run", lambda: [t for t in self.lab.tasks() if t["state"] == "running"])
        self.demand_refusal("VOID busy: ", task, "after 3 s", "nothing was touched", name="busy", variables={"pulp_broker_test_drain": 3})

    def test_wishes_that_cannot_be(self):
        for wish, words in (
            ({"method": "pull"}, "value of pulp_broker_test_method must be one of: stop, kill, freeze, partition, reset, got: pull"),
            ({"apply_at": "moon"}, "value of pulp_broker_test_apply_at must be one of: broker, pulp, got: moon"),
            ({"apply_at": "pulp"}, "pulp_broker_test_apply_at is pulp, so value of pulp_broker_test_method must be one of: partition, reset, got: stop"),
            ({"tls_minimum": 1.1}, "value of pulp_broker_test_tls_minimum must be one of: 1.0, 1.2, got: 1.1"),
            ({"void": "maybe"}, "value of pulp_broker_test_void must be one of: fail, pass, got: maybe"),
            ({"scenarios": 3}, "value of pulp_broker_test_scenarios must be one or more of: health, connect, reconnect. Got no match for: 3"),
            ({"connect_hold": "soon"}, "argument 'pulp_broker_test_connect_hold' is of type str and we were unable to convert to int"),
            ({"final_restart": "yes"}, "value of pulp_broker_test_final_restart must be one of: on_failure, always, never, got: yes"),
        ):
            with self.subTest(words):
                self.demand_refusal(words, variables={f"pulp_broker_test_{name}": value for name, value in wish.items()})

    def test_a_broker_on_a_host_that_the_play_does_not_cover(self):
        url = "amqp://192.0.2.1:5672//"
        self.demand_refusal("VOID unsupported: ", "192.0.2.1 port 5672", variables={"pulp_broker_test_broker_url": url})

    def test_a_refusal_that_may_pass_begins_nothing(self):
        before = self.pids()
        url = {"pulp_broker_test_broker_url": "amqp://192.0.2.1:5672//", "pulp_broker_test_void": "pass"}
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_test.yml", variables=url))
        self.demand_untouched_by(play, before)
        self.demand_told(play, "unsupported", "skipped")
        # A wish that cannot be is no verdict.
        wish = {"pulp_broker_test_method": "pull", "pulp_broker_test_void": "pass"}
        self.demand_refusal("value of pulp_broker_test_method must be one of: ", variables=wish)
        # The page alone says what would be refused.
        self.demand_refusal("VOID unsupported: ", variables=url, options=["--check"])

    def test_a_host_that_is_not_reached_from_the_start(self):
        before = self.pids()
        self.lab.shell(self.lab.LOSE)
        self.addCleanup(self.lab.find)
        play = self.demand_failure(self.play(PLAYBOOKS / "broker_test.yml"), "VOID host_unreachable: ", "nothing was touched")
        # Nobody is there to make a report; the last line needs nobody.
        sentence, verdict, _, line = play.reply(RESULT, self.lab.name)["msg"]
        self.assertEqual(sentence, "Pulp is as it was before: yes (nothing was taken away)")
        self.assertTrue(verdict.startswith("VOID host_unreachable: "), verdict)
        self.assertEqual(line, "PULP_BROKER_TEST verdict=void name=host_unreachable actor=- restored=yes report=-")
        self.assertEqual(self.pids(), before)

    def test_another_run_on_the_same_host(self):
        # It holds nothing but a record: Pulp is healthy, so that set-up passes.
        call(self.lab, "pulp_services", name=["pulp_celerybeat"], state="stopped", run_id="theirs", restore_after=600)
        self.addCleanup(self.demand_as_before)
        self.addCleanup(call, self.lab, "pulp_services", name=["pulp_celerybeat"], state="started", run_id="theirs")
        before = self.pids()
        play = self.demand_failure(self.play(PLAYBOOKS / "broker_reconnect.yml"), "run `theirs` has taken services of this host away since")
        self.demand_told(play, "busy", "error")
        self.assertEqual(self.pids(), before)
        self.assertIn("/run/pulp_broker", self.lab.undo(), "the other run's undo is gone")

    def test_a_clone_without_the_modules(self):
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as folder:
            clone = Path(folder) / "clone"
            shutil.copytree(PROJECT / "playbooks", clone / "playbooks", symlinks=True)
            (clone / "library").mkdir()
            for document in (PROJECT / "library").glob("*.yml"):
                shutil.copy(document, clone / "library")
            play = self.demand_failure(self.play(clone / "playbooks" / "broker_test.yml"), "run `make build`")
            self.assertEqual({event["task"] for event in play.events()}, {"built.yml/Find the built modules"})


if __name__ == "__main__":
    unittest.main()
