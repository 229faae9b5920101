"""A Pulp that does not come back fails the play, which names who and why; a healthy one, with the same limits, passes. More
of its kind is claimed in the scenario `subjects`."""

import unittest

from harness.defects import CONNECT, LIMITS, MANAGER, OTHER, RECONNECT, WORKER, DefectClaims


class Defects(DefectClaims):
    def test_a_healthy_pulp_passes_with_the_same_limits(self):
        self.lab.use_defect()
        for playbook in (CONNECT, RECONNECT):
            with self.subTest(playbook.stem):
                self.demand_pass(self.play(playbook, variables=LIMITS))
                self.demand_as_before()

    def test_one_worker_that_exits_when_the_broker_goes_away_is_named(self):
        self.lab.use_defect("worker_exits_without_broker", "pulp_worker-1")
        self.demand_verdict(RECONNECT, "FAILED service_exited: ", [WORKER], [OTHER, MANAGER])

    def test_one_worker_that_never_connects_after_its_start_is_named(self):
        self.lab.use_defect("worker_never_reconnects", "pulp_worker-1")
        self.demand_verdict(CONNECT, "FAILED not_recovered: ", [WORKER], [OTHER, MANAGER])


if __name__ == "__main__":
    unittest.main()
