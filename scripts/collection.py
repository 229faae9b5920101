"""Writes a folder to standard output as the tar archive of an Ansible collection: what `ansible-galaxy collection build` makes,
but the same bytes each time, and with files of the same content stored once."""

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import yaml

FORMAT = 1


def entries(folder):
    """Every path below the folder, in an order that depends on their names alone."""
    return sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix().encode())


def digest(content):
    return hashlib.sha256(content).hexdigest()


def listed(name, path):
    """As FILES.json has it. A link counts as the file to which it leads."""
    if path.is_dir():
        return {"name": name, "ftype": "dir", "chksum_type": None, "chksum_sha256": None, "format": FORMAT}
    return {"name": name, "ftype": "file", "chksum_type": "sha256", "chksum_sha256": digest(path.read_bytes()), "format": FORMAT}


def as_json(value):
    return (json.dumps(value, indent=1) + "\n").encode()


def manifest(version, files):
    said = yaml.safe_load(Path("collection/galaxy.yml").read_text(encoding="utf-8"))
    unsaid = {"license_file": None, "repository": None, "documentation": None, "homepage": None, "issues": None}
    return {
        "collection_info": said | {"version": version} | unsaid,
        "file_manifest_file": {"name": "FILES.json", "ftype": "file", "chksum_type": "sha256", "chksum_sha256": digest(files), "format": FORMAT},
        "format": FORMAT,
    }  # fmt: skip


class Archive:
    def __init__(self, out, instant):
        self.tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT)
        self.instant = instant
        self.first_of = {}

    def _member(self, name, mode):
        member = tarfile.TarInfo(name)
        member.mtime, member.mode = self.instant, mode
        return member

    def add_text(self, name, content):
        member = self._member(name, 0o644)
        member.size = len(content)
        self.tar.addfile(member, io.BytesIO(content))

    def add(self, name, path):
        if path.is_symlink():
            member = self._member(name, 0o777)
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
            self.tar.addfile(member)
        elif path.is_dir():
            member = self._member(name, 0o755)
            member.type = tarfile.DIRTYPE
            self.tar.addfile(member)
        else:
            self._add_file(name, path)

    def _add_file(self, name, path):
        content = path.read_bytes()
        member = self._member(name, 0o755 if os.access(path, os.X_OK) else 0o644)
        first = self.first_of.setdefault((member.mode, digest(content)), name)
        if first == name:
            member.size = len(content)
            self.tar.addfile(member, io.BytesIO(content))
        else:
            member.type, member.linkname = tarfile.LNKTYPE, first
            self.tar.addfile(member)


def main(folder, version, instant):
    found = [(path.relative_to(folder).as_posix(), path) for path in entries(folder)]
    root = {"name": ".", "ftype": "dir", "chksum_type": None, "chksum_sha256": None, "format": FORMAT}
    files = as_json({"files": [root] + [listed(name, path) for name, path in found], "format": FORMAT})
    archive = Archive(sys.stdout.buffer, instant)
    archive.add_text("MANIFEST.json", as_json(manifest(version, files)))
    archive.add_text("FILES.json", files)
    for name, path in found:
        archive.add(name, path)
    archive.tar.close()


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
