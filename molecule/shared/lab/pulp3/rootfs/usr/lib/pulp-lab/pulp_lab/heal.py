"""Why this exists: one lab serves many tests. After this it is as it was made, but for finished tasks and what was made through the API."""

import subprocess

from pulp_lab import change, host, others, ready

# A task whose worker has died stays `running` and locks its repository for 10 minutes and more. Rows of who is no more go with them.
FORGET = """
UPDATE core_task SET state = 'canceled', finished_at = now(), app_lock_id = NULL WHERE state NOT IN ('completed', 'failed', 'canceled', 'skipped');
UPDATE core_task SET app_lock_id = NULL WHERE app_lock_id IS NOT NULL;
DELETE FROM core_appstatus;
ALTER ROLE pulp PASSWORD 'Sesame-database-7f3a';
"""


def healthy():
    host.remove_drop_ins()
    host.systemctl("daemon-reload")
    # A worker in the middle of a task would be waited for. The others have children, whose end systemd does not hear of here.
    for unit in host.WORKERS:
        host.kill(unit)
    host.systemctl("stop", *host.PULP, "pulp-lab-feed.service")
    host.systemctl("reset-failed")
    if host.main_pid(others.FOREMAN):
        host.systemctl("stop", others.FOREMAN)
    host.systemctl("stop", host.POOLER)
    # In place, so that owner and mode of the file stay.
    host.SETTINGS.write_text(host.SETTINGS_MADE.read_text(encoding="utf-8"), encoding="utf-8")
    host.systemctl("start", host.DATABASE, "redis-server.service", "nginx.service", "ssh.service")
    host.psql("pulp", FORGET)
    # Locks of Redis workers never expire.
    subprocess.run(["redis-cli", "flushall"], check=True, stdout=subprocess.DEVNULL)
    host.systemctl("enable", "--now", *host.PULP)
    ready.wait(change.PATIENCE)
