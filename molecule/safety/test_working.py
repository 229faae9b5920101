"""After an outage each worker has to run something: that the others do, and that it is listed, proves nothing of it."""

import unittest

from harness.claims import Claims
from harness.lab import WORKERS, password, until, variables
from harness.module import call


class Working(Claims):
    def working(self, **options):
        options = {"ca_path": variables()["pulp_broker_test_ca_path"], "pulp_url": variables()["pulp_broker_test_url"], **options}
        return call(self.lab, "pulp_health", state="working", username="admin", password=password(), **options)

    def names(self):
        return [f"reserved_resource_worker-{number}@{self.lab.name}.pulp.test" for number in range(len(WORKERS))]

    def test_a_healthy_pulp_has_everybody_work_and_keeps_nothing(self):
        reply = self.working()
        self.assertTrue(reply["msg"].startswith("WORKING: "), reply["msg"])
        self.assertEqual([worker["name"] for worker in reply["workers"]], self.names())
        self.assertTrue(all(worker["worked_at"] for worker in reply["workers"]), reply["workers"])
        self.assertTrue(reply["scheduler"]["fired"], reply["scheduler"])
        self.assertFalse(reply["changed"])
        self.assertEqual(self.lab.left_behind(), [])

    def test_a_worker_that_is_listed_and_runs_nothing_is_named(self):
        child = self.lab.shell(f"pgrep -P $(systemctl show --value --property=MainPID {WORKERS[1]})").split()[0]
        self.addCleanup(until, "what the worker was given to end", lambda: not self.lab.left_behind())
        self.addCleanup(self.lab.exec, "kill", "-CONT", child)
        self.lab.exec("kill", "-STOP", child)
        reply = self.working(fails=True, timeout=40)
        self.assertTrue(reply["msg"].startswith("FAILED connected_but_idle: "), reply["msg"])
        self.assertEqual([failure["actor"]["worker"] for failure in reply["failures"]], [self.names()[1]], reply["failures"])
        for word in ("has not begun", ".dq2` holds 0 messages", "it locks `pulp-broker-test-", "systemctl restart pulp_worker-1"):
            self.assertIn(word, reply["msg"])
        self.assertIn("LEFTOVERS: ", reply["msg"])


if __name__ == "__main__":
    unittest.main()
