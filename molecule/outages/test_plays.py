"""Shipped playbooks with other methods than the usual one. All methods with both scenarios stand in the scenario methods."""

import unittest

from harness.played import Played


class Plays(Played):
    def test_pulp_survives_a_partition_under_running_services(self):
        self.demand_survival("partition", "reconnect")

    def test_services_that_start_beside_a_frozen_broker_connect_once_it_goes_on(self):
        self.demand_survival("freeze", "connect")


if __name__ == "__main__":
    unittest.main()
