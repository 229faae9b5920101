"""The crash test: in the middle of the shipped plays somebody is killed by SIGKILL at a random instant, and everything has to
come back by itself, in the time that the run has promised on the host. `scripts/crash-test` does many rounds of it."""

import dataclasses
import itertools
import os
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

from harness.lab import SHARED, until
from harness.module import call
from harness.outage import ENDING, METHODS
from harness.play import PLAYBOOKS, Play

# Who dies. A module, whatever it does at that moment; the play; its connection, at both ends; who starts or is the undo; all.
VICTIMS = ["module", "ansible", "connection", "undo", "everything"]
SCENARIOS = ["connect", "reconnect"]

HOLD = 3
MET = 9
# As short as the scenarios allow: longer than the hold and what may follow it, and than the hold and the broker's start, which
# takes its time on a busy machine.
RESTORE_AFTER = {"connect": 20, "reconnect": 14}
VARIABLES = {
    "ansible_python_interpreter": "/there/is/no/python",
    "pulp_broker_test_connect_hold": HOLD,
    "pulp_broker_test_reconnect_hold": HOLD,
    "pulp_broker_test_met_timeout": MET,
    # Whether services connect again is another claim, and takes its time. These only end what a killed play leaves running.
    "pulp_broker_test_recovery_timeout": 10,
    "pulp_broker_test_final_timeout": 2,
}
# From the scenario's first step to the end of its outage: the time in which one may be struck.
LONGEST = {("connect", True): 26, ("connect", False): 17, ("reconnect", True): 15, ("reconnect", False): 7}
# From the first thing that is taken on: the time in which everybody may be struck so that the undo has to give back.
LASTS = {("connect", True): 10, ("connect", False): 6, ("reconnect", True): 6, ("reconnect", False): 2}
# The undo works for some seconds where the broker has to boot, else for a moment.
WORKS = {True: 4, False: 0.2}
# After the promised time.
MARGIN = 5


@dataclasses.dataclass
class Round:
    number: int
    victim: str
    method: str
    scenario: str
    instant: float
    # Of the undo: its shell as it works, or who starts it.
    works: bool
    restore_after: int = 0
    struck: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    early: float | None = None
    # It was the undo that gave everything back.
    undone: bool = False
    fault: str = ""

    def __str__(self):
        when = f"{self.instant:.2f} s in"
        if self.victim == "undo":
            when = f"as it works, all else {when} to the outage" if self.works else "as it is armed"
        what = f"{self.number}: {self.scenario} by {self.method}, {self.victim} killed {when}"
        struck = ", ".join(self.struck) or "nobody was there"
        if self.fault:
            return f"{what} ({struck}): NOT RESTORED: {self.fault}"
        early = "nothing was taken then" if self.early is None else f"{self.early:+.1f} s of what was promised"
        return f"{what} ({struck}): restored after {self.seconds:.1f} s, {early}"


def rounds(count, seed, victims=None):
    """Each victim in turn, over all methods and both scenarios; the same seed makes the same rounds. Victims may be chosen."""
    victims = victims or VICTIMS
    subjects = list(itertools.product(METHODS, SCENARIOS))
    for number in range(1, count + 1):
        chance = random.Random(f"{seed}/{number}")
        turn, place = divmod(number - 1, len(victims))
        # Another method for each victim of a turn, and each victim meets all subjects in its time.
        method, scenario = subjects[(turn + 2 * place + place % 2) % len(subjects)]
        victim, works = victims[place], turn % 2 == 0
        longest = (LASTS if victim == "undo" else LONGEST)[scenario, method in ENDING]
        yield Round(number, victim, method, scenario, chance.uniform(0, longest), works)


class Crash:
    """Rounds on one lab."""

    def __init__(self, lab, inventory):
        self.lab = lab
        self.inventory = inventory
        # Connections of our own, so that nobody else's are taken for them. Sockets' names have to be short.
        self.folder = tempfile.TemporaryDirectory(prefix="crash-")

    def close(self):
        self._kill_connections()
        self.folder.cleanup()
        self.lab.leave()

    def run(self, round):
        """Says in the round what came of it. A lab that is not as it was before is given back by hand."""
        play = None
        try:
            # A Pulp that has not heard of everybody yet after the round before is refused, and nothing is taken away.
            self.lab.wait_until_ready()
            play = self._play(round)
            self._wait_for_first_step(play, round)
            self._strike(play, round)
        except AssertionError as error:
            round.fault = str(error)
        finally:
            if play:
                self._end(play)
                play.forget()
        if round.fault:
            self._repair()
        return round

    def demand_next(self):
        """After the last round; after all others the next round is the next run."""
        # Of several labs each has an inventory of its own.
        inventory = ("--inventory", str(self.inventory))
        call(self.lab, "pulp_broker", connection=inventory, state="down", method="stop", restore_after=60, run_id="next")
        call(self.lab, "pulp_broker", connection=inventory, state="up", run_id="next")
        if found := self.lab.look("missing", self.lab.units, False):
            raise AssertionError(f"the run after the last round left {found}")

    def _play(self, round):
        longest = HOLD + (MET if round.scenario == "connect" else 0)
        round.restore_after = self.lab.restore_after(longest, RESTORE_AFTER[round.scenario])
        variables = VARIABLES | {
            "pulp_broker_test_method": round.method,
            "pulp_broker_test_restore_after": round.restore_after,
        }
        environment = {
            "ANSIBLE_SSH_CONTROL_PATH_DIR": self.folder.name,
            # The health of Pulp is another claim.
            "PULP_BROKER_TEST_ACTIONS": str(SHARED / "plugins" / "healthy"),
        }
        playbook = PLAYBOOKS / f"broker_{round.scenario}.yml"
        return Play(playbook, variables=variables, inventory=self.inventory, environment=environment)

    def _wait_for_first_step(self, play, round):
        """That is also what shows that the round before has left nothing in the way."""

        def begun():
            self._demand_running(play)
            return any(event["task"].startswith(f"{round.scenario}.yml/") for event in play.events())

        until("the scenario to begin", begun, 60)

    def _demand_running(self, play):
        if play.process.poll() is not None:
            raise AssertionError(f"the play did not come to its outage: {'; '.join(play.causes().values())}\n{play.text()}")

    def _has_taken(self, play):
        self._demand_running(play)
        return self.lab.look("record")

    def _strike(self, play, round):
        since = int(time.time())
        if round.victim != "undo":
            time.sleep(round.instant)
        struck = getattr(self, f"_strike_{round.victim}")(play, round)
        round.struck = struck["killed"]
        busy = play.process.poll() is None
        seen = self._look(round, struck, busy, round.restore_after)
        if busy and not round.fault:
            play.wait()
            # It may still have restarted services that were not connected in time.
            seen = self._look(round, None, False, MARGIN)
        if not busy and not seen["promised"] and not round.fault:
            # Nothing was taken so far; what the dead had sent already takes it yet.
            until("the connections of the killed play to end", lambda: self._has_ended(play), 30)
            seen = self._look(round, struck, False, round.restore_after)
        round.undone = self.lab.look("undone", since)
        if not round.fault:
            self._demand_no_observer(round)
        self.lab.look("end_observer")
        self.lab.remove_ansible_files()

    def _demand_no_observer(self, round):
        """The undo takes away what it writes, which it sees some 0.1 s later; where there was nothing to undo it hears of its run
        no more, and ends as late as an undo would. One that was killed itself then leaves what it wrote to the next run."""
        killed = not round.undone and round.victim in ("everything", "undo")

        def left():
            # Together with the program, which the undo takes away, and else the next run.
            program = self.lab.look("program") if round.undone else []
            return program + [thing for thing in self.lab.look("observer") if not killed or thing.startswith("process")]

        try:
            until("the observer of the dead run to end", lambda: not left(), MARGIN if round.undone else round.restore_after + MARGIN)
        except AssertionError as late:
            raise AssertionError(f"{late}: {'; '.join(left())}") from late

    def _look(self, round, struck, busy, within):
        """Waits until everything is back; `struck` tells from when to count."""
        seen = self.lab.look("restored", self.lab.units, busy, within, MARGIN)
        round.fault = "; ".join(seen["missing"])
        if struck:
            round.seconds = seen["at"] - struck["at"]
            round.early = seen["at"] - seen["promised"] if seen["promised"] else None
        return seen

    def _has_ended(self, play):
        """Again each time: a client that is killed while it goes into the background has left a master."""
        self._end(play)
        return not self.lab.look("connections")

    def _end(self, play):
        self._kill_play(play)
        self._kill_connections()

    def _strike_module(self, play, round):
        return self.lab.look("strike_when_there", 5, 0, 1, signal.SIGKILL, "module")

    def _strike_ansible(self, play, round):
        killed = self._kill_play(play)
        return {"at": time.monotonic(), "killed": killed}

    def _strike_connection(self, play, round):
        self.lab.ask("strike", signal.SIGKILL, "connection")
        killed = self._kill_connections()
        struck = self.lab.answer()
        return struck | {"killed": struck["killed"] + killed}

    def _strike_undo(self, play, round):
        if not round.works:
            # It is armed for the services, for the broker, and anew; each time somebody else starts it. Together with the module
            # that waits for it.
            return self.lab.look("strike_when_there", 40, 0, 1 + int(round.instant * 1000) % 2, signal.SIGKILL, "arming", "module")
        until("something to be taken", lambda: self._has_taken(play), 40)
        time.sleep(round.instant)
        taken = self._strike_everything(play, round)["record"] or {}
        # From then on nobody else gives anything back. The instant's fraction is as random as the instant.
        boots = bool(taken.get("broker")) and round.method in ENDING
        later = round.instant % 1 * WORKS[boots]
        return self.lab.look("strike_when_there", round.restore_after, later, 1, signal.SIGKILL, "shell")

    def _strike_everything(self, play, round):
        self.lab.ask("strike", signal.SIGKILL, "module", "child", "observer", "undo", "connection")
        killed = self._kill_play(play) + self._kill_connections()
        struck = self.lab.answer()
        return struck | {"killed": struck["killed"] + killed}

    def _kill_play(self, play):
        """Each of its workers has a session of its own, and would go on with its task; all of them name the play's folder."""
        killed, late = [], time.monotonic() + 10
        while found := _kill(lambda said: str(play.folder) in said and "ansible-playbook" in said, "ansible-playbook"):
            if time.monotonic() > late:
                raise AssertionError(f"{', '.join(found)} does not die")
            killed += found
            play.process.wait(10)
        # One that is dying may be seen twice.
        return list(dict.fromkeys(killed))

    def _kill_connections(self):
        """The clients and the master that they share, by the path of their socket."""
        return _kill(lambda said: self.folder.name in said and said.startswith("ssh"), "ssh")

    def _repair(self):
        """By force: what one round left is not the next one's fault."""
        self.lab.shell("[ ! -e /run/pulp_broker/heal ] || timeout 30 sh /run/pulp_broker/heal", check=False)
        self.lab.look("strike", signal.SIGKILL, "undo", "module")
        self.lab.shell(
            "systemctl stop 'pulp_broker-*'; systemctl reset-failed; rm -rf /run/pulp_broker* /run/systemd/system/*.d; nft flush ruleset; "
            "systemctl daemon-reload; systemctl kill --signal=CONT rabbitmq-server",
            check=False,
        )
        self.lab.exec("systemctl", "start", *self.lab.units, check=False)


def _kill(chosen, name):
    """Those whose arguments are such."""
    killed = []
    for pid in _processes():
        if chosen(_arguments(pid)):
            try:
                os.kill(pid, signal.SIGKILL)
                killed.append(f"{name}[{pid}]")
            except ProcessLookupError:
                pass
    return killed


def _processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _arguments(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""


def unheard(done):
    """Whether the host's log named the undo in no round in which nobody else can have given back what was taken."""
    by_undo = [round for round in done if round.victim == "everything" and round.early is not None]
    return bool(by_undo) and not any(round.undone for round in by_undo)


def summary(done):
    """Restored of tried, and how long it took: over all, and by victim."""
    lines = []
    for name in ["all", *VICTIMS]:
        of = [round for round in done if name in ("all", round.victim)]
        times = sorted(round.seconds for round in of if not round.fault)
        if not of:
            continue
        spread = ""
        if times:
            p90 = times[min(len(times) - 1, int(len(times) * 0.9))]
            spread = f", seconds: min {times[0]:.1f}, median {statistics.median(times):.1f}, p90 {p90:.1f}, max {times[-1]:.1f}"
        there = sum(bool(round.struck) for round in of)
        taken = sum(round.early is not None for round in of)
        lines.append(f"{name}: restored {len(times)}/{len(of)}, {there} had their victim, of {taken} something was away{spread}")
    late = [round.early for round in done if round.early is not None and not round.fault]
    if late:
        lines.append(f"latest: {max(late):+.1f} s of what the record promised, {MARGIN} s allowed")
    return "\n".join(lines)
