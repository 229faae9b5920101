"""What others need is never stopped: httpd, where Katello serves itself with it too."""

import unittest

from harness.claims import Claims
from harness.play import PLAYBOOKS

PAGE = "set_up.yml/Tell what is there, what would be done, and everything that is in the way"
HTTPD = "httpd.service"
KEPT = {"pulp_broker_test_keep": ["httpd"], "pulp_broker_test_connect_hold": 5, "pulp_broker_test_final_restart": "always"}


class Kept(Claims):
    def test_what_is_kept_runs_on_while_all_others_are_stopped_and_restarted(self):
        before = self.pids()[0]
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_connect.yml", variables=KEPT))
        after = self.pids()[0]
        self.assertEqual([unit for unit in after if after[unit] == before[unit]], [HTTPD])
        page = play.reply(PAGE, self.lab.name)["msg"]
        [stops] = [line for line in page if line.startswith("WOULD connect, 1: ")]
        self.assertIn("but not httpd (pulp_broker_test_keep)", stops)
        self.demand_as_before()

    def test_what_cannot_be_kept_is_refused_before_anything_is_touched(self):
        before = self.pids()
        for wrong in ("httpdd", "pulp_workers"):
            with self.subTest(wrong):
                play = self.play(PLAYBOOKS / "broker_connect.yml", variables=KEPT | {"pulp_broker_test_keep": [wrong]})
                self.demand_failure(play, "value of pulp_broker_test_keep must be one or more of: httpd, got:", wrong)
        self.demand_untouched(before)


if __name__ == "__main__":
    unittest.main()
