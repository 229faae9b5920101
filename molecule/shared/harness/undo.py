"""What is claimed of the undo on every service manager: taken without any play, as its steps take it."""

from harness.module import call


class TakesByHand:
    """Beside Claims."""

    def take(self, **options):
        """Services first, then the broker, as connect does."""
        call(self.lab, "pulp_services", state="stopped", **options)
        reply = call(self.lab, "pulp_broker", state="down", **options)
        self.assertFalse(self.lab.broker_is_there())
        return reply

    def test_another_run_is_named_and_left_alone(self):
        call(self.lab, "pulp_broker", state="down", run_id="mine", restore_after=600)
        before = self.pids()
        for module, state in (("pulp_broker", "down"), ("pulp_broker", "up"), ("pulp_services", "stopped")):
            with self.subTest(module=module, state=state):
                reply = call(self.lab, module, state=state, run_id="theirs", fails=True)
                if state != "up":
                    self.assertIn("run `mine` has taken services of this host away since", reply["msg"])
                self.assertNotEqual(self.lab.undo(), [])
                self.assertEqual(self.pids(), before)
        call(self.lab, "pulp_broker", state="up", run_id="mine")
        self.demand_as_before()
