"""Runs in a lab as root: what does the shipped binary find, with each form as the configuration of Pulp's units? Every other time a
process of Pulp's runs, with the form's environment; else the unit is stopped. Standard input: the forms; output: a line each."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

UNIT = "pulpcore-worker@1.service"
DROP_IN = "/run/systemd/system/pulpcore-worker@.service.d/form.conf"
FILE = "/run/pulp-lab-form"
PYTHON = "/usr/local/lib/pulp/bin/python3"
# Such a process loads nothing: it only is there with the environment that a worker has.
RUNS = f"ExecStart=\nExecStart={PYTHON} -c 'import time; time.sleep(3600)'\nRestart=no\n"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def set_up(runs):
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    with open(DROP_IN, "w", encoding="utf-8") as file:
        # It is started more often than anybody would.
        file.write(f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nEnvironment=\nEnvironmentFile={FILE}\n{RUNS if runs else ''}")
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def ask(form, runs):
    plain = [f"{name}={value}" for name, value in form["environment"].items() if not set(value) & set("\\'\"")]
    other = [f"{name}={quoted(value)}" for name, value in form["environment"].items() if set(value) & set("\\'\"")]
    with open(FILE, "w", encoding="utf-8") as file:
        file.write("\n".join([*plain, *other, "DJANGO_SETTINGS_MODULE=pulpcore.app.settings"]) + "\n")
    if runs:
        subprocess.run(["systemctl", "restart", UNIT], check=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments = f"{folder}/args"
        with open(arguments, "w", encoding="utf-8") as file:
            json.dump({"target": form["target"], "_ansible_module_name": "pulp_facts"}, file)
        done = subprocess.run([sys.argv[1], arguments], capture_output=True, text=True, check=False, timeout=120)
    reply = json.loads(done.stdout)
    if "ansible_facts" not in reply:
        return {"failed": reply["msg"]}
    found = reply["ansible_facts"]["pulp_deployment"]
    return {"runs": runs, "secrets": "Sesame" in done.stdout, "broker": found["broker"], "settings": found["settings"],
            "pulp3": found["pulp3"], "pulp_url": found["pulp_url"], "seconds": reply["duration_seconds"]}  # fmt: skip


def main():
    forms = json.load(sys.stdin)
    answers = {}
    for runs in (False, True):
        set_up(runs)
        for place in range(int(runs), len(forms), 2):
            answers[place] = ask(forms[place], runs)
        subprocess.run(["systemctl", "stop", UNIT], check=True)
    shutil.rmtree(os.path.dirname(DROP_IN))
    os.remove(FILE)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    for place in range(len(forms)):
        print(json.dumps(answers[place]))


main()
