"""Pulps that are broken in a known way, and one that is not: what the shipped play has to name for each. A subject is a defect of the
lab, a setting of its host, or something that is done to it in the middle of the play; the last column of the catalogue names the report
that it is modelled on (F01 to F47, and what the catalogue calls by its cause alone)."""

import dataclasses
import typing

from harness.lab import BROKER, SHARED
from harness.play import hook

# As short as a healthy lab passes with; the reasons are in molecule/defects/test_defects.py.
LIMITS = {
    "connect_hold": 8,
    "reconnect_hold": 8,
    "met_timeout": 20,
    "recovery_timeout": 30,
    "final_timeout": 15,
    "ready_timeout": 25,
    "health_timeout": 60,
    "broker_timeout": 60,
}
WORKER, OTHER, MANAGER, BEAT, WEB = (f"{name}.service" for name in (
    "pulp_worker-1", "pulp_worker-0", "pulp_resource_manager", "pulp_celerybeat", "httpd"
))  # fmt: skip

TAKEN = {"connect": "connect.yml/Take the broker away", "reconnect": "take.yml/Take the broker away"}
HELD = {scenario: f"{scenario}.yml/Hold the broker away" for scenario in ("connect", "reconnect")}
UP = "recovery.yml/Give the broker back"
RESTORED = "restore.yml/Start what was running before"
API = "curl -sf --cacert /etc/pki/pulp/ca.crt -u admin:Sesame-admin-7f3a"


@dataclasses.dataclass
class Subject:
    name: str
    catalogue: str
    # What the play is to name, and of whom: a verdict's name or `survived`; a defect that Pulp survives with.
    expected: str
    actor: str = ""
    defect: str = ""
    # The units that have the defect, without `.service`; none: all that it can concern.
    actors: str = ""
    begins: str = ""
    scenario: str = "reconnect"
    method: str = "stop"
    variables: dict = dataclasses.field(default_factory=dict)
    # Shell in the lab, before the play and after it. A defect of the lab needs none.
    prepare: str = ""
    repair: str = ""
    # In the middle of the play: the task before which something is done in the lab.
    hooks: dict = dataclasses.field(default_factory=dict)
    replies: str = ""
    # Words of the verdict's sentence, or of the next step.
    says: str = ""

    def playbook(self):
        return f"broker_{self.scenario}.yml"

    BASE: typing.ClassVar[dict] = LIMITS

    def settings(self):
        chosen = self.BASE | {"method": self.method} | self.variables
        return {f"pulp_broker_test_{name}": value for name, value in chosen.items()}

    def played_hooks(self, lab):
        script = SHARED / "lab" / "lab.sh"
        return [hook(task, lab.name, [script, "exec", lab.name, "sh", "-c", run]) for task, run in self.hooks.items()]


class Burdened(Subject):
    # A broker that took 100 s to start under the load is refused by the default, which says so.
    BASE: typing.ClassVar[dict] = {"connect_hold": 8, "reconnect_hold": 8, "restore_after": 600, "broker_timeout": 300}


def drop_in(unit, text):
    """A setting of a unit by whoever looks after the host, and how it goes again."""
    folder = f"/etc/systemd/system/{unit}.d"
    return (
        f"mkdir -p {folder}; printf '{text}' >{folder}/subject.conf; systemctl daemon-reload",
        f"rm -r {folder}; systemctl daemon-reload; systemctl reset-failed",
    )


def healthy(number):
    scenario = ("reconnect", "connect")[number % 2]
    return Subject(f"healthy {number}", "", "agent_replies_lost", WEB, scenario=scenario)


def burdened(number):
    """A healthy one on a busy machine: with the times that ship, and such that any defect that is named is a false alarm."""
    scenario = ("reconnect", "connect")[number % 2]
    return Burdened(f"healthy, under a load {number}", "", "survived", scenario=scenario, replies="reconnect")


NO_BROKER_NO_START = drop_in(BEAT, "[Service]\\nExecStartPre=/bin/bash -c \"exec 3<>/dev/tcp/localhost/5672\"\\n")
NEVER_BACK = drop_in(BROKER, "[Service]\\nExecStopPost=+/bin/touch /run/lab-broken\\nExecStartPre=/usr/bin/test ! -e /run/lab-broken\\n")
NEVER_STARTS = drop_in(BEAT, "[Service]\\nExecStartPre=/bin/false\\n")
SUPERVISED = drop_in(WORKER, "[Service]\\nRestart=always\\nRestartSec=3\\n")
CLIENT = "import kombu, time; kombu.Connection(\"amqp://pulp:Sesame-broker-7f3a@localhost:5672//\").connect(); time.sleep(600)"
# For so long that Pulp lists it no more; then the play finds a worker that runs and is not heard of, for some seconds.
SILENT = "systemctl kill -s STOP pulp_worker-1; sleep 28; systemd-run --collect --on-active=15 systemctl kill -s CONT pulp_worker-1"
LISTEN = "import socket; heard = socket.create_server((\"\", 27017)); list(iter(lambda: heard.accept()[0].close(), 0))"
MONGOD = f"systemd-run --collect --unit=mongod python3 -c '{LISTEN}'; sleep 2"
ALARMED = "echo vm_memory_high_watermark.absolute = 1MB >>/etc/rabbitmq/rabbitmq.conf"
FOREVER = "pulp-lab task forever >/run/lab-task; sleep 2"
CANCEL = f"{API} -X DELETE https://localhost/pulp/api/v2/tasks/$(cat /run/lab-task)/"
ALL = "https://localhost/pulp/api/v2/repositories/"
# As many as all of httpd's threads, so that nothing else is answered meanwhile.
DISPATCH = f"for n in $(seq 16); do {API} -X DELETE -m 60 {ALL}lab-$n/ >/dev/null 2>&1 & done; sleep 1"
REPOSITORIES = f"for n in $(seq 16); do printf '{{\"id\":\"lab-%s\"}}' $n | {API} -d @- {ALL}; done"

# What a RabbitMQ is told while packets to it are cut. Connections from before are closed by it, so nobody is served any more.
RABBITMQ = "rabbitmqctl --quiet"
ALL_CLOSED = f"{RABBITMQ} close_all_connections subject"


def refuses(name, says, told, repair, catalogue="", **more):
    """A broker that is back and does not serve Pulp."""
    return Subject(name, catalogue, "broker_refuses", BROKER, says=says, method="partition", hooks={HELD["reconnect"]: told}, repair=repair, **more)


SUBJECTS = [
    # What is not to be called a failure.
    Subject("a Pulp as it should be", "", "survived", replies="reconnect"),
    Subject("the reply consumer of every Pulp 2.21 with RabbitMQ", "gofer 2.12.5", "agent_replies_lost", WEB),
    Subject("replies that were lost before the run", "gofer 2.12.5", "agent_replies_lost", WEB, says="before the run either",
            prepare=f"systemctl restart {BROKER}; pulp-lab wait 90", variables={"strict": True}),
    Subject("real: a frozen broker that nobody notices", "F05", "survived", method="freeze", replies="reconnect"),
    Subject("real: dispatching hangs while the broker is away", "F19", "survived", replies="reconnect",
            defect="dispatch_retries_for_ever", prepare=REPOSITORIES, hooks={UP: DISPATCH}),
    Subject("a worker that somebody has stopped", "", "survived", replies="reconnect",
            prepare="systemctl stop pulp_worker-1", repair="systemctl start pulp_worker-1"),
    Subject("a worker of which Pulp hears again in the midst of the set-up", "F38", "survived", replies="reconnect",
            prepare=SILENT, repair="systemctl kill -s CONT pulp_worker-1"),
    # The test cannot tell.
    Subject("a sync that fails before anything is taken away", "F38", "unhealthy_before", defect="sync_fails"),
    Subject("pulp_workers active (exited) without a worker", "F46c", "unhealthy_before",
            prepare="systemctl stop 'pulp_worker-*.service'; systemctl is-active pulp_workers", repair="systemctl restart pulp_workers"),
    Subject("a worker that was killed a moment before", "F38", "unhealthy_before", WORKER,
            prepare="systemctl kill -s KILL pulp_worker-1", repair="systemctl reset-failed pulp_worker-1; systemctl start pulp_worker-1"),
    Subject("no scheduler", "F30", "unhealthy_before", BEAT, prepare="systemctl stop pulp_celerybeat",
            repair="systemctl start pulp_celerybeat"),
    Subject("no resource manager", "F30", "unhealthy_before", MANAGER, prepare="systemctl stop pulp_resource_manager",
            repair="systemctl start pulp_resource_manager"),
    Subject("somebody's task runs", "F43", "busy", prepare=FOREVER, repair=CANCEL),
    Subject("another program uses the broker", "", "broker_shared",
            prepare=f"systemd-run --collect --unit=billing python3 -c '{CLIENT}'; sleep 3", repair="systemctl stop billing"),
    Subject("a cluster manager", "", "unsupported",
            prepare="cp /bin/sleep /root/keepalived; systemd-run --collect --unit=manager /root/keepalived 600",
            repair="systemctl stop manager; rm /root/keepalived"),
    Subject("the broker was away already", "", "outage_not_proven", hooks={TAKEN["reconnect"]: f"systemctl stop {BROKER}"}),
    Subject("a watchdog starts the broker", "", "outage_interrupted",
            hooks={HELD["reconnect"]: f"systemd-run --collect --unit=watchdog sh -c 'sleep 3; systemctl start {BROKER}'"}),
    Subject("the undo fires first", "", "undo_fired", hooks={UP: "sh /run/pulp_broker/heal"}),
    Subject("a worker that never met the outage", "F42", "not_exercised", WORKER, scenario="connect",
            defect="worker_hangs_at_start", actors="pulp_worker-1"),
    Subject("a host is lost", "", "host_unreachable", hooks={UP: "systemctl stop ssh.service ssh.socket; pkill -KILL -x sshd; true"},
            repair="systemctl start ssh.service"),
    # Services.
    Subject("real: a worker's retry budget is spent", "F02", "service_exited", WORKER, says="retry budget is spent",
            defect="worker_gives_up", actors="pulp_worker-1"),
    Subject("real: a worker told not to retry", "F03", "service_exited", WORKER, scenario="connect",
            defect="worker_exits_without_broker", actors="pulp_worker-1"),
    Subject("real: a worker with --purge", "F03", "service_exited", WORKER, scenario="connect",
            defect="worker_purges_at_start", actors="pulp_worker-1"),
    Subject("every worker exits, pulp_workers is active (exited)", "F46c", "service_exited", MANAGER, defect="worker_gives_up"),
    Subject("real: the scheduler exits", "F26", "service_exited", BEAT, defect="scheduler_exits_without_broker"),
    Subject("a worker exits and is started again", "F47", "service_exited", WORKER, defect="worker_exits_without_broker",
            actors="pulp_worker-1", prepare=SUPERVISED[0], repair=SUPERVISED[1]),
    Subject("the scheduler's start asks for the broker", "F26", "service_did_not_start", BEAT, scenario="connect",
            prepare=NO_BROKER_NO_START[0], repair=NO_BROKER_NO_START[1]),
    Subject("a worker hangs while it clears up", "F04", "not_recovered", WORKER, defect="worker_never_reconnects", actors="pulp_worker-1"),
    Subject("a worker that never connects after its start", "F04", "not_recovered", WORKER, scenario="connect",
            defect="worker_never_reconnects", actors="pulp_worker-1"),
    Subject("a worker that connects and reads nothing", "F01", "connected_but_idle", WORKER,
            defect="worker_never_consumes", actors="pulp_worker-1"),
    Subject("a worker that answers pings and consumes nothing", "F46a", "connected_but_idle", WORKER,
            defect="worker_cancels_its_queues", actors="pulp_worker-1"),
    Subject("a worker that a frozen broker has made deaf", "F08", "connected_but_idle", WORKER, method="freeze",
            defect="worker_deaf_after_silence", actors="pulp_worker-1"),
    Subject("a worker restarted in the middle of a task", "F42", "connected_but_idle", OTHER, scenario="connect",
            defect="worker_idle_after_restart_in_a_task", variables={"accept_task_loss": True}, prepare=FOREVER, repair=CANCEL),
    Subject("a worker that works and is not listed", "F37", "worker_missing", WORKER,
            defect="worker_never_beats", actors="pulp_worker-1", begins="outage"),
    Subject("a resource manager that is not listed", "F37", "worker_missing", MANAGER,
            defect="worker_never_beats", actors="pulp_resource_manager", begins="outage"),
    Subject("a scheduler that keeps its dead connection", "F25", "scheduler_dead", BEAT,
            defect="scheduler_never_reconnects", begins="outage"),
    Subject("a scheduler that hangs", "F27", "scheduler_dead", BEAT, defect="scheduler_hangs", begins="outage"),
    Subject("a worker that somebody stops with SIGSTOP", "F08", "not_recovered", WORKER,
            says="kill -CONT", hooks={UP: "systemctl kill -s STOP pulp_worker-1"}, repair="systemctl kill -s CONT pulp_worker-1"),
    Subject("a worker of Celery 4.0.2 without Pulp's fix", "09a", "service_exited", WORKER, scenario="connect",
            defect="worker_dies_unready", actors="pulp_worker-1", says="Celery 4.0.2 without Pulp's fix"),
    # The database.
    Subject("a database that goes away with the broker", "", "database_unavailable", "mongod.service",
            defect="database_is_mongod", begins="outage", prepare=MONGOD, hooks={HELD["reconnect"]: "systemctl stop mongod"}, repair="systemctl stop mongod"),
    # The API.
    Subject("an API that gives errors after the outage", "F24", "api_unavailable", WEB, defect="api_fails", begins="outage"),
    Subject("an API that hangs after the outage", "F21", "api_hangs", WEB, defect="api_hangs", begins="outage"),
    # Work.
    Subject("a dispatch that never returns", "F20", "task_lost", defect="dispatch_hangs", begins="outage"),
    Subject("a dispatch that fails and leaves its task waiting", "F23", "health_failed",
            defect="dispatch_fails_and_task_waits", begins="outage"),
    Subject("real: a broker that dies with the message", "F22", "task_lost", defect="broker_dies_with_the_message", begins="outage",
            prepare="systemd-run --collect --unit=saboteur /usr/lib/pulp-lab/saboteur",
            repair="systemctl stop saboteur; rm -f /var/lib/pulp/lab/broker-to-*"),
    Subject("a task whose message was never sent", "F22", "task_lost", defect="message_is_never_sent", begins="outage"),
    Subject("a resource manager that assigns nothing", "F29", "connected_but_idle", MANAGER, defect="resource_manager_never_assigns", begins="outage"),
    Subject("a sync that never ends", "F12", "task_stuck", defect="sync_never_ends", begins="outage"),
    Subject("a task that runs twice", "F35", "task_duplicated", defect="task_runs_twice", begins="outage",
            replies="reconnect"),
    Subject("a sync that fails", "", "health_failed", defect="sync_fails", begins="outage"),
    Subject("a publish of stale data", "", "health_failed", defect="publish_is_stale", begins="outage"),
    Subject("one byte of a package is wrong", "", "health_failed", defect="package_is_altered", begins="outage"),
    Subject("a clean-up that is refused", "", "leftovers", defect="deletion_fails", begins="outage"),
    # What is not given back.
    Subject("a broker that does not start again", "", "broker_not_restored", variables={"broker_timeout": 30},
            prepare=NEVER_BACK[0], repair=f"rm /run/lab-broken; {NEVER_BACK[1]}; systemctl start {BROKER}"),
    Subject("a broker whose memory alarm stands", "F21", "broker_refuses", BROKER, says="alarm stands: memory", hooks={UP: ALARMED},
            repair=f"sed -i '/vm_memory/d' /etc/rabbitmq/rabbitmq.conf; systemctl restart {BROKER}"),
    # The broker is back and does not serve Pulp.
    refuses("real: a password that is another one afterwards", "ACCESS_REFUSED - Login was refused",
            f"{RABBITMQ} change_password pulp Sesame-changed-7f3a; {ALL_CLOSED}", f"{RABBITMQ} change_password pulp Sesame-broker-7f3a"),
    refuses("real: a user that has lost its permissions", "NOT_ALLOWED - access to vhost",
            f"{RABBITMQ} clear_permissions -p / pulp; {ALL_CLOSED}", f"{RABBITMQ} set_permissions -p / pulp '.*' '.*' '.*'"),
    refuses("real: a virtual host that is gone", "NOT_ALLOWED - vhost / not found", f"{RABBITMQ} delete_vhost /",
            f"{RABBITMQ} add_vhost /; {RABBITMQ} set_permissions -p / pulp '.*' '.*' '.*'"),
    refuses("real: a limit of connections", "connection limit (0) is reached",
            f"{RABBITMQ} set_vhost_limits -p / '{{\"max-connections\": 0}}'; {ALL_CLOSED}", f"{RABBITMQ} clear_vhost_limits -p /"),
    refuses("real: a memory alarm", "alarm stands: memory", f"{RABBITMQ} set_vm_memory_high_watermark absolute 1MB",
            f"{RABBITMQ} set_vm_memory_high_watermark 0.4", catalogue="F21"),
    refuses("real: a disk alarm", "alarm stands: disk", f"{RABBITMQ} set_disk_free_limit mem_relative 9999.0", f"{RABBITMQ} set_disk_free_limit 50MB",
            catalogue="F21"),
    Subject("a scheduler that somebody breaks meanwhile", "F30", "services_not_restored", BEAT,
            hooks={RESTORED: f"{NEVER_STARTS[0]}; systemctl stop {BEAT}"}, repair=f"{NEVER_STARTS[1]}; systemctl start {BEAT}"),
    # Survived, with a defect.
    Subject("a worker that flaps", "F17", "flapping", WORKER, defect="worker_flaps", actors="pulp_worker-1", replies="reconnect",
            variables={"recovery_timeout": 60}),
    Subject("a worker that comes back late", "F04", "late", WORKER, defect="worker_reconnects_late", actors="pulp_worker-1",
            replies="reconnect", variables={"recovery_timeout": 120, "reconnect_hold": 5}),
    Subject("a worker that comes back 5 s late", "F04", "late", WORKER, defect="worker_connects_late", actors="pulp_worker-1",
            replies="reconnect", variables={"recovery_timeout": 60}),
]  # fmt: skip
