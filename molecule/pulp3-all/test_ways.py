"""The health check finds its way in a Pulp 3 that is not as most are: by a certificate instead of a password, in a domain, below another
API root."""

import json
import unittest

from harness.module import call, connection
from harness.pulp3 import Pulp3Claims

PKI = "/etc/pki/pulp"
DOMAIN = {
    "name": "tests",
    "storage_class": "pulpcore.app.models.storage.FileSystem",
    "storage_settings": {"MEDIA_ROOT": "/var/lib/pulp/media"},
}
DOMAINS = (
    f"curl -sf --cacert {PKI}/ca.crt -u admin:Sesame-admin-7f3a -H Content-Type:application/json "
    f"https://localhost/pulp/default/api/v3/domains/ -d '{json.dumps(DOMAIN)}'"
)


class Ways(Pulp3Claims):
    def healthy(self, **other):
        reply = call(self.lab, "pulp_health", **connection(**other))
        self.assertTrue(reply["healthy"])
        self.assertEqual(reply["leftovers"], [])
        return reply

    def change(self, name, value):
        self.addCleanup(self.lab.exec, "pulp-lab", "healthy", timeout=240)
        self.lab.exec("pulp-lab", "set", name, value, timeout=240)

    def test_a_certificate_stands_for_user_and_password(self):
        by_certificate = {"username": None, "password": None, "user_cert": f"{PKI}/admin.crt", "user_key": f"{PKI}/admin.key"}
        self.healthy(**by_certificate)
        # One that the web server does not trust is nobody.
        self.lab.shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout /root/no.key -out /root/no.crt -subj /CN=admin 2>/dev/null")
        reply = call(self.lab, "pulp_health", fails=True, **connection(**by_certificate | {"user_cert": "/root/no.crt", "user_key": "/root/no.key"}))
        self.assertNotIn("Sesame", str(reply))
        self.demand_as_before()

    def test_everything_is_made_in_a_domain(self):
        self.change("DOMAIN_ENABLED", "True")
        self.lab.shell(DOMAINS)
        reply = self.healthy(domain="tests")
        self.assertIn("/tests/", reply["package"]["url"])
        reply = call(self.lab, "pulp_health", fails=True, **connection(domain="nowhere"))
        self.assertIn("nowhere", reply["msg"])

    def test_another_api_root(self):
        self.change("API_ROOT", '"/elsewhere/"')
        self.healthy(pulp_api_root="/elsewhere/")
        # The play knows it from Pulp.
        self.demand_pass(self.play(variables={"pulp_broker_test_scenarios": "health"}))


if __name__ == "__main__":
    unittest.main()
