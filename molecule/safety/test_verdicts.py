"""Verdicts of single modules that no defect of the lab leads to: each is made by a subject that deserves it."""

import unittest

from harness.claims import Claims
from harness.lab import until
from harness.module import call

BROKER = "rabbitmq-server.service"
BROKEN = "pulp-broker-test-broken.service"


class Verdicts(Claims):
    def demand(self, module, verdict, *words, **options):
        reply = call(self.lab, module, fails=True, **options)
        self.assertTrue(reply["msg"].startswith(verdict), reply["msg"])
        for word in words:
            self.assertIn(word, reply["msg"])

    def test_a_broker_that_was_down_before_proves_nothing(self):
        self.lab.exec("systemctl", "stop", BROKER)
        self.addCleanup(self.lab.wait_until_ready)
        self.addCleanup(self.lab.exec, "systemctl", "start", BROKER)
        self.demand("pulp_broker", "VOID outage_not_proven: ", BROKER, state="down")
        self.assertEqual(self.lab.undo(), [])

    def test_a_broker_that_somebody_starts_interrupts_the_outage(self):
        call(self.lab, "pulp_broker", state="down", run_id="mine", restore_after=600)
        self.lab.exec("systemctl", "start", BROKER)
        until("the broker to answer", self.lab.broker_is_there)
        self.demand("pulp_broker", "VOID outage_interrupted: ", "given back", state="down", run_id="mine", restore_after=600)
        self.assertEqual(self.lab.undo(), [])

    def test_workers_that_met_no_outage_were_not_exercised(self):
        call(self.lab, "pulp_services", state="restarted")
        self.addCleanup(self.lab.wait_until_ready)
        self.demand("pulp_services", "VOID not_exercised: ", "pulp_worker-1", state="started", met_outage=True, timeout=3)

    def test_a_service_that_systemd_gives_up_did_not_start(self):
        unit = f"/run/systemd/system/{BROKEN}"
        self.lab.shell(f"printf '[Service]\\nType=notify\\nExecStart=/bin/false\\n' >{unit} && systemctl daemon-reload")
        self.addCleanup(self.lab.shell, f"rm {unit} && systemctl daemon-reload && systemctl reset-failed")
        self.demand("pulp_services", "FAILED service_did_not_start: ", BROKEN, name=[BROKEN], state="started", timeout=20)


if __name__ == "__main__":
    unittest.main()
