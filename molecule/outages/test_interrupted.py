"""Known-bad outages: somebody ends one before its time. Each is noticed while it is held and named, and everything is given
back."""

import signal
import unittest

from harness.lab import BROKER, until
from harness.outage import SPARING, WithoutPulp

# Longer than anything here takes: an outage that ends earlier was ended.
HOLD = 40


class Interrupted(WithoutPulp):
    def interrupt(self, method, script):
        down = self.begin(method, HOLD)
        self.wait_until_away(method)
        self.lab.shell(script)
        return down

    def test_rules_that_a_reload_of_the_firewall_flushes(self):
        for method, script in (("partition", "nft flush ruleset"), ("reset", "nft delete table inet pulp_broker")):
            with self.subTest(method):
                # Whichever it sees first: that the rules are gone, or what follows from that. A probe that was under way gets through
                # and may have no time left for the answer.
                told = self.demand_void(self.interrupt(method, script), "outage_interrupted")
                self.assertRegex(told, "the rules that cut its packets were changed|it answers|it accepts the connection")

    def test_a_frozen_process_that_somebody_continues(self):
        for script in ("pkill -CONT beam.smp", f"systemctl kill --signal=CONT {BROKER}"):
            with self.subTest(script):
                self.demand_void(self.interrupt("freeze", script), "outage_interrupted")

    def test_a_stopped_broker_that_puppet_starts(self):
        down = self.interrupt("stop", f"systemctl start --no-block {BROKER}")
        self.demand_started(down)

    def test_a_killed_broker_that_is_freed_and_started(self):
        script = f"rm /run/systemd/system/{BROKER}.d/*; systemctl daemon-reload; systemctl start --no-block {BROKER}"
        self.demand_started(self.interrupt("kill", script))

    def demand_started(self, down):
        """Whoever started it is named as far as the kernel knows."""
        pid = until("systemd to start it", lambda: self.lab.main_pids()[BROKER])
        self.demand_void(down, "outage_interrupted", f"process {pid}", BROKER)

    def test_a_signal_to_the_module_gives_everything_back(self):
        for number, method in zip((signal.SIGHUP, signal.SIGINT, signal.SIGTERM), SPARING, strict=True):
            with self.subTest(method, signal=number.name):
                before = self.broker()
                down = self.begin(method, HOLD)
                self.wait_until_away(method)
                self.assertEqual(len(self.lab.look("strike", number, "module")["killed"]), 1)
                self.assertIn("given back", down.reply(fails=True)["msg"])
                self.demand_as_before()
                self.assertEqual(self.broker(), before)

    def test_by_hand_in_the_middle_of_the_hold(self):
        for method in SPARING:
            with self.subTest(method):
                down = self.interrupt(method, "sh /run/pulp_broker/heal")
                self.assertRegex(down.reply(fails=True)["msg"], "^VOID (outage_interrupted|undo_fired): ")
                # The module has begun the undo as well; it sees that somebody else has done its work, and ends.
                until("both of them to end", lambda: self.lab.look("left") == [], 5)
                self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
