"""Broker, API and some workers on one host, more workers on another: a real pass, and the restoring when a task of it
fails or a host is lost in the middle of the outage."""

import unittest

from harness.claims import Claims
from harness.lab import SHARED, until
from harness.module import call
from harness.play import PLAYBOOKS, hook

BROKER_BACK, SERVICES_BACK = "after_failure.yml/Give the broker back", "restore.yml/Start what was running before"
WORKS_AGAIN = "works_again.yml/See whether the services work again after a failure"
RESTART = "works_again.yml/Restart the services"
RESTART_SEEN = "works_again.yml/See whether the restarted services work"
RECONNECT_UP = "recovery.yml/Give the broker back"
LAST = "restore.yml/Fail if anything failed"
# connect: each of these finds another part of Pulp gone.
SERVICES_GONE = "connect.yml/Take the broker away"
ALL_GONE = "connect.yml/Start Pulp's services without a broker"
BROKER_GONE = "connect.yml/Hold the broker away"

# Longer than the play takes from the last taking to its own restoring, so that both ways back are seen.
# And longer than the hold, the wait to be met and the broker's own start together.
RESTORE_AFTER = 40
# As molecule.yml has it.
HOLD = 5
MET = 9
BOOT = 60


class Split(Claims):
    # Of a play whose undo nobody waits for.
    restore_after = RESTORE_AFTER

    @property
    def names(self):
        return [lab.name for lab in self.labs]

    def connect(self, *hooks):
        self.restore_after = self.lab.restore_after(HOLD + MET, RESTORE_AFTER)
        times = {"pulp_broker_test_restore_after": self.restore_after, "pulp_broker_test_met_timeout": MET}
        return self.play(PLAYBOOKS / "broker_connect.yml", variables=times, hooks=list(hooks))

    def demand_return(self):
        """Whoever did it, the play or the undo."""
        for lab in self.labs:
            until(f"{lab.name}: the undo to be done", lambda lab=lab: lab.undo() == [], self.restore_after + BOOT)
            self.assertEqual(lab.dead(), [])
        self.assertTrue(self.lab.broker_is_there())


class HealthyPulp(Split):
    def test_connect_and_reconnect_pass(self):
        play = self.demand_pass(self.play())
        for task in ("connect.yml/Wait until each service has met the absent broker", RECONNECT_UP, SERVICES_BACK, LAST):
            self.assertEqual(set(play.outcomes(task).values()), {"ok"}, task)
            self.assertEqual(sorted(play.outcomes(task)), sorted(self.names), task)
        roles = [play.reply(BROKER_GONE, name)["role"] for name in self.names]
        self.assertEqual(roles, ["local", "remote"])
        observed = [play.reply("recovery.yml/Wait until every service has recovered by itself", n)["actors"] for n in self.names]
        consumers = [[a for a in actors if a["role"] in ("worker", "resource_manager")] for actors in observed]
        self.assertEqual([len(actors) for actors in consumers], [3, 2])
        self.demand_as_before()


    def test_no_broker_is_found_where_neither_configuration_nor_unit_names_one(self):
        lab = self.labs[1]
        files = "/etc/pulp/server.conf /lib/systemd/system/rabbitmq-server.service /etc/init.d/rabbitmq-server"
        lab.shell(f"mkdir /run/aside; for f in {files}; do mv $f /run/aside; done; systemctl daemon-reload")
        self.addCleanup(lab.shell, f"for f in {files}; do mv /run/aside/${{f##*/}} $f; done; rmdir /run/aside; systemctl daemon-reload")
        before = self.pids()
        reply = call(lab, "pulp_broker", state="down", fails=True)
        for word in ("failed to find a broker", "/etc/pulp/server.conf", "set `broker_url`"):
            self.assertIn(word, reply["msg"])
        self.assertEqual(self.pids(), before)


class RestoringTasksFail(Split):
    def demand_the_rest(self, play, failing):
        """The other restoring tasks ran on every host, the play failed, and said why."""
        for task in {BROKER_BACK, SERVICES_BACK, LAST} - {failing}:
            self.assertEqual(sorted(play.outcomes(task)), sorted(self.names), task)
        self.demand_return()
        self.demand_as_before()

    def test_giving_the_broker_back_fails_on_every_host(self):
        play = self.connect(hook(BROKER_GONE), hook(BROKER_BACK))
        self.demand_failure(play, f"failed by the test: {BROKER_GONE}")
        self.assertEqual(set(play.outcomes(BROKER_BACK).values()), {"ignored"})
        self.assertEqual(set(play.outcomes(SERVICES_BACK).values()), {"ok"})
        self.demand_the_rest(play, BROKER_BACK)

    def test_starting_the_services_fails_on_every_host(self):
        play = self.connect(hook(ALL_GONE), hook(SERVICES_BACK))
        # Two things failed; that something was not given back is the graver one.
        self.demand_failure(play, f"FAILED services_not_restored: failed by the test: {SERVICES_BACK}")
        self.assertEqual(play.outcomes(SERVICES_BACK), dict.fromkeys(self.names, "ignored"))
        self.assertEqual(set(play.outcomes(BROKER_BACK).values()), {"ok"})
        self.assertTrue(self.lab.broker_is_there(), "the module should have given it back")
        self.demand_the_rest(play, SERVICES_BACK)

    def test_the_last_resort_fails_on_every_host(self):
        for failing in (RESTART, RESTART_SEEN):
            with self.subTest(failing):
                play = self.connect(hook(BROKER_GONE), hook(WORKS_AGAIN), hook(failing))
                self.demand_failure(play, f"failed by the test: {BROKER_GONE}")
                for task in (WORKS_AGAIN, failing):
                    self.assertEqual(play.outcomes(task), dict.fromkeys(self.names, "ignored"))
                self.assertEqual(sorted(play.outcomes(RESTART_SEEN)), sorted(self.names))
                self.demand_the_rest(play, failing)

    def test_giving_back_fails_after_a_scenario_that_went_well(self):
        play = self.play(PLAYBOOKS / "broker_reconnect.yml", hooks=[hook(SERVICES_BACK, self.lab.name)])
        self.demand_failure(play, f"failed by the test: {SERVICES_BACK}")
        # The scenario itself has given the broker back.
        self.assertEqual(set(play.outcomes(RECONNECT_UP).values()), {"ok"})
        self.assertEqual(sorted(play.outcomes(LAST)), sorted(self.names))
        self.demand_return()
        self.demand_as_before()


class HostsLost(Split):
    def lose(self, lab, task):
        """The play, with the host lost just before the task begins there."""
        for each in self.labs:
            self.addCleanup(each.remove_ansible_files)
        self.addCleanup(lab.find)
        lost = hook(task, lab.name, [SHARED / "lab" / "lab.sh", "exec", lab.name, "sh", "-c", lab.LOSE])
        play = self.connect(lost)
        self.demand_failure(play, f"VOID host_unreachable: {lab.name} cannot be reached; what was taken away there comes back by itself")
        for restoring in (BROKER_BACK, SERVICES_BACK):
            self.assertEqual(sorted(play.outcomes(restoring)), sorted(self.names))
            self.assertEqual(play.outcomes(restoring)[lab.name], "unreachable")
        return play

    def test_a_host_that_is_lost_for_one_task_only(self):
        # Everything is given back, but the scenario was not run to its end: that must not read as a pass.
        for lab in self.labs:
            with self.subTest(lab.name):
                play = self.play(PLAYBOOKS / "broker_reconnect.yml", hooks=[hook(RECONNECT_UP, lab.name, unreachable=True)])
                self.demand_failure(play, "VOID host_unreachable: a host was lost during the test")
                self.assertEqual(play.outcomes(SERVICES_BACK), dict.fromkeys(self.names, "ok"))
                self.demand_as_before()

    def demand_survival(self, lab):
        self.demand_return()
        lab.find()
        for each in self.labs:
            self.assertEqual([file for file in each.ansible_files() if "/AnsiballZ_" not in file], [])
            each.remove_ansible_files()
            # Where nothing had to be undone the observer stays until its own deadline.
            each.look("end_observer")
        self.demand_as_before()

    def test_the_host_of_the_broker_while_its_services_are_stopped(self):
        self.lose(self.lab, SERVICES_GONE)
        self.demand_survival(self.lab)

    def test_the_host_of_the_broker_while_the_broker_is_away(self):
        self.lose(self.lab, BROKER_GONE)
        self.demand_survival(self.lab)

    def test_the_host_of_workers_while_everything_is_stopped(self):
        play = self.lose(self.labs[1], ALL_GONE)
        self.assertEqual(play.outcomes(BROKER_BACK)[self.lab.name], "ok")
        self.demand_survival(self.labs[1])

    def test_the_host_of_workers_while_the_broker_is_away(self):
        play = self.lose(self.labs[1], BROKER_GONE)
        self.assertEqual(play.outcomes(BROKER_BACK)[self.lab.name], "ok")
        self.demand_survival(self.labs[1])


if __name__ == "__main__":
    unittest.main()
