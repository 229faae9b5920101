"""What a Pulp 3 refuses, or cannot do, is told by its name with what to do; nothing is made in it. (A Pulp without the plugin, and a
storage that redirects to another host, are contract tests against a stand-in.)"""

import json
import unittest

from harness.lab import until
from harness.module import call, connection
from harness.pulp3 import CONTENT, DATABASE, OTHER, WORKER, Pulp3Claims

VISITOR = {"username": "visitor", "password": "Sesame-visitor-7f3a"}
USERS = (
    "curl -sf --cacert /etc/pki/pulp/ca.crt -u admin:Sesame-admin-7f3a -H Content-Type:application/json "
    f"https://localhost/pulp/api/v3/users/ -d '{json.dumps(VISITOR)}'"
)
SETTINGS = "/etc/pulp/settings.py"


class BadInput(Pulp3Claims):
    def demand_refusal(self, *words, **other):
        reply = call(self.lab, "pulp_health", fails=True, **connection(**other))
        for word in words:
            self.assertIn(word, reply["msg"])
        self.assertNotIn("Sesame", str(reply))
        self.assertEqual(reply.get("leftovers", []), [])

    def healed(self):
        self.addCleanup(self.lab.exec, "pulp-lab", "healthy")

    def test_a_wrong_password_and_a_missing_permission_are_told_apart(self):
        # Pulp's number for both may be 403, its words are not the same.
        self.demand_refusal("Pulp refused the user `admin` (40", "check username and password", password="wrong")
        self.lab.shell(USERS)
        self.demand_refusal("403", "`visitor`", "permission", **VISITOR)
        self.demand_as_before()

    def test_a_domain_that_does_not_exist(self):
        self.demand_refusal("domain", "nowhere", domain="nowhere")

    def test_an_api_root_that_is_another_one(self):
        self.demand_refusal("check pulp_url", pulp_api_root="/elsewhere/")

    def test_a_content_origin_that_resolves_nowhere(self):
        self.healed()
        before = self.lab.shell(f"grep ^CONTENT_ORIGIN {SETTINGS}").strip()
        change = f"sed -i 's|^CONTENT_ORIGIN.*|{{}}|' {SETTINGS}; systemctl restart pulpcore-api pulpcore-content"
        self.addCleanup(self.lab.shell, change.format(before))
        self.lab.shell(change.format('CONTENT_ORIGIN = "https://nowhere.pulp.test"'))
        self.wait_until_ready(self.lab)
        self.demand_refusal("nowhere.pulp.test", "CONTENT_ORIGIN")
        self.demand_as_before()

    def test_no_worker_and_no_content_app(self):
        self.healed()
        self.lab.exec("systemctl", "stop", WORKER, OTHER)
        until("Pulp to list no worker", lambda: not self.lab.api("status/")["online_workers"], 60)
        self.demand_refusal("knows no running worker", "pulpcore-worker@")
        self.lab.exec("systemctl", "start", WORKER, OTHER)
        self.lab.exec("systemctl", "stop", CONTENT)
        until("Pulp to list no content app", lambda: not self.lab.api("status/")["online_content_apps"], 150)
        self.demand_refusal("knows no running content app", "pulpcore-content")

    def test_a_pooler_before_the_database_is_told_and_not_taken_for_it(self):
        self.healed()
        self.lab.exec("pulp-lab", "pooler", "on")
        before = self.pids()
        self.demand_failure(self.play(), "VOID unsupported", "pgbouncer.service listens at", "perhaps a proxy")
        self.assertEqual(self.pids(), before)

    def test_a_database_that_is_down(self):
        self.healed()
        self.lab.exec("systemctl", "stop", DATABASE)
        self.demand_refusal("journalctl -u pulpcore-api")


if __name__ == "__main__":
    unittest.main()
