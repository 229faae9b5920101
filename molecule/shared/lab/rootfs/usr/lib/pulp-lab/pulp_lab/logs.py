"""Why this exists: Pulp logs to syslog as `pulp: <logger>:<LEVEL>: <message>`, whoever logs; people grep for these lines. A
message of several lines becomes as many, each of which begins with the process's id and the last digits of the thread's."""

import copy
import logging
import logging.handlers
import os
import threading


class Syslog(logging.handlers.SysLogHandler):
    def emit(self, record):
        if record.exc_info:
            record.msg, record.args = f"{record.getMessage()}\n{logging.Formatter().formatException(record.exc_info)}", None
            record.exc_info = record.exc_text = None
        lines = record.getMessage().split("\n")
        mark = f"({os.getpid()}-{threading.get_ident() % 100000:05}) " if len(lines) > 1 else ""
        for line in lines:
            one = copy.copy(record)
            one.msg, one.args = mark + line, None
            super().emit(one)


def to_syslog(**_):
    handler = Syslog("/dev/log")
    handler.setFormatter(logging.Formatter("pulp: %(name)s:%(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
