"""Killed in the middle of the outage: everything comes back by itself, and the next run finds nothing in its way."""

import signal
import unittest

from harness.killed import RECONNECT, KilledPlay


class Killed(KilledPlay):
    def test_sigkill_while_the_broker_is_away_and_the_next_run_passes(self):
        self.demand_return(RECONNECT, signal.SIGKILL)
        self.demand_pass(self.play(RECONNECT[0]))
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
