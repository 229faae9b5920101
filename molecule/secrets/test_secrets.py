"""No secret gets out: not of any module, whatever becomes of its call, nor of the play at -vvv, its report and its evidence. What needs
neither a service manager nor a Pulp stands in tests/secrets/."""

import base64
import html
import json
import re
import subprocess
import tempfile
import unittest
import urllib.parse
from pathlib import Path

from harness.claims import Claims
from harness.lab import PROJECT, SHARED, WORKERS, password
from harness.module import call, connection
from harness.play import PLAYBOOKS
from harness.subjects import LIMITS

SAMPLED = SHARED / "harness" / "sampled.py"
CORE = "Zq7cLabKd9W"
SECRET = f"p\"w'ü{{{{ 7*7 }}}}<&%+\\{CORE}P"
QUOTED = urllib.parse.quote(SECRET, safe="")
BROKER_URL = f"amqp://pulp:{QUOTED}@localhost:5672//"
# Nobody listens there.
WRONG_URL = f"amqp://pulp:{QUOTED}@localhost:5673//"


def inside(text):
    """What of its Base64 depends on it alone, wherever it stands in a group of three bytes."""
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + text.encode()).decode()
        yield whole[-(-offset * 8 // 6) : (offset + len(text.encode())) * 8 // 6]


def spellings(secret):
    encoded = [base64.b64encode(secret.encode()).decode(), base64.urlsafe_b64encode(secret.encode()).decode()]
    return [
        secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret), repr(secret)[1:-1], *encoded,
    ]  # fmt: skip


FORMS = sorted({CORE, CORE.lower(), *inside(CORE), *spellings(SECRET), *spellings(password()), *inside(password())})

RUN = {"run_id": "secrets"}
WATCHES = {"state": "present", "broker_url": BROKER_URL, "pulp_url": connection()["pulp_url"], "ca_path": connection()["ca_path"]}
HEALTH = connection()
SAID = f"FAILED service_exited: x.service says {' and '.join(spellings(SECRET))}"
TOLD = {"failed": True, "msg": SAID, "invocation": {"module_args": {"password": SECRET, "user_key": f"{CORE}key", "csrf_token": f"{CORE}token"}}}
LEAKS_IN_REPORT = {
    "run": {"scenarios": ["reconnect"]}, "left": "", "cause": SAID, "hosts": {"a": {"scenarios": {"reconnect": {"up": TOLD}}}},
}  # fmt: skip

# How each module comes to each outcome: parameters, what its reply then holds, and for `interrupted` the signal and after how
# many seconds. `first` is done before, `last` after it.
SUCCESS = {
    "pulp_facts": [({"preflight": True, "broker_url": BROKER_URL}, "preflight")],
    "pulp_services": [
        ({"state": "started", "connected": True, "broker_url": BROKER_URL}, "CONNECTED: "),
        ({"state": "stopped", "name": ["pulp_celerybeat"], "broker_url": BROKER_URL, **RUN}, "systemctl stop pulp_celerybeat"),
        ({"state": "started", "name": ["pulp_celerybeat"], "broker_url": BROKER_URL, **RUN}, "disarmed"),
    ],
    "pulp_broker": [
        ({"state": "down", "method": "freeze", "hold": 1, "broker_url": BROKER_URL, **RUN}, "DOWN freeze "),
        ({"state": "up", "broker_url": BROKER_URL, **RUN}, "UP "),
    ],
    "pulp_watch": [
        ({**WATCHES, **RUN}, "OBSERVING "),
        ({"state": "absent", "evidence": True, "broker_url": BROKER_URL, **RUN}, "COLLECTED "),
    ],
    "pulp_health": [(HEALTH, '"healthy":true')],
    "pulp_report": [({"results": LEAKS_IN_REPORT}, "********")],
}
FAILURE = {
    "pulp_facts": [({"broker_url": BROKER_URL.replace("amqp:", "moon:")}, "the scheme is `moon`")],
    "pulp_services": [({"state": "started", "connected": True, "timeout": 1, "broker_url": WRONG_URL}, "not_recovered")],
    "pulp_broker": [({"state": "down", "broker_url": WRONG_URL, **RUN}, "VOID ")],
    "pulp_watch": [({"state": "present", "wait_for": "recovered", "broker_url": BROKER_URL}, "VOID not_exercised")],
    "pulp_health": [(HEALTH | {"password": SECRET}, "401")],
    "pulp_report": [({"results": {}, "void": BROKER_URL}, "got: amqp://pulp:********@")],
}
INTERRUPTED = {
    "pulp_facts": [({"preflight": True, "broker_url": BROKER_URL}, "", "SIGTERM", 0.1)],
    "pulp_services": [({"state": "started", "met_outage": True, "broker_url": BROKER_URL}, "interrupted by SIGINT", "SIGINT", 1)],
    "pulp_broker": [({"state": "down", "method": "freeze", "hold": 30, "broker_url": BROKER_URL, **RUN}, "interrupted by SIGHUP", "SIGHUP", 3)],
    "pulp_watch": [({**WATCHES, **RUN}, "", "SIGTERM", 0.05)],
    # Its schedule is due some seconds later.
    "pulp_health": [(HEALTH | {"state": "working", "timeout": 60}, "interrupted by SIGHUP", "SIGHUP", 0.3)],
    # It takes a millisecond, so it is hit before it has all of its parameters.
    "pulp_report": [({"results": LEAKS_IN_REPORT}, "", "SIGTERM", None)],
}
MODULES = list(SUCCESS)


class Secrets(Claims):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        program = (PROJECT / "library" / "pulp_facts").read_bytes()
        script = 'eval "$({0}/lab/lab.sh env)"; exec podman exec --interactive pulp-broker-test-{1} sh -c "cat >/root/pulp_broker_sampled; chmod 700 /root/pulp_broker_sampled"'
        subprocess.run(["sh", "-c", script.format(SHARED, lab.name)], input=program, check=True, timeout=60)
        cls.addClassCleanup(lab.exec, "rm", "-f", "/root/pulp_broker_sampled")

    def sampled(self, module, params, **how):
        process = self.lab._podman(f'exec podman exec --interactive pulp-broker-test-{self.lab.name} python3 -c "$0"', SAMPLED.read_text(encoding="utf-8"))
        said = process.communicate(json.dumps({"module": module, "params": params, "forms": FORMS, **how}), timeout=180)[0]
        return json.loads(said)

    def demand(self, module, way, own=None, fails=False, linger=0.0):
        params, holds, *signal = way
        how = dict(zip(("interrupt", "after"), signal))
        seen = self.sampled(module, params | (own or {}), linger=linger, **how)
        what = f"{module} {params}: {seen}"
        self.assertEqual(seen["leaks"], [], what)
        self.assertNotIn("args", seen["remains"], what)
        self.assertGreater(seen["rounds"], 1, what)
        self.assertIn(holds, seen["printed"], what)
        reply = json.loads(seen["printed"])
        if signal:
            self.assertEqual(seen["remains"], [], what)
        else:
            self.assertEqual(reply["failed"], fails, what)
        if own == {"_ansible_no_log": True}:
            self.assertNotIn("invocation", reply)
        return seen

    def each(self, ways, **options):
        for module in MODULES:
            for way in ways[module]:
                with self.subTest(module):
                    self.demand(module, way, **options)
        self.demand_as_before()

    def test_success(self):
        self.each(SUCCESS, linger=0.3)

    def test_failure(self):
        self.each(FAILURE, fails=True)

    def test_verbose(self):
        self.each(SUCCESS, own={"_ansible_verbosity": 4, "_ansible_diff": True})

    def test_no_log(self):
        self.each(SUCCESS, own={"_ansible_no_log": True})
        self.each(FAILURE, own={"_ansible_no_log": True}, fails=True)

    def test_interrupted(self):
        for module in MODULES:
            with self.subTest(module):
                self.demand(module, INTERRUPTED[module][0])
                if module == "pulp_watch":
                    self.lab.look("end_observer")
        self.demand_as_before()

    def test_what_the_modules_start_is_sampled(self):
        """Their children are what carries arguments."""
        seen = self.demand("pulp_services", SUCCESS["pulp_services"][1])
        self.demand("pulp_services", SUCCESS["pulp_services"][2])
        self.assertTrue([name for name in seen["started"] if "systemctl" in name or "systemd-run" in name], seen)

    def test_a_secret_that_gets_out_is_found(self):
        """The known-bad subjects: in a child's words, in a file, in the journal, in the reply."""
        child = f"systemd-run --quiet --unit=leaking sh -c 'sleep 30; true' {CORE}"
        self.lab.shell(child)
        self.addCleanup(self.lab.shell, "systemctl stop leaking.service; true")
        file, line = "/var/tmp/leaked", f"logger 'the token {CORE.lower()}'"
        # Written again and again, so after the call has begun, however late that is.
        self.lab.shell(f"touch {file}; (while [ -e {file} ]; do echo '{CORE}' >{file}; {line}; sleep 0.5; done) >/dev/null 2>&1 &")
        self.addCleanup(self.lab.shell, f"for turn in 1 2 3; do rm -f {file}; sleep 0.3; done")
        seen = self.sampled("pulp_report", {"results": {}, "report_path": CORE}, linger=1.5)
        places = {leak.split(" ")[0].rstrip(":") for leak in seen["leaks"]}
        self.assertLessEqual({"cmdline", "file", "journal", "reply"}, places, seen["leaks"])

    def test_a_password_that_is_a_name_hides_no_name(self):
        """Of a unit, of what is a part of each, of the broker's kind, of this host: all is told as with any other password."""
        def told(password):
            reply = call(self.lab, "pulp_facts", preflight=True, broker_url=f"amqp://pulp:{password}@localhost:5672//")
            facts = reply["ansible_facts"]["pulp_deployment"]
            kept = {key: facts[key] for key in ("services", "actors", "running", "database", "addresses", "pulp_url", "preflight")}
            broker = {key: facts["broker"][key] for key in ("kind", "url", "unit", "host", "port", "source", "addresses")}
            # How long things took, and what is free, differs from call to call.
            return re.sub(r"[0-9.]+ (ms|s|MB|GB)", "", json.dumps([kept, broker], sort_keys=True))

        expected = told("Zq7cLabKd9W")
        for word in ("pulp", "worker", "pulp_worker-0", "pulp_workers.service", "rabbitmq-server", "rabbitmq", "localhost", "5672", "active", self.lab.name):
            with self.subTest(word):
                self.assertEqual(told(word), expected)

    def test_a_failing_play_its_report_and_its_evidence(self):
        """At -vvv, with canaries in the broker's URL and in RabbitMQ's own log, which becomes evidence."""
        planted = f"password = {CORE} and amqp://u:{CORE}@h and Authorization: Basic {base64.b64encode(CORE.encode()).decode()}"
        log = self.lab.shell("ls -t /var/log/rabbitmq/*.log | head -n 1").strip()
        self.lab.use_defect("worker_never_reconnects", WORKERS[1].removesuffix(".service"))
        self.addCleanup(self.lab.use_defect)
        self.lab.shell(f"echo '{planted}' >>{log}")
        self.addCleanup(self.lab.shell, f"sed -i /{CORE}/d {log}")
        variables = {f"pulp_broker_test_{name}": value for name, value in LIMITS.items()}
        variables |= {"pulp_broker_test_broker_url": BROKER_URL}
        play = self.demand_failure(self.play(PLAYBOOKS / "broker_reconnect.yml", "-vvv", variables=variables), "FAILED not_recovered")
        evidence = [path for path in play.reports.rglob("*") if path.is_file() and "password = ********" in path.read_text(encoding="utf-8")]
        self.assertTrue(evidence, "the planted line is in the evidence")
        # The extra variables are the play's own command line, which -vvv does not print.
        self.demand_clean([play.printed, *play.reports.rglob("*")])
        printed = play.printed.read_text(encoding="utf-8", errors="replace")
        self.assertIn("module_args", printed, "-vvv shows what the modules were called with")
        self.assertIn("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", printed)

    def test_a_task_with_no_log(self):
        """Since 2.19 Ansible shows the message of such a task when it fails."""
        tasks = [{"name": name, "no_log": True, "ignore_errors": True, "register": f"told_{number}", name: FAILURE[name][0][0]}
                 for number, name in enumerate(MODULES)]  # fmt: skip
        known_bad = {"name": "Leak", "ansible.builtin.debug": {"msg": CORE}}
        for more, clean in (([], True), ([known_bad], False)):
            with tempfile.TemporaryDirectory() as folder:
                playbook = Path(folder) / "no_log.yml"
                playbook.write_text(json.dumps([{"hosts": "pulp", "gather_facts": False, "tasks": tasks + more}]), encoding="utf-8")
                own = {"ANSIBLE_LIBRARY": str(PROJECT / "library")}
                play = self.demand_pass(self.play(playbook, "-vvv", environment=own))
                failed = [event for event in play.events() if event["outcome"] == "ignored"]
                self.assertEqual(len(failed), len(MODULES), play.text())
                if clean:
                    self.demand_clean([play.printed])
                else:
                    self.assertRaises(AssertionError, self.demand_clean, [play.printed])

    def demand_clean(self, paths):
        for path in paths:
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                for form in FORMS:
                    at = text.find(form)
                    self.assertEqual(at, -1, f"{path.name}: {text[max(0, at - 200) : at + 50]}")


if __name__ == "__main__":
    unittest.main()
