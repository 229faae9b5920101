"""What `make dist` makes is all that a user needs: unpacked into an empty folder it runs as it is."""

import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

from harness.claims import Claims
from harness.lab import PROJECT

HEALTH = "health.yml/Check that Pulp does its job end to end"


def archive():
    subprocess.run([PROJECT / "scripts" / "dist"], check=True, capture_output=True, timeout=60)
    version = tomllib.loads((PROJECT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    return PROJECT / "dist" / f"pulp_broker-{version}.tar.gz"


class Archive(Claims):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
        self.addCleanup(folder.cleanup)
        subprocess.run(["tar", "-xzf", archive(), "-C", folder.name], check=True, timeout=60)
        [self.unpacked] = Path(folder.name).iterdir()

    def check_sums(self):
        command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
        return subprocess.run(command, cwd=self.unpacked, capture_output=True, check=False, timeout=60).returncode

    def test_a_check_from_the_archive_passes(self):
        play = self.demand_pass(self.play(self.unpacked / "playbooks" / "broker_test.yml", "--tags", "health"))
        self.assertTrue(play.reply(HEALTH, self.lab.name)["healthy"])
        self.demand_as_before()

    def test_its_checksums_hold_and_notice_a_changed_byte(self):
        self.assertEqual(self.check_sums(), 0)
        with open(self.unpacked / "library" / "pulp_facts", "ab") as module:
            module.write(b"x")
        self.assertNotEqual(self.check_sums(), 0)

    def test_it_is_the_same_byte_for_byte_when_made_again(self):
        first = archive().read_bytes()
        self.assertEqual(archive().read_bytes(), first)


if __name__ == "__main__":
    unittest.main()
