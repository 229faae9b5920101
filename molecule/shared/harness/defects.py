"""What the claims on a Pulp that does not come back have in common: the limits, and what the play has to say and to leave."""

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
EVERYTHING_BACK = ["after_failure.yml/Give the broker back", "restore.yml/Start what was running before"]


class DefectClaims(Claims):
    def demand_verdict(self, playbook, verdict, guilty, innocent):
        """The last task names the verdict with every guilty service and no innocent one, and everything was given back."""
        play = self.demand_failure(self.play(playbook, variables=LIMITS), verdict)
        told = play.reply("restore.yml/Fail if anything failed", self.lab.name)["msg"]
        self.assertTrue(told.startswith(verdict), told)
        for name in guilty:
            self.assertIn(name, told)
        for name in innocent:
            self.assertNotIn(name, told)
        scenario = playbook.stem.removeprefix("broker_")
        self.assertEqual([path.name for path in play.reports.rglob("evidence-*")], [f"evidence-{scenario}-{self.lab.name}.txt"])
        for task in EVERYTHING_BACK:
            self.assertEqual(play.outcomes(task), {self.lab.name: "ok"})
        # Given back: the broker answers, every main process runs, nothing of ours is left; services that hang were restarted.
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        self.assertEqual(self.lab.left_behind(), [])

    @classmethod
    def tearDownClass(cls):
        cls.lab.use_defect()
