"""Releases of Ansible, each in an environment of its own below .cache/: what users run, whatever this project is checked with."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
from zipfile import ZipFile

from harness.claims import Claims
from harness.lab import PROJECT
from harness.play import PLAYBOOKS

CACHE = PROJECT / ".cache" / "releases"

# Each with the Pythons that its controller may have.
RELEASES = {
    "2.14.18": ("3.9", "3.10", "3.11"),
    "2.16.19": ("3.10", "3.11", "3.12"),
    "2.18.19": ("3.11", "3.12", "3.13"),
    "2.19.14": ("3.11", "3.12", "3.13"),
    "2.20.10": ("3.12", "3.13", "3.14"),
}
# The community package that holds the connection to podman's containers; of it only that collection is kept.
COMMUNITY = "12.3.0"
COLLECTION = "ansible_collections/containers/podman/"


def pip(python, *arguments):
    # What users run decides here too: no setting of this machine's pip but where its packages come from.
    command = ["nice", "-n", "19", python, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: {result.stdout}{result.stderr}")


def python_for(versions):
    """One of these, newest first; a name on PATH proves nothing, and version managers keep theirs aside."""
    for version in reversed(versions):
        aside = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python3"))
        for name in (f"python{version}", sys.executable, "/usr/bin/python3", *aside):
            ask = [name, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
            try:
                said = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
            except OSError:
                continue
            if said.returncode == 0 and said.stdout.strip() == version:
                return name
    return None


def made(name, make):
    """A folder of the cache; one that is there was made to its end."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder, unfinished = CACHE / name, CACHE / f"{name}.unfinished"
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


def ansible(release):
    """The command that is its ansible-playbook; None where this machine has no Python that it accepts."""
    python = python_for(RELEASES[release])
    if python is None:
        return None

    def make(folder):
        subprocess.run([python, "-m", "venv", folder], check=True, timeout=120)
        pip(folder / "bin" / "python", "install", "--only-binary", ":all:", f"ansible-core=={release}")

    folder = made(f"ansible-core-{release}", make)
    # Not its program of that name, which knows by what path it was installed.
    return [folder / "bin" / "python", "-m", "ansible", "playbook"]


def for_python(release, version):
    """The release as a folder for another machine's Python of that version, which brings nothing else."""
    options = ["--only-binary", ":all:", "--python-version", version, "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64"]
    return made(
        f"ansible-core-{release}-python{version}",
        lambda folder: pip(sys.executable, "install", "--target", folder, *options, f"ansible-core=={release}"),
    )


def podman_collection():
    """A folder for ANSIBLE_COLLECTIONS_PATH."""
    return made(f"containers.podman-{COMMUNITY}", _collection)


def _collection(folder):
    wheels = folder / "wheels"
    pip(sys.executable, "download", "--no-deps", "--only-binary", ":all:", "--dest", wheels, f"ansible=={COMMUNITY}")
    [wheel] = wheels.iterdir()
    with ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(COLLECTION)])
    shutil.rmtree(wheels)


class OnReleases(Claims):
    """Claims that are made of several releases."""

    def on(self, release, playbook, *options, **more):
        program = ansible(release) or self.skipTest(f"ansible-core {release} was NOT tried: this machine has no Python for it")
        return self.play(PLAYBOOKS / playbook, *options, program=program, **more)

    def deployer(self, rule, defaults=""):
        """A user without rights, who is let in with the lab's key and may become root as the rule of sudo says."""
        self.lab.shell("useradd --create-home --shell /bin/sh deploy && install -d -o deploy -m 700 ~deploy/.ssh")
        self.lab.shell("install -o deploy -m 600 ~/.ssh/authorized_keys ~deploy/.ssh/")
        # Its sessions' processes may end a moment later.
        self.addCleanup(self.lab.shell, "userdel --remove deploy 2>/dev/null; rm -f /etc/sudoers.d/deploy; ! id deploy 2>/dev/null")
        self.addCleanup(self.lab.shell, "pkill -KILL -u deploy; sleep 1")
        rules = f"'{defaults}' 'deploy ALL=(root) {rule}'"
        self.lab.shell(f"printf '%s\\n' {rules} >/etc/sudoers.d/deploy && chmod 0440 /etc/sudoers.d/deploy && visudo -c")
        self.assertNotIn("uid=0", self.lab.exec("sudo", "-u", "deploy", "id"))
        return {"ansible_user": "deploy", "ansible_become": True}
