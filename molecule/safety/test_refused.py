"""A run that cannot or must not test says so, and restarts nothing."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from harness.claims import Claims
from harness.lab import PROJECT, until
from harness.module import call
from harness.play import PLAYBOOKS

IN_THE_WAY = "set_up.yml/Tell everything that is in the way"


class Refused(Claims):
    def demand_refusal(self, *words, variables=None, options=()):
        before = self.pids()
        play = self.demand_failure(self.play(PLAYBOOKS / "broker_test.yml", *options, variables=variables), *words)
        self.assertEqual(play.outcomes("restore.yml/Give the broker back"), {}, "something was taken away")
        self.assertEqual(self.pids(), before)
        self.assertEqual(self.lab.undo() + self.lab.ansible_files(), [])
        return play

    def test_a_wrong_password(self):
        self.demand_refusal("VOID unhealthy_before: ", "401", "nothing was touched", variables={"pulp_broker_test_password": "no"})
        self.demand_as_before()

    def test_a_pulp_that_is_not_healthy(self):
        # One worker less would still sync; without the resource manager nothing runs.
        self.lab.exec("systemctl", "stop", "pulp_resource_manager.service")
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.exec, "systemctl", "start", "pulp_resource_manager.service")
        until("Pulp to know", lambda: "resource_manager" not in json.dumps(self.lab.api("status/")["known_workers"]))
        self.demand_refusal("VOID unhealthy_before: ", "resource_manager", "nothing was touched")

    def test_somebody_elses_task(self):
        task = self.lab.exec("pulp-lab", "task", "forever").strip()
        self.addCleanup(self.demand_as_before)
        self.addCleanup(self.lab.api, f"tasks/{task}/", method="DELETE")
        until("the task to run", lambda: [t for t in self.lab.tasks() if t["state"] == "running"])
        self.demand_refusal("VOID busy: ", task, "pulp_broker_test_drain: SECONDS", "nothing was touched")
        # The page alone refuses as the run does, and tells everything at once.
        url = {"pulp_broker_test_broker_url": "amqp://192.0.2.1:5672//"}
        play = self.demand_refusal("VOID busy: ", "1 more above", variables=url, options=["--check"])
        refused = play.reply(IN_THE_WAY, self.lab.name)["msg"]
        self.assertEqual([line.split(":")[0] for line in refused], ["REFUSED busy", "REFUSED unsupported"])

    def test_a_task_that_ends_in_time_is_waited_for_and_one_that_does_not_is_named(self):
        task = self.lab.exec("pulp-lab", "task", "forever").strip()
        self.addCleanup(self.demand_as_before)
        self.addCleanup(self.lab.api, f"tasks/{task}/", method="DELETE")
        until("the task to run", lambda: [t for t in self.lab.tasks() if t["state"] == "running"])
        self.demand_refusal("VOID busy: ", task, "after 3 s", "nothing was touched", variables={"pulp_broker_test_drain": 3})

    def test_wishes_that_cannot_be(self):
        for wish, words in (
            ({"method": "pull"}, "value of pulp_broker_test_method must be one of: stop, kill, freeze, partition, reset, got: pull"),
            ({"apply_at": "moon"}, "value of pulp_broker_test_apply_at must be one of: broker, pulp, got: moon"),
            ({"apply_at": "pulp"}, "value of pulp_broker_test_method must be one of: partition, reset, got: stop"),
            ({"final_restart": "yes"}, "value of pulp_broker_test_final_restart must be one of: on_failure, always, never, got: yes"),
        ):
            with self.subTest(words):
                self.demand_refusal(words, variables={f"pulp_broker_test_{name}": value for name, value in wish.items()})

    def test_a_broker_on_a_host_that_the_play_does_not_cover(self):
        url = "amqp://192.0.2.1:5672//"
        self.demand_refusal("VOID unsupported: ", "192.0.2.1 port 5672", variables={"pulp_broker_test_broker_url": url})

    def test_another_run_on_the_same_host(self):
        # It holds nothing but a record: Pulp is healthy, so that set-up passes.
        call(self.lab, "pulp_services", name=["pulp_celerybeat"], state="stopped", run_id="theirs", restore_after=600)
        self.addCleanup(self.demand_as_before)
        self.addCleanup(call, self.lab, "pulp_services", name=["pulp_celerybeat"], state="started", run_id="theirs")
        before = self.pids()
        self.demand_failure(self.play(PLAYBOOKS / "broker_reconnect.yml"), "run `theirs` has taken services of this host away since")
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
