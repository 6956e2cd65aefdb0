"""A byte stream is cut into LDAP messages, however it comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.framing import LARGEST, Framer
from exfront.directory.trouble import BrokenMessage


def message(size: int) -> bytes:
    """A message with so many bytes of content, its length in the shortest form."""
    content = bytes(number % 251 for number in range(size))
    if size < 0x80:
        return b"\x30" + bytes([size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(octets)]) + octets + content


def taken(framer: Framer) -> list[bytes]:
    found = []
    while (one := framer.take()) is not None:
        found.append(one)
    return found


class FramerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.messages = [message(size) for size in (0, 1, 127, 128, 255, 256, 300, 70000)]

    def test_whole(self) -> None:
        """All messages of one piece come out, in order, unchanged."""
        framer = Framer()
        framer.feed(b"".join(self.messages))
        self.assertEqual(taken(framer), self.messages)
        self.assertEqual(framer.pending, 0)

    def test_byte_by_byte(self) -> None:
        """A message comes out with its last byte and not before."""
        framer, stream = Framer(), b"".join(self.messages[:-1])
        found = []
        for number in range(len(stream)):
            framer.feed(stream[number : number + 1])
            found += taken(framer)
        self.assertEqual(found, self.messages[:-1])

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.integers(0, 400), max_size=8), st.data())
    def test_split_anywhere(self, sizes: list[int], data: st.DataObject) -> None:
        """Where the stream is cut makes no difference."""
        messages = [message(size) for size in sizes]
        stream, framer, found = b"".join(messages), Framer(), []
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            framer.feed(stream[start:end])
            found += taken(framer)
        self.assertEqual(found, messages)

    def test_one_at_a_time(self) -> None:
        """What stands behind a message is seen before it is taken out: the guard of StartTLS needs that."""
        framer = Framer()
        framer.feed(message(3) + b"\x30")
        self.assertEqual(framer.take(), message(3))
        self.assertEqual(framer.pending, 1)

    def test_long_form_of_a_short_length(self) -> None:
        """Active Directory writes every length in four octets."""
        framer, whole = Framer(), b"\x30\x84\x00\x00\x00\x02ab"
        framer.feed(whole)
        self.assertEqual(framer.take(), whole)

    def test_not_ldap(self) -> None:
        """Anything that does not begin like a message is refused at its first byte."""
        for first in set(range(256)) - {0x30}:
            framer = Framer()
            framer.feed(bytes([first]))
            self.assertRaises(BrokenMessage, framer.take)

    def test_unusable_lengths(self) -> None:
        """Indefinite lengths (RFC 4511 5.1 forbids them) and lengths of five octets and more are refused."""
        for octet in (0x80, 0x85, 0xFF):
            framer = Framer()
            framer.feed(bytes([0x30, octet]))
            self.assertRaises(BrokenMessage, framer.take)

    def test_largest(self) -> None:
        """The largest message passes; one byte more is refused as soon as its length is known."""
        content = LARGEST - 5
        framer = Framer()
        framer.feed(b"\x30\x83" + content.to_bytes(3, "big"))
        self.assertIsNone(framer.take())
        framer = Framer()
        framer.feed(b"\x30\x83" + (content + 1).to_bytes(3, "big"))
        self.assertRaises(BrokenMessage, framer.take)
