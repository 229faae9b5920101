"""What a plain script does to ask whether Pulp survives the loss of its broker, as the one public test of it does: services are stopped
and started by `systemctl` over ssh, one after the other; it sleeps while the broker is away; then one health check is made, whose tasks
are looked at every 2 s; in the end everything is stopped and started. It proves nothing of single workers, of the scheduler or of the
outage itself, and undoes nothing if it dies.
"""

import base64
import json
import shlex
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import feed
from lab import Lost, output

SERVICES = ("httpd", "pulp_celerybeat", "pulp_resource_manager", "pulp_workers")
BROKER = "rabbitmq-server"

# How often a task is looked at, and how long it may take.
POLL = 2
LIMIT = 180

# Where the lab serves the feed to its own workers.
FEED_PORT = 8090
FEED = f"http://127.0.0.1:{FEED_PORT}/"


class Plain:
    """One run of it. What it did is in `steps`, by name and in seconds."""

    def __init__(self, lab):
        self.lab = lab
        variables = json.loads(output(["ansible-inventory", "--inventory", lab.inventory, "--host", lab.name]))
        self.address = variables["ansible_host"]
        self.user = (variables["pulp_broker_test_username"], variables["pulp_broker_test_password"])
        key, words = variables["ansible_ssh_private_key_file"], shlex.split(variables["ansible_ssh_common_args"])
        kept = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath=/tmp/bench-{lab.name}-%C"]
        self.ssh = ["ssh", "-i", key, *words, *kept, f"{variables['ansible_user']}@{self.address}"]
        self.tls = ssl.create_default_context(cadata=lab.sh(f"cat {variables['pulp_broker_test_ca_path']}"))
        # The lab is reached by its address. A stock httpd asks for a certificate when it has read the request.
        self.tls.check_hostname = False
        self.tls.post_handshake_auth = True
        self.steps = []

    def run(self, scenario, hold):
        """Returns the wall time."""
        self.steps = []
        serve_feed(self.lab)
        begun = time.monotonic()
        if scenario == "connect":
            self.step("stop", lambda: self.systemctl("stop", *SERVICES, BROKER))
            self.step("start", lambda: self.systemctl("start", *SERVICES))
        else:
            self.step("start", lambda: self.systemctl("start", BROKER, *SERVICES))
            self.step("stop", lambda: self.systemctl("stop", BROKER))
        self.step("hold", lambda: time.sleep(hold))
        self.step("broker", lambda: self.systemctl("start", BROKER))
        self.step("health", self.health)
        self.step("stop", lambda: self.systemctl("stop", *SERVICES, BROKER))
        self.step("broker", lambda: self.systemctl("start", BROKER))
        self.step("start", lambda: self.systemctl("start", *SERVICES))
        return time.monotonic() - begun

    def took(self, *names):
        return sum(seconds for name, seconds in self.steps if name in names)

    def step(self, name, act):
        begun = time.monotonic()
        act()
        self.steps.append((name, time.monotonic() - begun))

    def systemctl(self, verb, *units):
        for unit in units:
            output([*self.ssh, "systemctl", verb, unit])

    def health(self):
        repository = f"plain-{uuid.uuid4()}"
        self.api("POST", "repositories/", {"id": repository, "importer_type_id": "yum_importer", "importer_config": {"feed": FEED}})
        href = f"repositories/{repository}/"
        self.follow(self.api("POST", f"{href}actions/sync/", {}))
        where = {"relative_url": repository, "http": True, "https": True}
        distributor = {"distributor_id": "d", "distributor_type_id": "yum_distributor", "distributor_config": where}
        self.api("POST", f"{href}distributors/", distributor)
        self.follow(self.api("POST", f"{href}actions/publish/", {"id": "d"}))
        letter = feed.PACKAGE[0]
        path = f"http://{self.address}/pulp/repos/{repository}/Packages/{letter}/{feed.PACKAGE}"
        with urllib.request.urlopen(path, timeout=LIMIT) as published:
            if not published.read():
                raise Lost(f"failed to run the plain script: `{path}` is empty")
        self.repository = href

    def follow(self, report):
        """Until the tasks of a call have ended well."""
        end = time.monotonic() + LIMIT
        for task in report["spawned_tasks"]:
            while True:
                state = self.api("GET", f"tasks/{task['task_id']}/")["state"]
                if state == "finished":
                    break
                if state in ("error", "canceled", "skipped") or time.monotonic() > end:
                    raise Lost(f"failed to run the plain script: its task `{task['task_id']}` is `{state}`")
                time.sleep(POLL)

    def api(self, method, path, body=None):
        request = urllib.request.Request(f"https://{self.address}/pulp/api/v2/{path}", method=method)
        request.add_header("Authorization", basic(*self.user))
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=LIMIT, context=self.tls) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise Lost(f"failed to run the plain script: {method} {path}: {error}: {error.read()[:500]}") from error

    def clean_up(self):
        """Not part of what is measured: the next run begins as this one did."""
        self.lab.sh("pulp-lab wait 120")
        self.follow(self.api("DELETE", self.repository))
        self.follow(self.api("DELETE", "content/orphans/"))
        self.lab.sh("systemctl stop bench-feed; rm -rf /run/bench-feed")
        subprocess.run([*self.ssh[:-1], "-O", "exit", self.ssh[-1]], stderr=subprocess.DEVNULL, check=False)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def serve_feed(lab):
    """A repository with a package that the lab has not seen yet, served in the lab."""
    lab.sh("systemctl stop bench-feed 2>/dev/null; rm -rf /run/bench-feed; mkdir -p /run/bench-feed/repodata")
    for name, content in feed.files(str(uuid.uuid4())).items():
        octal = "".join(f"\\{byte:03o}" for byte in content)
        lab.sh(f"printf '{octal}' > /run/bench-feed/{name}")
    server = f"python3 -m http.server --bind 127.0.0.1 --directory /run/bench-feed {FEED_PORT}"
    lab.sh(f"systemd-run --quiet --unit=bench-feed --collect {server}")
