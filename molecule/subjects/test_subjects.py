"""Some of the subjects of `make detection-table`, chosen because no other claim here comes near them."""

import unittest

from harness.claims import Claims
from harness.detection import detect
from harness.subjects import SUBJECTS


class Subjects(Claims):
    @classmethod
    def tearDownClass(cls):
        cls.lab.use_defect()

    def demand(self, name):
        """It is called by the right name, and whose fault it is. Services that its broker has turned away may have exited for good."""
        self.addCleanup(self.lab.use_defect)
        [subject] = [subject for subject in SUBJECTS if subject.name == name]
        found = detect(self.lab, subject)
        self.assertTrue(found.right, " | ".join(found.row()))

    def test_survived_with_the_defect_that_every_pulp_2_has(self):
        self.demand("the reply consumer of every Pulp 2.21 with RabbitMQ")

    def test_a_worker_that_died_before_is_refused_and_not_held_against_the_outage(self):
        self.demand("a worker that was killed a moment before")

    def test_a_pulp_without_a_scheduler_is_refused(self):
        self.demand("no scheduler")

    def test_a_worker_that_is_connected_and_takes_no_work(self):
        self.demand("a worker that connects and reads nothing")

    def test_a_worker_that_works_and_is_not_listed(self):
        self.demand("a worker that works and is not listed")

    def test_a_scheduler_that_beats_and_sends_nothing(self):
        self.demand("a scheduler that keeps its dead connection")

    def test_an_api_that_does_not_come_back(self):
        self.demand("an API that gives errors after the outage")

    def test_a_broker_that_refuses_pulps_login_is_the_cause_and_not_the_services_that_exit(self):
        self.demand("real: a password that is another one afterwards")

    def test_one_wrong_byte(self):
        self.demand("one byte of a package is wrong")


if __name__ == "__main__":
    unittest.main()
