"""Calls the built binary as Ansible does, with parameters that its spec refuses, and holds the message of the reply against the
spec's. What is refused does nothing; check mode is on besides, should anything not be.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

CALLS = 30

# What ansible-core 2.19 adds.
OWN = {
    "_ansible_check_mode": True, "_ansible_no_log": False, "_ansible_debug": False, "_ansible_diff": False, "_ansible_verbosity": 0,
    "_ansible_version": "2.19.14", "_ansible_syslog_facility": "LOG_USER", "_ansible_socket": None, "_ansible_shell_executable": "/bin/sh",
    "_ansible_keep_remote_files": False, "_ansible_remote_tmp": "~/.ansible/tmp", "_ansible_ignore_unknown_opts": False,
    "_ansible_target_log_info": None, "_ansible_tracebacks_for": [],
}  # fmt: skip


def faults(binary, name, asked, ours):
    """Where the reply to a refused call is not what it should be, in words."""
    # A message in which a secret stands is masked, which the masking's own tests hold.
    told = [(case.split("\t", 1)[1], own["msg"]) for case, own in zip(asked, ours, strict=True) if not own["ok"] and not own["secrets"]]
    # Each message once, as far as they go.
    chosen = list({msg: (params, msg) for params, msg in told}.values())[:CALLS]
    found = [] if len(chosen) == CALLS else [f"{name}: {len(chosen)} refused calls to try, not {CALLS}"]
    for params, msg in chosen:
        reply = call(binary, name, params)
        if (reply.get("failed"), reply.get("changed", False), reply.get("msg")) != (True, False, msg):
            found.append(f"{name} {params}: expected `{msg}`, got {reply}")
    return found


def call(binary, name, params):
    with tempfile.TemporaryDirectory(prefix="ansible-tmp-") as directory:
        program, args = Path(directory, f"AnsiballZ_{name}"), Path(directory, "args")
        os.symlink(os.path.realpath(binary), program)
        args.write_text(json.dumps({**json.loads(params), **OWN, "_ansible_module_name": name, "_ansible_tmpdir": f"{directory}/"}), encoding="utf-8")
        done = subprocess.run([program, args], capture_output=True, check=False, timeout=30)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"msg": f"no reply: {done.stdout[-200:]}"}
