"""The moments and ways in which a play may end early, one by one; the crash test takes them at random."""

import signal
import unittest

from harness.killed import CONNECT, RECONNECT, STOPPED, KilledPlay


class Killed(KilledPlay):
    def test_sigkill_while_the_broker_is_away_and_the_next_run_passes(self):
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
