"""Every method with both scenarios, as users run them; and what they read when giving back does not go as it should."""

import unittest

from harness.lab import SHARED, until
from harness.outage import METHODS
from harness.play import PLAYBOOKS, hook
from harness.played import Played

BACK = "recovery.yml/Give the broker back"
CONFIGURATION = "/etc/rabbitmq/rabbitmq.conf"


class Methods(Played):
    def test_pulp_survives_each(self):
        for method in METHODS:
            with self.subTest(method):
                self.demand_survival(method, "connect", "reconnect")

    def interfered(self, method, script, **variables):
        """Reconnect, in which somebody does something on the host just before the broker is given back."""
        command = [SHARED / "lab" / "lab.sh", "exec", self.lab.name, "sh", "-c", script]
        chosen = {"pulp_broker_test_method": method} | variables
        return self.play(PLAYBOOKS / "broker_reconnect.yml", variables=chosen, hooks=[hook(BACK, run=command)])

    def test_a_broker_that_cannot_start_any_more_is_not_restored_until_somebody_mends_it(self):
        self.addCleanup(self.lab.exec, "sed", "-i", "/^nonsense/d", CONFIGURATION)
        play = self.interfered("kill", f"echo nonsense = 1 >>{CONFIGURATION}", pulp_broker_test_broker_timeout=12)
        told = self.demand_failure(play, "FAILED broker_not_restored: ", "rabbitmq-server").causes()
        self.assertNotEqual(self.lab.undo(), [], told)
        self.assertEqual(self.lab.look("rules") + self.lab.look("stopped"), [])
        # Nobody tells the undo; it tries again by itself.
        self.lab.exec("sed", "-i", "/^nonsense/d", CONFIGURATION)
        self.lab.shell("sh /run/pulp_broker/heal")
        until("the undo to be done", lambda: self.lab.undo() == [], 30)
        self.demand_as_before()

    def test_an_undo_that_came_first_is_told(self):
        for method in ("kill", "freeze"):
            with self.subTest(method):
                play = self.interfered(method, "sh /run/pulp_broker/heal")
                self.demand_failure(play, "VOID undo_fired: ")
                self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
