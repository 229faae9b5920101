"""Why this exists: published content as Pulp 2 serves it: a WSGI application looks where a path leads, and has httpd send the file."""

import html
import http
import mimetypes
import os

from pulp_lab import settings

# Nothing else is sent, wherever a link leads.
ALLOWED = tuple(os.path.join(settings.STATE, name, "") for name in ("published", "content"))
mimetypes.add_type("application/x-redhat-package-manager", ".rpm")


def application(environ, start_response):
    path = os.path.realpath(environ["PATH_INFO"])
    headers, body = {"Content-Type": "text/html"}, b""
    if not os.path.join(path, "").startswith(ALLOWED):
        status = 403
    elif os.path.isdir(path):
        status, body = 200, _index(path)
    elif os.path.exists(path):
        status = 200
        headers = {"Content-Type": mimetypes.guess_type(environ["PATH_INFO"])[0] or "text/plain", "X-SENDFILE": path}
    else:
        status, body = 404, b"<html><body><h1>404 Not Found</h1></body></html>"
    start_response(f"{status} {http.HTTPStatus(status).phrase}", list(headers.items()))
    return [body]


def _index(path):
    names = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(path))
    links = "".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a></li>' for name in names)
    return f"<html><body><ul>{links}</ul></body></html>".encode()
