"""The program is sent once a run; what stands in its way sends each call the ordinary way, and the run comes to the same."""

import re
import unittest

from harness.lab import PROJECT
from harness.module import call
from harness.releases import OnReleases

OLDEST, NEWEST = "2.14.18", "2.20.10"
HEALTH = "health.yml/Check that Pulp does its job end to end"
NAME = "pulp_broker_program"
PLACES = [f"{folder}/{NAME}" for folder in ("/run", "/var/lib", "/var/tmp")]

# Of `-vvv`: each program that Ansible starts to reach the host.
REACHED = re.compile(r"SSH: EXEC (ssh|sftp|scp) ")


class Resident(OnReleases):
    def said(self, release=NEWEST, **variables):
        """What a run of three calls printed; it passed, and left nothing."""
        play = self.demand_pass(self.on(release, "broker_test.yml", "--tags", "health", "-vvv", variables=variables))
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        self.assertEqual(self.lab.shell(f"find {' '.join(PLACES)} -mindepth 1 2>/dev/null; true"), "")
        return play.printed.read_text(encoding="utf-8")

    def reached(self, *release, **variables):
        return REACHED.findall(self.said(*release, **variables))

    def test_a_call_is_one_command(self):
        for release in (OLDEST, NEWEST):
            with self.subTest(release):
                # Words, as `-e` gives them.
                ordinary = self.reached(release, pulp_broker_test_resident="false")
                resident = self.reached(release, pulp_broker_test_resident="true")
                # Three calls and the end of the run, and at the most six for the program itself.
                self.assertLessEqual(len(resident), 10, resident)
                self.assertEqual(resident.count("sftp"), 1, resident)
                self.assertGreater(len(ordinary), len(resident) + 4, ordinary)
                self.demand_as_before()

    def test_where_it_cannot_stay_each_call_sends_it(self):
        self.lab.shell(f"touch {' '.join(PLACES)}")
        self.assertGreater(self.reached().count("sftp"), 3)
        self.demand_as_before()

    def test_a_full_place_is_left_for_the_next(self):
        self.lab.mount(f"mkdir {PLACES[0]} && mount -t tmpfs -o size=1m,mode=700 none {PLACES[0]}")
        self.addCleanup(self.lab.mount, f"umount {PLACES[0]} && rmdir {PLACES[0]}")
        self.assertEqual(self.reached().count("sftp"), 1)

    def test_one_that_somebody_has_changed_is_not_started(self):
        way = ("-e", "pulp_broker_test_resident=true", "--playbook-dir", str(PROJECT / "playbooks"))
        self.assertIn("pulp_deployment", call(self.lab, "pulp_facts", connection=way, preflight=False)["ansible_facts"])
        self.addCleanup(self.lab.shell, f"rm -rf {PLACES[0]} /run/was_started")
        # It would tell of itself.
        self.lab.shell(f"for f in {PLACES[0]}/*/*; do printf '#!/bin/sh\\ntouch /run/was_started\\n' >$f; done; head {PLACES[0]}/*/*facts | grep touch")
        self.assertIn("is not the one that was sent there", re.sub(r"\s+", " ", self.said()))
        self.assertEqual(self.lab.shell("ls /run/was_started 2>/dev/null; true"), "")

    def test_sudo_that_wants_a_terminal(self):
        user = self.deployer("NOPASSWD: ALL", "Defaults:deploy requiretty")
        self.assertGreater(self.reached(**user).count("sftp"), 3)

    def test_su(self):
        user = self.deployer("NOPASSWD: /bin/false")
        self.lab.shell("cp -p /etc/shadow /run/shadow && echo 'root:sesame' | chpasswd")
        self.addCleanup(self.lab.shell, "mv /run/shadow /etc/shadow")
        self.reached(**user, ansible_become_method="su", ansible_become_password="sesame")


if __name__ == "__main__":
    unittest.main()
