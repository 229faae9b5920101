"""Nothing is taken away later than 2 s after a look at the tasks of others, whoever is slow on the way to the host."""

import json
import shlex
import unittest

from harness.claims import Claims
from harness.lab import SHARED
from harness.module import call, connection
from harness.play import PLAYBOOKS, hook
from harness.subjects import API, CANCEL, FOREVER

STOP, TAKE = "stop.yml/Stop Pulp's services", "take.yml/Take the broker away"
TAKINGS = {"connect": STOP, "reconnect": TAKE}
RESULT = "report.yml/Tell the result"
# Before the module begins, and after the play has looked.
SLOW = ["sleep", "3"]
# The module's own way of doing it, by hand.
BY_HAND = {
    "pulp_services": {"name": ["pulp_celerybeat", "pulp_workers"], "state": "stopped"},
    "pulp_broker": {"state": "down"},
}
ACCEPTED = {"pulp_broker_test_accept_task_loss": True}
# Where only a stand-in can be, because no real Pulp is slow, or gets a task, at a moment that a test can name: it has the status of the
# lab's Pulp, and lists what it is told, after so many seconds.
STAND_IN_URL = "http://127.0.0.1:8099"
STAND_IN = """
import http.server, json, sys, time
status, lists = sys.argv[1].encode(), json.loads(sys.argv[2])
class Pulp(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(status)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        seconds, tasks = lists.pop(0)
        time.sleep(seconds)
        self.answer(json.dumps(tasks).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Pulp).serve_forever()
"""
TASK = {"task_id": "t1", "task_type": "t", "state": "running", "tags": ["pulp:repository:rhel"]}


class Look(Claims):
    def cancel_task(self):
        self.lab.shell(f"[ ! -e /run/lab-task ] || {{ {CANCEL}; rm /run/lab-task; }}")

    def begin_task(self):
        """Somebody's, which does not end."""
        self.addCleanup(self.cancel_task)
        self.lab.shell(FOREVER)

    def somebody_begins_one(self, task):
        """Three seconds after the play has looked, and before the module looks."""
        self.addCleanup(self.cancel_task)
        script = SHARED / "lab" / "lab.sh"
        return hook(task, run=[script, "exec", self.lab.name, "sh", "-c", f"{FOREVER}; sleep 1"])

    def demand_young(self, reply):
        self.assertGreater(reply["look_seconds_before"], 0)
        self.assertLessEqual(reply["look_seconds_before"], 2)

    def demand_untaken(self, reply, name):
        self.assertEqual((reply["changed"], reply["void"]), (False, name), reply)
        self.assertTrue(reply["msg"].startswith(f"VOID {name}: "), reply)
        self.assertTrue(reply["msg"].endswith("; nothing was taken away"), reply)
        self.assertNotIn("look_seconds_before", reply)
        self.assertEqual(self.lab.undo(), [])


class Plays(Look):
    def test_a_task_that_begins_after_the_play_has_looked_is_not_hit(self):
        for scenario, task in TAKINGS.items():
            with self.subTest(scenario):
                before = self.pids()
                play = self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[self.somebody_begins_one(task)])
                self.demand_failure(play, "VOID busy: 1 task of others runs or waits at ", "nothing was taken away")
                reply = play.reply(task, self.lab.name)
                self.demand_untaken(reply, "busy")
                self.assertEqual(reply["busy"]["count"], 1)
                sentence, verdict, _, line = play.reply(RESULT, self.lab.name)["msg"]
                self.assertTrue(sentence.startswith("Pulp is as it was before: yes"), sentence)
                self.assertTrue(verdict.startswith("VOID busy: "), verdict)
                self.assertIn("verdict=void name=busy actor=- restored=yes", line)
                self.cancel_task()
                self.demand_untouched(before)

    def test_a_slow_way_to_the_host_alone_is_no_reason_to_refuse(self):
        for scenario, task in TAKINGS.items():
            with self.subTest(scenario):
                play = self.demand_pass(self.play(PLAYBOOKS / f"broker_{scenario}.yml", hooks=[hook(task, run=SLOW)]))
                self.demand_young(play.reply(task, self.lab.name))
                self.demand_as_before()

    def test_who_accepts_the_loss_of_tasks_is_not_kept_from_it(self):
        hooks = [self.somebody_begins_one(TAKE)]
        play = self.play(PLAYBOOKS / "broker_reconnect.yml", hooks=hooks, variables=ACCEPTED).wait()
        self.demand_young(play.reply(TAKE, self.lab.name))
        self.assertNotIn("VOID", "\n".join(play.causes().values()))
        # A worker that lost its task may keep a deletion of ours in its queue, which the play tells; here it is helped along.
        self.addCleanup(self.lab.empty)
        self.addCleanup(self.lab.use_defect)
        self.cancel_task()
        self.wait_until_ready(self.lab)
        self.assertEqual(self.lab.undo() + self.lab.ansible_files(), [])


class Modules(Look):
    def give_back(self):
        self.lab.shell("[ ! -e /run/pulp_broker/heal ] || sh /run/pulp_broker/heal")
        self.wait_until_ready(self.lab)

    def test_where_a_task_runs_nothing_is_taken_and_nothing_armed(self):
        before = self.pids()
        self.begin_task()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, fails=True, run_id="busy", **connection(), **taking)
                self.demand_untaken(reply, "busy")
                self.assertEqual(reply["busy"]["count"], 1)
                self.assertIn(reply["busy"]["tasks"][0]["task_id"], reply["msg"])
        self.cancel_task()
        self.demand_untouched(before)

    def test_where_pulp_cannot_be_asked_nothing_is_taken_and_nothing_armed(self):
        before = self.pids()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, fails=True, run_id="wrong", **connection(password="wrong-7f3a"), **taking)
                self.demand_untaken(reply, "unhealthy_before")
        self.demand_untouched(before)

    def test_who_looks_tells_when_and_who_does_not_tells_nothing(self):
        for module, taking in BY_HAND.items():
            for given in (connection(), {}):
                with self.subTest(module, looks=bool(given)):
                    self.addCleanup(self.give_back)
                    reply = call(self.lab, module, run_id="looks", restore_after=600, **given, **taking)
                    self.assertTrue(reply["changed"], reply)
                    if given:
                        self.demand_young(reply)
                    else:
                        self.assertIsNone(reply["look_seconds_before"])
                    self.give_back()

    def test_no_connection_to_the_api_is_kept_while_it_is_stopped(self):
        # An httpd that ends gracefully, as every stock one does, waits for those that are kept open.
        seen, unit = "/run/look-connections", "/run/systemd/system/httpd.service.d/look.conf"
        look = f"ExecStop=/bin/sh -c 'ss -Htnp state established \"( dport = :443 )\" | grep AnsiballZ > {seen} || true'"
        self.addCleanup(self.lab.shell, f"rm -rf $(dirname {unit}) {seen}; systemctl daemon-reload")
        self.addCleanup(self.give_back)
        self.lab.shell(f"mkdir -p $(dirname {unit}); printf '[Service]\n%s\n' {shlex.quote(look)} > {unit}; systemctl daemon-reload")
        call(self.lab, "pulp_services", run_id="ends", restore_after=600, state="stopped", name=["httpd"], **connection())
        self.assertEqual(self.lab.shell(f"cat {seen}"), "")

    def test_a_broker_that_is_held_away_further_is_not_asked_about_again(self):
        # Its Pulp could not list tasks without it, or lists those that were hit.
        self.addCleanup(self.give_back)
        taken = call(self.lab, "pulp_broker", run_id="held", restore_after=600, state="down", **connection())
        self.demand_young(taken)
        held = call(self.lab, "pulp_broker", run_id="held", restore_after=600, state="down", hold=1, **connection(password="wrong-7f3a"))
        self.assertNotIn("void", held)
        self.assertNotIn("look_seconds_before", held)

    def stand_in(self, *lists):
        """Its options; it lists these one after another."""
        self.addCleanup(self.lab.shell, "systemctl stop stand-in 2>/dev/null; true")
        code, told = shlex.quote(STAND_IN), shlex.quote(json.dumps(lists))
        self.lab.shell(f"""systemctl stop stand-in 2>/dev/null
            status=$({API} https://localhost/pulp/api/v2/status/) || exit 1
            systemd-run --quiet --collect --unit=stand-in python3 -c {code} "$status" {told} || exit 1
            for n in $(seq 100); do curl -sf -o /dev/null {STAND_IN_URL}/ && exit 0; sleep 0.1; done; exit 1""")
        return connection(pulp_url=STAND_IN_URL, ca_path=None)

    def test_a_task_that_begins_while_the_undo_is_armed_is_not_hit(self):
        before = self.pids()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, fails=True, run_id="late", **self.stand_in((0, []), (0, [TASK])), **taking)
                self.demand_untaken(reply, "busy")
                self.assertEqual(reply["undo"], "disarmed")
        self.demand_untouched(before)

    def test_a_list_that_took_more_than_two_seconds_is_asked_for_again(self):
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                self.addCleanup(self.give_back)
                door = self.stand_in((0, []), (2.5, []), (0, []))
                reply = call(self.lab, module, run_id="slow", restore_after=600, **door, **taking)
                self.assertTrue(reply["changed"], reply)
                self.demand_young(reply)
                self.give_back()

    def test_where_each_list_takes_more_than_two_seconds_nothing_is_taken(self):
        before = self.pids()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                door = self.stand_in((0, []), *[(2.5, [])] * 9)
                reply = call(self.lab, module, fails=True, run_id="slow", timeout=5, **door, **taking)
                self.demand_untaken(reply, "unhealthy_before")
                self.assertEqual(reply["undo"], "disarmed")
        self.demand_untouched(before)

    def test_check_mode_asks_nobody(self):
        before = self.pids()
        self.begin_task()
        for module, taking in BY_HAND.items():
            with self.subTest(module):
                reply = call(self.lab, module, connection=["--check"], run_id="plans", **connection(), **taking)
                self.assertNotIn("void", reply)
        self.cancel_task()
        self.demand_untouched(before)


if __name__ == "__main__":
    unittest.main()
