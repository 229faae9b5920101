"""Each release of Ansible that is promised: nothing is taken away, then the broker is, and Pulp is as it was before."""

import unittest

from harness.claims import Claims
from harness.play import PLAYBOOKS
from harness.releases import RELEASES, ansible

HEALTH = "health.yml/Check that Pulp does its job end to end"
HOLD = "reconnect.yml/Hold the broker away"
RESULT = "report.yml/Tell the result"

# Of these at least two have to be tried wherever this runs: the oldest and the newest of what it has.
TRIED = set()


class EachRelease(Claims):
    def begin(self, playbook, release, *options, **more):
        program = ansible(release)
        if program is None:
            self.skipTest(f"ansible-core {release} was NOT tried: it needs a Python {' or '.join(RELEASES[release])}, and this machine has none")
        TRIED.add(release)
        return self.play(PLAYBOOKS / playbook, *options, program=program, **more)

    def demand_health_and_reconnect(self, release):
        before = self.pids()
        play = self.demand_pass(self.begin("broker_test.yml", release, "--tags", "health"))
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        self.demand_untouched(before)
        play = self.demand_pass(self.begin("broker_reconnect.yml", release))
        self.assertGreaterEqual(play.reply(HOLD, self.lab.name)["outage"]["held_seconds"], 5)
        self.assertRegex(play.reply(RESULT, self.lab.name)["msg"][3], "^PULP_BROKER_TEST verdict=survived")
        self.assertNotIn("DEPRECATION", play.printed.read_text(encoding="utf-8"))
        self.demand_as_before()

    def demand_refusal(self, release):
        """What is raised, rescued and told is where releases differ most."""
        before = self.pids()
        wrong = {"pulp_broker_test_method": "lightning"}
        self.demand_failure(self.begin("broker_test.yml", release, variables=wrong), "must be one of: stop, kill, freeze, partition, reset, got: lightning")
        stranger = {"pulp_broker_test_password": "wrong", "pulp_broker_test_void": "pass"}
        play = self.demand_pass(self.begin("broker_test.yml", release, variables=stranger))
        self.assertIn("verdict=void name=unhealthy_before", play.reply(RESULT, self.lab.name)["msg"][3])
        self.demand_untouched(before)

    def test_facts_need_not_be_variables(self):
        # Ansible's default until 2.24; sites turn it off today.
        play = self.begin("broker_test.yml", "2.18.19", "--check", environment={"ANSIBLE_INJECT_FACT_VARS": "False"})
        self.demand_pass(play)
        self.assertIn("would stop", play.reply(HOLD, self.lab.name)["msg"])

    def test_two_releases_were_tried(self):
        # Its name makes it the last one.
        self.assertGreaterEqual(len(TRIED), 2, TRIED)


def claims(release):
    """Each under a name of its own, so that what does not hold, or was skipped, says of which release."""
    name = release.replace(".", "_")
    setattr(EachRelease, f"test_{name}_health_and_reconnect", lambda self: self.demand_health_and_reconnect(release))
    setattr(EachRelease, f"test_{name}_refusals", lambda self: self.demand_refusal(release))


for each in RELEASES:
    claims(each)


if __name__ == "__main__":
    unittest.main()
