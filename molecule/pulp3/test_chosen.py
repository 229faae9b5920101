"""Pulp 3 survives the loss of PostgreSQL, and of Redis under Redis workers; and where it cannot be told which is Pulp's, nothing is
taken away."""

import unittest

from harness.pulp3 import Pulp3Claims
from harness.subjects3 import CHOSEN, SUBJECTS


class Chosen(Pulp3Claims):
    def test_each(self):
        for subject in SUBJECTS:
            if subject.name in CHOSEN:
                self.demand(subject)


if __name__ == "__main__":
    unittest.main()
