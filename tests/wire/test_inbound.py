"""The client's side, without sockets: framing, order, time-outs and the ends of a connection, on a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.wire.inbound import DISCARDED, PIPELINED, ClientConnection
from exfront.wire.line import LINGER, text_address
from exfront.wire.patience import Patience
from exfront.wire.roles import Limits
from tests.fakes.transports import FakeTransport
from tests.wire.messages import requests
from tests.wire.reading import cut

if TYPE_CHECKING:
    from exfront.errors import MessageError
    from exfront.model import RequestHead

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Carrier:
    """A receiver that writes down what it is told; the test answers for it."""

    def __init__(self, connection: ClientConnection, head: RequestHead) -> None:
        self.connection = connection
        self.head = head
        self.answering = False
        self.told: list[object] = []
        self.body = b""

    def body_received(self, data: bytes) -> None:
        assert data
        self.body += data

    def body_ended(self, trailers: bytes) -> None:
        self.told.append(("ended", trailers))

    def body_broken(self, error: MessageError) -> None:
        self.told.append(("broken", error.status))
        self.answer(b"%d" % error.status, close=True)

    def client_gone(self) -> None:
        self.told.append("gone")

    def pauseProducing(self) -> None:
        self.told.append("paused")

    def resumeProducing(self) -> None:
        self.told.append("resumed")

    def answer(self, text: bytes = b"", close: bool = False) -> None:
        self.answering = True
        self.connection.write(b"[%b %b]" % (self.head.target, text))
        self.connection.finished(close)


class Site:
    """Takes every request; answers at once what lies under `/now`."""

    def __init__(self, at_once: bool = False) -> None:
        self.carriers: list[Carrier] = []
        self.refused: list[int] = []
        self.at_once = at_once

    def take(self, connection: ClientConnection, head: RequestHead) -> Carrier | None:
        carrier = Carrier(connection, head)
        self.carriers.append(carrier)
        if self.at_once or head.target.startswith(b"/now"):
            carrier.answer()
            return None
        return carrier

    def refuse(self, connection: ClientConnection, error: MessageError) -> None:
        self.refused.append(error.status)
        connection.write(b"[refused %d]" % error.status)
        connection.finished(close=True)


class ConnectionCase(unittest.TestCase):
    """One connection on a clock."""

    limits = Limits(header_timeout=10, body_timeout=20, idle_timeout=30, max_head_size=1000, max_body_size=0)

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.patience.start()
        self.addCleanup(self.patience.stop)
        self.site = Site()
        self.connection, self.transport = self.connect()

    def connect(self) -> tuple[ClientConnection, FakeTransport]:
        connection = ClientConnection(self.site, self.limits, self.clock, self.patience)
        return connection, FakeTransport(connection).connect()

    def pass_time(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    @property
    def last(self) -> Carrier:
        return self.site.carriers[-1]


class OrderTests(ConnectionCase):
    """Requests are carried one after the other."""

    def test_pipelined_wait(self) -> None:
        """The second request is taken when the first one is answered."""
        self.transport.feed(GET % 1 + GET % 2 + GET % 3)
        for number in (1, 2, 3):
            self.assertEqual(len(self.site.carriers), number)
            self.last.answer()
        self.assertEqual(self.transport.taken(), b"[/1 ][/2 ][/3 ]")

    def test_deep_pipeline(self) -> None:
        """Thousands that are answered at once need no stack."""
        self.site.at_once = True
        self.transport.feed(b"".join(GET % number for number in range(5000)))
        self.assertEqual(self.transport.taken().count(b"["), 5000)

    def test_answered_later_one_by_one(self) -> None:
        """Thousands of kept requests, each answered from without."""
        self.transport.feed(b"".join(GET % number for number in range(1000)))
        for _ in range(1000):
            self.last.answer()
        self.assertEqual(len(self.site.carriers), 1000)

    def test_reading_pauses(self) -> None:
        """More than PIPELINED bytes behind a request that is being answered stop the reading; it goes on behind the answer."""
        self.transport.feed(GET % 1)
        while self.transport.reading:
            self.transport.feed(GET % 2)
        self.assertTrue(PIPELINED < len(self.connection._buffer) < PIPELINED + 1000)
        self.site.at_once = True
        self.last.answer()
        self.assertTrue(self.transport.reading)
        self.assertEqual(self.connection._buffer, b"")

    def test_slow_reader_of_pipelined(self) -> None:
        """A client that reads nothing is not answered into memory: heads wait until it has read."""
        self.site.at_once = True
        self.transport.pause_writing()
        self.transport.feed(GET % 1 + GET % 2)
        self.assertEqual(self.site.carriers, [])
        self.transport.resume_writing()
        self.assertEqual(self.transport.taken(), b"[/1 ][/2 ]")

    def test_half_close_of_slow_reader(self) -> None:
        """A client that sends no more and reads late gets all its answers, then the end."""
        self.site.at_once = True
        self.transport.pause_writing()
        self.transport.feed(GET % 1 + GET % 2)
        self.transport.half_close()
        self.assertTrue(self.transport.connected)
        self.transport.resume_writing()
        self.assertEqual(self.transport.taken(), b"[/1 ][/2 ]")
        self.assertFalse(self.transport.connected)

    def test_reading_goes_on_behind_a_paused_body(self) -> None:
        """A carrier that has stopped the reading has not stopped it for the next request."""
        self.transport.feed(PUT % (1, 3) + b"abc")
        self.transport.pauseProducing()
        self.last.answer()
        self.assertTrue(self.transport.reading)
        self.transport.feed(GET % 2)
        self.assertEqual(len(self.site.carriers), 2)


class BodyTests(ConnectionCase):
    """Bodies, wanted and not."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(1, 3000), max_size=12))
    def test_any_cut(self, messages: list, places: list[int]) -> None:
        """Whole, cut anywhere: the same heads and bodies."""
        self.setUp()
        self.limits = self.limits._replace(max_head_size=65536)
        self.connection, self.transport = self.connect()
        data = b"".join(one.raw for one in messages)
        for piece in cut(data, places):
            self.transport.feed(piece)
            while self.site.carriers and (self.last.told or not self.last.head.length) and not self.last.answering:
                self.last.answer()
        self.assertEqual(
            [(one.head.method, one.head.target, one.body) for one in self.site.carriers],
            [(one.method, one.target, one.payload) for one in messages],
        )
        self.patience.stop()

    def test_gone_within(self) -> None:
        """A client that ends within its body is gone; half-closing counts as that."""
        for go in (self.transport.half_close, None):
            if go is None:
                self.connection, self.transport = self.connect()
                go = self.transport.lose
            self.transport.feed(PUT % (1, 10) + b"abc")
            go()
            self.assertEqual(self.last.told, ["gone"])
            self.assertFalse(self.transport.connected)

    def test_answered_early(self) -> None:
        """A small rest is read away, the next request is taken."""
        self.transport.feed(PUT % (1, 10) + b"abc")
        self.last.answer()
        self.assertEqual((self.connection.persists, self.transport.ended), (True, False))
        self.transport.feed(b"defghij" + GET % 2)
        self.assertEqual([one.head.target for one in self.site.carriers], [b"/1", b"/2"])
        self.assertEqual(self.site.carriers[0].told, [])

    def test_answered_early_large(self) -> None:
        """With much to come the connection ends behind the answer."""
        self.transport.feed(PUT % (1, DISCARDED + 10) + b"abc")
        self.last.answer()
        self.assertTrue(self.transport.ended)
        self.transport.feed(b"x" * 1000 + GET % 2)
        self.assertEqual(len(self.site.carriers), 1)

    def test_answered_at_once(self) -> None:
        """A request whose body nobody waits for, in one piece with the next one."""
        self.transport.feed(b"PUT /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET % 2)
        self.assertEqual([one.head.target for one in self.site.carriers], [b"/now", b"/2"])

    def test_broken_when_nobody_listens(self) -> None:
        """Broken framing of a body that was answered ends the connection without a second answer."""
        self.transport.feed(b"PUT /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.transport.taken()
        self.transport.feed(b"zz\r\n")
        self.assertEqual((self.transport.taken(), self.transport.ended), (b"", True))

    def test_expected_and_answered(self) -> None:
        """A body that was announced and not sent: whether it comes nobody knows, so the connection ends (RFC 9110 10.1.1)."""
        self.transport.feed(b"PUT /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        self.assertFalse(self.connection.persists)
        self.last.answer()
        self.assertTrue(self.transport.ended)

    def test_limit(self) -> None:
        """max_body_size: declared, and found out."""
        self.limits = self.limits._replace(max_body_size=10)
        self.connection, self.transport = self.connect()
        self.transport.feed(PUT % (1, 11))
        self.assertEqual(self.site.refused, [413])
        self.connection, self.transport = self.connect()
        self.transport.feed(b"PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
        self.transport.feed(b"5\r\nabcde\r\n")
        self.assertEqual(self.last.told, [("broken", 413)])


class TimeTests(ConnectionCase):
    """Deadlines."""

    def test_silence(self) -> None:
        """header_timeout from the start, then idle_timeout; closed without a word."""
        self.pass_time(9)
        self.assertTrue(self.transport.connected)
        self.pass_time(2)
        self.assertFalse(self.transport.connected)
        self.connection, self.transport = self.connect()
        self.transport.feed(GET % 1)
        self.pass_time(100)
        self.last.answer()
        self.pass_time(29)
        self.assertTrue(self.transport.connected)
        self.pass_time(2)
        self.assertFalse(self.transport.connected)
        self.assertEqual((self.transport.taken(), len(self.patience)), (b"[/1 ]", 0))

    def test_dripping_head(self) -> None:
        """header_timeout from a head's first byte, not from its last; the same behind another request."""
        for before in (b"", GET % 1, b"GET /now HTTP/1.1\r\nHost: a\r\n\r\n"):
            self.connection, self.transport = self.connect()
            self.transport.feed(before + b"GET / HTTP/1.1\r\n")
            if before == GET % 1:
                self.last.answer()
            for _ in range(3):
                self.pass_time(3)
                self.transport.feed(b"X: y\r\n")
            self.assertEqual(self.site.refused, [])
            self.pass_time(2)
            self.assertEqual(self.site.refused.pop(), 408)

    def test_empty_lines(self) -> None:
        """Empty lines are no head: they prolong nothing."""
        for _ in range(4):
            self.pass_time(2)
            self.transport.feed(b"\r\n")
        self.pass_time(3)
        self.assertFalse(self.transport.connected)

    def test_stopping_body(self) -> None:
        """body_timeout without a byte: 408; while we do not read ourselves it does not count."""
        self.transport.feed(PUT % (1, 10) + b"a")
        self.transport.pauseProducing()
        self.pass_time(100)
        self.assertEqual(self.last.told, [])
        self.transport.resumeProducing()
        self.pass_time(19)
        self.transport.feed(b"b")
        self.pass_time(19)
        self.assertEqual(self.last.told, [])
        self.pass_time(2)
        self.assertEqual(self.last.told, [("broken", 408)])

    def test_slow_reader(self) -> None:
        """A client that takes bytes, however few, goes on; one that takes none for body_timeout is aborted."""
        self.transport.feed(GET % 1)
        self.transport.unsent = 1000
        self.transport.pause_writing()
        for left in (900, 800):
            self.transport.unsent = left
            self.pass_time(20)
            self.assertTrue(self.transport.connected)
        self.pass_time(21)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.last.told, ["paused", "gone"])

    def test_lingering(self) -> None:
        """A closed connection reads on for a moment; what is not sent yet gets as long as anything."""
        self.transport.feed(GET % 1)
        self.last.answer(close=True)
        self.assertEqual((self.transport.ended, self.transport.connected), (True, True))
        self.transport.feed(b"whatever")
        self.pass_time(int(LINGER) + 1)
        self.assertTrue(self.transport.aborted)
        self.connection, self.transport = self.connect()
        self.transport.feed(GET % 2)
        self.transport.unsent = 1000
        self.last.answer(close=True)
        self.pass_time(int(LINGER) + 10)
        self.assertTrue(self.transport.connected)
        self.transport.unsent = 500
        self.pass_time(20)
        self.assertTrue(self.transport.connected)
        self.pass_time(25)
        self.assertTrue(self.transport.aborted)

    def test_hanging_up_on_one_that_does_not_read(self) -> None:
        """An idle connection that is to be closed, with bytes that nobody takes, does not stay for ever."""
        self.transport.feed(GET % 1)
        self.transport.unsent = 1000
        self.last.answer()
        self.transport.half_close()
        self.assertTrue(self.transport.connected)
        self.pass_time(60)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(len(self.patience), 0)


class EndTests(ConnectionCase):
    """Half-closes, drains, tunnels."""

    def test_half_closed_waits(self) -> None:
        """A client that sends no more waits for its answer, and hears now and then that it is being worked on."""
        self.transport.feed(GET % 1)
        self.transport.half_close()
        self.assertEqual(self.transport.taken(), b"HTTP/1.1 102 Processing\r\n\r\n")
        self.pass_time(30)
        self.assertEqual(self.last.told, [])
        self.transport.taken()
        self.last.answer()
        self.assertEqual((self.transport.taken(), self.transport.connected), (b"[/1 ]", False))

    def test_half_closed_and_gone(self) -> None:
        """When the kernel knows that it is gone, it is gone."""
        self.transport.feed(GET % 1)
        self.transport.half_close()
        self.transport.peer_is_gone = True
        self.clock.advance(0.2)
        self.assertEqual((self.last.told, self.transport.connected), (["gone"], False))

    def test_half_closed_old_client(self) -> None:
        """An HTTP/1.0 client hears nothing before its answer."""
        self.transport.feed(b"GET / HTTP/1.0\r\n\r\n")
        self.transport.half_close()
        self.pass_time(10)
        self.assertEqual(self.transport.taken(), b"")

    def test_drain(self) -> None:
        """Idle: closed now. Busy: behind the answer, which says so."""
        self.connection.drain()
        self.assertFalse(self.transport.connected)
        self.connection, self.transport = self.connect()
        self.transport.feed(GET % 1)
        self.connection.drain()
        self.assertFalse(self.connection.persists)
        self.last.answer()
        self.assertTrue(self.transport.ended)

    def test_abandon(self) -> None:
        """Whoever carries the request is told, once."""
        self.transport.feed(GET % 1)
        self.connection.abandon()
        self.assertEqual((self.last.told, self.transport.aborted), (["gone"], True))

    def test_abort_of_old_client(self) -> None:
        """An HTTP/1.0 client, to whom the connection's end is the body's, gets a reset."""
        for version, reset in ((b"1.0", True), (b"1.1", False)):
            self.connection, self.transport = self.connect()
            self.transport.feed(b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version)
            self.connection.abort()
            self.assertEqual((self.transport.aborted, self.transport.reset), (True, reset))

    def test_tunnel(self) -> None:
        """Every byte goes to the taker; what came before the switch, too; the end is told as the body's."""
        taken: list[bytes] = []
        self.transport.feed(GET % 1 + b"early")
        self.connection.tunnel(self.last, taken.append)
        self.transport.feed(b"late\r\n\r\n")
        self.transport.half_close()
        self.assertEqual((taken, self.last.told), ([b"early", b"late\r\n\r\n"], [("ended", b"")]))
        self.pass_time(1000)
        self.assertTrue(self.transport.connected)

    def test_tunnel_of_half_closed(self) -> None:
        """A client that had ended before is told of at once."""
        self.transport.feed(GET % 1)
        self.transport.half_close()
        self.connection.tunnel(self.last, lambda data: None)
        self.assertEqual(self.last.told, [("ended", b"")])

    def test_pinned_closes_with_its_client(self) -> None:
        """A back-end connection of its own goes with it."""
        closed: list[bool] = []

        class Own:
            def close(self) -> None:
                closed.append(True)

        self.connection.pinned = Own()
        self.transport.lose()
        self.assertEqual(closed, [True])

    def test_addresses(self) -> None:
        """IPv4 in IPv6 clothes is shown as IPv4; a UNIX socket has no address."""
        from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

        for address, text in (
            (IPv4Address("TCP", "192.0.2.1", 1), b"192.0.2.1"),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 1), b"192.0.2.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), b"2001:db8::1"),
            (UNIXAddress(None), b"-"),
        ):
            self.assertEqual(text_address(address), text)
