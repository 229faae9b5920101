"""A Pulp 3 as its installer makes it survives the loss of PostgreSQL and of Redis in each way, with both types of workers; one that
does not come back fails the play, which names who and why."""

import unittest

from harness.pulp3 import Pulp3Claims
from harness.subjects3 import CHOSEN, SUBJECTS


class Subjects(Pulp3Claims):
    def test_each(self):
        for subject in SUBJECTS:
            if subject.name not in CHOSEN:
                self.demand(subject)


if __name__ == "__main__":
    unittest.main()
