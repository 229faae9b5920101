"""A Pulp that does not come back fails the play, which names who and why; a healthy one, with the same limits, passes."""

import unittest

from harness.claims import Claims
from harness.play import PLAYBOOKS

# After so short an outage, RabbitMQ's start included, a healthy worker's next retry is at most 14 s away, then it has to
# stand for 5 s. One that needs longer would be late, and the healthy runs would show it. Restarted services connect at once.
LIMITS = {
    "pulp_broker_test_connect_hold": 8,
    "pulp_broker_test_reconnect_hold": 8,
    "pulp_broker_test_recovery_timeout": 30,
    "pulp_broker_test_final_timeout": 15,
}
CONNECT, RECONNECT = PLAYBOOKS / "broker_connect.yml", PLAYBOOKS / "broker_reconnect.yml"
WORKER, OTHER, MANAGER = "pulp_worker-1.service", "pulp_worker-0.service", "pulp_resource_manager.service"
EVERYTHING_BACK = ["restore.yml/Give the broker back", "restore.yml/Start what was running before"]


class Defects(Claims):
    def demand_verdict(self, playbook, verdict, guilty, innocent):
        """The last task names the verdict with every guilty service and no innocent one, and everything was given back."""
        play = self.demand_failure(self.play(playbook, variables=LIMITS), verdict)
        told = play.reply("restore.yml/Fail if anything failed", self.lab.name)["msg"]
        self.assertTrue(told.startswith(verdict), told)
        for name in guilty:
            self.assertIn(name, told)
        for name in innocent:
            self.assertNotIn(name, told)
        for task in EVERYTHING_BACK:
            self.assertEqual(play.outcomes(task), {self.lab.name: "ok"})
        # Given back: the broker answers, every main process runs, nothing of ours is left; services that hang were restarted.
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        self.assertEqual(self.lab.left_behind(), [])

    @classmethod
    def tearDownClass(cls):
        cls.lab.use_defect()

    def test_a_healthy_pulp_passes_with_the_same_limits(self):
        self.lab.use_defect()
        for playbook in (CONNECT, RECONNECT):
            with self.subTest(playbook.stem):
                self.demand_pass(self.play(playbook, variables=LIMITS))
                self.demand_as_before()

    def test_one_worker_that_exits_when_the_broker_goes_away_is_named(self):
        self.lab.use_defect("worker_exits_without_broker", "pulp_worker-1")
        self.demand_verdict(RECONNECT, "FAILED service_exited: ", [WORKER], [OTHER, MANAGER])

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
        self.assertTrue(sentence.startswith("Pulp is as it was before: NO ("), sentence)
        self.assertTrue(verdict.startswith("FAILED not_recovered: "), verdict)
        self.assertEqual(self.pids()[0][WORKER], before[WORKER])

    def test_one_worker_that_never_connects_after_its_start_is_named(self):
        self.lab.use_defect("worker_never_reconnects", "pulp_worker-1")
        self.demand_verdict(CONNECT, "FAILED not_recovered: ", [WORKER], [OTHER, MANAGER])


if __name__ == "__main__":
    unittest.main()
