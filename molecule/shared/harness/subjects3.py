"""Pulp 3s that are broken in a known way, by configuration of the real thing, and some that are not: what the shipped play has to name
for each. See subjects.py; `pulp-lab` in the lab makes them, and `pulp-lab healthy` undoes them."""

import dataclasses
import typing

from harness.pulp3 import CONTENT, OTHER, WORKER
from harness.subjects import HELD, TAKEN, Subject

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
    Subject3("a database password that is another one afterwards", "", "not_recovered", WORKER, prepare="pulp-lab password-changes"),
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
