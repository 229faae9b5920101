"""Pulp 3s that are broken in a known way, by configuration of the real thing, and some that are not: what the shipped play has to name
for each. See subjects.py; `pulp-lab` in the lab makes them, and `pulp-lab healthy` undoes them."""

import dataclasses
import typing

from harness.pulp3 import CONTENT, DATABASE, OTHER, REDIS, WORKER
from harness.subjects import HELD, TAKEN, UP, Subject

# As short as a healthy lab passes with.
LIMITS = {
    "connect_hold": 5,
    "reconnect_hold": 5,
    # A busy worker hears late that its database is gone.
    "recovery_timeout": 75,
    "final_timeout": 30,
    "health_timeout": 90,
    "final_restart": "never",
}
REDIS_WORKERS = "pulp-lab worker-type redis"


@dataclasses.dataclass
class Subject3(Subject):
    BASE: typing.ClassVar[dict] = LIMITS
    # Words of the verdict's sentence.
    told: tuple[str, ...] = ()


def taken(target, method, scenario, before="", **variables):
    name = f"real: {target} {method} in {scenario}" + (", Redis workers" if before else "")
    return Subject3(name, "", "survived", scenario=scenario, method=method, prepare=before, variables={"target": target} | variables)


def each():
    for scenario in ("connect", "reconnect"):
        for method in ("stop", "kill", "freeze", "partition"):
            yield taken("database", method, scenario)
        for method in ("stop", "freeze"):
            yield taken("cache", method, scenario)
            yield taken("broker", method, scenario, REDIS_WORKERS)


# Another server of the same kind, to which Pulp's settings point since its services were started: an innocent one.
OTHER_CLUSTER = "pg_createcluster --port 5433 --start 15 innocent >/dev/null; sed -i 's/\"PORT\": 5432/\"PORT\": 5433/' /etc/pulp/settings.py"
NO_OTHER_CLUSTER = "pg_dropcluster --stop 15 innocent; sed -i 's/\"PORT\": 5433/\"PORT\": 5432/' /etc/pulp/settings.py"
OTHER_REDIS = (
    "printf 'port 6380\\nsave \"\"\\n' >/etc/redis/redis-innocent.conf; systemctl start redis-server@innocent; "
    "echo 'REDIS_URL = \"redis://localhost:6380/0\"' >>/etc/pulp/settings.py"
)
NO_OTHER_REDIS = "systemctl stop redis-server@innocent; rm /etc/redis/redis-innocent.conf; sed -i '/localhost:6380/d' /etc/pulp/settings.py"

# In PostgreSQL and Redis while they are stopped, so that they begin with it.
MAIN = "/etc/postgresql/15/main"
SINGLE = f"runuser -u postgres -- /usr/lib/postgresql/15/bin/postgres --single -D /var/lib/postgresql/15/main -c config_file={MAIN}/postgresql.conf postgres"
STANDBY = "/var/lib/postgresql/15/main/standby.signal"
SQL = "runuser -u postgres -- psql --quiet --command"
REDIS_CONF = "/etc/redis/redis.conf"


def refuses(name, told, done, repair):
    """A PostgreSQL that is back and does not serve Pulp."""
    return Subject3(name, "", "broker_refuses", DATABASE, hooks={UP: done}, repair=repair, told=told)


def configured(name, told, line):
    """The same, by a line of its configuration."""
    file = f"{MAIN}/conf.d/subject.conf"
    return refuses(name, told, f"printf '{line}\\n' >{file}", f"rm {file}; systemctl restart {DATABASE}")


def redis(name, told, *lines):
    """A Redis that hands out the tasks, and takes no writes afterwards."""
    done = "; ".join(f"echo '{line}' >>{REDIS_CONF}" for line in lines)
    # One that cannot save does not end either, and its unit waits for it without end.
    repair = f"cp /run/lab-redis.conf {REDIS_CONF}; redis-cli config set save ''; systemctl restart {REDIS}"
    return Subject3(name, "", "broker_refuses", REDIS, prepare=f"cp {REDIS_CONF} /run/lab-redis.conf; {REDIS_WORKERS}", hooks={UP: done}, repair=repair, told=told)


SUBJECTS = [
    *each(),
    taken("database", "stop", "reconnect", REDIS_WORKERS),
    # The test cannot tell.
    Subject3("the content app is disabled", "", "unhealthy_before", prepare=f"pulp-lab disable {CONTENT}", told=("content",)),
    Subject3("a sync of somebody's runs", "", "busy", prepare="pulp-lab task forever; sleep 3"),
    Subject3("Foreman on the same PostgreSQL", "", "broker_shared", prepare="pulp-lab foreman", repair="systemctl stop pulp-lab-foreman"),
    Subject3("settings that raise since Pulp's services were started", "", "broker_uncertain",
             prepare="echo 'DATABASES = NAMES' >>/etc/pulp/settings.py", repair="sed -i '/^DATABASES = NAMES$/d' /etc/pulp/settings.py",
             told=("NameError in /etc/pulp/settings.py, line ", "pulp_broker_test_broker_url")),
    Subject3("settings that name another PostgreSQL since Pulp's services were started", "", "broker_uncertain",
             prepare=OTHER_CLUSTER, repair=NO_OTHER_CLUSTER, told=(f"{WORKER.removesuffix('.service')} (process ", ":5432", "pulp_broker_test_broker_url")),
    Subject3("settings that name another Redis since Pulp's services were started", "", "broker_uncertain",
             prepare=OTHER_REDIS, repair=NO_OTHER_REDIS, variables={"target": "cache"}, told=("localhost:6380", ":6379")),
    Subject3("a Pulp that may not be asked", "", "broker_uncertain", variables={"ask_pulp": False}, told=("pulp_broker_test_broker_url",)),
    # Pulp does not survive.
    Subject3("units that nobody starts again", "", "service_exited", prepare="pulp-lab restart-policy no", told=(WORKER, "Restart=no")),
    Subject3("Redis workers that leave with exit code 0", "", "service_exited", WORKER,
             prepare=f"{REDIS_WORKERS}; pulp-lab restart-policy on-failure {WORKER} {OTHER}",
             # A worker asks Redis each 10 s, and takes some time to leave.
             variables={"reconnect_hold": 30}, told=("Restart=on-failure", "status 0")),
    Subject3("a worker that is disabled meanwhile", "", "service_exited", OTHER,
             hooks={HELD["reconnect"]: f"pulp-lab disable {OTHER}"}),
    Subject3("a content app that is disabled meanwhile", "", "service_exited", CONTENT,
             hooks={HELD["reconnect"]: f"pulp-lab disable {CONTENT}"}),
    # What is back does not serve Pulp.
    Subject3("a database password that is another one afterwards", "", "broker_refuses", DATABASE, prepare="pulp-lab password-changes",
             told=("password authentication failed for user",)),
    configured("a database that is read-only afterwards", ("in a read-only transaction",), "default_transaction_read_only = on"),
    refuses("a database that is a standby afterwards", ("in a read-only transaction",), f"touch {STANDBY}; chown postgres: {STANDBY}",
            f"rm {STANDBY}; systemctl restart {DATABASE}"),
    refuses("a role that has no connection left", ("too many connections for role",), f"cd /; echo 'ALTER ROLE pulp CONNECTION LIMIT 0' | {SINGLE}",
            f"cd /; {SQL} 'ALTER ROLE pulp CONNECTION LIMIT -1'"),
    configured("a database with fewer connections than Pulp needs", ("remaining connection slots are reserved",), "max_connections = 5"),
    redis("a Redis that is a replica afterwards", ("You can't write against a read only replica",), "replicaof 127.0.0.1 1"),
    redis("a Redis that cannot save", ("unable to persist to disk",), "save 1 1", "dir /usr"),
    redis("a Redis whose memory is full", ("command not allowed when used memory",), "maxmemory 1mb"),
    # It begins when the outage does. A worker that has crashed is there until its task's child has done its download.
    Subject3("a long sync whose worker dies", "", "task_stuck", hooks={TAKEN["reconnect"]: "pulp-lab task 45; sleep 3"},
             variables={"accept_task_loss": True}, told=("locks repository `lab-", "clean-up is due between")),
]  # fmt: skip


# Those of the scenario pulp3; pulp3-all has the others.
CHOSEN = {
    "real: database stop in reconnect",
    "real: broker stop in reconnect, Redis workers",
    "settings that raise since Pulp's services were started",
    "a Pulp that may not be asked",
}


def healthy(number):
    return taken("broker", "stop", ("reconnect", "connect")[number % 2])
