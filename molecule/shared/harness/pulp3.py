"""A lab of Pulp 3 and the claims about it: PostgreSQL carries its tasks; Redis holds the locks of its Redis workers, or only caches."""

import json

from harness.claims import Claims
from harness.detection import detect
from harness.lab import Lab, password, until

DATABASE, REDIS = "postgresql@15-main.service", "redis-server.service"
WORKER, OTHER = "pulpcore-worker@1.service", "pulpcore-worker@2.service"
API, CONTENT = "pulpcore-api.service", "pulpcore-content.service"
# What this module's own things are called.
OURS = "pulp-broker-test"
MADE = ["repositories/rpm/rpm", "remotes/rpm/rpm", "publications/rpm/rpm", "distributions/rpm/rpm"]


class Pulp3Lab(Lab):
    SERVICES = (API, CONTENT, WORKER, OTHER)

    @property
    def units(self):
        return [DATABASE, REDIS, *self.services]

    def broker_is_there(self):
        return "PONG" in self.shell("pg_isready -q -h 127.0.0.1 && redis-cli ping; true")

    def left_behind(self):
        found = self.look("left") + self.ansible_files()
        for path in MADE:
            listed = self.api(f"{path}/?limit=100")["results"]
            found += [f"{path} {made.get('name', made['pulp_href'])}" for made in listed if OURS in made.get("name", OURS)]
        packages = self.api("content/rpm/packages/?orphaned_for=0&limit=100&fields=name")["results"]
        found += [f"package {package['name']}" for package in packages]
        found += [f"task {task['name']} {task['state']}" for task in self.tasks()]
        return found

    def use_defect(self):
        """As it was made."""
        self.exec("pulp-lab", "healthy")

    def use_subject(self, subject):
        if self.is_changed:
            self.use_defect()
        self.is_changed = bool(subject.prepare or subject.hooks)

    # By a subject before.
    is_changed = True

    def start_broker(self):
        self.exec("systemctl", "start", DATABASE, REDIS)

    def empty(self):
        for path in MADE[::-1]:
            for made in self.api(f"{path}/?limit=100")["results"]:
                self.api(made["pulp_href"].removeprefix("/pulp/api/v3/"), method="DELETE")
        until("all to be deleted", lambda: not self.tasks())
        self.api("orphans/cleanup/", method="POST")
        until("the packages to be deleted", lambda: not self.tasks())

    def tasks(self):
        return self.api("tasks/?state__in=running,waiting,canceling&limit=100")["results"]

    def api(self, path, method="GET"):
        reply = self.exec(
            "curl", "--silent", "--show-error", "--fail", "--cacert", "/etc/pki/pulp/ca.crt", "--user",
            f"admin:{password()}", "--request", method, *(["--json", "{\"orphan_protection_time\":0}"] if method == "POST" else []), f"https://localhost/pulp/api/v3/{path}",
        )  # fmt: skip
        return json.loads(reply)


class Pulp3Claims(Claims):
    KIND = Pulp3Lab

    @classmethod
    def tearDownClass(cls):
        cls.lab.use_defect()

    def demand(self, subject):
        """It is called by the right name, what was taken away is back, and nothing of ours is left."""
        with self.subTest(subject.name):
            found = detect(self.lab, subject)
            self.assertTrue(found.right, " | ".join([*found.row(), found.sentence]))
            for word in subject.told:
                self.assertIn(word, found.sentence)
            self.assertTrue(self.lab.broker_is_there())
            self.assertEqual(self.lab.look("left") + self.lab.ansible_files(), [])
            if subject.expected == "survived":
                self.demand_as_before()
