"""A back-end for endless bodies: `python -m bench.streams PORT`.

GET /N answers with N bytes as fast as they are taken; PUT or POST takes a body, at most SPEED bytes a second for /SPEED (0: as fast
as it comes), and answers with the number of bytes it has taken.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.pace import CHUNK, Pace


class Streams(BaseHTTPRequestHandler):
    """One connection, in a thread of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send as many bytes as the path says."""
        length = int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        piece = memoryview(bytes(CHUNK))
        while length > 0:
            self.wfile.write(piece[:length])
            length -= CHUNK

    def do_PUT(self) -> None:
        """Take the body no faster than the path says."""
        length = left = int(self.headers["Content-Length"])
        pace = Pace(int(self.path[1:]))
        while left > 0 and (piece := self.rfile.read(min(left, CHUNK))):
            left -= len(piece)
            pace.took(len(piece))
        answer = str(length - left).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Streams).serve_forever()
