"""Those claims on a Pulp that does not come back that are too slow for every change, and what is restarted in the end."""

import unittest

from harness.defects import CONNECT, LIMITS, MANAGER, OTHER, RECONNECT, WORKER, DefectClaims


class Defects(DefectClaims):
    def test_all_that_exit_without_a_broker_at_their_start_are_named(self):
        self.lab.use_defect("worker_exits_without_broker")
        self.demand_verdict(CONNECT, "FAILED service_exited: ", [WORKER, OTHER, MANAGER], [])

    def test_one_worker_that_never_reconnects_is_named(self):
        self.lab.use_defect("worker_never_reconnects", "pulp_worker-1")
        self.demand_verdict(RECONNECT, "FAILED not_recovered: ", [WORKER], [OTHER, MANAGER])

    def test_what_is_never_restarted_stays_as_it_is_and_the_result_says_so(self):
        self.lab.use_defect("worker_never_reconnects", "pulp_worker-1")
        before = self.pids()[0]
        wish = LIMITS | {"pulp_broker_test_final_restart": "never"}
        play = self.demand_failure(self.play(RECONNECT, variables=wish), "FAILED not_recovered: ", "FAILED services_not_restored: ")
        sentence, verdict, *_ = play.reply("report.yml/Tell the result", self.lab.name)["msg"]
        self.assertTrue(sentence.startswith(f"Pulp is as it was before: NO, {WORKER} does not work as before ("), sentence)
        self.assertTrue(verdict.startswith("FAILED not_recovered: "), verdict)
        self.assertEqual(self.pids()[0][WORKER], before[WORKER])

    def test_a_restart_in_the_end_where_the_user_wishes_it(self):
        self.lab.use_defect()
        before = self.pids()[0]
        wish = LIMITS | {"pulp_broker_test_final_restart": "always"}
        play = self.demand_pass(self.play(RECONNECT, variables=wish))
        self.demand_as_before()
        after = self.pids()[0]
        self.assertEqual([unit for unit in after if after[unit] == before[unit]], [])
        self.assertIn("after a restart of the services on", play.reply("report.yml/Tell the result", self.lab.name)["msg"][0])


if __name__ == "__main__":
    unittest.main()
