"""Why this exists: the command `pulp-lab`: waits until Pulp is ready, gives it somebody else's work, and makes the real Pulp one that is
known to be bad, by configuration only.

pulp-lab wait SECONDS                     until sshd, Redis, the database and each enabled service of Pulp are there; says what is not
pulp-lab task SECONDS|forever             somebody else's sync that takes as long; prints the task
pulp-lab foreman                          another service on the same PostgreSQL
pulp-lab worker-type pulpcore|redis       who hands out tasks and locks; restarts Pulp
pulp-lab cache on|off                     whether the content app caches in Redis; restarts Pulp
pulp-lab pooler on|off                    whether PgBouncer stands between Pulp and its database; restarts Pulp
pulp-lab set NAME VALUE                   one of Pulp's settings, as Python, e.g. DOMAIN_ENABLED True; restarts Pulp
pulp-lab restart-policy POLICY [UNIT...]  systemd's Restart= of these or all of Pulp's units: always, on-failure or no
pulp-lab disable UNIT...                  stopped, and not started again, e.g. pulpcore-worker@2 or pulpcore-content
pulp-lab password-changes                 the database's password is another one from the next start of PostgreSQL on; Pulp is not told
pulp-lab healthy                          all of this undone, nobody's task left waiting or running, and Pulp ready
"""

import inspect
import sys

from pulp_lab import change, heal, others, ready

COMMANDS = {
    "wait": ready.wait,
    "task": others.task,
    "foreman": others.foreman,
    "worker-type": change.worker_type,
    "cache": change.cache,
    "pooler": change.pooler,
    "set": change.set_and_restart,
    "restart-policy": change.restart_policy,
    "disable": change.disable,
    "password-changes": change.password_changes,
    "healthy": heal.healthy,
}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    command, arguments = COMMANDS[sys.argv[1]], sys.argv[2:]
    try:
        inspect.signature(command).bind(*arguments)
    except TypeError as error:
        sys.exit(f"pulp-lab {sys.argv[1]}: {error}\n{__doc__}")
    command(*arguments)


if __name__ == "__main__":
    main()
