"""The corpus of requests to refuse, sent to a running exfront: each is answered with its status, and nothing of it reaches a back-end."""

from __future__ import annotations

import contextlib
import re
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.real.front import Front
from tests.real.recorder import Recorder
from tests.wire.corpus import CASES, ODDITIES

REFUSED_BY_RULE = frozenset({"target-bad-escape", "target-dots"})
"""Right as HTTP, but paths that no virtual directory can own."""
ANSWERED_HERE = frozenset({"options-asterisk", "options-absolute"})
"""`*` asks about exfront itself (RFC 9110 9.3.7), which answers."""


def statuses(port: int, raw: bytes, count: int, patience: float = 10) -> tuple[list[int], bool]:
    """The final statuses that `raw` is answered with, and whether the connection was closed behind an error."""
    answer = b""
    found: list[int] = []
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection, contextlib.suppress(OSError):
        connection.sendall(raw)
        while (len(found) < count or found[-1] >= 400) and (piece := connection.recv(65536)):
            answer += piece
            found = [int(status) for status in re.findall(rb"HTTP/1\.[01] ([2-5][0-9][0-9]) ", answer)]
        return found, len(found) < count or found[-1] >= 400
    return found, True


class SmugglingTests(SynchronousTestCase):
    """exfront between a client that means ill and a back-end that believes everything."""

    def setUp(self) -> None:
        self.recorder = Recorder().start()
        self.addCleanup(self.recorder.stop)
        self.front = Front(backend=self.recorder.port).start()
        self.addCleanup(self.front.stop)

    def test_refused(self) -> None:
        """Every case gets its status alone and a closed connection, and no back-end sees a whole request of it."""
        for name, raw, status in CASES:
            self.assertEqual(statuses(self.front.port, raw, 1), ([status], True), name)
        self.assertEqual([request.target for request in self.recorder.requests if request.complete], [])

    def test_passed_on(self) -> None:
        """What is odd but right reaches the back-end as the requests it is: method, target, Host and body (F2)."""
        for name, raw, expected in ODDITIES:
            if name in REFUSED_BY_RULE:
                continue
            before = len(self.recorder.requests)
            found, _ = statuses(self.front.port, raw, len(expected))
            self.assertEqual(found, [200] * len(expected), name)
            if name in ANSWERED_HERE:
                continue
            arrived = [(request.method, request.target, request.body) for request in self.recorder.requests[before:]]
            self.assertEqual(arrived, [(method, target, body) for method, target, _, body in expected], name)
