"""Outages as users make them, by the shipped playbooks: looked at from outside while they are held."""

from harness.lab import until
from harness.outage import ENDING, METHODS, Kernel
from harness.play import PLAYBOOKS

HOLDS = {"connect": "connect.yml/Hold the broker away", "reconnect": "reconnect.yml/Hold the broker away"}
LAST = "restore.yml/Fail if anything failed"


class Played(Kernel):
    def demand_survival(self, method, *scenarios, **variables):
        """A play with this method passes; each of its holds is what it should be; Pulp and the host are as before."""
        before, lab = self.broker(), self.lab
        chosen = {"pulp_broker_test_method": method, "pulp_broker_test_scenarios": scenarios}
        play = self.play(PLAYBOOKS / "broker_test.yml", variables=chosen | variables)
        for scenario in scenarios:
            play.wait_for(HOLDS[scenario], lab.name)
            # The module that holds it comes a moment later than its task.
            until("the broker to be away", lambda: lab.look("answer") == METHODS[method], 10)
            self.demand_injected(method, before)
            self.assertNotIn("ok", play.outcomes(HOLDS[scenario]).values(), "the hold was over already")
            until("the hold to end", lambda scenario=scenario: play.outcomes(HOLDS[scenario]).get(lab.name) != "began", 60)
            before = self.demand_given_back(play, method, before)
        self.demand_pass(play)
        for scenario in scenarios:
            outage = play.reply(HOLDS[scenario], lab.name)["outage"]
            self.assertEqual(outage["method"], method)
            self.assertGreaterEqual(outage["held_seconds"], 5)
            self.assertIn("it answers", outage["positive_control"])
        self.demand_as_before()

    def demand_given_back(self, play, method, before):
        """By the play and not by the undo, as itself where it was spared."""
        until("the broker to be back", lambda: self.lab.broker_is_there() or play.process.poll() is not None)
        after = self.broker()
        self.assertEqual(after == before, method not in ENDING)
        return after
