"""Why this exists: a feed that takes as long as its URL says (/NAME/SECONDS/), so that a sync runs as long. The first repomd.xml of a name
comes with a blank line each second after its end, which is XML and keeps every time-out away; Pulp asks for it thrice."""

import os
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

PORT = 24800
FOLDER = "/usr/share/pulp-lab/feed"

_served = set()


class Slow(SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=FOLDER)

    def translate_path(self, path):
        return super().translate_path("/" + path.split("/", 3)[3])

    def do_GET(self):
        name, seconds, path = self.path.split("/", 3)[1:]
        if path != "repodata/repomd.xml" or name in _served:
            return super().do_GET()
        _served.add(name)
        end = time.monotonic() + float(seconds)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        with open(os.path.join(FOLDER, path), "rb") as file:
            self.wfile.write(file.read())
        while time.monotonic() < end:
            time.sleep(1)
            self.wfile.write(b"\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A worker that went away in the middle is what this is for."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Slow).serve_forever()
