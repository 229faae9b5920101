"""What cannot be right is refused by name, with what was expected and what to do; nothing of Pulp is restarted, the broker
is up, and nothing is left behind. (Bodies that are no JSON or too large, and a repository id that exists, need a Pulp that
misbehaves: those are contract tests against a stand-in.)"""

import unittest

from harness.claims import Claims
from harness.lab import password, variables
from harness.module import call, connection


# What is wrong, the module, its parameters, and words of the message: the object, the expectation, the remedy.
def cases(lab):
    url = variables()["pulp_broker_test_url"]
    return [
        ("wrong password", "pulp_health", connection(password="wrong"), ["401", "password"]),
        ("unreachable URL", "pulp_health", connection(pulp_url="https://localhost:9"), ["https://localhost:9", "refused"]),
        ("unknown host", "pulp_health", connection(pulp_url="https://no.pulp.test"), ["https://no.pulp.test"]),
        ("untrusted certificate", "pulp_health", connection(ca_path=None), ["certificate", "ca_path"]),
        ("CA file that is not there", "pulp_health", connection(ca_path="/no/ca.crt"), ["ca_path", "/no/ca.crt"]),
        ("unknown version of TLS", "pulp_health", connection(tls_minimum="1.1"), ["tls_minimum must be one of: 1.0, 1.2, got: 1.1"]),
        ("URL with a path", "pulp_health", connection(pulp_url=f"{url}/pulp/repos/"), ["pulp_url", "address of the server alone"]),
        ("URL that is no Pulp", "pulp_health", connection(pulp_url=f"http://127.0.0.1:{NO_PULP}", ca_path=None),
         [f"http://127.0.0.1:{NO_PULP}", "pulp_url"]),
        ("feed that workers do not reach", "pulp_health", connection(feed="http://localhost:9/"), ["http://localhost:9/"]),
        ("feed without packages", "pulp_health", connection(feed=f"http://127.0.0.1:{NO_PULP}/empty/"), [f"127.0.0.1:{NO_PULP}/empty/"]),
        ("unknown unit", "pulp_services", {"name": ["pulp_wrong"], "state": "stopped"}, ["pulp_wrong.service", "systemctl list-unit-files"]),
        ("wrong state", "pulp_services", {"state": "gone"}, ["state", "started, stopped, restarted"]),
        ("wrong type", "pulp_broker", {"state": "down", "hold": "long"}, ["hold", "int"]),
        ("unknown parameter", "pulp_broker", {"state": "down", "holt": 5}, ["holt", "Supported parameters include"]),
        ("missing parameter", "pulp_broker", {"hold": 1}, ["missing required arguments: state"]),
        ("undo before the end of the hold", "pulp_broker", {"state": "down", "hold": 9, "restore_after": 9}, ["restore_after", "hold"]),
        ("unknown unit of the broker", "pulp_broker", {"state": "down", "broker_unit": "no-mq"}, ["no-mq"]),
        ("broker that does not answer", "pulp_broker", {"state": "down", "broker_url": "amqp://localhost:9//"}, ["localhost:9"]),
        ("broker whose name is unknown", "pulp_broker", {"state": "down", "broker_url": "amqp://no.pulp.test//"}, ["no.pulp.test"]),
        ("broker URL that is none", "pulp_broker", {"state": "down", "broker_url": "mq"}, ["broker_url"]),
    ]  # fmt: skip


# A web server that is no Pulp; beside it stands a feed without packages.
NO_PULP = 8099
SERVE = f"""
rm -rf /run/no-pulp; mkdir -p /run/no-pulp/empty; createrepo_c --quiet /run/no-pulp/empty
systemd-run --quiet --unit=no-pulp --working-directory=/run/no-pulp python3 -m http.server --bind 127.0.0.1 {NO_PULP}
until curl --silent --output /dev/null http://127.0.0.1:{NO_PULP}/; do sleep 0.1; done
"""
NOBODY = "id -u visitor >/dev/null 2>&1 || useradd --create-home visitor; install -d -o visitor -m 0700 /home/visitor/.ssh; " \
    "install -o visitor -m 0600 /root/.ssh/authorized_keys /home/visitor/.ssh/authorized_keys"


class BadInput(Claims):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.shell("systemctl stop no-pulp.service 2>/dev/null; " + SERVE)

    @classmethod
    def tearDownClass(cls):
        cls.lab.shell("systemctl stop no-pulp.service; rm -rf /run/no-pulp")

    def demand_refusal(self, module, arguments, words, **options):
        before = self.pids()
        reply = call(self.lab, module, fails=True, **arguments, **options)
        for word in words:
            self.assertIn(word, reply["msg"])
        self.assertNotIn(password(), str(reply))
        self.assertEqual(self.pids(), before)
        self.assertEqual(self.lab.left_behind(), [])
        self.assertTrue(self.lab.broker_is_there())
        return reply

    def test_each_is_refused_by_name(self):
        for what, module, arguments, words in cases(self.lab):
            with self.subTest(what):
                self.demand_refusal(module, arguments, words)

    def test_not_root(self):
        self.lab.shell(NOBODY)
        self.addCleanup(self.lab.exec, "userdel", "--remove", "--force", "visitor")
        for module, arguments in (("pulp_facts", {"pulp_url": "https://localhost"}), ("pulp_broker", {"state": "down"}), ("pulp_services", {"state": "stopped"})):
            with self.subTest(module):
                self.demand_refusal(module, arguments, ["needs root", "become: true"], connection=["--extra-vars", "ansible_user=visitor"])

    def test_no_temporary_directory_can_be_written(self):
        # Ansible needs its own for the module; the module needs none, not even for building the feed.
        self.lab.mount("for d in /tmp /var/tmp; do mount --bind $d $d && mount -o remount,bind,ro $d; done")
        self.addCleanup(self.lab.mount, "umount /tmp /var/tmp")
        self.lab.shell("! touch /tmp/x 2>/dev/null && ! touch /var/tmp/x 2>/dev/null")
        self.assertTrue(call(self.lab, "pulp_health", **connection())["healthy"])
        self.assertEqual(self.lab.left_behind(), [])

    def test_a_task_that_never_ends(self):
        self.lab.use_defect("sync_never_ends")
        self.addCleanup(self.lab.use_defect)
        self.demand_refusal("pulp_health", connection(timeout=20), ["sync", "timed out after", "still `running`", "set a longer `timeout`"])


if __name__ == "__main__":
    unittest.main()
