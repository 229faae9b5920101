"""How Ansible reaches a host and becomes root there, and what users give it: each on the oldest release that is promised and on
a later one."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness.claims import Claims
from harness.lab import PROJECT, SHARED, variables
from harness.play import PLAYBOOKS
from harness.releases import OnReleases, for_python, podman_collection

OLDEST, LATER = "2.14.18", "2.18.19"
HEALTH = "health.yml/Check that Pulp does its job end to end"
HOLD = "reconnect.yml/Hold the broker away"
RESULT = "report.yml/Tell the result"

# All that may be in a password and means something to Jinja, YAML, JSON, a shell or HTTP's basic authentication.
ODD = "{{ it's \"1\" }} 100% %ü€:$(id)\\n`#"


class Connections(OnReleases):
    def demand_health(self, play):
        self.demand_pass(play)
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        return play

    def demand_reconnect(self, release, **more):
        play = self.demand_pass(self.on(release, "broker_reconnect.yml", **more))
        self.assertGreaterEqual(play.reply(HOLD, self.lab.name)["outage"]["held_seconds"], 5)
        self.assertRegex(play.reply(RESULT, self.lab.name)["msg"][3], "^PULP_BROKER_TEST verdict=survived")
        self.demand_as_before()

    def test_pipelining(self):
        for release in (OLDEST, LATER):
            with self.subTest(release):
                self.demand_health(self.on(release, "broker_test.yml", "--tags", "health", environment={"ANSIBLE_PIPELINING": "True"}))
        self.demand_as_before()

    def test_become_from_an_unprivileged_user(self):
        user = self.deployer("NOPASSWD: ALL")
        for release in (OLDEST, LATER):
            with self.subTest(release):
                self.demand_reconnect(release, variables=user)
        with self.subTest("pipelining"):
            environment = {"ANSIBLE_PIPELINING": "True"}
            self.demand_health(self.on(LATER, "broker_test.yml", "--tags", "health", variables=user, environment=environment))
        self.assertEqual(self.lab.shell("find ~deploy/.ansible/tmp -mindepth 1; true"), "")

    def test_become_with_a_password(self):
        user = self.deployer("ALL") | {"ansible_become_password": "it's sesame"}
        self.lab.shell("echo \"deploy:it's sesame\" | chpasswd")
        self.demand_health(self.on(OLDEST, "broker_test.yml", "--tags", "health", variables=user))
        self.demand_failure(self.on(OLDEST, "broker_test.yml", "--tags", "health", variables=user | {"ansible_become_password": "wrong"}))
        self.demand_as_before()

    def test_an_unprivileged_user_who_becomes_nobody_is_told(self):
        user = self.deployer("NOPASSWD: ALL") | {"ansible_become": False}
        before = self.pids()
        self.demand_failure(self.on(LATER, "broker_reconnect.yml", variables=user), "root")
        self.demand_untouched(before)

    def test_local_connection(self):
        """On the managed host itself, whose Python gets an Ansible for this claim alone."""
        version = self.lab.exec("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as folder:
            inventory = Path(folder) / "local.ini"
            settings = "\n".join(f"{key}={value}" for key, value in variables().items() if key.startswith("pulp_"))
            inventory.write_text(f"[pulp]\nlocalhost ansible_connection=local\n[pulp:vars]\n{settings}\n", encoding="utf-8")
            tests = [PROJECT / "playbooks", PROJECT / "library", inventory]
            self.bring("/opt/pulp_broker", *tests)
        for release in (OLDEST, LATER):
            with self.subTest(release):
                self.bring("/opt/ansible", *for_python(release, version).iterdir())
                ansible = "cd /opt/pulp_broker && HOME=/opt LC_ALL=C.UTF-8 PYTHONPATH=/opt/ansible python3 -m ansible"
                self.assertIn(f"[core {release}]", self.lab.shell(f"{ansible} adhoc --version"))
                wishes = "-e pulp_broker_test_report_dir=/opt/reports -e pulp_broker_test_reconnect_hold=5"
                said = self.lab.shell(f"{ansible} playbook -i local.ini {wishes} playbooks/broker_reconnect.yml", timeout=300)
                self.assertRegex(said, "PULP_BROKER_TEST verdict=survived.* restored=yes")
                self.demand_as_before()

    def bring(self, folder, *paths):
        """Instead of whatever was in that folder of the lab."""
        self.lab.shell(f"rm -rf {folder} && mkdir -p {folder}")
        self.addCleanup(self.lab.shell, f"rm -rf {folder} /opt/reports /opt/.ansible")
        for path in paths:
            self.lab.bring(path, folder)

    def test_podman_connection(self):
        settings = dict(line.split("=", 1) for line in subprocess.run(
            ["sh", "-c", f'eval "$({SHARED}/lab/lab.sh env)"; env | grep ^CONTAINERS_CONF=; true'], capture_output=True, text=True, check=True
        ).stdout.splitlines())  # fmt: skip
        environment = settings | {"ANSIBLE_COLLECTIONS_PATH": str(podman_collection())}
        connection = {"ansible_connection": "containers.podman.podman", "ansible_host": f"pulp-broker-test-{self.lab.name}"}
        for release in (LATER, "2.19.14"):
            with self.subTest(release):
                play = self.on(release, "broker_test.yml", "--tags", "health", variables=connection, environment=environment)
                self.demand_health(play)
        self.demand_as_before()

    def test_a_password_that_means_something_to_everybody(self):
        configuration = "/etc/pulp/server.conf"
        self.lab.shell(f"cp -p {configuration} /run/server.conf")
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.shell, f"mv /run/server.conf {configuration} && systemctl restart httpd")
        self.lab.exec("python3", "-c", CHANGE, configuration, ODD)
        self.lab.shell("systemctl restart httpd")
        self.lab.wait_until_ready()
        with tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as folder:
            vault = Path(folder) / "vault.yml"
            vault.write_text(f"pulp_broker_test_password: !unsafe {json.dumps(ODD)}\n", encoding="utf-8")
            for release in (OLDEST, LATER, "2.19.14"):
                with self.subTest(release):
                    play = self.on(release, "broker_test.yml", "--tags", "health", "-vvv", f"--extra-vars=@{vault}")
                    self.demand_health(play)
                    self.assertNotIn(ODD, play.printed.read_text(encoding="utf-8"))
                    self.assertNotIn("it's \\\"1", play.printed.read_text(encoding="utf-8"))

    def test_a_temporary_directory_from_which_nothing_may_be_started(self):
        self.lab.mount("mkdir -p /root/noexec && mount -t tmpfs -o noexec none /root/noexec")
        self.addCleanup(self.lab.mount, "umount /root/noexec && rmdir /root/noexec")
        before = self.pids()
        for release in (OLDEST, LATER, "2.19.14"):
            with self.subTest(release):
                noexec = {"ansible_remote_tmp": "/root/noexec/tmp"}
                play = self.on(release, "broker_reconnect.yml", variables=noexec | {"pulp_broker_test_resident": False})
                self.demand_failure(play, "failed to start `pulp_facts` in `/root/noexec/tmp`", "noexec", "set ansible_remote_tmp", "nothing was touched")
                # It only passes through it where the program stays elsewhere.
                self.demand_health(self.on(release, "broker_test.yml", "--tags", "health", variables=noexec))
        self.demand_untouched(before)


# Of the lab's configuration, which its web server reads.
CHANGE = """
import sys
path, password = sys.argv[1:]
lines = open(path, encoding="utf-8").read().splitlines()
lines = ["default_password: " + password if line.startswith("default_password:") else line for line in lines]
open(path, "w", encoding="utf-8").write("\\n".join(lines) + "\\n")
"""


class Examples(Claims):
    """What users copy runs as it stands; it is in place of roles of theirs, so it may need Python. Their inventory has its group_vars
    beside it; here another one reaches the lab."""

    def test_each_example_runs(self):
        a_play = re.compile(r"^ *(- )?(hosts|(ansible\.builtin\.)?import_playbook):", re.MULTILINE)
        plays = [path for path in sorted((PLAYBOOKS / "examples").glob("*.yml")) if a_play.search(path.read_text(encoding="utf-8"))]
        self.assertNotEqual(plays, [])
        for path in plays:
            with self.subTest(path.name):
                before = self.pids()
                wish = {"pulp_broker_test_scenarios": ["health"], "ansible_python_interpreter": "/usr/bin/python3"}
                play = self.demand_pass(self.play(path, variables=wish))
                self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
                self.assertEqual(self.pids(), before)
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
