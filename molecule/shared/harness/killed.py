"""A play that ends in the middle of an outage: everything has to come back by itself."""

import sys
import time

from harness.claims import Claims
from harness.lab import until
from harness.play import PLAYBOOKS

CONNECT = (PLAYBOOKS / "broker_connect.yml", "connect.yml/Hold the broker away")
RECONNECT = (PLAYBOOKS / "broker_reconnect.yml", "reconnect.yml/Hold the broker away")
# Between them: services and broker are gone.
STOPPED = (PLAYBOOKS / "broker_connect.yml", "connect.yml/Start Pulp's services without a broker")

RESTORE_AFTER = 50
HOLD = 15
MET = 9
# RabbitMQ's start, and the undo's own pauses between attempts, which double from one second.
BOOT = 60


class KilledPlay(Claims):
    def demand_return(self, scenario, number, group=False):
        playbook, task = scenario
        restore_after = self.lab.restore_after(HOLD + MET, RESTORE_AFTER)
        times = {
            "pulp_broker_test_connect_hold": HOLD,
            "pulp_broker_test_reconnect_hold": HOLD,
            # The undo has to be later than the end of the hold, of this, and of the broker's start.
            "pulp_broker_test_met_timeout": MET,
            "pulp_broker_test_restore_after": restore_after,
        }
        play = self.play(playbook, variables=times)
        play.wait_for(task, self.lab.name)
        until("the broker to be away", lambda: not self.lab.broker_is_there())
        self.assertNotIn("began", play.outcomes("recovery.yml/Give the broker back").values(), "the outage was over already")
        play.kill(number, group)
        killed = time.monotonic()
        self.assertNotEqual(play.process.returncode, 0)
        until("the undo to be done", lambda: self.lab.undo() == [], restore_after + BOOT)
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        print(f"back after {time.monotonic() - killed:.0f} s,", end=" ", file=sys.stderr)
        # A dead Ansible cannot remove the module that it brought. What must not stay is the file with the parameters.
        self.assertEqual([file for file in self.lab.ansible_files() if "/AnsiballZ_" not in file], [])
        self.lab.remove_ansible_files()
        self.demand_as_before()
