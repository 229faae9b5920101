"""`--check --diff` on a live Pulp says what would be done and leaves not one changed byte."""

import json
import os
import subprocess
import unittest

from harness import snapshot
from harness.claims import Claims
from harness.lab import BROKER, INVENTORY, SHARED, WORKERS
from harness.play import PLAYBOOKS

PAGE = "set_up.yml/Tell what is there, what would be done, and everything that is in the way"
SNAPSHOT = SHARED / "harness" / "snapshot.py"
# What could not be told from a change of ours; each is compared on its own.
KNOWN_BAD = {
    "a file that was only touched": ("touch /etc/pulp/server.conf", "file /etc/pulp/server.conf: "),
    "a file that is new": ("echo x >/run/pulp_broker_left", "file /run/pulp_broker_left: None -> "),
    "a rule": ("nft add table inet left", "rules nft: "),
    "a unit": ("systemd-run --quiet --unit=left sleep 60", "unit left.service: None -> "),
    "another main process": (f"systemctl restart {WORKERS[1]}", "process "),
}
REPAIR = f"rm -f /run/pulp_broker_left; nft delete table inet left; systemctl stop left; systemctl restart {WORKERS[1]}"


class CheckMode(Claims):
    def picture(self):
        taken = self.lab._podman(f'exec podman exec --interactive pulp-broker-test-{self.lab.name} python3 -c "$0"', SNAPSHOT.read_text(encoding="utf-8"))
        seen = json.loads(taken.communicate(timeout=120)[0])
        self.assertGreater(len(seen["file"]), 1000)
        self.assertIn(BROKER, seen["unit"])
        for pid in self.lab.main_pids().values():
            self.assertIn(str(pid), seen["process"])
        objects = {kind: self.lab.api(f"{kind}/") for kind in ("repositories", "content/orphans")}
        return json.loads(json.dumps(seen)) | {"Pulp": {kind: json.dumps(found, sort_keys=True) for kind, found in objects.items()}}

    def test_the_check_changes_nothing(self):
        # The first log-in makes what later ones find.
        own = os.environ | {"ANSIBLE_NOCOLOR": "1"}
        subprocess.run(["ansible", self.lab.name, "-i", INVENTORY, "-m", "raw", "-a", "true"], env=own, check=True, capture_output=True, timeout=60)
        before = self.picture()
        # A number, as who forgets the quotes writes it.
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_test.yml", "--check", "--diff", variables={"pulp_broker_test_tls_minimum": 1.0}))
        self.assertEqual(snapshot.differences(before, self.picture()), [])
        # What it says it would do is what it then does not.
        printed = play.printed.read_text(encoding="utf-8")
        for line in ("-broker at localhost:5672: answers", "+broker at localhost:5672: away by stop", "+observer of this host: of run `"):
            self.assertIn(line, printed, play.text())
        # And what its users would feel: those who know a Pulp 2 would be surprised by it.
        page = "\n".join(play.reply(PAGE, self.lab.name)["msg"])
        for line in (
            "TLS 1.0 and 1.1, which are broken, may be spoken with `https://",
            "published content is served, but the whole API hangs until the broker is back",
        ):
            self.assertIn(line, page)
        # How long the broker's start takes is the machine's affair.
        predicted = r"WOULD reconnect, 1, tasks: Pulp (may|will) cancel running tasks: .* away for 5 s and its start \(\d+ s the last time\)"
        self.assertRegex(page, predicted)
        self.assertFalse(play.reports.exists())
        self.assertEqual(self.lab.ansible_files(), [])

    def test_a_change_is_noticed(self):
        """The known-bad subjects."""
        self.addCleanup(self.lab.shell, f"{REPAIR}; true")
        before = self.picture()
        for what, (change, line) in KNOWN_BAD.items():
            with self.subTest(what):
                self.lab.shell(change)
        lines = snapshot.differences(before, self.picture())
        for what, (_, line) in KNOWN_BAD.items():
            self.assertTrue([told for told in lines if told.startswith(line)], f"{what}: {lines}")
        self.assertFalse([told for told in lines if "AnsiballZ" in told])


if __name__ == "__main__":
    unittest.main()
