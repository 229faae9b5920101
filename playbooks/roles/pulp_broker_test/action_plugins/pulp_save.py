"""Writes files of this run on the controller, all of them in one task that starts nothing, and reports a message if there is one. Only
the user of the test may read them, and none is ever seen half written. One without content is left out. A file's name may hold a host's,
which is whatever the inventory calls it."""

import hashlib
import json
import os
import re
import tempfile

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# With a checksum it is well below what file systems take.
LONGEST = 100


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        folder = str(self._task.args["folder"])
        files = [file for file in self._task.args["files"] if file["content"]]
        try:
            if files:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            for file in files:
                place = os.path.dirname(folder.rstrip("/")) if file.get("one_folder_up") else folder
                write(os.path.join(place, file_name(str(file["name"]))), as_text(file["content"]))
        except OSError as cause:
            raise AnsibleActionFail(f"failed to write `{folder}`: {cause}; set pulp_broker_test_report_dir to a folder that can be written") from cause
        told = {"msg": msg, "_ansible_verbose_always": True} if (msg := self._task.args.get("msg")) else {}
        return {**result, "changed": bool(files), "folder": folder, **told}


def as_text(content):
    """Older Ansibles make data of a text that is JSON."""
    return content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"


def file_name(name):
    """One that stays in its folder on any file system. Where something of the name is replaced, a checksum keeps it apart from others."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")
    if safe == name and len(name) <= LONGEST:
        return name
    base, suffix = os.path.splitext(safe)
    checksum = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{base[:LONGEST]}-{checksum}{suffix[:LONGEST]}"


def write(path, content):
    # Its mode is 0600.
    number, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".part-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(content)
        os.replace(partial, path)
    except OSError:
        os.unlink(partial)
        raise
