"""Nothing is taken away later than 2 s after a look at the tasks of others, whoever is slow on the way to the host."""

import unittest

from harness.claims import Claims
from harness.lab import SHARED
from harness.module import call, connection
from harness.play import PLAYBOOKS, hook
from harness.subjects import CANCEL, FOREVER

STOP, TAKE = "stop.yml/Stop Pulp's services", "take.yml/Take the broker away"
TAKINGS = {"connect": STOP, "reconnect": TAKE}
RESULT = "report.yml/Tell the result"
# Before the module begins, and after the play has looked.
SLOW = ["sleep", "3"]
# The module's own way of doing it, by hand.
BY_HAND = {
    "pulp_services": {"name": ["pulp_celerybeat", "pulp_workers"], "state": "stopped"},
    "pulp_broker": {"state": "down"},
}
ACCEPTED = {"pulp_broker_test_accept_task_loss": True}


class Look(Claims):
    def cancel_task(self):
        self.lab.shell(f"[ ! -e /run/lab-task ] || {{ {CANCEL}; rm /run/lab-task; }}")

    def begin_task(self):
        """Somebody's, which does not end."""
        self.addCleanup(self.cancel_task)
        self.lab.shell(FOREVER)

    def somebody_begins_one(self, task):
        """Three seconds after the play has looked, and before the module looks."""
        self.addCleanup(self.cancel_task)
        script = SHARED / "lab" / "lab.sh"
        return hook(task, run=[script, "exec", self.lab.name, "sh", "-c", f"{FOREVER}; sleep 1"])

    def demand_young(self, reply):
        self.assertGreater(reply["look_seconds_before"], 0)
        self.assertLessEqual(reply["look_seconds_before"], 2)

    def demand_untaken(self, reply, name):
        self.assertEqual((reply["changed"], reply["void"]), (False, name), reply)
        self.assertTrue(reply["msg"].startswith(f"VOID {name}: "), reply)
        self.assertTrue(reply["msg"].endswith("; nothing was taken away"), reply)
        self.assertNotIn("look_seconds_before", reply)
        self.assertEqual(self.lab.undo(), [])


class Plays(Look):
    def test_a_task_that_begins_after_the_play_has_looked_is_not_hit(self):
        for scenario, task in TAKINGS.items():
            with self.subTest(scenario):
                before = self.pids()
                play = self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[self.somebody_begins_one(task)])
                self.demand_failure(play, "VOID busy: 1 task of others runs or waits at ", "nothing was taken away")
                reply = play.reply(task, self.lab.name)
                self.demand_untaken(reply, "busy")
                self.assertEqual(reply["busy"]["count"], 1)
                sentence, verdict, _, line = play.reply(RESULT, self.lab.name)["msg"]
                self.assertTrue(sentence.startswith("Pulp is as it was before: yes"), sentence)
                self.assertTrue(verdict.startswith("VOID busy: "), verdict)
                self.assertIn("verdict=void name=busy actor=- restored=yes", line)
                self.cancel_task()
                self.demand_untouched(before)

    def test_a_slow_way_to_the_host_alone_is_no_reason_to_refuse(self):
        for scenario, task in TAKINGS.items():
            with self.subTest(scenario):
                play = self.demand_pass(self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[hook(task, run=SLOW)]))
                self.demand_young(play.reply(task, self.lab.name))
                self.demand_as_before()

    def test_who_accepts_the_loss_of_tasks_is_not_kept_from_it(self):
        hooks = [self.somebody_begins_one(TAKE)]
        play = self.play(PLAYBOOKS / "broker_reconnect.yml", hooks=hooks, variables=ACCEPTED).wait()
        self.demand_young(play.reply(TAKE, self.lab.name))
        self.assertNotIn("VOID", "\n".join(play.causes().values()))
        self.cancel_task()
        self.demand_as_before()


class Modules(Look):
    def give_back(self):
        self.lab.shell("[ ! -e /run/pulp_broker/heal ] || sh /run/pulp_broker/heal")
        self.wait_until_ready(self.lab)

    def test_where_a_task_runs_nothing_is_taken_and_nothing_armed(self):
        before = self.pids()
        self.begin_task()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, fails=True, run_id="busy", **connection(), **taking)
                self.demand_untaken(reply, "busy")
                self.assertEqual(reply["busy"]["count"], 1)
                self.assertIn(reply["busy"]["tasks"][0]["task_id"], reply["msg"])
        self.cancel_task()
        self.demand_untouched(before)

    def test_where_pulp_cannot_be_asked_nothing_is_taken_and_nothing_armed(self):
        before = self.pids()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, fails=True, run_id="wrong", **connection(password="wrong-7f3a"), **taking)
                self.demand_untaken(reply, "unhealthy_before")
        self.demand_untouched(before)

    def test_who_looks_tells_when_and_who_does_not_tells_nothing(self):
        for module, taking in BY_HAND.items():
            for given in (connection(), {}):
                with self.subTest(module, looks=bool(given)):
                    self.addCleanup(self.give_back)
                    reply = call(self.lab, module, run_id="looks", restore_after=600, **given, **taking)
                    self.assertTrue(reply["changed"], reply)
                    if given:
                        self.demand_young(reply)
                    else:
                        self.assertIsNone(reply["look_seconds_before"])
                    self.give_back()

    def test_a_broker_that_is_held_away_further_is_not_asked_about_again(self):
        # Its Pulp could not list tasks without it, or lists those that were hit.
        self.addCleanup(self.give_back)
        taken = call(self.lab, "pulp_broker", run_id="held", restore_after=600, state="down", **connection())
        self.demand_young(taken)
        held = call(self.lab, "pulp_broker", run_id="held", restore_after=600, state="down", hold=1, **connection(password="wrong-7f3a"))
        self.assertNotIn("void", held)
        self.assertNotIn("look_seconds_before", held)

    def test_check_mode_asks_nobody(self):
        before = self.pids()
        self.begin_task()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, connection=["--check"], run_id="plans", **connection(), **taking)
                self.assertNotIn("void", reply)
        self.cancel_task()
        self.demand_untouched(before)


if __name__ == "__main__":
    unittest.main()
