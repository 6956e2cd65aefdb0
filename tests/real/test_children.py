"""The fixtures' own tests: processes that start, fail and end; a recorder that reads framing; an exfront whose log is looked at."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.real.children import Child, ChildFailed, free_port
from tests.real.front import FORWARD, Front
from tests.real.recorder import Recorder, read_request

_LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('up', flush=True); time.sleep(60)"


class ChildTests(SynchronousTestCase):
    """A server process."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def child(self, code: str, patience: float = 30) -> Child:
        port = free_port()
        return Child([sys.executable, "-c", code, str(port)], self.folder.absolute(), port, patience=patience)

    def test_start_and_stop(self) -> None:
        """It accepts after start and is gone after stop."""
        with self.child(_LISTEN) as child:
            socket.create_connection(("127.0.0.1", child.port)).close()
            self.assertIn("up", child.log())
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", child.port))
        self.assertEqual(child.stop(), -15)

    def test_ends_at_once(self) -> None:
        """A server that cannot start says why, with its own words."""
        error = self.assertRaises(ChildFailed, self.child("raise SystemExit('no such thing')").start)
        self.assertIn("no such thing", str(error))

    def test_never_listens(self) -> None:
        """Patience ends, and so does the process."""
        child = self.child("import time; time.sleep(60)", patience=0.3)
        self.assertIn("did not listen", str(self.assertRaises(ChildFailed, child.start)))
        self.assertEqual(child.stop(), -15)

    def test_never_ends(self) -> None:
        """What does not heed the signal is killed and told."""
        child = self.child("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + _LISTEN)
        child.start()
        child.patience = 0.3
        self.assertIn("did not end", str(self.assertRaises(ChildFailed, child.stop)))
        self.assertEqual(child.stop(), -9)


class FrontTests(SynchronousTestCase):
    """A real exfront as a fixture."""

    def test_traceback(self) -> None:
        """A traceback in its log fails the test that started it."""
        front = Front(backend=free_port()).start()
        with front.child.log_file.open("a") as log:
            log.write("Traceback (most recent call last)\n")
        self.assertRaises(AssertionError, front.stop)

    def test_mistake(self) -> None:
        """A configuration that it does not take is told with its list of mistakes."""
        front = Front(FORWARD.replace("kind = forward", "kind = froward"), backend=1)
        self.assertIn("froward", str(self.assertRaises(ChildFailed, front.start)))

    def test_recorder_behind_it(self) -> None:
        """What is sent to it arrives at the back-end, and its answer at the client (F1, F2, F3)."""
        with Recorder() as recorder, Front(backend=recorder.port) as front:
            with socket.create_connection(("127.0.0.1", front.port)) as connection:
                connection.sendall(b"PUT /a%2Fb?c HTTP/1.1\r\nHost: www.adatum.com\r\nContent-Length: 5\r\n\r\nhello")
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n"))
            (request,) = recorder.requests
        self.assertEqual((request.method, request.target, request.body), (b"PUT", b"/a%2Fb?c", b"hello"))
        self.assertEqual(request.values(b"HOST"), [b"www.adatum.com"])
        self.assertEqual(request.values(b"via"), [b"1.1 exfront"])


class RecorderTests(SynchronousTestCase):
    """The recording back-end's reading."""

    def test_length(self) -> None:
        """A body ends where its length says."""
        head = b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
        self.assertIsNone(read_request(head[:-1]))
        for data, body, complete in (
            (b"hel", b"hel", False),
            (b"hello", b"hello", True),
            (b"hello more", b"hello", True),
        ):
            request = read_request(head + data)
            assert request is not None
            self.assertEqual((request.head, request.body, request.complete), (head, body, complete))

    def test_chunks(self) -> None:
        """A chunked body ends behind its trailers, and nowhere before."""
        data = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n"
        whole = read_request(data)
        assert whole is not None
        self.assertEqual((whole.body, whole.complete), (b"hello", True))
        for size in range(data.index(b"\r\n\r\n") + 4, len(data)):
            part = read_request(data[:size])
            assert part is not None
            self.assertFalse(part.complete, data[:size])
