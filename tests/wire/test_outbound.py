"""The back-end's side, without sockets: responses whole and in pieces, outcomes, time-outs and what becomes of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.model import Server
from exfront.policy.outcome import Unanswered
from exfront.wire.outbound import INTERIM_LIMIT, MAX_RESPONSE_HEAD, ServerConnection
from exfront.wire.patience import FOREVER, Patience
from tests.fakes.transports import FakeTransport
from tests.wire.messages import responses
from tests.wire.reading import bytewise, cut

if TYPE_CHECKING:
    from exfront.model import ResponseHead

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n"


class Pool:
    """Writes down what it gets back."""

    server = Server("backend1", "127.0.0.1")

    def __init__(self) -> None:
        self.released: list[ServerConnection] = []
        self.gone: list[ServerConnection] = []

    def release(self, connection: ServerConnection) -> None:
        self.released.append(connection)

    def lost(self, connection: ServerConnection) -> None:
        self.gone.append(connection)


class Attempt:
    """Writes down what it is told."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.heads: list[ResponseHead] = []
        self.body = b""
        self.done = False
        self.trailers = b""
        self.end: object = None
        self.told: list[str] = []
        self.interims: list[int] = []

    def interim(self, head: ResponseHead) -> None:
        self.interims.append(head.status)

    def answered(self, head: ResponseHead, data: bytes, done: bool) -> None:
        assert not self.heads and self.end is None
        self.heads.append(head)
        self.continued(data, done)

    def switched(self, head: ResponseHead, data: bytes) -> None:
        self.heads.append(head)
        self.body += data

    def continued(self, data: bytes, done: bool) -> None:
        assert not self.done and self.end is None
        self.body += data
        if done:
            self.done = True
            self.trailers = self.connection.trailers

    def unanswered(self, outcome: Unanswered) -> None:
        assert self.end is None and not self.heads
        self.end = outcome

    def broken_off(self, reason: str) -> None:
        assert self.end is None and self.heads and not self.done
        self.end = reason

    def pause_body(self) -> None:
        self.told.append("pause")

    def resume_body(self) -> None:
        self.told.append("resume")


class ServerCase(unittest.TestCase):
    """One connection on a clock; 60 seconds for an answer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.patience.start()
        self.addCleanup(self.patience.stop)
        self.connect()

    def connect(self) -> None:
        self.pool = Pool()
        self.connection = ServerConnection(self.pool, 60, self.clock, self.patience)
        self.transport = FakeTransport(self.connection).connect()

    def ask(self, method: bytes = b"GET", whole: bool = True, waits: bool = False) -> Attempt:
        attempt = Attempt(self.connection)
        self.connection.send(attempt, method, b"request", whole, waits)
        return attempt

    def pass_time(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)


class AnswerTests(ServerCase):
    """Responses."""

    def test_whole(self) -> None:
        """An answer in one piece, then the next on the same connection."""
        for number, (data, body) in enumerate(((OK, b"ok"), (CHUNKED, b"ab"), (OK, b"ok")), 1):
            attempt = self.ask()
            self.transport.feed(data)
            self.assertEqual((attempt.body, attempt.done, attempt.end), (body, True, None))
            self.assertEqual(self.pool.released, [self.connection] * number)
        self.assertEqual(attempt.trailers if attempt.heads[0].length < 0 else b"", b"")

    def test_bytewise(self) -> None:
        """Byte by byte the same, interim answers included."""
        attempt = self.ask()
        for piece in bytewise(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" + CHUNKED):
            self.transport.feed(piece)
        self.assertEqual(
            (attempt.interims, attempt.body, attempt.trailers, attempt.done), ([100, 103], b"ab", b"X: y\r\n", True)
        )
        self.assertEqual(len(self.pool.released), 1)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(responses(), min_size=1, max_size=4), st.data())
    def test_any_cut(self, messages: list, data: st.DataObject) -> None:
        """Valid responses, cut anywhere: the same body, and the connection is used again unless they say otherwise."""
        self.connect()
        for message in messages:
            if not self.connection.usable:
                self.connect()
            attempt = self.ask()
            for piece in cut(
                message.raw, data.draw(st.lists(st.integers(1, max(1, len(message.raw) - 1)), max_size=6))
            ):
                self.transport.feed(piece)
            self.assertEqual(
                (attempt.done, attempt.body, attempt.heads[0].status), (True, message.payload, message.status)
            )

    def test_until_close(self) -> None:
        """A body without length ends with the connection, which is not used again."""
        attempt = self.ask()
        self.transport.feed(b"HTTP/1.0 200 OK\r\n\r\nab")
        self.assertFalse(attempt.done)
        self.transport.feed(b"cd")
        self.transport.half_close()
        self.assertEqual((attempt.body, attempt.done, attempt.end), (b"abcd", True, None))
        self.assertEqual((self.pool.released, self.transport.connected), ([], False))

    def test_close(self) -> None:
        """`Connection: close`, or HTTP/1.0 without keep-alive: not used again."""
        for start in (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"):
            self.connect()
            attempt = self.ask()
            self.transport.feed(start + b"Content-Length: 2\r\n\r\nok")
            self.assertEqual((attempt.body, self.pool.released, self.transport.connected), (b"ok", [], False))
        self.connect()
        self.ask()
        self.transport.feed(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(len(self.pool.released), 1)

    def test_bodiless(self) -> None:
        """HEAD, 204, 304: the head is all."""
        for method, data in (
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
            (b"GET", b"HTTP/1.1 204 No\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 No\r\nContent-Length: 99\r\n\r\n"),
        ):
            attempt = self.ask(method)
            self.transport.feed(data)
            self.assertEqual((attempt.done, attempt.body), (True, b""))
        self.assertEqual(len(self.pool.released), 3)

    def test_more_than_asked_for(self) -> None:
        """Bytes behind an answer: the answer counts, the connection does not."""
        for data in (OK + b"x", CHUNKED + OK, b"HTTP/1.1 204 No\r\n\r\nx"):
            self.connect()
            attempt = self.ask()
            self.transport.feed(data)
            self.assertEqual((attempt.done, self.pool.released, self.transport.connected), (True, [], False))

    def test_unasked(self) -> None:
        """Bytes when nothing was asked close the connection."""
        self.ask()
        self.transport.feed(OK)
        self.transport.feed(OK)
        self.assertEqual((self.transport.connected, self.pool.gone[0]), (False, self.connection))

    def test_answered_before_all_was_sent(self) -> None:
        """An answer to a request that was not sent whole ends the connection."""
        attempt = self.ask(whole=False)
        self.transport.feed(OK)
        self.assertEqual((attempt.done, self.pool.released, self.transport.connected), (True, [], False))

    def test_keep_alive_time(self) -> None:
        """`Keep-Alive: timeout=5, max=100` says how long an idle connection is kept there; nonsense says nothing."""
        for value, wanted in (
            (b"timeout=5, max=100", 5.0),
            (b"max=1,Timeout = 7", 7.0),
            (b"timeout=soon", FOREVER),
            (b"timeout=-1", FOREVER),
            (b"timeout=" + b"9" * 5000, FOREVER),
        ):
            self.connect()
            self.ask()
            self.transport.feed(b"HTTP/1.1 200 OK\r\nKeep-Alive: " + value + b"\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(self.connection.keep_alive_for, wanted, value)

    def test_switched(self) -> None:
        """101: from then on every byte is the tunnel's."""
        attempt = self.ask()
        self.transport.feed(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\nfirst")
        self.transport.feed(OK)
        self.assertEqual((attempt.heads[0].status, attempt.body), (101, b"first" + OK))
        self.pass_time(1000)
        self.transport.half_close()
        self.assertEqual((attempt.done, self.transport.connected), (True, True))
        self.transport.unsent = 10
        self.connection.part()
        self.assertEqual((self.transport.connected, self.transport.aborted), (True, False))
        self.pass_time(62)
        self.assertTrue(self.transport.aborted)


class OutcomeTests(ServerCase):
    """Attempts that come to nothing (F62, F64)."""

    def test_closed(self) -> None:
        """Closed or reset without an answer, in the midst of a head too; said whether the connection was an old one."""
        for go in (self.half_close, self.lose):
            for begun in (b"", b"HTTP/1.1 200 OK\r\nX:", b"HTTP/1.1 100 Continue\r\n\r\n"):
                for old in (False, True):
                    self.connect()
                    if old:
                        self.ask()
                        self.transport.feed(OK)
                    attempt = self.ask()
                    if begun:
                        self.transport.feed(begun)
                    go()
                    assert isinstance(attempt.end, Unanswered)
                    self.assertEqual((attempt.end.timed_out, attempt.end.kept_alive), (False, old))
                    self.assertFalse(self.transport.connected)

    def half_close(self) -> None:
        self.transport.half_close()

    def lose(self) -> None:
        self.transport.lose()

    def test_not_http(self) -> None:
        """What is no answer is none; the connection is closed."""
        for data in (
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_RESPONSE_HEAD,
            b"HTTP/1.1 102 P\r\n\r\n" * (INTERIM_LIMIT + 1),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"\x16\x03\x01",
        ):
            self.connect()
            attempt = self.ask()
            self.transport.feed(data)
            assert isinstance(attempt.end, Unanswered), data[:80]
            self.assertEqual((attempt.heads, self.pool.released, self.transport.connected), ([], [], False))

    def test_broken_off(self) -> None:
        """An answer that has begun and does not end properly."""
        begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
        for data, go in (
            (begun, self.half_close),
            (begun, self.lose),
            (chunked, self.half_close),
            (chunked, lambda: self.transport.feed(b"zz\r\n")),
            (begun, lambda: self.pass_time(62)),
        ):
            self.connect()
            attempt = self.ask()
            self.transport.feed(data)
            go()
            self.assertEqual(
                (attempt.body, attempt.done, type(attempt.end), self.transport.connected), (b"ab", False, str, False)
            )

    def test_left(self) -> None:
        """Who has left is told nothing any more."""
        attempt = self.ask()
        self.connection.leave()
        self.assertEqual((attempt.end, self.transport.aborted), (None, True))
        self.assertEqual(len(self.patience), 0)


class TimeTests(ServerCase):
    """Deadlines (F62)."""

    def test_no_answer(self) -> None:
        """No head within the response time-out."""
        attempt = self.ask()
        self.pass_time(59)
        self.assertIsNone(attempt.end)
        self.pass_time(2)
        assert isinstance(attempt.end, Unanswered)
        self.assertEqual((attempt.end.timed_out, self.transport.aborted), (True, True))

    def test_dripping_head(self) -> None:
        """A head that drips in does not prolong it."""
        attempt = self.ask()
        for piece in bytewise(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60):
            self.transport.feed(piece)
            self.pass_time(1)
            if attempt.end:
                break
        self.assertIsInstance(attempt.end, Unanswered)

    def test_body_still_coming(self) -> None:
        """While the client sends, the back-end need not answer; when it has all, it must."""
        attempt = self.ask(whole=False)
        self.pass_time(500)
        self.connection.send_more(b"more", False)
        self.pass_time(500)
        self.connection.send_more(b"last", True)
        self.pass_time(59)
        self.assertIsNone(attempt.end)
        self.pass_time(2)
        self.assertIsInstance(attempt.end, Unanswered)

    def test_expected(self) -> None:
        """A back-end that is asked whether it wants the body must say so in time."""
        attempt = self.ask(whole=False, waits=True)
        self.pass_time(61)
        self.assertIsInstance(attempt.end, Unanswered)

    def test_reads_nothing(self) -> None:
        """A back-end that takes no bytes hangs; one that goes on taking them does not."""
        attempt = self.ask(whole=False)
        for _ in range(3):
            self.transport.pause_writing()
            self.pass_time(59)
            self.transport.resume_writing()
            self.pass_time(100)
        self.assertEqual((attempt.end, attempt.told), (None, ["pause", "resume"] * 3))
        self.transport.pause_writing()
        self.pass_time(61)
        self.assertIsInstance(attempt.end, Unanswered)

    def test_slow_client(self) -> None:
        """While our own client makes us wait, the back-end is not late."""
        attempt = self.ask()
        self.transport.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        self.transport.pauseProducing()
        self.pass_time(500)
        self.assertIsNone(attempt.end)
        self.transport.resumeProducing()
        self.pass_time(122)
        self.assertEqual(attempt.end, "the back-end stopped in the middle of its answer")
