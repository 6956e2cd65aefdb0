"""Heads: the grammar of RFC 9112, what is accepted and what is refused."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import MessageError
from exfront.wire.heads import field, head_end, parse_request, parse_response, skip_empty_lines

BROWSER = (
    b"GET /owa/?ae=Folder HTTP/1.1\r\nHost: mail.adatum.com\r\nUser-Agent: Mozilla/5.0 \r\n"
    b"Accept: */*\r\nAuthorization: Basic YQ==\r\n\r\n"
)


class RequestTests(SynchronousTestCase):
    """What `parse_request` makes of a request."""

    def test_ordinary_request(self) -> None:
        """A request's parts are the client's bytes, its field lines byte-exact (F2)."""
        head = parse_request(BROWSER)
        self.assertEqual((head.method, head.target, head.path), (b"GET", b"/owa/?ae=Folder", b"/owa/"))
        self.assertEqual((head.minor, head.host, head.length, head.keep_alive), (1, b"mail.adatum.com", 0, True))
        self.assertEqual(head.lines, BROWSER.partition(b"\r\n")[2][:-2])
        self.assertEqual(
            head.noted,
            {b"host": b"mail.adatum.com", b"user-agent": b"Mozilla/5.0", b"authorization": b"Basic YQ=="},
        )

    def test_absolute_form(self) -> None:
        """An absolute-form target loses scheme and authority, and its authority replaces Host, in the field lines too."""
        head = parse_request(b"GET HTTP://b.example:81?q HTTP/1.1\r\nA: b\r\nhost: a.example\r\nC: d\r\n\r\n")
        self.assertEqual((head.target, head.path, head.host), (b"/?q", b"/", b"b.example:81"))
        self.assertEqual(head.raw_target, b"HTTP://b.example:81?q")
        self.assertEqual(head.lines, b"A: b\r\nhost: b.example:81\r\nC: d\r\n")
        self.assertEqual(head.noted[b"host"], b"b.example:81")

    def test_options_of_the_whole_server(self) -> None:
        """OPTIONS takes the asterisk-form, which an absolute URI without a path means too (RFC 9112 3.2.4)."""
        for target in (b"*", b"http://a.example"):
            head = parse_request(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertEqual((head.target, head.path, head.raw_target), (b"*", b"*", target))


class ResponseTests(SynchronousTestCase):
    """What `parse_response` makes of a response."""

    def test_lengths(self) -> None:
        """The length follows RFC 9112 6.3."""
        for method, start, lines, length in (
            (b"GET", b"200 OK", b"Content-Length: 5\r\n", 5),
            (b"GET", b"200 OK", b"Transfer-Encoding: Chunked\r\n", -1),
            (b"GET", b"200", b"", -2),
            (b"HEAD", b"200 OK", b"Content-Length: 5\r\n", 0),
            (b"GET", b"304 ", b"Content-Length: 5\r\n", 0),
            (b"GET", b"204 No Content", b"", 0),
            (b"GET", b"100 Continue", b"", 0),
        ):
            head = parse_response(b"HTTP/1.1 " + start + b"\r\n" + lines + b"\r\n", method)
            self.assertEqual((head.length, head.keep_alive), (length, length != -2), start)

    def test_repeated_length(self) -> None:
        """Equal lengths become one, differing ones are the back-end's mistake."""
        head = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\ncontent-length: 5\r\n\r\n", b"GET")
        self.assertEqual((head.length, head.lines), (5, b"A: b\r\nContent-Length: 5\r\n"))
        with self.assertRaises(MessageError) as caught:
            parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", b"GET")
        self.assertEqual(caught.exception.status, 502)


class BufferTests(SynchronousTestCase):
    """Finding a head in what was read."""

    def test_head_end(self) -> None:
        """The end is found, however few bytes there are; hopeless bytes are refused at once."""
        for cut in range(len(BROWSER)):
            self.assertEqual(head_end(BROWSER[:cut]), -1)
        self.assertEqual(head_end(BROWSER + b"more"), len(BROWSER))
        for hopeless in (b"\x16\x03\x01", b"GET / HTTP/1.1\nHost: a\n\n", b"GET /\0", b" ", b" " + BROWSER, b"\r\n" + BROWSER):
            self.assertRaises(MessageError, head_end, hopeless)

    def test_empty_lines(self) -> None:
        """A few empty lines before a request line are skipped (RFC 9112 2.2)."""
        self.assertEqual(skip_empty_lines(b"\r\n\r\nGET"), 4)
        self.assertEqual(skip_empty_lines(b"\r\n" * 9), 8)

    def test_field(self) -> None:
        """Any field's value can be asked for."""
        self.assertEqual(field(b"A: 1\r\nX-b:2 \r\na:3\r\n", b"a"), b"1, 3")
        self.assertEqual(field(b"A: 1\r\nX-b:2 \r\na:3\r\n", b"X-B"), b"2")
        self.assertIsNone(field(b"A: 1\r\nX-b:2 \r\na:3\r\n", b"b"))
