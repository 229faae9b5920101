# Why this exists: httpd's way to published content, under Pulp's own name. It needs no broker.
from pulp_lab import content

application = content.application
