"""The observer of a run that died: it takes nothing, so no undo waits for it, and it must not stay for ever."""

import unittest

from harness.claims import Claims
from harness.lab import until, variables
from harness.module import call

RUN = "died"
LEASE = 8


class Observer(Claims):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.lab.look, "end_observer")

    def work_longer_than_the_lease(self, run_id):
        """Nobody of that name ever comes, so it is waited for to the end."""
        given = variables()
        pulp = {"pulp_url": given["pulp_broker_test_url"], "ca_path": given["pulp_broker_test_ca_path"]}
        wait = {"state": "ready", "expected": ["scheduler@nowhere"], "ready_timeout": LEASE + 4}
        call(self.lab, "pulp_health", fails=True, run_id=run_id, **wait, **pulp)

    def test_it_stays_while_a_module_of_its_run_works_and_ends_by_itself_after_it(self):
        call(self.lab, "pulp_watch", state="present", run_id=RUN, lease=LEASE)
        self.work_longer_than_the_lease(RUN)
        self.assertNotEqual(self.lab.look("observer"), [], "it ended while its run was at work")
        until("the observer to end by itself", lambda: not self.lab.look("observer"), LEASE + 5)
        self.demand_as_before()

    def test_what_another_run_does_is_no_sign_of_its_own(self):
        call(self.lab, "pulp_watch", state="present", run_id=RUN, lease=LEASE)
        self.work_longer_than_the_lease("other")
        self.assertEqual(self.lab.look("observer"), [])
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
