"""How long the broker is held away, and what that means: what the page before a run predicts is what then happens."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from harness.claims import Claims
from harness.lab import INVENTORY, SHARED, until
from harness.play import PLAYBOOKS, hook

TAKE = "take.yml/Take the broker away"
DOWN = "reconnect.yml/Tell what is down and how it comes back"
HOLD = "reconnect.yml/Hold the broker away"
PAGE = "set_up.yml/Tell what is there, what would be done, and everything that is in the way"
# The hold of 150 s, and what the play does around it.
LONG = 600


class Holds(Claims):
    def page(self, play, word):
        """The one line of the page that begins so."""
        told = [line for line in play.reply(PAGE, self.lab.name)["msg"] if line.startswith(word)]
        self.assertEqual(len(told), 1, play.reply(PAGE, self.lab.name)["msg"])
        return told[0]

    def services(self, play):
        """The story of each that holds a connection, as the report has it, and the names of what is told beside the verdict."""
        (folder,) = [path for path in play.reports.iterdir() if path.is_dir()]
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        (scenario,) = report["scenarios"]
        return scenario["services"], [told["name"] for told in report["verdict"]["told"]]

    def test_the_page_predicts_whether_tasks_are_canceled(self):
        # Workers are back at their retry 12 s after the loss, and at the one after 30 s or later.
        for hold, predicted, becomes in ((3, "will not cancel", "finished"), (23, "will cancel", "canceled")):
            with self.subTest(hold):
                chosen = {"pulp_broker_test_method": "reset", "pulp_broker_test_reconnect_hold": hold, "pulp_broker_test_accept_task_loss": True}
                play = self.play(PLAYBOOKS / "broker_reconnect.yml", variables=chosen, hooks=[hook(TAKE, run=self.begin_task())])
                line = self.page(self.demand_pass(play), "WOULD reconnect, 1, tasks: ")
                self.assertIn(f": Pulp {predicted} running tasks: its workers write no heartbeat for ", line)
                task = self.lab.exec("cat", "/run/lab-task").strip()
                until("the task to end", lambda task=task: task not in [t["task_id"] for t in self.lab.tasks()], 60)
                self.assertEqual(self.lab.api(f"tasks/{task}/")["state"], becomes, line)
                self.assertEqual("canceled_by_pulp" in self.services(play)[1], becomes == "canceled", line)
                self.demand_as_before()

    def begin_task(self):
        """Somebody's, which runs when the broker is taken away and ends before each worker has to prove that it works."""
        script = SHARED / "lab" / "lab.sh"
        return [script, "exec", self.lab.name, "sh", "-c", "pulp-lab task 45 >/run/lab-task; sleep 2"]

    def test_a_frozen_brokers_queue_is_left_to_pulp(self):
        # Who connects stands in it until the broker goes on. qpidd's has 10 places, and a worker that finds it full exits.
        chosen = {"pulp_broker_test_method": "freeze", "pulp_broker_test_reconnect_hold": 20}
        play = self.play(PLAYBOOKS / "broker_reconnect.yml", variables=chosen)
        play.wait_for(DOWN, self.lab.name)
        seen = []

        def is_over():
            # The second word of a line is how many wait.
            seen.extend(int(line.split()[1]) for line in self.lab.exec("ss", "-Hltn", "sport", "=", ":5672").splitlines())
            return play.outcomes(HOLD).get(self.lab.name) not in (None, "began")

        until("the hold to end", is_over, 60)
        self.assertGreater(len(seen), 10)
        self.assertGreaterEqual(max(seen), 1, "our probes connect, and are seen")
        # Five of ours: each who asks makes a second to be sure, and the proof one. And what Pulp's API tries in the meantime, each for 4 s.
        self.assertLessEqual(max(seen), 5 + 20 // 4, seen)
        self.demand_pass(play)
        self.demand_as_before()

    def test_a_partition_that_is_too_short_says_what_it_does_not_show(self):
        chosen = {"pulp_broker_test_method": "partition", "pulp_broker_test_reconnect_hold": 30}
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_reconnect.yml", "--check", variables=chosen))
        self.assertIn("partition for 30 s may end before", self.page(play, "NOT CHECKED: whether services connect again"))
        # Nothing is predicted where connections are not refused; and what is not allowed is not mentioned.
        self.assertEqual(self.page(play, "WOULD reconnect, 1, tasks: ").split(": ")[1], "they may be canceled, once their workers notice")
        self.assertNotIn("TLS 1.0", str(play.reply(PAGE, self.lab.name)["msg"]))

    def test_a_partition_of_the_default_time_loses_every_connection_and_all_come_back(self):
        # Without the scenario's own variables, which stand beside its inventory.
        folder = Path(tempfile.mkdtemp(prefix="pulp-broker-test-"))
        self.addCleanup(shutil.rmtree, folder)
        inventory = shutil.copy(INVENTORY, folder / "inventory.ini")
        play = self.play(PLAYBOOKS / "broker_reconnect.yml", variables={"pulp_broker_test_method": "partition"}, inventory=inventory)
        self.assertEqual(play.wait(LONG).process.returncode, 0, play.text())
        # The undo waits for two minutes more than the hold, whatever that is.
        self.assertIn("or 270 s after a later step", play.reply(DOWN, self.lab.name)["msg"][0])
        page = play.reply(PAGE, self.lab.name)["msg"]
        self.assertFalse([line for line in page if "whether services connect again" in line], page)
        services, _ = self.services(play)
        consumers = [service for service in services if service["name"].startswith(("pulp_worker-", "pulp_resource_manager"))]
        self.assertEqual(len(consumers), 3, services)
        for service in consumers:
            self.assertEqual(service["met"], "its connection was lost", service)
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
