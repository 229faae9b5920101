"""Outages by single calls of the module: one is begun, looked at from outside while it lasts, and ended."""

import contextlib

from harness.claims import Claims
from harness.lab import BROKER, until
from harness.module import Call, call

# What a client meets at the broker during the outage.
METHODS = {"stop": "refused", "kill": "refused", "freeze": "silent", "partition": "no connection", "reset": "refused"}
# Those that end the broker's processes, and those that leave it running.
ENDING, SPARING = ["stop", "kill"], ["freeze", "partition", "reset"]
PACKETS = ["partition", "reset"]

RUN = "mine"
# Longer than any claim, so that what is seen to be given back was given back by something else.
LATER = 600
DROP_IN = f"/etc/systemd/system/{BROKER}.d/lab.conf"


class Kernel(Claims):
    def demand_injected(self, method, before):
        """By the state of the broker's processes and by the kernel's rules, not by what clients meet."""
        now, rules, files = (self.lab.look(name) for name in ("broker_processes", "rules", "files"))
        # It has helpers that come and go.
        if method in ENDING:
            self.assertEqual(now, {}, "somebody has started it again")
            self.assertIn(self.unit("ActiveState")["ActiveState"], ("inactive", "failed"))
        else:
            self.assertIn(str(before), now)
            self.assertEqual(set(now.values()) == {"T"}, method == "freeze", now)
        self.assertEqual(f"/run/systemd/system/{BROKER}.d" in files, method == "kill", files)
        self.assertEqual("table inet pulp_broker {" in rules, method in PACKETS, rules)
        self.assertEqual(bool(rules), method in PACKETS, rules)

    def broker(self):
        """Its main process: the same as before means that it was not ended."""
        return self.lab.main_pids()[BROKER]

    def unit(self, *names):
        """Properties of the broker's unit."""
        shown = self.lab.exec("systemctl", "show", f"--property={','.join(names)}", BROKER)
        return dict(line.split("=", 1) for line in shown.splitlines())


class Outages(Kernel):
    def begin(self, method, hold=0, restore_after=LATER, **options):
        """The module while it works."""
        down = Call(self.lab, "pulp_broker", state="down", method=method, hold=hold, restore_after=restore_after, run_id=RUN, **options)
        self.addCleanup(down.end)
        return down

    def take(self, method, **options):
        """The broker is away, and stays away until `give_back`."""
        return self.begin(method, **options).reply()

    def give_back(self, **options):
        return call(self.lab, "pulp_broker", state="up", run_id=RUN, **options)

    def wait_until_away(self, method):
        # A busy broker may be silent before it is frozen.
        until("the undo to be armed", lambda: self.lab.shell("! test -e /run/pulp_broker/heal || echo armed"), 30)
        until("its processes to be stopped", lambda: method != "freeze" or set(self.lab.look("broker_processes").values()) == {"T"}, 30)
        until(f"the broker to be away by {method}", lambda: self.lab.look("answer") == METHODS[method], 30)
        # Stopped in order it refuses connections some seconds before its end.
        until("its processes to be gone", lambda: method not in ENDING or not self.lab.look("broker_processes"), 30)
        # Who starts a unit that is still being stopped cancels its stop, which is another claim.
        until("its stop to end", lambda: method not in ENDING or self.unit("ActiveState")["ActiveState"] in ("inactive", "failed"), 30)

    @contextlib.contextmanager
    def held(self, method, hold, **options):
        """An outage that lasts; at its end the module has proven it, and the broker is still away."""
        down = self.begin(method, hold, **options)
        self.wait_until_away(method)
        yield down
        reply = down.reply()
        self.assertEqual((reply["role"], reply["outage"]["method"]), ("local", method), reply)
        self.assertGreaterEqual(reply["outage"]["held_seconds"], hold, reply)
        self.assertIn("it answers", reply["outage"]["positive_control"], reply)
        self.assertRegex(reply["msg"], "^DOWN .*proven", reply)
        self.assertEqual(self.lab.look("answer"), METHODS[method])

    def demand_void(self, down, name, *words):
        """The call has failed with this verdict, for this reason, and has given everything back."""
        told = down.reply(fails=True)["msg"]
        self.assertTrue(told.startswith(f"VOID {name}: "), told)
        for word in words:
            self.assertIn(word, told)
        self.demand_as_before()
        return told

    @classmethod
    def set_up_unit(cls, text):
        """A setting of the broker's unit, by whoever looks after it."""
        cls.lab.shell(f"mkdir -p {DROP_IN.rpartition('/')[0]} && printf '{text}' >{DROP_IN} && systemctl daemon-reload")

    @classmethod
    def clear_unit(cls):
        cls.lab.shell(f"rm -rf {DROP_IN.rpartition('/')[0]} && systemctl daemon-reload")

    def use_unit(self, text):
        self.set_up_unit(text)
        self.addCleanup(self.clear_unit)


class WithoutPulp(Outages):
    """The broker alone: no service has to come back, so a claim takes as long as its outage."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.exec("systemctl", "stop", *cls.lab.services)
        cls.addClassCleanup(cls.lab.wait_until_ready)
        cls.addClassCleanup(cls.lab.exec, "systemctl", "start", *cls.lab.services, "pulp_workers.service")

    def wait_until_ready(self, lab):
        until("the broker and its unit", lambda: lab.broker_is_there() and lab.main_pids()[BROKER])

    def demand_as_before(self):
        self.wait_until_ready(self.lab)
        self.assertEqual(self.lab.look("left") + self.lab.ansible_files(), [])
