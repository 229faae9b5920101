"""Nothing is taken away later than 2 s after a look at the tasks of others, whoever is slow in between."""

import shlex
import tempfile
import time
import unittest

from harness.claims import Claims
from harness.module import call, connection
from harness.play import PLAYBOOKS, hook

LOOK = "idle.yml/Look for tasks of others"
STOP, TAKE = "stop.yml/Stop Pulp's services", "take.yml/Take the broker away"
REFUSE = "taking.yml/Refuse where each look was too old"
RESULT = "report.yml/Tell the result"
# Before the module begins, so that the look is older than it may be.
SLOW = ["sleep", "3"]
# The module's own way of doing it, by hand.
TAKINGS = {
    "pulp_services": {"name": ["pulp_celerybeat", "pulp_workers"], "state": "stopped"},
    "pulp_broker": {"state": "down"},
}


class Plays(Claims):
    def looks(self, play, task):
        """What the taking has told of each look, in order."""
        replies = [event["reply"] for event in play.events() if event["task"] == task and event["outcome"] == "ok"]
        return [(reply["look_too_old"], reply["look_age_seconds"]) for reply in replies]

    def demand_another_look(self, scenario, task):
        folder = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
        self.addCleanup(folder.cleanup)
        flag = shlex.quote(f"{folder.name}/was-slow")
        once = hook(task, run=["sh", "-c", f"mkdir {flag} 2>/dev/null && sleep 3; true"])
        play = self.demand_pass(self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[once]))
        looks = self.looks(play, task)
        self.assertTrue(looks[0][0], looks)
        self.assertGreater(looks[0][1], 3)
        # On a busy machine the second may have been too late as well.
        self.assertEqual([late for late, _ in looks[1:]], [True] * (len(looks) - 2) + [False], looks)
        self.assertLessEqual(looks[-1][1], 2)
        self.demand_as_before()

    def demand_void(self, scenario, task):
        before = self.pids()
        play = self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[hook(task, run=SLOW)])
        self.demand_failure(play, "VOID busy: three times more than 2 s", "nothing was taken away", "pulp_broker_test_accept_task_loss: true")
        looks = self.looks(play, task)
        self.assertEqual([late for late, _ in looks], [True] * 3, looks)
        self.assertEqual(play.outcomes(REFUSE), {self.lab.name: "failed"})
        sentence, verdict, _, line = play.reply(RESULT, self.lab.name)["msg"]
        self.assertTrue(sentence.startswith("Pulp is as it was before: yes"), sentence)
        self.assertTrue(verdict.startswith("VOID busy: "), verdict)
        self.assertIn("verdict=void name=busy actor=- restored=yes", line)
        self.demand_untouched(before)

    def test_a_slow_moment_before_the_services_stop_is_followed_by_another_look(self):
        self.demand_another_look("connect", STOP)

    def test_a_slow_moment_before_the_broker_goes_is_followed_by_another_look(self):
        self.demand_another_look("reconnect", TAKE)

    def test_a_machine_that_is_always_slow_stops_no_service(self):
        self.demand_void("connect", STOP)

    def test_a_machine_that_is_always_slow_takes_no_broker(self):
        self.demand_void("reconnect", TAKE)

    def test_who_accepts_the_loss_of_tasks_is_not_kept_from_it(self):
        accepted = {"pulp_broker_test_accept_task_loss": True}
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_reconnect.yml", hooks=[hook(TAKE, run=SLOW)], variables=accepted))
        self.assertNotIn("look_too_old", play.reply(TAKE, self.lab.name))
        self.demand_as_before()


class Modules(Claims):
    def looked(self):
        return call(self.lab, "pulp_health", state="idle", **connection())["looked"]

    def test_a_look_that_is_too_old_takes_nothing_and_arms_nothing(self):
        for module, taking in TAKINGS.items():
            with self.subTest(module):
                before, looked = self.pids(), self.looked()
                time.sleep(2)
                reply = call(self.lab, module, tasks_looked=looked, run_id="slow", **taking)
                self.assertEqual((reply["changed"], reply["look_too_old"], reply["undo"]), (False, True, "disarmed"), reply)
                self.assertGreater(reply["look_age_seconds"], 2)
                self.assertIn("nothing was taken away", reply["msg"])
                self.assertEqual(self.lab.undo(), [])
                self.demand_untouched(before)

    def test_a_look_is_as_old_as_the_clock_since_the_boot_says(self):
        # No time of the day is in it, so no wall clock can make it younger.
        boot = self.lab.shell("cat /proc/sys/kernel/random/boot_id").strip()
        before = self.pids()
        reply = call(self.lab, "pulp_services", tasks_looked=f"{boot}@1", run_id="slow", **TAKINGS["pulp_services"])
        uptime = float(self.lab.shell("cat /proc/uptime").split()[0])
        self.assertAlmostEqual(reply["look_age_seconds"], uptime - 1, delta=30)
        self.demand_untouched(before)

    def test_a_look_of_another_boot_has_an_age_that_nobody_knows(self):
        for module, taking in TAKINGS.items():
            with self.subTest(module):
                self.addCleanup(self.lab.shell, "[ ! -e /run/pulp_broker/heal ] || sh /run/pulp_broker/heal")
                reply = call(self.lab, module, tasks_looked="another@1", run_id="theirs", restore_after=600, **taking)
                self.assertEqual((reply["changed"], reply["look_too_old"], reply["look_age_seconds"]), (True, False, None), reply)
                self.lab.shell("sh /run/pulp_broker/heal")
                self.wait_until_ready(self.lab)


if __name__ == "__main__":
    unittest.main()
