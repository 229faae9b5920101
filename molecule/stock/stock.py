"""The labs of this scenario: each is a Pulp of its own, and differs from the others in what its httpd's SSLProtocol says."""

import subprocess
import tempfile
from pathlib import Path

from harness.claims import Claims
from harness.lab import SHARED, Lab

VIRTUAL_HOST = "/etc/httpd/conf.d/ssl.conf"
# What httpd logs where it asks for a certificate after it has read a request.
ASKED_LATE = "Requesting connection re-negotiation"


class StockLab(Lab):
    def ask_early(self):
        """The line that makes httpd ask for a certificate in each first handshake, as nobody's does who took the files as they came."""
        self.shell(f"sed -i 's/^    SSLEngine on/&\\n    SSLVerifyClient optional/' {VIRTUAL_HOST} && systemctl restart httpd")
        self.wait_until_ready()

    def ask_late(self):
        self.shell(f"sed -i '/SSLVerifyClient/d' {VIRTUAL_HOST} && systemctl restart httpd")
        self.wait_until_ready()

    def logged(self, name):
        """All lines of one of httpd's logs so far."""
        return self.exec("cat", f"/var/log/httpd/{name}").splitlines()


class Stock(Claims):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.labs = [StockLab(lab.name, Lab.SERVICES, True) for lab in cls.labs]
        for lab in cls.labs:
            cls.addClassCleanup(lab.leave)
        # In the order of molecule.yml.
        cls.only12, cls.both, cls.only13 = cls.labs

    def setUp(self):
        super().setUp()
        # A check that could not speak with Pulp to its end has left its repository there.
        for lab in self.labs:
            lab.empty()

    def play_on(self, lab, *arguments, variables=None):
        """As somebody whose inventory has this lab and no other."""
        folder = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
        self.addCleanup(folder.cleanup)
        inventory = Path(folder.name) / "inventory"
        printed = subprocess.run([SHARED / "lab" / "lab.sh", "inventory", lab.name], check=True, capture_output=True, text=True, timeout=60)
        # A managed host needs no Python.
        inventory.write_text(printed.stdout + "ansible_python_interpreter=/there/is/no/python\n", encoding="utf-8")
        return self.play(*arguments, variables=variables, inventory=inventory)
