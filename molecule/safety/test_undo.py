"""The undo itself, without any play: by hand, and by its timer alone."""

import re
import signal
import unittest

from harness.claims import Claims
from harness.lab import BROKER, until
from harness.module import Call, call
from harness.play import PLAYBOOKS
from harness.undo import TakesByHand


class Undo(TakesByHand, Claims):
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

    def test_from_the_controller_of_a_run_that_took_nothing(self):
        """It may have died before; what it had sent goes with the same playbook."""
        way = ("-e", "pulp_broker_test_resident=true", "--playbook-dir", str(PLAYBOOKS))
        call(self.lab, "pulp_facts", connection=way, preflight=False)
        self.assertNotEqual(self.lab.look("program"), [])
        heal, tell = PLAYBOOKS / "heal.yml", "heal.yml/Tell what was given back"
        play = self.demand_pass(self.play(heal, "--check"))
        self.assertIn("would be removed", play.reply(tell, self.lab.name)["msg"])
        self.assertNotEqual(self.lab.look("program"), [])
        play = self.demand_pass(self.play(heal))
        self.assertRegex(play.reply(tell, self.lab.name)["msg"], "nothing is recorded here.*was removed")
        self.demand_as_before()

    def test_by_its_timer_alone(self):
        # It has to be later than the broker's own start takes.
        self.take(restore_after=30)
        until("the undo to be done", lambda: self.lab.undo() == [])
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_a_stop_of_which_systemd_does_not_hear_the_end(self):
        """With control groups of version 1 a container's systemd would wait 90 s for a process that is long gone; the lab's is told."""
        self.lab.shell("systemctl stop pulp-lab-cgroups", check=False)
        self.addCleanup(self.lab.shell, "systemctl start pulp-lab-cgroups", check=False)
        call(self.lab, "pulp_services", state="stopped", restore_after=30)
        self.lab.look("outlive", BROKER)
        down = Call(self.lab, "pulp_broker", state="down", restore_after=30)
        until("the broker's last process to be gone", lambda: self.lab.look("outlived"))
        self.lab.look("strike", signal.SIGKILL, "module")
        down.end()
        until("the undo to be done", lambda: self.lab.undo() == [], 40)
        self.assertEqual(self.lab.dead(), [])
        self.lab.remove_ansible_files()
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
