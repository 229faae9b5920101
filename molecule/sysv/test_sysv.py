"""The same promises without systemd, after the whole run has passed: what was taken comes back by a watcher that nobody
needs to look after, or by hand, and another run is told."""

import re
import signal
import unittest

from harness.claims import Claims
from harness.killed import CONNECT, RECONNECT, KilledPlay
from harness.lab import BROKER, until
from harness.module import call
from harness.play import PLAYBOOKS
from harness.sysv import SysvLab
from harness.undo import TakesByHand


class OnSysv(Claims):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.labs = [SysvLab(lab.name, lab.services, lab.serves) for lab in cls.labs]
        cls.lab = cls.labs[0]


class Undo(TakesByHand, OnSysv):
    def test_the_whole_run_left_nothing_behind(self):
        self.demand_as_before()

    def test_each_service_reconnects_by_itself(self):
        before = self.lab.main_pids()
        play = self.demand_pass(self.play(PLAYBOOKS / "broker_reconnect.yml"))
        seen = play.reply("unwatch.yml/Collect what was seen, before anything is restarted", self.lab.name)["actors"]
        self.assertEqual(len([actor for actor in seen if actor["role"] in ("worker", "resource_manager")]), 3)
        self.assertRegex(play.reply("report.yml/Tell the result", self.lab.name)["msg"][3], "^PULP_BROKER_TEST verdict=survived")
        self.demand_as_before()
        after = self.lab.main_pids()
        self.assertEqual([unit for unit in after if after[unit] != before[unit]], [BROKER])

    def test_from_the_controller(self):
        self.take(restore_after=600)
        self.demand_pass(self.play(PLAYBOOKS / "heal.yml"))
        # Its watcher looks each second whether it is still wanted.
        until("the watcher to end", lambda: self.lab.undo() == [], 5)
        self.demand_as_before()

    def test_scripts_are_named_where_units_would_be(self):
        reply = call(self.lab, "pulp_facts", pulp_url="https://localhost")["ansible_facts"]["pulp_deployment"]
        self.assertEqual(reply["service_manager"], "sysv")
        self.assertEqual(reply["broker"]["unit"], "rabbitmq-server.service")
        self.assertEqual({service["name"]: service["main_pid"] for service in reply["services"] if service["main_pid"]},
                         {unit: pid for unit, pid in self.lab.main_pids().items() if unit in self.lab.services})  # fmt: skip

    def test_a_dead_worker_is_started_by_the_script_of_all_and_the_others_go_on(self):
        before = self.lab.main_pids()
        self.lab.shell(f"kill -KILL {before['pulp_worker-1.service']}")
        reply = call(self.lab, "pulp_services", state="started")
        self.assertEqual(reply["actions"], ["service pulp_workers start"])
        self.demand_as_before()
        after = self.lab.main_pids()
        self.assertEqual([unit for unit in after if after[unit] != before[unit]], ["pulp_worker-1.service"])

    def test_by_hand(self):
        reply = self.take(restore_after=600)
        command = re.search("`(sudo [^`]*)`", reply["msg"])[1]
        self.lab.shell(command)
        self.assertTrue(self.lab.broker_is_there())
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_by_its_watcher_alone_after_the_end_of_every_session(self):
        self.take(restore_after=40)
        self.addCleanup(self.lab.find)
        self.lab.shell(self.lab.LOSE)
        self.assertNotEqual(self.lab.watchers(), [], "the watcher ended with its session")
        until("the undo to be done", lambda: self.lab.undo() == [])
        self.lab.find()
        self.assertEqual(self.lab.dead(), [])
        self.demand_as_before()

    def test_a_watcher_whose_record_is_gone_ends_by_itself(self):
        self.take(restore_after=600)
        self.lab.shell("mv /run/pulp_broker /run/aside")
        until("the watcher to end", lambda: self.lab.watchers() == [], 3)
        self.lab.shell("mv /run/aside /run/pulp_broker && sh /run/pulp_broker/heal")
        self.demand_as_before()

    def test_workers_that_met_no_outage_were_not_exercised(self):
        call(self.lab, "pulp_services", state="restarted")
        reply = call(self.lab, "pulp_services", state="started", met_outage=True, timeout=3, fails=True)
        self.assertTrue(reply["msg"].startswith("VOID not_exercised: "), reply["msg"])
        self.assertIn("/var/log/messages", reply["msg"])

    def test_a_service_whose_script_fails_did_not_start(self):
        script = "/etc/init.d/pulp-broker-test-broken"
        self.lab.shell(f"printf '#!/bin/sh\\necho it is broken; exit 3\\n' >{script} && chmod 755 {script}")
        self.addCleanup(self.lab.shell, f"rm {script}")
        reply = call(self.lab, "pulp_services", name=["pulp-broker-test-broken"], state="started", timeout=20, fails=True)
        self.assertTrue(reply["msg"].startswith("FAILED service_did_not_start: "), reply["msg"])
        self.assertIn("it is broken", reply["msg"])

    def test_the_broker_is_killed_and_frozen_as_well(self):
        for method, given_back_by in (("kill", "UP rabbitmq-server.service"), ("freeze", "after freeze ended")):
            with self.subTest(method):
                before = self.lab.main_pids()
                call(self.lab, "pulp_broker", state="down", method=method, run_id="mine", restore_after=600)
                self.assertFalse(self.lab.broker_is_there())
                self.assertIn(given_back_by, call(self.lab, "pulp_broker", state="up", run_id="mine")["msg"])
                self.demand_as_before()
                after = self.lab.main_pids()
                self.assertEqual([unit for unit in after if after[unit] != before[unit]], [BROKER] if method == "kill" else [])

    def test_a_frozen_broker_goes_on_by_the_watcher_alone(self):
        before = self.lab.main_pids()
        call(self.lab, "pulp_broker", state="down", method="freeze", run_id="mine", restore_after=10)
        until("the undo to be done", lambda: self.lab.undo() == [], 20)
        self.assertEqual(self.lab.main_pids(), before)
        self.demand_as_before()

    def test_without_service_and_without_setsid_nothing_is_taken(self):
        before = self.pids()
        for program, words in (("service", "init scripts and `service`"), ("setsid", "`setsid`")):
            with self.subTest(program):
                path = self.lab.shell(f"command -v {program}").strip()
                self.lab.shell(f"mv {path} {path}.away")
                self.addCleanup(self.lab.shell, f"[ -e {path} ] || mv {path}.away {path}")
                reply = call(self.lab, "pulp_broker", state="down", fails=True)
                self.lab.shell(f"mv {path}.away {path}")
                self.assertIn(words, reply["msg"])
                self.demand_untouched(before)


class Killed(OnSysv, KilledPlay):
    def test_sigkill_while_the_broker_is_away(self):
        self.demand_return(RECONNECT, signal.SIGKILL)

    def test_sigkill_while_services_wait_for_the_broker(self):
        self.demand_return(CONNECT, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
