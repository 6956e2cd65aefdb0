"""Bodies: where they end, what is payload, what is refused."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import IncompleteBody, MessageError
from exfront.wire.bodies import ChunkedBody, LengthBody, UntilCloseBody, encode_chunk, last_chunk


class LengthTests(SynchronousTestCase):
    """A body with Content-Length."""

    def test_ends_at_its_length(self) -> None:
        """What comes behind the length belongs to the next message."""
        body = LengthBody(5)
        self.assertEqual((body.feed(b"abc"), body.done, body.remaining), (b"abc", False, 2))
        self.assertRaises(IncompleteBody, body.end)
        self.assertEqual((body.feed(b"deGET"), body.done, body.rest), (b"de", True, b"GET"))
        self.assertEqual((body.feed(b" /"), body.rest), (b"", b"GET /"))
        body.end()


class ChunkedTests(SynchronousTestCase):
    """A body in chunks."""

    WIRE = b'5;a="b;\\""\r\nhello\r\nC\r\n, \r\nworld\r\n!\r\n0\r\nX-Sum: 1\r\nSet_Cookie: a=9\r\n\r\n'

    def test_fed_whole_and_byte_by_byte(self) -> None:
        """However the bytes arrive, payload, trailers and rest are the same; forbidden trailers are gone (RFC 9110 6.5.1)."""
        for size in range(1, len(self.WIRE) + 1):
            body, payload = ChunkedBody(), b""
            for at in range(0, len(self.WIRE), size):
                self.assertFalse(body.done)
                self.assertRaises(IncompleteBody, body.end)
                payload += body.feed(self.WIRE[at : at + size])
            self.assertTrue(body.done)
            self.assertEqual((payload, body.trailers, body.rest), (b"hello, \r\nworld\r\n!", b"X-Sum: 1\r\n", b""))

    def test_broken_framing(self) -> None:
        """Every deviation from the grammar is refused."""
        for wire in (
            b"5 \r\nhello",
            b"5\nhello",
            b" 5\r\n",
            b"0x5\r\n",
            b"+5\r\n",
            b"5\r\nhelloX",
            b"\r\n",
            b"g",
            b"0\r\n a: b\r\n",
        ):
            self.assertRaises(MessageError, ChunkedBody().feed, wire)

    def test_encoding(self) -> None:
        """What `encode_chunk` and `last_chunk` write is read back; empty data is no chunk."""
        body = ChunkedBody()
        wire = encode_chunk(b"abc") + encode_chunk(b"") + encode_chunk(b"d" * 300) + last_chunk(b"A: b\r\n")
        self.assertEqual((body.feed(wire + b"x"), body.trailers, body.rest), (b"abc" + b"d" * 300, b"A: b\r\n", b"x"))


class UntilCloseTests(SynchronousTestCase):
    """A body that ends with its connection."""

    def test_ends_with_the_connection(self) -> None:
        """Everything is payload until the peer closes."""
        body = UntilCloseBody()
        self.assertEqual((body.feed(b"abc"), body.done), (b"abc", False))
        body.end()
        self.assertTrue(body.done)
