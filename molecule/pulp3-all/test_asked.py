"""A Pulp that cannot be asked for its settings is refused by the name of the cause; nothing is taken away, and what was started for the
question has ended."""

import json
import unittest

from harness.lab import PROJECT
from harness.module import call
from harness.pulp3 import Pulp3Claims

SETTINGS = "/etc/pulp/settings.py"
PYTHON = "/usr/local/lib/pulp/bin/python3"
# Kept while it is another thing, and put back with its owner and its mode.
KEPT = f"{SETTINGS}.kept"


class Asked(Pulp3Claims):
    def setUp(self):
        super().setUp()
        self.before = self.pids()

    def demand_uncertain(self, *words):
        self.demand_told(call(self.lab, "pulp_facts", preflight=True)["ansible_facts"]["pulp_deployment"], *words)

    def demand_told(self, facts, *words):
        refusals = {refusal["name"]: refusal["msg"] for refusal in facts["preflight"]["refusals"]}
        self.assertIn("broker_uncertain", refusals)
        for word in [*words, "`broker_url`"]:
            self.assertIn(word, refusals["broker_uncertain"])
        self.assertIsNone(facts["broker"])
        self.assertNotIn("Sesame", str(facts))
        self.demand_nothing_left()

    def demand_nothing_left(self):
        self.assertEqual(self.pids(), self.before)
        self.assertEqual(self.lab.shell("pgrep --full --list-full -- '[ ]-B ' || true"), "", "who was asked still runs")
        self.assertEqual(self.lab.look("left") + self.lab.ansible_files(), [])

    def use_settings(self, *lines):
        """They stand after Pulp's own, whose services have read theirs."""
        self.addCleanup(self.lab.exec, "mv", KEPT, SETTINGS)
        self.lab.exec("cp", "--archive", SETTINGS, KEPT)
        for line in lines:
            self.lab.shell(f"echo '{line}' >>{SETTINGS}")

    def facts_without(self, right):
        """As root without one of its capabilities, as in many containers."""
        folder = "/tmp/asked"
        self.addCleanup(self.lab.exec, "rm", "-r", folder)
        self.lab.exec("mkdir", folder)
        self.lab.bring(PROJECT / "library" / "pulp_facts", folder)
        self.lab.shell(f"echo '{{\"preflight\": true}}' >{folder}/arguments")
        return json.loads(self.lab.shell(f"setpriv --bounding-set -{right} {folder}/pulp_facts {folder}/arguments || true"))

    def test_settings_that_print_megabytes_say_what_they_say(self):
        self.use_settings("print(10_000_000 * \"x\")")
        facts = call(self.lab, "pulp_facts", preflight=True)["ansible_facts"]["pulp_deployment"]
        self.assertEqual((facts["preflight"]["refusals"], facts["broker"]["port"]), ([], 5432))
        self.demand_nothing_left()

    def test_settings_that_end_the_interpreter(self):
        self.use_settings("import os", "os.kill(os.getpid(), 9)")
        self.demand_uncertain("it ended without an answer (signal: 9 (SIGKILL))")

    def test_settings_that_hang_with_what_they_have_started(self):
        self.use_settings("import subprocess", "subprocess.run([\"sleep\", \"3601\"])")
        self.demand_uncertain("timed out after 60 s")
        self.assertEqual(self.lab.shell("pgrep --full 'sleep 360[1]' || true"), "")

    def test_settings_that_pulps_user_may_not_read(self):
        self.use_settings()
        self.lab.exec("chmod", "0600", SETTINGS)
        self.lab.exec("chown", "root:", SETTINGS)
        self.demand_uncertain(f"this user may not read {SETTINGS} (Permission denied)")

    def test_settings_that_are_a_folder(self):
        self.use_settings()
        self.addCleanup(self.lab.exec, "rmdir", SETTINGS)
        self.lab.shell(f"rm {SETTINGS}; mkdir {SETTINGS}")
        self.demand_uncertain(f"{SETTINGS} is a folder")

    def test_settings_that_change_between_the_question_and_the_outage(self):
        self.use_settings()
        asked = call(self.lab, "pulp_facts")["ansible_facts"]["pulp_deployment"]["settings_files"]
        self.assertEqual(list(asked), [SETTINGS])
        self.lab.shell(f"echo '# Of no effect.' >>{SETTINGS}")
        reply = call(self.lab, "pulp_broker", fails=True, state="down", settings_files=asked)
        self.assertIn(f"VOID broker_uncertain: {SETTINGS} was changed since Pulp was asked", reply["msg"])
        self.demand_nothing_left()

    def test_an_interpreter_that_is_not_there_any_more(self):
        self.addCleanup(self.lab.exec, "mv", f"{PYTHON}.away", PYTHON)
        self.lab.exec("mv", PYTHON, f"{PYTHON}.away")
        self.demand_uncertain("failed to find the interpreter")

    def test_a_root_that_may_become_nobody_else(self):
        facts = self.facts_without("setuid")["ansible_facts"]["pulp_deployment"]
        self.demand_told(facts, "failed to become user pulp (uid ")

    def test_a_root_that_may_not_look_into_others_processes(self):
        reply = self.facts_without("sys_ptrace")
        self.assertTrue(reply["failed"])
        self.assertIn("root needs CAP_SYS_PTRACE to see", reply["msg"])
        self.demand_nothing_left()


if __name__ == "__main__":
    unittest.main()
