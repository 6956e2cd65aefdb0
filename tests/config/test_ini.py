"""The file's syntax: what configparser reads, with lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.config.ini import Fault, Item, Part, Piece, decoded, parts_of


class DecodedTests(SynchronousTestCase):
    """Bytes to text."""

    def test_plain(self) -> None:
        """UTF-8 with either line end is taken as it is; tabs are allowed."""
        self.assertEqual(decoded("a\r\nb\n\tü".encode()), ("a\nb\n\tü", ()))

    def test_not_utf8(self) -> None:
        """C1: a byte that is not UTF-8 is told with its line, and the rest is read all the same."""
        text, faults = decoded(b"one\ntwo \xff\nthree")
        self.assertEqual(text, "one\ntwo \ufffd\nthree")
        self.assertEqual(faults, (Fault(2, "", "found byte 0xff, allowed is UTF-8"),))
        self.assertEqual(decoded(b"\n\xff")[1][0].line, 2)

    def test_byte_order_mark(self) -> None:
        """C1: an editor's byte order mark is told, not taken for a part of the first line."""
        text, faults = decoded(b"\xef\xbb\xbf[tls]")
        self.assertEqual(text, "[tls]")
        self.assertEqual([fault.line for fault in faults], [1])

    def test_control_characters(self) -> None:
        """C1: NUL and other control characters are told once a line and replaced."""
        text, faults = decoded(b"a\nb\0\0\nc\x1b[0m\rd")
        self.assertEqual(text, "a\nb\ufffd\ufffd\nc\ufffd[0m\ufffdd")
        self.assertEqual([fault.line for fault in faults], [2, 3])
        self.assertIn("0x00", faults[0].text)


class PartsTests(SynchronousTestCase):
    """Text to sections."""

    def parts(self, text: str) -> tuple[Part, ...]:
        """The sections of a text without faults, but for the empty one before the first."""
        parts, faults = parts_of(text)
        self.assertEqual(faults, ())
        self.assertEqual(parts[0], Part(0, "", ()))
        return parts[1:]

    def test_lines(self) -> None:
        """Sections, keys and each line of a value know their lines; keys are in lower case."""
        text = "; comment\n[ front-end ]\nListen = tcp:1 ; first\n  # comment\n\n   tcp:2;x\n# end\nadmin=\n"
        self.assertEqual(
            self.parts(text),
            (
                Part(
                    2,
                    "front-end",
                    (Item(3, "listen", (Piece(3, "tcp:1"), Piece(6, "tcp:2;x"))), Item(8, "admin", ())),
                ),
            ),
        )

    def test_value_begins_below(self) -> None:
        """A list may begin on the line after its key, and a value may hold further equal signs and a percent sign."""
        (part,) = self.parts("[a]\nkey =\n  x=%(y)s\n")
        self.assertEqual(part.items, (Item(2, "key", (Piece(3, "x=%(y)s"),)),))

    def test_repetition(self) -> None:
        """Repeated sections and keys are kept apart, DEFAULT is a section like any other."""
        parts = self.parts("[a]\nx = 1\nx = 2\n[DEFAULT]\ny = 3\n[a]\n[]")
        self.assertEqual([(part.line, part.title) for part in parts], [(1, "a"), (4, "DEFAULT"), (6, "a"), (7, "")])
        self.assertEqual([item.line for item in parts[0].items], [2, 3])

    def test_keys_before_sections(self) -> None:
        """Keys before the first section are in a part of line 0."""
        parts, faults = parts_of("x = 1\n= 2")
        self.assertEqual(parts, (Part(0, "", (Item(1, "x", (Piece(1, "1"),)), Item(2, "", (Piece(2, "2"),)))),))
        self.assertEqual(faults, ())

    def test_bogus_lines(self) -> None:
        """C1: every line that is neither section nor key is told with line and section, and without its text."""
        parts, faults = parts_of("oops\n[a]\nx = 1\nhunter2\n[tls\n[tls] y\ny = 2")
        self.assertEqual([(fault.line, fault.title) for fault in faults], [(1, ""), (4, "a"), (5, "a"), (6, "a")])
        self.assertNotIn("hunter2", repr(faults))
        self.assertIn("without its end", faults[2].text)
        self.assertEqual([item.line for item in parts[1].items], [3, 7])
