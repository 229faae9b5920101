"""A lab without systemd: its init scripts and pid files are asked instead."""

from harness.lab import BROKER, SLACK, Lab

PID_FILES = {
    BROKER: "/var/run/rabbitmq/pid",
    "httpd.service": "/var/run/httpd/httpd.pid",
    "pulp_celerybeat.service": "/var/run/pulp/celerybeat.pid",
    "pulp_resource_manager.service": "/var/run/pulp/resource_manager.pid",
    "pulp_worker-0.service": "/var/run/pulp/reserved_resource_worker-0.pid",
    "pulp_worker-1.service": "/var/run/pulp/reserved_resource_worker-1.pid",
}
SCRIPTS = ["httpd", "pulp_celerybeat", "pulp_resource_manager", "pulp_workers"]


class SysvLab(Lab):
    def main_pids(self):
        """A pid file that is left counts as little as none."""
        ask = "for file; do pid=$(cat $file 2>/dev/null) && [ -d /proc/$pid ] && echo $pid || echo 0; done"
        pids = self.exec("sh", "-c", ask, "sh", *(PID_FILES[unit] for unit in self.units)).split()
        return dict(zip(self.units, map(int, pids), strict=True))

    def restore_after(self, longest, shortest):
        """Init scripts tell nobody how long a start took, so the undo begins no earlier."""
        return max(shortest, longest + SLACK)

    def undo(self):
        """What of the undo is there: its files, its watcher."""
        return self.look("files") + [f"process {line}" for line in self.watchers()]

    def watchers(self):
        """Processes that wait for their time, or give back: number and command line."""
        return self.shell("pgrep -af '^/bin/sh .*/run/pulp_broker/hea[l]'; true").splitlines()

    def use_defect(self, defect="", actors=""):
        self.shell(f"printf 'PULP_LAB_DEFECT={defect}\\nPULP_LAB_DEFECT_ACTORS={actors}\\n' >/etc/default/pulp_lab")
        self.shell(f"for script in {' '.join(SCRIPTS)}; do service $script restart </dev/null >/dev/null 2>&1; done")
        self.wait_until_ready()

    LOSE = "service ssh stop; pkill -KILL -x sshd; true"

    def find(self):
        self.exec("service", "ssh", "start")
