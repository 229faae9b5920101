"""The kernel of a host that nobody dares to upgrade: whatever is newer than its system calls must not be needed. Only calls are
older here; what an old kernel does differently behind a call that it has is not shown."""

import unittest

from harness.claims import Claims
from harness.lab import SHARED
from harness.play import PLAYBOOKS

OLD = SHARED / "harness" / "old_kernel.py"
# perf_event_open: the last one of Linux 2.6.32, which EL6 has.
START = "python3 /run/old_kernel.py 298"
PORT = "2222"
RESULT = "report.yml/Tell the result"


class OldKernel(Claims):
    def setUp(self):
        super().setUp()
        self.lab.bring(OLD, "/run")
        self.addCleanup(self.lab.shell, "rm -f /run/old_kernel*")

    def test_what_it_has_not_is_refused(self):
        ask = "python3 -c 'import os; print(len(os.getrandom(4)))'"
        self.assertEqual(self.lab.shell(ask).strip(), "4")
        with self.assertRaisesRegex(AssertionError, "Function not implemented"):
            self.lab.shell(f"{START} {ask}")

    def test_the_whole_test_passes_with_the_calls_of_linux_2_6_32(self):
        """All that Ansible starts is started so by this sshd, and there is no other. OpenSSH itself is too new for it, so files come
        through a shell's pipe."""
        start = f'exec {START} /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
        self.lab.shell(f"printf '%s\\n' '#!/bin/sh' '{start}' >/run/old_kernel && chmod 755 /run/old_kernel")
        self.addCleanup(self.lab.find)
        # With the service goes the folder that every sshd needs.
        self.lab.shell("systemctl stop ssh.service ssh.socket && mkdir -p /run/sshd")
        self.lab.shell(f"/usr/sbin/sshd -p {PORT} -o PidFile=/run/old_kernel.pid -o ForceCommand=/run/old_kernel")
        self.addCleanup(self.lab.shell, "kill $(cat /run/old_kernel.pid)")
        play = self.play(PLAYBOOKS / "broker_test.yml", variables={"ansible_port": PORT, "ansible_ssh_transfer_method": "piped"})
        play.wait_for("connect.yml/Hold the broker away", self.lab.name)
        # The observer outlives its session, and keeps what it was started with.
        observer = "/proc/$(pgrep -f 'AnsiballZ_pulp_watc[h].*--observe' | head -1)/status"
        bound = [self.lab.shell(f"grep ^NoNewPrivs: {status}").split()[1] for status in (observer, "/proc/1/status")]
        self.assertEqual(bound, ["1", "0"])
        self.demand_pass(play)
        self.assertRegex(play.reply(RESULT, self.lab.name)["msg"][3], "^PULP_BROKER_TEST verdict=survived")
        self.lab.find()
        self.demand_as_before()


if __name__ == "__main__":
    unittest.main()
