# Why this exists: Apache's way into the lab. It is loaded at start, so the reply consumer lives as long as the process.
from pulp_lab import app, dispatching, logs, replies, rest

logs.to_syslog()
app.celery.set_current()
dispatching.configure(app.celery)
replies.start()
application = rest.application
