"""The undo itself, without any play: by hand, and by its timer alone."""

import re
import unittest

from harness.claims import Claims
from harness.lab import until
from harness.module import call
from harness.play import PLAYBOOKS


class Undo(Claims):
    def take(self, **options):
        """Services first, then the broker, as connect does."""
        call(self.lab, "pulp_services", state="stopped", **options)
        reply = call(self.lab, "pulp_broker", state="down", **options)
        self.assertFalse(self.lab.broker_is_there())
        return reply

    def test_by_hand(self):
        reply = self.take(restore_after=600)
        command = re.search("`(sudo [^`]*)`", reply["msg"])[1]
        self.lab.shell(command)
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_from_the_controller(self):
        heal, tell = PLAYBOOKS / "heal.yml", "heal.yml/Tell what was given back"
        play = self.demand_pass(self.play(heal))
        self.assertIn("nothing is recorded here", play.reply(tell, self.lab.name)["msg"])
        self.take(restore_after=600, run_id="mine")
        play = self.demand_pass(self.play(heal, "--check"))
        self.assertIn("run mine has taken something away since", play.reply(tell, self.lab.name)["msg"])
        self.assertFalse(self.lab.broker_is_there())
        play = self.demand_pass(self.play(heal))
        self.assertIn("all of it was given back", play.reply(tell, self.lab.name)["msg"])
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_by_its_timer_alone(self):
        # It has to be later than the broker's own start takes.
        self.take(restore_after=30)
        until("the undo to be done", lambda: self.lab.undo() == [])
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_another_run_is_named_and_left_alone(self):
        call(self.lab, "pulp_broker", state="down", run_id="mine", restore_after=600)
        before = self.pids()
        for module, state in (("pulp_broker", "down"), ("pulp_broker", "up"), ("pulp_services", "stopped")):
            with self.subTest(module=module, state=state):
                reply = call(self.lab, module, state=state, run_id="theirs", fails=True)
                if state != "up":
                    self.assertIn("run `mine` has taken services of this host away since", reply["msg"])
                self.assertNotEqual(self.lab.undo(), [])
                self.assertEqual(self.pids(), before)
        call(self.lab, "pulp_broker", state="up", run_id="mine")
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
