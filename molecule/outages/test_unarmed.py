"""Where the undo cannot be armed, or the outage not be made, nothing is injected, nothing is left, and the cause is named."""

import re
import unittest

from harness.module import call
from harness.outage import METHODS, PACKETS, WithoutPulp

NO_NET_ADMIN = "/etc/systemd/system/ssh.service.d/lab.conf"
# One connection a call: a new capability holds for new sessions only.
ALONE = ["--ssh-extra-args=-o ControlMaster=no -o ControlPath=none"]


class Unarmed(WithoutPulp):
    def demand_refusal(self, method, *words, **options):
        before = self.broker()
        told = self.begin(method, **options).reply(fails=True)["msg"]
        for word in words:
            self.assertIn(word, told)
        self.assertEqual((self.broker(), self.lab.look("stopped")), (before, []), "the broker was touched")
        self.assertEqual(self.lab.look("answer"), "answers")
        return told

    def move_aside(self, *programs):
        for program in programs:
            self.lab.exec("mv", program, f"{program}.aside")
            self.addCleanup(self.lab.exec, "mv", f"{program}.aside", program)

    def test_run_is_full(self):
        self.lab.mount("mount -o remount,size=$(df --output=used /run | tail -1 | tr -d ' ')k /run")
        self.addCleanup(self.lab.mount, "mount -o remount,size=50% /run")
        for method in METHODS:
            with self.subTest(method):
                self.demand_refusal(method, "failed to arm the undo, so nothing was taken away")
                self.demand_as_before()

    def test_a_file_stands_where_the_state_belongs(self):
        self.lab.shell("echo of somebody else >/run/pulp_broker")
        self.addCleanup(self.lab.shell, "rm -f /run/pulp_broker")
        self.demand_refusal("freeze", "failed to read `/run/pulp_broker/record.json`", "Not a directory")
        self.assertEqual(self.lab.shell("cat /run/pulp_broker"), "of somebody else\n")

    def test_no_systemd_run(self):
        self.move_aside("/usr/bin/systemd-run")
        self.demand_refusal("kill", "systemd-run", "nothing was taken away")
        self.demand_as_before()

    def test_run_is_noexec_and_the_undo_runs_all_the_same(self):
        self.lab.mount("mount -o remount,noexec /run")
        self.addCleanup(self.lab.mount, "mount -o remount,exec /run")
        self.take("freeze")
        self.lab.shell("sh /run/pulp_broker/heal")
        self.demand_as_before()

    def test_the_firewall_may_not_be_touched(self):
        self.lab.shell(
            f"mkdir -p {NO_NET_ADMIN.rpartition('/')[0]} && printf '[Service]\\nCapabilityBoundingSet=~CAP_NET_ADMIN\\n' >{NO_NET_ADMIN}"
            " && systemctl daemon-reload && systemctl restart ssh"
        )
        self.addCleanup(self.lab.shell, f"rm -r {NO_NET_ADMIN.rpartition('/')[0]} && systemctl daemon-reload && systemctl restart ssh")
        for method in PACKETS:
            with self.subTest(method):
                told = self.demand_refusal(method, "VOID unsupported: ", connection=ALONE)
                self.assertRegex(told, "(?i)permi")
                self.demand_as_before()
        # The same way in, and no need for the capability.
        self.take("freeze", connection=ALONE)
        self.give_back(connection=ALONE)
        self.demand_as_before()

    def test_neither_nft_nor_iptables(self):
        self.move_aside("/usr/sbin/nft", "/usr/sbin/iptables", "/usr/sbin/ip6tables")
        for method in PACKETS:
            with self.subTest(method):
                self.demand_refusal(method, "VOID unsupported: neither nft nor iptables is on this host")
        self.demand_as_before()

    def test_iptables_serves_where_there_is_no_nft(self):
        self.move_aside("/usr/sbin/nft")
        for method, by_hand in zip(PACKETS, (False, True), strict=True):
            with self.subTest(method=method, by_hand=by_hand):
                with self.held(method, 2):
                    rules = "\n".join(self.lab.look("rules"))
                    self.assertRegex(rules, "(?i)-A PULP_BROKER.*5672")
                self.lab.shell("sh /run/pulp_broker/heal") if by_hand else self.give_back()
                self.demand_as_before()
        down = self.begin("partition", 40)
        self.wait_until_away("partition")
        self.lab.shell("iptables -F; ip6tables -F")
        self.demand_void(down, "outage_interrupted", "rules")

    def test_the_connection_over_which_it_is_called(self):
        for method in PACKETS:
            with self.subTest(method):
                told = self.demand_refusal(method, "VOID unsupported: port 22 ", broker_url="amqp://localhost:22//")
                self.assertIn("ssh", told)
        self.demand_as_before()

    def test_each_refusal_is_foreseen_by_check_mode(self):
        self.move_aside("/usr/sbin/nft", "/usr/sbin/iptables", "/usr/sbin/ip6tables")
        reply = call(self.lab, "pulp_broker", state="down", method="partition", connection=["--check"])
        self.assertEqual([refusal["name"] for refusal in reply["refusals"]], ["unsupported"], reply)
        self.assertTrue(re.search("nft", reply["refusals"][0]["msg"]), reply)
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
