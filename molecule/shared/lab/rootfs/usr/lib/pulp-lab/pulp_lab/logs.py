"""Why this exists: Pulp logs to syslog as `pulp: <logger>:<LEVEL>: <message>`, whoever logs; people grep for these lines."""

import logging
import logging.handlers


def to_syslog(**_):
    handler = logging.handlers.SysLogHandler("/dev/log")
    handler.setFormatter(logging.Formatter("pulp: %(name)s:%(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
