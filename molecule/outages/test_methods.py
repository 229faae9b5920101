"""Each way to lose a broker, against a unit that systemd starts anew at once whatever ends it: injected, as the kernel
says, proven, and given back without a trace."""

import time
import unittest

from harness.lab import BROKER, until
from harness.outage import ENDING, METHODS, RUN, Outages

# Longer than several restarts by systemd, and than a whole round of an idle consumer's own messages.
HOLD = 5
ALWAYS = "[Service]\\nRestart=always\\nRestartSec=100ms\\n"


class Methods(Outages):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_unit(ALWAYS)
        cls.addClassCleanup(cls.clear_unit)

    def outage(self, method):
        """One from its beginning to its end, with what was seen of the consumers' sockets while it lasted."""
        lab, since = self.lab, f"@{time.time():.0f}"
        sockets = self.connected()
        broker, epmd = self.broker(), lab.look("epmd")
        with self.held(method, HOLD):
            during = lab.look("sockets_through", HOLD - 2)
            self.demand_injected(method, broker)
        self.demand_injected(method, broker)
        self.demand_monotonic_undo()
        self.assertEqual(lab.look("epmd"), epmd)
        back = self.give_back()
        self.assertTrue(back["changed"] and back["outage"]["taken_by_this_run"], back)
        after = self.established()
        self.assertEqual(self.unit("Restart", "NeedDaemonReload"), {"Restart": "always", "NeedDaemonReload": "no"})
        self.assertEqual(self.broker() == broker, method not in ENDING)
        log = lab.exec("journalctl", "--quiet", "--output=cat", f"--since={since}", "--identifier=pulp_broker")
        down, up = log.splitlines()
        self.assertIn(f"run {RUN} of the Pulp broker test takes the broker at localhost:5672 away ({method})", down)
        self.assertIn("gave the broker back", up)
        self.demand_as_before()
        journal = lab.exec("journalctl", "--quiet", "--output=cat", f"--since={since}", f"--unit={BROKER}")
        return sockets, during, after, journal

    def established(self):
        return {inode for inode, socket in self.lab.look("sockets").items() if socket["state"] == "ESTABLISHED"}

    def connected(self):
        """The consumers' sockets, three of each. After an outage they would take their time to come back."""
        if len(self.established()) < 9:
            self.lab.exec("systemctl", "restart", "pulp_workers.service", "pulp_resource_manager.service")
        return until("the consumers to be connected", lambda: len(self.established()) >= 9) and self.established()

    def demand_monotonic_undo(self):
        """The clock of the host may be set while the broker is away."""
        timer = next(unit for unit in self.lab.look("units") if unit.endswith(".timer"))
        shown = self.lab.exec("systemctl", "show", "--property=NextElapseUSecMonotonic,NextElapseUSecRealtime", timer)
        elapses = dict(line.split("=", 1) for line in shown.splitlines())
        self.assertTrue(elapses["NextElapseUSecMonotonic"], shown)
        self.assertEqual(elapses["NextElapseUSecRealtime"], "", shown)

    def demand_no_new_connection(self, sockets, during):
        new = {inode: socket for inode, socket in during.items() if inode not in sockets}
        self.assertFalse([socket for socket in new.values() if "ESTABLISHED" in socket["states"]], new)
        return new

    def test_stop_ends_the_unit_in_order_and_keeps_it_down(self):
        sockets, during, _, journal = self.outage("stop")
        self.assertFalse([inode for inode in sockets if during.get(inode, {}).get("last") == "ESTABLISHED"])
        self.assertNotIn("status=9/KILL", journal)

    def test_kill_is_by_sigkill_and_systemd_does_not_start_it_again(self):
        sockets, during, _, journal = self.outage("kill")
        self.assertFalse([inode for inode in sockets if during.get(inode, {}).get("last") == "ESTABLISHED"])
        self.assertIn("code=killed, status=9/KILL", journal)
        self.assertNotIn("Scheduled restart job", journal)

    def test_freeze_keeps_every_socket_established_and_acknowledged(self):
        sockets, during, after, _ = self.outage("freeze")
        self.assertEqual({during[inode]["last"] for inode in sockets}, {"ESTABLISHED"})
        self.assertEqual(max(during[inode]["retries"] for inode in sockets), 0)
        self.assertLessEqual(sockets, after, "a consumer has lost its connection")

    def test_partition_makes_packets_go_unacknowledged_and_connects_wait(self):
        sockets, during, _, _ = self.outage("partition")
        repeated = [during[inode] for inode in sockets if during.get(inode, {}).get("retries") and during[inode]["pending"]]
        self.assertTrue(repeated and all(socket["retransmits"] for socket in repeated), during)
        new = self.demand_no_new_connection(sockets, during)
        self.assertIn(["SYN_SENT"], [socket["states"] for socket in new.values()])

    def test_reset_cuts_every_connection_and_lets_no_connect_wait(self):
        sockets, during, _, _ = self.outage("reset")
        self.assertFalse([inode for inode in sockets if during.get(inode, {}).get("last")], during)
        new = self.demand_no_new_connection(sockets, during)
        self.assertFalse([socket for socket in new.values() if socket["retries"]], "a connect was repeated")

    def test_every_method_is_here(self):
        claimed = {name.split("_")[1] for name in dir(self) if name.startswith("test_")} - {"every"}
        self.assertEqual(claimed, set(METHODS))


class Twice(Outages):
    def test_the_next_outage_of_a_run_is_a_new_one_though_a_service_was_late_after_the_first(self):
        late = "pulp_celerybeat.service"
        self.addCleanup(self.lab.exec, "systemctl", "start", late)
        self.take("stop")
        self.lab.exec("systemctl", "stop", late)
        self.assertEqual(self.give_back()["undo"], "armed")
        self.lab.exec("systemctl", "start", late)
        self.assertIn("it answers", self.take("stop")["outage"]["positive_control"])
        self.wait_until_away("stop")
        self.assertEqual(self.give_back()["undo"], "disarmed")
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
