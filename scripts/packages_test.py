"""The archive and the collection, as those get them who have nothing else of ours: unpacked and installed into empty folders, the
modules called by Ansible on this machine. A host of another architecture is this machine behind a shell that says so and starts
what Ansible has sent by qemu, so what is run there is the very file that was sent."""

import functools
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import unittest
from pathlib import Path
from xml.etree import ElementTree

import yaml

PROJECT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(os.environ["ANSIBLE_PROGRAMS"])
MODULES = sorted(path.stem for path in (PROJECT / "library").glob("*.yml"))
COLLECTION = "pulp_broker.test"
LIMIT = 120

# What a host's shell is here. It notes each command that asks for the architecture, and the program that a call would start.
SHELL = """#!/bin/bash
uname() {{ echo {machine}; }}
case $2 in
*"uname -m"*) echo asked >>{notes} ;;
/*/AnsiballZ_*/args*)
    program=$(grep -oE '/[^ ]*/AnsiballZ_[a-z_]+' <<<"$2" | head -1)
    echo "sent $(od -An -j18 -N2 -tu2 "$program" | tr -d ' ')" >>{notes}
    exec {start} -0 "$program" "$program" "${{program%/*}}/args"
    ;;
esac
eval "$2"
"""
# e_machine in the head of an ELF file.
SENT_AARCH64 = "sent 183"

SEVERAL_TASKS = """
- hosts: all
  gather_facts: false
  tasks:
    - pulp_facts:
    - pulp_facts:
      loop: [1, 2]
    - pulp_health:
        state: nonsense
      failed_when: false
      check_mode: true
"""


@functools.cache
def made(script):
    return make(script)


def make(script):
    subprocess.run([PROJECT / "scripts" / script], check=True, capture_output=True, timeout=LIMIT)
    version = tomllib.loads((PROJECT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    name = {"collection": "pulp_broker-test", "dist": "pulp_broker"}[script]
    return PROJECT / "dist" / f"{name}-{version}.tar.gz"


def size(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*"))


class Packed(unittest.TestCase):
    """In a folder of its own, with nothing of ours in reach but what is put there."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.notes = self.folder / "notes"

    def call(self, program, *arguments):
        return self.run_as_user([PROGRAMS / program, *arguments], {"ANSIBLE_COLLECTIONS_PATH": str(self.folder)})

    def run_as_user(self, command, variables):
        """With nothing of our settings: a user has none."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_", "PYTHON"))}
        own |= {"HOME": str(self.folder), "PWD": str(self.folder), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"} | variables
        own["PATH"] = f"{PROGRAMS}:{own['PATH']}"
        ran = subprocess.run(command, cwd=self.folder, env=own, capture_output=True, check=False, text=True, timeout=LIMIT)
        return ran.returncode, ran.stdout + ran.stderr

    def demand(self, program, *arguments):
        code, text = self.call(program, *arguments)
        self.assertEqual(code, 0, text)
        return text

    def written(self, text, name="play.yml"):
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def here(self, machine=None, **variables):
        """The arguments for one host: this machine, or one that calls itself otherwise."""
        if machine:
            shell = self.written(SHELL.format(machine=machine, notes=self.notes, start="qemu-aarch64-static"), "shell")
            shell.chmod(0o755)
            variables["ansible_shell_executable"] = str(shell)
        return ["--inventory", "here,", "--connection", "local", "--extra-vars", json.dumps(variables)]

    def noted(self, line):
        return self.notes.read_text().splitlines().count(line) if self.notes.exists() else 0


class Collection(Packed):
    once = None

    def setUp(self):
        super().setUp()
        place = Path("ansible_collections", "pulp_broker", "test")
        self.installed = self.folder / place
        # Installed anew for each test it would be the same.
        if Collection.once is None:
            self.demand("ansible-galaxy", "collection", "install", "--offline", made("collection"), "-p", self.folder)
            kept = tempfile.TemporaryDirectory(prefix="pulp-broker-test-")
            unittest.addModuleCleanup(kept.cleanup)
            Collection.once = Path(kept.name) / "installed"
            shutil.copytree(self.folder / "ansible_collections", Collection.once, symlinks=True)
        else:
            shutil.copytree(Collection.once, self.folder / "ansible_collections", symlinks=True)

    def test_it_is_the_same_byte_for_byte_when_made_again(self):
        first = made("collection").read_bytes()
        self.assertEqual(make("collection").read_bytes(), first)

    def test_it_is_small_enough_to_be_carried_and_installed(self):
        self.assertLess(made("collection").stat().st_size, 8_000_000)
        self.assertLess(size(self.installed), 40_000_000)

    def test_what_is_installed_is_what_was_packed_and_a_changed_byte_is_noticed(self):
        self.demand("ansible-galaxy", "collection", "verify", "--offline", COLLECTION)
        with open(self.installed / "plugins" / "modules" / "pulp_facts", "ab") as module:
            module.write(b"x")
        code, text = self.call("ansible-galaxy", "collection", "verify", "--offline", COLLECTION)
        self.assertNotEqual(code, 0, text)

    def test_each_module_is_documented(self):
        told = json.loads(self.demand("ansible-doc", "--json", "--type", "module", *(f"{COLLECTION}.{name}" for name in MODULES)))
        self.assertEqual(sorted(told), [f"{COLLECTION}.{name}" for name in MODULES])
        for name, parts in told.items():
            self.assertTrue(parts["doc"]["options"] and parts["examples"] and parts["return"], name)

    def test_a_module_runs_by_its_full_name(self):
        play = f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {COLLECTION}.pulp_facts:\n"
        text = self.demand("ansible-playbook", "-vvv", *self.here(), self.written(play))
        self.assertIn(f"Using module file {self.installed}/plugins/modules/pulp_facts", text)
        self.assertIn('"pulp_deployment"', text)

    def test_the_other_build_runs_by_its_full_name_where_the_host_is_of_that_architecture(self):
        play = f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {COLLECTION}.pulp_facts:\n"
        text = self.demand("ansible-playbook", "-vvv", *self.here("aarch64"), self.written(play))
        self.assertIn(f"Using module file {self.installed}/plugins/modules-aarch64/pulp_facts", text)
        self.assertIn('"pulp_deployment"', text)
        self.assertEqual(self.noted(SENT_AARCH64), 1)

    def test_its_playbooks_run_by_their_full_names(self):
        for name in ("broker_test", "broker_connect", "broker_reconnect", "heal"):
            self.demand("ansible-playbook", *self.here(), "--syntax-check", f"{COLLECTION}.{name}")

    def test_a_playbook_of_somebody_imports_it(self):
        play = self.written(f"- import_playbook: {COLLECTION}.broker_test\n  vars:\n    pulp_broker_test_hosts: all\n")
        self.demand("ansible-playbook", *self.here(), "--syntax-check", play)
        self.assertIn("Find the built modules", self.demand("ansible-playbook", *self.here(), "--list-tasks", play))
        # There is no Pulp here: the role has found its modules, they have looked, and it refuses.
        code, text = self.call("ansible-playbook", *self.here(), "--check", play)
        self.assertNotEqual(code, 0, text)
        self.assertIn("VOID unsupported: failed to find Pulp on here", text)

    def test_the_examples_of_ci_run_it_and_leave_the_junit_file_where_they_publish_it(self):
        examples = PROJECT / "playbooks" / "examples" / "ci"
        gitlab = yaml.safe_load((examples / "gitlab-ci.yml").read_text(encoding="utf-8"))["pulp-broker-test"]
        steps = yaml.safe_load((examples / "github-actions.yml").read_text(encoding="utf-8"))["jobs"]["broker-test"]["steps"]
        github = {step["name"]: step for step in steps if "name" in step}
        published = github["Show what was found"]["with"]["report_paths"]
        runs = github["Run the test"]
        place = {"ANSIBLE_COLLECTIONS_PATH": runs["env"]["ANSIBLE_COLLECTIONS_PATH"]}
        first = ("\n".join(gitlab["script"]), gitlab["artifacts"]["reports"]["junit"], {})
        for script, junit, variables in (first, (runs["run"], published, place)):
            with self.subTest(script=script), tempfile.TemporaryDirectory(prefix="pulp-broker-test-") as folder:
                self.folder = Path(folder)
                shutil.copy(made("collection"), folder)
                self.written("[pulp]\nhere ansible_connection=local\n", "inventory")
                secret = {"VAULT_PASSWORD": "secret", "VAULT_PASSWORD_FILE": str(self.written("secret", "vault"))}
                code, text = self.run_as_user(["bash", "-e", "-c", script], secret | variables)
                # There is no Pulp here, so nobody can tell: that is not a pass, and the file says so.
                self.assertNotEqual(code, 0, text)
                [found] = self.folder.glob(junit)
                self.assertNotEqual(list(ElementTree.parse(found).getroot().iter("error")), [], text)


class Archive(Packed):
    def setUp(self):
        super().setUp()
        with tarfile.open(made("dist")) as packed:
            packed.extractall(self.folder, filter="tar")
        [self.unpacked] = self.folder.glob("pulp_broker-*")

    def play(self, *arguments):
        beside = self.unpacked / "playbooks" / "several_tasks.yml"
        beside.write_text(SEVERAL_TASKS, encoding="utf-8")
        # From somewhere else, as a deployment would import it.
        importing = self.written(f"- import_playbook: {beside}\n")
        return self.call("ansible-playbook", *arguments, importing)

    def test_a_host_of_the_other_architecture_is_asked_once_and_gets_its_build_alone(self):
        code, text = self.play(*self.here("aarch64"))
        self.assertEqual(code, 0, text)
        self.assertEqual((self.noted("asked"), self.noted(SENT_AARCH64)), (1, 4), text)

    def test_a_host_is_not_asked_where_its_architecture_is_known(self):
        code, text = self.play(*self.here("aarch64", pulp_broker_machine="aarch64"))
        self.assertEqual(code, 0, text)
        self.assertEqual((self.noted("asked"), self.noted(SENT_AARCH64)), (0, 4), text)

    def test_a_host_for_which_there_is_no_build_is_named_with_its_architecture(self):
        code, text = self.play(*self.here("armv7l"))
        self.assertNotEqual(code, 0, text)
        self.assertIn("failed to find a build of pulp_broker for `here`: expected x86_64 or aarch64, the host says `armv7l`", text)

    def test_a_build_that_is_not_there_is_named(self):
        (self.unpacked / "library-aarch64" / "pulp_facts").unlink()
        code, text = self.play(*self.here("aarch64"))
        self.assertNotEqual(code, 0, text)
        self.assertIn("library-aarch64/pulp_facts`: only x86_64 is built; run `make build ARCH=aarch64`", text)

    def test_library_alone_serves_x86_64(self):
        own = (self.unpacked / "playbooks" / "action_plugins").rename(self.folder / "unused")
        self.assertEqual(sorted(path.stem for path in own.glob("*.py")), MODULES)
        code, text = self.play(*self.here())
        self.assertEqual(code, 0, text)

    def test_library_alone_serves_x86_64_where_ansibles_own_setting_names_it(self):
        self.written(f"[defaults]\nlibrary = {self.unpacked}/library\n", "ansible.cfg")
        text = self.demand("ansible", *self.here(), "--module-name", "pulp_facts", "all")
        self.assertIn('"pulp_deployment"', text)


if __name__ == "__main__":
    unittest.main()
