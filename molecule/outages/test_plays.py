"""A shipped playbook with another method than the usual one. All methods with both scenarios stand in the scenario methods."""

import unittest

from harness.played import Played


class Plays(Played):
    def test_pulp_survives_a_partition_under_running_services(self):
        self.demand_survival("partition", "reconnect")


if __name__ == "__main__":
    unittest.main()
