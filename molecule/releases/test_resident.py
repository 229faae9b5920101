"""The program is sent once a run; what stands in its way sends each call the ordinary way, and the run comes to the same."""

import re
import shutil
import tempfile
import unittest
from pathlib import Path

from harness.lab import PROJECT
from harness.module import call
from harness.releases import OnReleases

OLDEST, NEWEST = "2.14.18", "2.20.10"
HEALTH = "health.yml/Check that Pulp does its job end to end"
NAME = "pulp_broker_program"
PLACES = [f"{folder}/{NAME}" for folder in ("/run", "/var/lib", "/var/tmp")]

# In place of `dd`, with which Ansible receives a file where it is told to: the first 100 kB of one, once.
CUT = """'#!/bin/sh' '[ -e /run/cut ] || exec /bin/dd "$@"' 'mv /run/cut /run/was_cut; head -c 100000 | /bin/dd "$@"; cat >/dev/null'"""
SHELL = """'#!/bin/sh' 'umask 077; echo Welcome to this host' 'exec /bin/sh "$@"'"""

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

    def test_a_folder_for_uploads_that_is_full_is_named(self):
        self.lab.mount("mkdir -p /root/full && mount -t tmpfs -o size=1m none /root/full")
        self.addCleanup(self.lab.mount, "umount /root/full && rmdir /root/full")
        before = self.pids()
        play = self.on(NEWEST, "broker_reconnect.yml", variables={"ansible_remote_tmp": "/root/full/tmp"})
        self.demand_failure(play, "VOID ", "No space left on device", "/root/full/tmp", "nothing was touched")
        self.assertEqual(self.lab.shell("find /root/full/tmp -mindepth 1"), "")
        self.demand_untouched(before)

    def test_an_upload_that_was_cut_short_is_not_started(self):
        """The first one alone. What receives it says that all is well."""
        self.lab.shell(f"printf '%s\\n' {CUT} >/usr/local/bin/dd && chmod 755 /usr/local/bin/dd && touch /run/cut")
        self.addCleanup(self.lab.shell, "rm -f /usr/local/bin/dd /run/cut /run/was_cut")
        ways = self.reached(ansible_ssh_transfer_method="piped")
        self.assertEqual(self.lab.shell("ls /run/cut /run/was_cut 2>/dev/null; true").split(), ["/run/was_cut"])
        # That and all others went the ordinary way.
        self.assertGreater(len(ways), 15, ways)

    def test_two_controllers_at_once(self):
        """Each with a build of its own, of which the other knows nothing."""
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as folder:
            theirs = Path(folder)
            shutil.copytree(PROJECT / "playbooks", theirs / "playbooks", symlinks=True)
            shutil.copytree(PROJECT / "library", theirs / "library", copy_function=shutil.copyfile)
            # What comes behind a program's end means nothing to it.
            for module in (theirs / "library").glob("pulp_*[!.yml]"):
                with open(module, "ab") as program:
                    program.write(b"theirs")
            plays = [self.play(books / "broker_test.yml", "--tags", "health") for books in (PROJECT / "playbooks", theirs / "playbooks")]
            for play in plays:
                self.assertTrue(self.demand_pass(play).reply(HEALTH, self.lab.name)["healthy"])
        self.demand_as_before()

    def test_a_host_that_boots_between_two_calls(self):
        """It has lost its connections and what was below /run. A lab that is started again would have another address."""
        way = ("-e", "pulp_broker_test_resident=true", "--playbook-dir", str(PROJECT / "playbooks"))
        self.addCleanup(self.lab.shell, f"rm -rf {' '.join(PLACES)}")
        call(self.lab, "pulp_facts", connection=way, preflight=False)
        self.assertEqual(self.lab.look("program"), PLACES[:1])
        self.addCleanup(self.lab.find)
        self.lab.shell(f"{self.lab.LOSE}; rm -rf {PLACES[0]}")
        self.lab.find()
        call(self.lab, "pulp_facts", connection=way, preflight=False)
        self.assertEqual(self.lab.look("program"), PLACES[:1])

    def test_what_a_dead_run_left_goes_with_the_next(self):
        self.lab.shell(f"for f in {' '.join(PLACES)}; do install -d -m 700 $f/dead; touch $f/dead/AnsiballZ_pulp_facts; done")
        self.assertEqual(self.reached().count("sftp"), 1)

    def test_a_login_shell_that_prints_and_lets_nobody_read(self):
        user = self.deployer("NOPASSWD: ALL")
        self.lab.shell(f"printf '%s\\n' {SHELL} >/usr/local/bin/odd && chmod 755 /usr/local/bin/odd && usermod --shell /usr/local/bin/odd deploy")
        self.addCleanup(self.lab.shell, "rm -f /usr/local/bin/odd")
        self.assertIn("Welcome", self.lab.shell("su deploy -c id"))
        for resident in (True, False):
            with self.subTest(resident):
                # No protocol but a shell's own gets through it.
                self.said(**user, ansible_ssh_transfer_method="piped", pulp_broker_test_resident=resident)

    def test_a_home_that_does_not_exist_is_named(self):
        user = self.deployer("NOPASSWD: ALL")
        keys = "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/deploy_keys"
        self.addCleanup(self.lab.shell, "rm -f /etc/ssh/deploy_keys /etc/ssh/sshd_config.d/home.conf && systemctl reload ssh")
        self.lab.shell(f"mv ~deploy/.ssh/authorized_keys /etc/ssh/deploy_keys && chown root /etc/ssh/deploy_keys && chmod 644 /etc/ssh/deploy_keys && rm -r ~deploy && echo '{keys}' >/etc/ssh/sshd_config.d/home.conf && systemctl reload ssh")
        before = self.pids()
        play = self.on(NEWEST, "broker_reconnect.yml", variables=user)
        self.demand_failure(play, "VOID host_unreachable", "emporary directory", "nothing was touched")
        # Where uploads are wished elsewhere, nobody needs it.
        self.said(**user, ansible_remote_tmp="/var/tmp/deploy")
        self.lab.shell("rm -rf /var/tmp/deploy")
        self.demand_untouched(before)

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
