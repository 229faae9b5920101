"""Why this exists: somebody else, as a real Pulp has it: a sync whose feed is slow (feed.py serves it), and another service on the same
PostgreSQL."""

import subprocess
import time

from pulp_lab import api, feed, host

FOREVER = 86400
FOREMAN = "pulp-lab-foreman.service"
ACCOUNT = """
DROP DATABASE IF EXISTS foreman;
DROP ROLE IF EXISTS foreman;
CREATE ROLE foreman LOGIN PASSWORD 'Sesame-foreman-7f3a';
CREATE DATABASE foreman OWNER foreman;
"""
CLIENT = "import psycopg, time; c = psycopg.connect('postgresql://foreman:Sesame-foreman-7f3a@127.0.0.1/foreman'); time.sleep(3600)"


def task(seconds):
    length = FOREVER if seconds == "forever" else float(seconds)
    name = f"lab-{time.time():.3f}"
    host.systemctl("start", "pulp-lab-feed.service")
    repository = api.ask("repositories/rpm/rpm/", {"name": name})["pulp_href"]
    url = f"http://127.0.0.1:{feed.PORT}/{name}/{length}/"
    remote = {"name": name, "url": url, "policy": "immediate", "total_timeout": length + 600}
    remote = api.ask("remotes/rpm/rpm/", remote)["pulp_href"]
    print(api.ask(f"{repository}sync/", {"remote": remote})["task"])


def foreman():
    """Returns when it is connected."""
    host.psql("postgres", ACCOUNT)
    subprocess.run(["systemd-run", "--quiet", "--collect", f"--unit={FOREMAN}", "/usr/local/lib/pulp/bin/python", "-c", CLIENT], check=True)
    while not host.psql("postgres", "SELECT 1 FROM pg_stat_activity WHERE usename = 'foreman'"):
        time.sleep(0.1)
