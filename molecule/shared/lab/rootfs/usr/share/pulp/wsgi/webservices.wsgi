# Why this exists: httpd's way into the API, under Pulp's own name, which <Files> in pulp.conf goes by. It is loaded when a
# process starts. As in Pulp 2, that ends only once the queue of agents' replies is declared: without a broker, never.
from pulp_lab import app, dispatching, logs, replies, rest

logs.to_syslog()
app.celery.set_current()
dispatching.configure(app.celery)
replies.start()
application = rest.application
