"""The crash test in short: each victim once. `make crash-test` does many rounds."""

import unittest

from harness.claims import Claims
from harness.crash import VICTIMS, Crash, rounds, summary, unheard
from harness.lab import INVENTORY

# Chosen so that each victim is there at its instant, and that each method and both scenarios have their turn.
SEED = 586


class CrashTest(Claims):
    def test_whoever_is_killed_everything_comes_back_in_time(self):
        crash = Crash(self.lab, INVENTORY)
        self.addCleanup(crash.close)
        done = [crash.run(round) for round in rounds(len(VICTIMS), SEED)]
        told = "\n".join(map(str, done))
        self.assertEqual([round for round in done if round.fault], [], told)
        # A module or an undo may be between two works at its instant, on a busy machine; these are always there.
        always = [round.victim for round in done if round.victim not in ("module", "undo") and round.struck]
        self.assertEqual(sorted(always), ["ansible", "connection", "everything"], told)
        # Else what is demanded of the undo was demanded of nobody.
        self.assertFalse(unheard(done), told)
        crash.demand_next()
        print(f"\n{told}\n{summary(done)}")


if __name__ == "__main__":
    unittest.main()
