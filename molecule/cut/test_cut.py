"""Two hosts: Pulp is cut off from a broker that goes on for everybody else; and a broker that is taken away on its own host
is seen to be away from the other."""

import socket
import unittest

from harness.lab import INVENTORY, until
from harness.outage import METHODS, PACKETS, Kernel
from harness.play import PLAYBOOKS
from harness.played import HOLDS


class TwoHosts(Kernel):
    def during(self, method, apply_at, scenario, look):
        """A play that passes; `look` is called while it holds the broker away."""
        chosen = {"pulp_broker_test_method": method, "pulp_broker_test_apply_at": apply_at}
        play = self.play(PLAYBOOKS / f"broker_{scenario}.yml", variables=chosen)
        for lab in self.labs:
            play.wait_for(HOLDS[scenario], lab.name)
        until("the broker to be away for the workers' host", lambda: self.answer() == METHODS[method], 10)
        look()
        self.assertNotIn("ok", play.outcomes(HOLDS[scenario]).values(), "the hold was over already")
        self.demand_pass(play)
        self.demand_as_before()
        return [play.reply(HOLDS[scenario], lab.name) for lab in self.labs]

    def answer(self):
        """What the other host's workers meet."""
        return self.labs[1].look("answer", f"{self.lab.name}.pulp.test")

    def greeting(self):
        """What somebody meets who is none of Pulp's hosts: this test."""
        lines = INVENTORY.read_text(encoding="utf-8").splitlines()
        address = next(line for line in lines if line.startswith(f"{self.lab.name} ")).partition("ansible_host=")[2].split()[0]
        with socket.create_connection((address, 5672), 2) as connection:
            connection.sendall(b"AMQP\0\0\x09\x01")
            connection.settimeout(2)
            return connection.recv(1)

    def test_pulp_is_cut_off_at_each_of_its_hosts_and_the_broker_serves_all_others(self):
        for method, scenario in (("partition", "reconnect"), ("reset", "connect"), ("partition", "connect"), ("reset", "reconnect")):
            with self.subTest(method, scenario=scenario):
                broker = self.broker()

                def look(method=method):
                    self.assertEqual(self.lab.look("answer"), METHODS[method])
                    self.assertEqual(self.greeting(), b"\x01", "others are cut off as well")
                    for lab in self.labs:
                        self.assertIn("table inet pulp_broker {", lab.look("rules"), lab.name)

                for reply in self.during(method, "pulp", scenario, look):
                    self.assertEqual((reply["outage"]["method"], reply["outage"]["apply_at"]), (method, "pulp"), reply)
                    self.assertGreaterEqual(reply["outage"]["held_seconds"], 5)
                self.assertEqual(self.broker(), broker)

    def test_a_broker_that_is_away_on_its_host_is_proven_away_from_the_other(self):
        for method in METHODS:
            with self.subTest(method):
                broker = self.broker()

                def look(method=method, broker=broker):
                    self.demand_injected(method, broker)
                    self.assertEqual(self.labs[1].look("rules"), [])

                own, other = self.during(method, "broker", "reconnect", look)
                self.assertEqual((own["role"], other["role"]), ("local", "remote"))
                self.assertTrue(other["msg"].startswith("DOWN as seen from here: "), other)
                self.assertGreater(other["seen"]["probes"], 3, other)

    def test_what_a_killed_play_has_cut_off_is_given_back_by_the_undo_of_each_host(self):
        for method in PACKETS:
            with self.subTest(method):
                chosen = {"pulp_broker_test_method": method, "pulp_broker_test_apply_at": "pulp", "pulp_broker_test_restore_after": 20}
                play = self.play(PLAYBOOKS / "broker_reconnect.yml", variables=chosen)
                play.wait_for(HOLDS["reconnect"], self.labs[1].name)
                until("the broker to be away for the workers' host", lambda method=method: self.answer() == METHODS[method], 10)
                play.kill(9, group=True)
                for lab in self.labs:
                    until(f"{lab.name}: the undo to be done", lambda lab=lab: lab.undo() == [], 30)
                    self.assertEqual(lab.look("rules"), [], lab.name)
                for lab in self.labs:
                    until("modules of the dead play to end", lambda lab=lab: not lab.look("ours"), 30)
                    lab.remove_ansible_files()
                self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
