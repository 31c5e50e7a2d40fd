"""A backend that accepts every request, and answers none as it should.

It answers with status 500, or not at all where the path begins with `/silent`.
"""

from __future__ import annotations

import signal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Broken(BaseHTTPRequestHandler):
    """Handles one connection, in a thread of its own."""

    def do_GET(self) -> None:
        """Fail."""
        if self.path.startswith("/silent"):
            self.rfile.read()  # until the client gives up
        else:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ThreadingHTTPServer(("", 8080), Broken).serve_forever()
