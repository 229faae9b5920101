"""The play ends in the middle of an outage: everything comes back by itself, and the next run finds nothing in its way."""

import signal
import sys
import time
import unittest

from harness.claims import Claims
from harness.lab import until
from harness.play import PLAYBOOKS

CONNECT = (PLAYBOOKS / "broker_connect.yml", "connect.yml/Hold the broker away")
RECONNECT = (PLAYBOOKS / "broker_reconnect.yml", "reconnect.yml/Take the broker away and hold it")
# Between them: services and broker are gone.
STOPPED = (PLAYBOOKS / "broker_connect.yml", "connect.yml/Start Pulp's services without a broker")

RESTORE_AFTER = 20
HOLD = 15
# RabbitMQ's start, and the undo's own pauses between attempts, which double from one second.
BOOT = 60


class Killed(Claims):
    def demand_return(self, scenario, number, group=False):
        playbook, task = scenario
        times = {
            "pulp_broker_test_connect_hold": HOLD,
            "pulp_broker_test_reconnect_hold": HOLD,
            "pulp_broker_test_restore_after": RESTORE_AFTER,
        }
        play = self.play(playbook, variables=times)
        play.wait_for(task, self.lab.name)
        until("the broker to be away", lambda: not self.lab.broker_is_there())
        self.assertNotIn("began", play.outcomes("recovery.yml/Give the broker back").values(), "the outage was over already")
        play.kill(number, group)
        killed = time.monotonic()
        self.assertNotEqual(play.process.returncode, 0)
        until("the undo to be done", lambda: self.lab.undo() == [], RESTORE_AFTER + BOOT)
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        print(f"back after {time.monotonic() - killed:.0f} s,", end=" ", file=sys.stderr)
        # A dead Ansible cannot remove the module that it brought. What must not stay is the file with the parameters.
        self.assertEqual([file for file in self.lab.ansible_files() if "/AnsiballZ_" not in file], [])
        self.lab.remove_ansible_files()
        self.demand_as_before()

    def test_sigkill_while_the_broker_is_away_under_running_services_and_the_next_run_passes(self):
        self.demand_return(RECONNECT, signal.SIGKILL)
        self.demand_pass(self.play(RECONNECT[0]))
        self.demand_as_before()

    def test_sigkill_while_services_wait_for_the_broker(self):
        self.demand_return(CONNECT, signal.SIGKILL)

    def test_sigkill_while_services_and_broker_are_stopped(self):
        self.demand_return(STOPPED, signal.SIGKILL)

    def test_ctrl_c_while_the_broker_is_away_under_running_services(self):
        self.demand_return(RECONNECT, signal.SIGINT, group=True)

    def test_ctrl_c_while_services_wait_for_the_broker(self):
        self.demand_return(CONNECT, signal.SIGINT, group=True)


if __name__ == "__main__":
    unittest.main()
