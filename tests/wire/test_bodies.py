"""Bodies: where they end, what is payload, which trailers pass; `test_corpus` has more of what is refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import IncompleteBody, MessageError
from exfront.wire.bodies import Body, ChunkedBody, LengthBody, UntilCloseBody, encode_chunk, last_chunk
from tests.wire.reading import cut


def fed(body: Body, wire: bytes, size: int) -> bytes:
    """The payload of `wire` fed in pieces of `size` bytes."""
    return b"".join(body.feed(wire[at : at + size]) for at in range(0, len(wire), size))


class LengthTests(SynchronousTestCase):
    """A body with Content-Length."""

    def test_ends_at_its_length(self) -> None:
        """What comes behind the length belongs to the next message."""
        body = LengthBody(5)
        self.assertEqual((body.feed(b"abc"), body.done, body.remaining, body.rest), (b"abc", False, 2, b""))
        self.assertRaises(IncompleteBody, body.end)
        self.assertEqual((body.feed(b"deGET"), body.done, body.remaining, body.rest), (b"de", True, 0, b"GET"))
        self.assertEqual((body.feed(b" /"), body.rest, body.trailers), (b"", b"GET /", b""))
        body.end()

    def test_no_body(self) -> None:
        """A body of no bytes is done before anything is fed."""
        body = LengthBody(0)
        self.assertTrue(body.done)
        self.assertEqual((body.feed(b"GET"), body.rest), (b"", b"GET"))
        body.end()

    def test_whole_pieces_are_not_copied(self) -> None:
        """A piece that is all payload comes back itself."""
        piece = bytes(1000)
        body = LengthBody(2000)
        self.assertIs(body.feed(piece), piece)
        self.assertIs(body.feed(piece), piece)
        self.assertTrue(body.done)


class ChunkedTests(SynchronousTestCase):
    """A body in chunks."""

    WIRE = b'5;a="b;\\""\r\nhello\r\nC\r\n, \r\nworld\r\n!\r\n0\r\nX-Sum: 1\r\nSet_Cookie: a=9\r\n\r\n'

    def test_pieces_of_any_size(self) -> None:
        """However the bytes arrive, payload, trailers and rest are the same."""
        for size in range(1, len(self.WIRE) + 3):
            body = ChunkedBody()
            payload = fed(body, self.WIRE + b"GET", size)
            self.assertTrue(body.done)
            self.assertEqual((payload, body.trailers, body.rest), (b"hello, \r\nworld\r\n!", b"X-Sum: 1\r\n", b"GET"))
            body.end()

    def test_ends_early(self) -> None:
        """The peer may close only behind the last byte of the trailer section (RFC 9112 8)."""
        for length in range(len(self.WIRE)):
            body = ChunkedBody()
            body.feed(self.WIRE[:length])
            self.assertFalse(body.done)
            self.assertRaises(IncompleteBody, body.end)

    def test_remaining(self) -> None:
        """What is still to come of the chunk under way is known, no more."""
        body = ChunkedBody()
        self.assertEqual(body.remaining, 0)
        body.feed(b"1000\r\nabc")
        self.assertEqual(body.remaining, 0x1000 - 3)
        body.feed(bytes(0x1000 - 3))
        self.assertEqual(body.remaining, 0)

    def test_inside_of_a_chunk_is_not_copied(self) -> None:
        """A piece from the inside of a large chunk comes back itself."""
        body, piece = ChunkedBody(), bytes(1000)
        body.feed(b"ffff\r\n")
        self.assertIs(body.feed(piece), piece)

    def test_trailers(self) -> None:
        """Trailers pass byte-exact but for the forbidden ones (RFC 9110 6.5.1), in any case and with underscores."""
        passing = b"X-Sum:1 \r\nServer-Timing: a\r\nETag: b\r\nIfs: c\r\nX-Host: d\r\n"
        forbidden = (
            b"Authorization Connection Cookie SET-COOKIE Set_Cookie2 Content-Type content_encoding TE Trailer Upgrade Keep-Alive Via "
            b"Forwarded X-Forwarded-For x_forwarded_proto X-Request-Id Front_End_Https Destination If If-Match Proxy-Authorization "
            b"Cache-Control Location"
        ).split()
        wire = b"0\r\n" + b"".join(
            line + b"\r\n" + forbidden.pop() + b": z: 1\r\n" for line in passing.split(b"\r\n")[:-1]
        )
        wire += b"".join(name + b":\r\n" for name in forbidden) + b"\r\n"
        body = ChunkedBody()
        self.assertEqual((body.feed(wire), body.done, body.trailers), (b"", True, passing))

    def test_limits(self) -> None:
        """Size lines and trailers have a largest size, whole or dripping in; the status is the caller's."""
        for wire, line, section in (
            (b"1;" + b"a" * 20 + b"\r\n", 20, 100),
            (b"1;" + b"a" * 40, 20, 100),
            (b"0\r\nA: " + b"b" * 100 + b"\r\n\r\n", 20, 100),
            (b"0\r\nA: " + b"b" * 100, 20, 100),
            (b"0\r\n" + b"A:\r\n" * 201 + b"\r\n", 20, 10000),
        ):
            for size in (1, len(wire)):
                with self.assertRaises(MessageError) as caught:
                    fed(ChunkedBody(line, section, 502), wire, size)
                self.assertEqual(caught.exception.status, 502)
        self.assertEqual(ChunkedBody(22, 100).feed(b"1;" + b"a" * 20 + b"\r\nb"), b"b")

    def test_refused_early(self) -> None:
        """What can never become right is refused before its line ends."""
        for wire in (
            b"5 ",
            b"5\n",
            b" ",
            b"g",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"5\rx",
            b"0\r\n ",
            b"0\r\nA: b\n",
            b"0\r\nA: \0",
            b"-",
        ):
            self.assertRaises(MessageError, ChunkedBody().feed, wire)

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 500), max_size=9))
    def test_round_trip(self, pieces: list[bytes], places: list[int]) -> None:
        """What `encode_chunk` and `last_chunk` write is read back, wherever it is cut."""
        wire = b"".join(map(encode_chunk, pieces)) + last_chunk(b"A: b\r\n") + b"rest"
        body = ChunkedBody()
        payload = b"".join(map(body.feed, cut(wire, places)))
        self.assertEqual((payload, body.trailers, body.rest), (b"".join(pieces), b"A: b\r\n", b"rest"))

    def test_encoding(self) -> None:
        """Empty data is no chunk, since an empty chunk ends the body."""
        self.assertEqual((encode_chunk(b"a" * 26), encode_chunk(b"")), (b"1a\r\n" + b"a" * 26 + b"\r\n", b""))
        self.assertEqual((last_chunk(), last_chunk(b"A: b\r\n")), (b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"))


class UntilCloseTests(SynchronousTestCase):
    """A body that ends with its connection."""

    def test_ends_with_the_connection(self) -> None:
        """Everything is payload until the peer closes."""
        body = UntilCloseBody()
        self.assertEqual((body.feed(b"abc"), body.done, body.rest, body.trailers), (b"abc", False, b"", b""))
        body.end()
        self.assertTrue(body.done)
