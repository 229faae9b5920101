"""Why this exists: one place for what Pulp reads from its configuration, and for the times that the reference states."""

import configparser
import os
import socket

_conf = configparser.ConfigParser(interpolation=None)
_conf.read("/etc/pulp/server.conf")

BROKER_URL = _conf["tasks"]["broker_url"]
REPLY_URL = _conf["messaging"]["url"]
LOGIN = (_conf["server"]["default_login"], _conf["server"]["default_password"])
HOST = socket.gethostname()
SERVER = _conf["server"]["server_name"]

# A gofer that is better than any that Pulp 2 ever had.
REPLIES_RECONNECT = os.environ.get("PULP_LAB_REPLIES") == "reconnect"

# Seconds. Pulp 2.16 and later: a heartbeat each fifth of the timeout, missing after the timeout less one heartbeat.
WORKER_TIMEOUT = int(_conf["tasks"]["worker_timeout"])
HEARTBEAT_INTERVAL = WORKER_TIMEOUT / 5
MISSING_AFTER = WORKER_TIMEOUT - HEARTBEAT_INTERVAL

STATE = "/var/lib/pulp"
DATABASE = os.path.join(STATE, "lab/state.sqlite")
TASK_ENDS = os.path.join(STATE, "lab/task-ends")
UNITS = os.path.join(STATE, "content/units/rpm")
PUBLISHED = os.path.join(STATE, "published/yum")
