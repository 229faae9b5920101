"""The shipped play on a Pulp 2 as Pulp ships it: no variable helps it, and httpd really asked for a certificate late."""

import re
import unittest

from stock import ASKED_LATE, Stock

from harness.play import PLAYBOOKS

HEALTH = "health.yml/Check that Pulp does its job end to end"
RESULT = "report.yml/Tell the result"
TAKEN = ("connect.yml/Take the broker away", "take.yml/Take the broker away")
SHORT = {"pulp_broker_test_connect_hold": 5, "pulp_broker_test_reconnect_hold": 5}


class PulpAsItIsShipped(Stock):
    def demand_asked_late(self, lab, errors, requests):
        """In httpd's logs after so many lines, when nobody but the play asked: httpd renegotiated, and all was said under the one version of
        TLS that can do that."""
        asked = [line for line in lab.logged("ssl_error_log")[errors:] if ASKED_LATE in line]
        self.assertNotEqual(asked, [], "httpd did not ask for a certificate late: this is no stock Pulp")
        spoken = set(re.findall(r" (TLSv\S+) ", "\n".join(lab.logged("ssl_request_log")[requests:])))
        self.assertEqual(spoken, {"TLSv1.2"})

    def marks(self, lab):
        return [len(lab.logged(name)) for name in ("ssl_error_log", "ssl_request_log")]

    def demand_health(self, lab, variables=None):
        before, marks = self.pids(), self.marks(lab)
        play = self.demand_pass(self.play_on(lab, PLAYBOOKS / "broker_test.yml", "--tags", "health", variables=variables))
        self.assertTrue(play.reply(HEALTH, lab.name)["healthy"])
        self.demand_asked_late(lab, *marks)
        self.demand_untouched(before)

    def demand_survival(self, lab):
        """Of all three scenarios."""
        # What listens for agents' replies was lost in the runs before, as in every real Pulp 2.
        lab.exec("systemctl", "restart", "httpd.service")
        lab.wait_until_ready()
        marks = self.marks(lab)
        play = self.demand_pass(self.play_on(lab, PLAYBOOKS / "broker_test.yml", variables=SHORT))
        line = play.reply(RESULT, lab.name)["msg"][3]
        told = dict(word.split("=", 1) for word in line.removeprefix("PULP_BROKER_TEST ").split(" "))
        wanted = {"verdict": "survived_with_defects", "name": "agent_replies_lost", "actor": "httpd.service", "restored": "yes"}
        self.assertEqual({key: told[key] for key in wanted}, wanted, line)
        self.demand_asked_late(lab, *marks)
        self.demand_as_before()

    def test_health_with_tls_1_2_alone(self):
        self.demand_health(self.only12)

    def test_health_with_tls_1_2_and_1_3(self):
        self.demand_health(self.both)

    def test_connect_and_reconnect_with_tls_1_2_alone(self):
        self.demand_survival(self.only12)

    def test_connect_and_reconnect_with_tls_1_2_and_1_3(self):
        self.demand_survival(self.both)

    def test_the_certificate_of_a_log_in_is_given_when_httpd_asks_for_it_late(self):
        lab = self.only12
        reply = lab.api("actions/login/", method="POST")
        file = "/root/user.pem"
        lab.shell(f"umask 077; cat >{file} <<'PEM'\n{reply['certificate']}{reply['key']}PEM\n")
        self.addCleanup(lab.exec, "rm", file)
        nobody = {"pulp_broker_test_username": "", "pulp_broker_test_password": "", "pulp_broker_test_user_cert": file}
        self.demand_health(lab, variables=nobody)

    def test_tls_1_3_alone_is_named_with_the_line_that_helps_before_anything_is_touched(self):
        lab = self.only13
        before, requests = self.pids(), len(lab.logged("ssl_access_log"))
        words = ["TLS 1.3", "certificate", "SSLVerifyClient optional", "SSLProtocol"]
        play = self.demand_failure(self.play_on(lab, PLAYBOOKS / "broker_test.yml"), "VOID ", *words)
        self.assertEqual([play.outcomes(task) for task in TAKEN], [{}, {}], "something was taken away")
        written = [line for line in lab.logged("ssl_access_log")[requests:] if re.search('"(POST|PUT|DELETE) ', line)]
        self.assertEqual(written, [])
        self.assertIn("verdict=void ", "".join(play.reply(RESULT, lab.name)["msg"]))
        self.demand_untouched(before)

    def test_the_line_that_helps_does_help(self):
        lab = self.only13
        self.addCleanup(lab.ask_late)
        lab.ask_early()
        play = self.demand_pass(self.play_on(lab, PLAYBOOKS / "broker_test.yml", "--tags", "health"))
        self.assertTrue(play.reply(HEALTH, lab.name)["healthy"])
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
