"""The labs themselves: what any client meets at a httpd that asks for a certificate late, and at one that starts without a broker."""

import re
import unittest

from stock import ASKED_LATE, Stock

from harness.lab import BROKER, until

STATUS = "https://localhost/pulp/api/v2/status/"
# Python's own client. Under TLS 1.3 it may be asked late only if it has said so.
PYTHON = """
import ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context(cafile="/etc/pki/pulp/ca.crt")
context.post_handshake_auth = sys.argv[1] == "asked late"
try:
    print(urllib.request.urlopen(sys.argv[2], context=context, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


class Lab(Stock):
    def curl(self, lab, url, *options, check=True):
        """The status; 000 is none within 3 s."""
        command = ["curl", "--silent", "--max-time", "3", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert", "/etc/pki/pulp/ca.crt"]
        return lab.exec(*command, *options, url, check=check)

    def test_the_certificate_is_asked_for_after_the_request_was_read(self):
        request = f"printf 'GET {STATUS} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'"
        seen = self.only12.shell(f"{request} | openssl s_client -connect localhost:443 -quiet -msg 2>&1 | grep --text -E '^(>>>|<<<|HTTP)'")
        steps = re.findall(r"(?:>>>|<<<) .*, (\w+)$|^(HTTP/1.1 \d+)", seen, re.MULTILINE)
        steps = [name or status for name, status in steps if name in ("ClientHello", "HelloRequest", "CertificateRequest") or status]
        self.assertEqual(steps, ["ClientHello", "HelloRequest", "ClientHello", "CertificateRequest", "HTTP/1.1 200"], seen)

    def test_curl_is_answered_by_each(self):
        for lab in self.labs:
            with self.subTest(lab.name):
                self.assertEqual(self.curl(lab, STATUS), "200")

    def test_each_speaks_what_its_variable_says(self):
        for lab, old, new in ((self.only12, "200", "000"), (self.both, "200", "200"), (self.only13, "000", "200")):
            with self.subTest(lab.name):
                self.assertEqual(self.curl(lab, STATUS, "--tls-max", "1.2", check=False), old)
                self.assertEqual(self.curl(lab, STATUS, "--tlsv1.3", check=False), new)

    def test_who_may_not_be_asked_late_under_tls_1_3_is_forbidden_everything(self):
        for may, status in (("asked late", "200"), ("not", "403")):
            with self.subTest(may):
                self.assertEqual(self.only13.exec("python3", "-c", PYTHON, may, STATUS).strip(), status)

    def test_nobody_is_asked_late_where_the_virtual_host_asks(self):
        self.addCleanup(self.both.ask_late)
        self.both.ask_early()
        before = len(self.both.logged("ssl_error_log"))
        self.assertEqual(self.curl(self.both, STATUS, "--tls-max", "1.2"), "200")
        self.assertNotIn(ASKED_LATE, "\n".join(self.both.logged("ssl_error_log")[before:]))

    def test_an_api_that_starts_without_a_broker_answers_nothing_until_it_is_back(self):
        lab = self.only12
        self.addCleanup(lab.wait_until_ready)
        self.addCleanup(lab.exec, "systemctl", "start", BROKER)
        lab.exec("systemctl", "stop", BROKER)
        lab.exec("systemctl", "restart", "httpd.service")
        self.assertEqual(self.curl(lab, STATUS, check=False), "000")
        # Content is served by processes of its own: it says that there is no such repository.
        self.assertEqual(self.curl(lab, "https://localhost/pulp/repos/none/"), "404")
        lab.exec("systemctl", "start", BROKER)
        until("the API to answer", lambda: self.curl(lab, STATUS, check=False) == "200", 30)
        until("httpd to listen for agents' replies", lambda: "pulp.task\t2" in lab.exec("rabbitmqctl", "list_queues", "name", "consumers"))


if __name__ == "__main__":
    unittest.main()
