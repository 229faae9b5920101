"""Settings of the broker's unit that would stand in the way of an outage, or of its end."""

import unittest

from harness.lab import until
from harness.outage import WithoutPulp


class Units(WithoutPulp):
    def test_a_unit_that_may_start_only_once_comes_back(self):
        self.use_unit("[Unit]\\nStartLimitBurst=1\\nStartLimitIntervalSec=1h\\n")
        for by_hand in (False, True):
            with self.subTest(by_hand=by_hand):
                self.take("stop")
                self.lab.shell("sh /run/pulp_broker/heal") if by_hand else self.give_back()
                self.demand_as_before()
        # What was overcome: systemd refuses whoever asks it again.
        self.lab.exec("systemctl", "stop", "rabbitmq-server.service")
        self.addCleanup(self.lab.shell, "systemctl reset-failed rabbitmq-server; systemctl start rabbitmq-server")
        refused = self.lab.shell("systemctl start rabbitmq-server.service 2>&1; systemctl show --property=Result rabbitmq-server.service")
        self.assertIn("Result=start-limit-hit", refused)

    def test_freeze_is_refused_where_systemd_watches_for_signs_of_life(self):
        self.use_unit("[Service]\\nWatchdogSec=1h\\n")
        before = self.lab.look("broker_processes")
        self.demand_void(self.begin("freeze"), "unsupported", "WatchdogSec")
        self.assertEqual(self.lab.look("broker_processes"), before)

    def test_a_reload_of_systemd_leaves_the_undo_armed(self):
        for method in ("kill", "freeze"):
            with self.subTest(method):
                self.take(method, restore_after=10)
                self.lab.exec("systemctl", "daemon-reload")
                until("the undo to be done", lambda: self.lab.undo() == [], 30)
                self.demand_as_before()

    def test_the_undo_and_the_module_may_work_at_the_same_time(self):
        for method in ("stop", "kill"):
            with self.subTest(method):
                self.take(method)
                timer = next(unit for unit in self.lab.look("units") if unit.endswith(".timer"))
                self.lab.exec("systemctl", "start", "--no-block", timer.replace(".timer", ".service"))
                self.give_back()
                self.demand_as_before()

    def test_a_killed_broker_stays_down_whoever_asks_systemd_to_start_it(self):
        # As puppet does, or a package manager.
        with self.held("kill", 4):
            self.lab.exec("systemctl", "start", "rabbitmq-server.service")
            self.lab.exec("systemctl", "restart", "rabbitmq-server.service")
            self.assertEqual(self.lab.look("broker_processes"), {})
        self.give_back()
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
