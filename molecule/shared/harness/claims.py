"""The base of all claims: plays that are cleaned up after, and the demands that are made again and again."""

import sys
import time
import unittest

from harness.lab import Lab, labs
from harness.play import Play


class Claims(unittest.TestCase):
    # A message of ours says more than the comparison alone, and never less.
    longMessage = True
    maxDiff = None
    # What the labs are.
    KIND = Lab

    @classmethod
    def setUpClass(cls):
        cls.labs = labs(kind=cls.KIND)
        cls.lab = cls.labs[0]
        for lab in cls.labs:
            cls.addClassCleanup(lab.leave)

    def setUp(self):
        # One claim that does not hold must not take the next ones with it.
        for lab in self.labs:
            lab.find()
        for lab in self.labs:
            lab.shell("[ ! -e /run/pulp_broker/heal ] || sh /run/pulp_broker/heal")
            self.wait_until_ready(lab)
            lab.remove_ansible_files()
        self.began = time.monotonic()

    def wait_until_ready(self, lab):
        lab.wait_until_ready()

    def tearDown(self):
        # In unittest's verbose listing, between the claim's name and what came of it.
        print(f"{time.monotonic() - self.began:.0f} s", end=" ", file=sys.stderr)

    def play(self, *arguments, **options):
        play = Play(*arguments, **options)
        self.addCleanup(play.forget)
        self.addCleanup(lambda: play.process.poll() is not None or play.kill(9))
        return play

    def demand_pass(self, play):
        self.assertEqual(play.wait().process.returncode, 0, play.text())
        return play

    def demand_failure(self, play, *words):
        """It fails, and what it says last names the cause."""
        self.assertNotEqual(play.wait().process.returncode, 0, play.text())
        told = "\n".join(play.causes().values())
        for word in words:
            self.assertIn(word, told, play.text())
        return play

    def demand_as_before(self):
        """Broker, API and workers answer, every main process runs, and nothing of ours is left."""
        for lab in self.labs:
            self.wait_until_ready(lab)
            self.assertEqual(lab.left_behind(), [], lab.name)

    def demand_untouched(self, before):
        self.assertEqual([lab.main_pids() for lab in self.labs], before)
        self.demand_as_before()

    def pids(self):
        return [lab.main_pids() for lab in self.labs]
