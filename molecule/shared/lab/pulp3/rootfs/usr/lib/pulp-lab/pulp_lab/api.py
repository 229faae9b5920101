"""Why this exists: one request to Pulp's API, over TLS as any client's."""

import base64
import json
import re
import ssl
import urllib.request

from pulp_lab import host

CA = "/etc/pki/pulp/ca.crt"
ADMINISTRATOR = base64.b64encode(b"admin:Sesame-admin-7f3a").decode()


def ask(path, body=None, timeout=60):
    """A path below the API's root, or a whole one, as Pulp gives it back. With a body it is a POST; /status/ needs nobody's name."""
    url = f"https://localhost{path if path.startswith('/') else root() + path}"
    headers = {"Content-Type": "application/json"}
    if path != "status/":
        headers["Authorization"] = f"Basic {ADMINISTRATOR}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout, context=ssl.create_default_context(cafile=CA)) as answer:
        return json.load(answer)


def root():
    return re.search(r'^API_ROOT = "(.*)"', host.SETTINGS.read_text(encoding="utf-8"), re.MULTILINE)[1] + "api/v3/"
