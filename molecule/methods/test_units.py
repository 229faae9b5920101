"""Settings of the broker's unit that would stand in the way of an outage, or of its end."""

import signal
import unittest

from harness.lab import BROKER, WORKERS, until
from harness.module import Call
from harness.outage import RUN, Outages, WithoutPulp

# Longer than the others take to stop on a busy machine.
RESTORE_AFTER = 25


class Units(WithoutPulp):
    def test_a_unit_that_may_start_only_once_comes_back(self):
        self.use_unit("[Unit]\\nStartLimitBurst=1\\nStartLimitIntervalSec=1h\\n")
        for by_hand in (False, True):
            with self.subTest(by_hand=by_hand):
                self.take("stop")
                self.lab.shell("sh /run/pulp_broker/heal") if by_hand else self.give_back()
                self.demand_as_before()
        # What was overcome: systemd refuses whoever asks it again.
        self.lab.exec("systemctl", "stop", BROKER)
        self.addCleanup(self.lab.shell, "systemctl reset-failed rabbitmq-server; systemctl start rabbitmq-server")
        refused = self.lab.shell("systemctl start rabbitmq-server.service 2>&1; systemctl show --property=Result rabbitmq-server.service")
        self.assertIn("Result=start-limit-hit", refused)

    def test_freeze_is_refused_where_systemd_watches_for_signs_of_life(self):
        # It counts from the next start on.
        self.addCleanup(self.lab.exec, "systemctl", "restart", BROKER)
        self.use_unit("[Service]\\nWatchdogSec=1h\\n")
        self.lab.exec("systemctl", "restart", BROKER)
        before = self.broker()
        self.demand_void(self.begin("freeze"), "unsupported", "WatchdogSec")
        self.assertEqual(self.broker(), before)

    def test_a_start_cancels_a_stop_and_is_no_failure_of_the_broker(self):
        # What follows its end gives the time to be quicker than it.
        self.use_unit("[Service]\\nExecStopPost=/bin/sleep 3\\n")
        down = self.begin("stop")
        until("systemd to stop it", lambda: self.unit("ActiveState")["ActiveState"] == "deactivating")
        self.lab.exec("systemctl", "start", "--no-block", BROKER)
        self.demand_void(down, "outage_interrupted", "somebody started the broker while it was being stopped", BROKER)

    def test_a_reload_of_systemd_leaves_the_undo_armed(self):
        for method in ("kill", "freeze"):
            with self.subTest(method):
                # Longer than the broker's start on a busy machine, and half as long again.
                self.take(method, restore_after=30)
                self.lab.exec("systemctl", "daemon-reload")
                until("the undo to be done", lambda: self.lab.undo() == [], 45)
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
            self.lab.exec("systemctl", "start", BROKER)
            self.lab.exec("systemctl", "restart", BROKER)
            self.assertEqual(self.lab.look("broker_processes"), {})
        self.give_back()
        self.demand_as_before()


class Stuck(Outages):
    def test_a_service_that_does_not_end_is_back_in_time_all_the_same(self):
        self.demand_return_of("pulp_resource_manager.service")

    def test_so_is_a_worker_whose_umbrella_waits_for_it(self):
        self.demand_return_of(WORKERS[1])

    def demand_return_of(self, unit):
        # A signal that nobody heeds, as a worker does not that hangs in its shutdown.
        folder = f"/etc/systemd/system/{unit}.d"
        self.lab.shell(f"mkdir -p {folder} && printf '[Service]\\nKillSignal=SIGURG\\n' >{folder}/lab.conf && systemctl daemon-reload")
        self.addCleanup(self.lab.shell, f"rm -r {folder} && systemctl daemon-reload")
        stopping = Call(self.lab, "pulp_services", state="stopped", restore_after=RESTORE_AFTER, run_id=RUN)
        self.addCleanup(stopping.end)
        until("the others to be stopped", lambda: len(self.lab.dead()) == len(self.lab.services) - 1)
        self.assertIn("deactivating", self.lab.exec("systemctl", "is-active", unit, check=False))
        self.lab.look("strike", signal.SIGKILL, "module", "child")
        seen = self.lab.look("restored", self.lab.units, False, RESTORE_AFTER, 5)
        self.assertEqual(seen["missing"], [])
        self.lab.remove_ansible_files()
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
