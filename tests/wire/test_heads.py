"""Heads: what is made of them, what is noted, and where they end; `test_corpus` has what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import MessageError
from exfront.wire import bodies, grammar, heads
from exfront.wire.heads import field, head_end, parse_request, parse_response, skip_empty_lines

if TYPE_CHECKING:
    from types import ModuleType

BROWSER = (
    b"GET /owa/?ae=Folder HTTP/1.1\r\nHost: mail.adatum.com\r\nUser-Agent: Mozilla/5.0 \r\n"
    b"Accept: */*\r\nAuthorization: Basic YQ==\r\n\r\n"
)


def request(lines: bytes, version: bytes = b"1.1") -> bytes:
    return b"GET / HTTP/" + version + b"\r\nHost: a.example\r\n" + lines + b"\r\n"


def response(start: bytes, lines: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + start + b"\r\n" + lines + b"\r\n"


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

    def test_every_noted_field(self) -> None:
        """All fields that exfront looks at are noted by lower-case name, whatever the case and the white space."""
        names = (
            b"Host Authorization Connection Content-Length TE Trailer Upgrade Expect Via Forwarded X-Forwarded-For X-Forwarded-Proto "
            b"X-Forwarded-Host X-Forwarded-Anything X-Request-Id Front-End-Https X-Real-IP Max-Forwards Destination If Referer User-Agent "
            b"Keep-Alive Proxy-Connection Proxy-Authorization HTTP2-Settings X_Forwarded_For X_FORWARDED-PROTO X_Request_Id "
            b"Front_End_Https X_Real_Ip X-Forwarded X-Original-URL X_Original_Host X-Rewrite-URL Proxy"
        ).split()
        for spelt in (names, [name.upper() for name in names], [name.lower() for name in names]):
            lines = b"".join(b"Accept: a\r\n%b: \t1 \t\r\nCookie: b\r\n" % name for name in spelt)
            head = parse_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
            self.assertEqual(head.noted, dict.fromkeys((name.lower() for name in names), b"1"))

    def test_nothing_else_is_noted(self) -> None:
        """Neither other fields, nor names that only begin or end like a noted one, nor text in values."""
        lines = b"Hosts: 1\r\nX-Host: 1\r\nContent-Lengths: 1\r\nIf-Match: 1\r\nTEA: 1\r\n"
        lines += b"X-Forward: 1\r\nX-Original: 1\r\nCookie: Host: 1\r\nX: \tvia: 1\r\n"
        self.assertEqual(parse_request(request(lines)).noted, {b"host": b"a.example"})

    def test_repeated_fields_are_joined(self) -> None:
        """Lines of one name are one list (RFC 9110 5.3), and empty values are values."""
        noted = parse_request(
            request(b"Via: 1.0 a\r\nExpect:\r\nX-Forwarded-For: 1, 2\r\nVIA:1.1 b\r\nx-forwarded-for: 3\r\n")
        ).noted
        self.assertEqual(
            (noted[b"via"], noted[b"x-forwarded-for"], noted[b"expect"]), (b"1.0 a, 1.1 b", b"1, 2, 3", b"")
        )

    def test_absolute_form(self) -> None:
        """An absolute-form target loses scheme and authority, and its authority replaces Host, in the field lines too."""
        head = parse_request(b"GET HTTP://b.example:81?q HTTP/1.1\r\nA: b\r\nhost: a.example\r\nC: d\r\n\r\n")
        self.assertEqual((head.target, head.path, head.host), (b"/?q", b"/", b"b.example:81"))
        self.assertEqual(head.raw_target, b"HTTP://b.example:81?q")
        self.assertEqual(head.lines, b"A: b\r\nhost: b.example:81\r\nC: d\r\n")
        self.assertEqual(head.noted[b"host"], b"b.example:81")

    def test_absolute_form_without_host(self) -> None:
        """An HTTP/1.0 client need not send Host: the back-end gets one."""
        head = parse_request(b"GET http://b.example/c HTTP/1.0\r\nA: b\r\n\r\n")
        self.assertEqual((head.target, head.host, head.lines), (b"/c", b"b.example", b"Host: b.example\r\nA: b\r\n"))

    def test_options_of_the_whole_server(self) -> None:
        """OPTIONS takes the asterisk-form, which an absolute URI without a path means too (RFC 9112 3.2.4)."""
        for target in (b"*", b"http://a.example"):
            head = parse_request(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertEqual((head.target, head.path, head.raw_target), (b"*", b"*", target))

    def test_keep_alive(self) -> None:
        """HTTP/1.1 persists unless told to close, HTTP/1.0 only when asked to (RFC 9112 9.3)."""
        for version, lines, kept in (
            (b"1.1", b"", True),
            (b"1.1", b"Connection: keep-alive\r\n", True),
            (b"1.1", b"Connection: Close\r\n", False),
            (b"1.1", b"Connection: TE ,\tclose\r\n", False),
            (b"1.1", b"Connection: TE\r\nConnection: close\r\n", False),
            (b"1.1", b"Connection: closed\r\n", True),
            (b"1.1", b"Connection:\r\n", True),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: TE, keep-alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
            (b"1.0", b"Proxy-Connection: keep-alive\r\n", False),
        ):
            self.assertEqual(parse_request(request(lines, version)).keep_alive, kept, (version, lines))

    def test_reasons_name_no_peer_data(self) -> None:
        """A refusal's reason is a fixed text, however secret what was sent."""
        for raw in (
            b"GET /secret\x00 HTTP/1.1\r\n\r\n",
            request(b"Authorization: secret\r\nAuthorization: secret\r\n"),
            b"secret\r\n\r\n",
        ):
            with self.assertRaises(MessageError) as caught:
                parse_request(raw)
            self.assertNotIn("secret", str(caught.exception))

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=60) | st.text("GET /:*HTP10.ostab \t\r\n-_", max_size=60).map(str.encode))
    def test_any_bytes(self, junk: bytes) -> None:
        """Whatever is fed, the answer is a head or a `MessageError`."""
        for head in (
            junk,
            b"GET / HTTP/1.1\r\n" + junk + b"\r\n\r\n",
            b"GET " + junk + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            try:
                parse_request(head)
            except MessageError as error:
                self.assertIn(error.status, (400, 431, 501, 505))


class ResponseTests(SynchronousTestCase):
    """What `parse_response` makes of a response."""

    def test_ordinary_response(self) -> None:
        """Status, reason and field lines are the back-end's bytes (F5)."""
        raw = response(
            b"207 Multi \xe9\tStatus",
            b"Date: now\r\nContent-Length: 5\r\nServer-Load:0.93 \r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
        )
        head = parse_response(raw, b"PROPFIND")
        self.assertEqual((head.status, head.reason, head.minor, head.keep_alive), (207, b"Multi \xe9\tStatus", 1, True))
        self.assertEqual(head.lines, raw.partition(b"\r\n")[2][:-2])
        self.assertEqual(head.noted, {b"content-length": b"5", b"server-load": b"0.93"})

    def test_every_noted_field(self) -> None:
        """All fields that exfront looks at are noted by lower-case name, and no others."""
        names = (
            b"Connection Content-Length Keep-Alive Trailer Upgrade TE Alt-Svc Location Content-Location Via Server-Load "
            b"WWW-Authenticate Proxy-Authenticate Proxy-Connection Persistent-Auth"
        ).split()
        lines = b"".join(
            b"Vary: a\r\nServer: b\r\nLast-Modified: c\r\nAllow: d\r\n%b: 1 \r\nContent-Type: e\r\n" % name
            for name in names
        )
        noted = parse_response(response(b"200 OK", lines), b"GET").noted
        self.assertEqual(noted, dict.fromkeys((name.lower() for name in names), b"1"))

    def test_lengths(self) -> None:
        """The length follows RFC 9112 6.3."""
        both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        for method, start, lines, length in (
            (b"GET", b"200 OK", b"Content-Length: 5\r\n", 5),
            (b"GET", b"200 OK", b"Transfer-Encoding: Chunked\r\n", -1),
            (b"GET", b"200", b"", -2),
            (b"HEAD", b"200 OK", b"Content-Length: 5\r\n", 0),
            (b"HEAD", b"200 OK", b"Transfer-Encoding: chunked\r\n", 0),
            (b"HEAD", b"200 OK", both, 0),
            (b"GET", b"304 ", b"Content-Length: 5\r\n", 0),
            (b"GET", b"204 No Content", b"", 0),
            (b"GET", b"204 No Content", both, 0),
            (b"GET", b"100 Continue", b"", 0),
            (b"GET", b"101 Switching Protocols", b"Connection: upgrade\r\nUpgrade: a\r\n", 0),
            (b"GET", b"999 Own", b"Content-Length: 0\r\n", 0),
        ):
            head = parse_response(response(start, lines), method)
            self.assertEqual((head.length, head.keep_alive), (length, length != -2), start)

    def test_length_where_none_may_be(self) -> None:
        """RFC 9110 8.6: a Content-Length in a 1xx or a 204 goes no further; in a 304 and in the answer to a HEAD it means something."""
        lines = b"A: b\r\nContent-Length: 5\r\nC: d\r\n"
        for method, start, kept in (
            (b"GET", b"103 Early Hints", False),
            (b"GET", b"204 No Content", False),
            (b"HEAD", b"204 No Content", False),
            (b"GET", b"304 Not Modified", True),
            (b"HEAD", b"200 OK", True),
        ):
            head = parse_response(response(start, lines), method)
            self.assertEqual(head.lines, lines if kept else b"A: b\r\nC: d\r\n", start)

    def test_keep_alive(self) -> None:
        """HTTP/1.0 persists only when it says so, nothing persists that ends with its connection."""
        for version, lines, kept in (
            (b"1.1", b"Content-Length: 0\r\n", True),
            (b"1.1", b"Content-Length: 0\r\nConnection: close\r\n", False),
            (b"1.1", b"Connection: keep-alive\r\n", False),
            (b"1.0", b"Content-Length: 0\r\n", False),
            (b"1.0", b"Content-Length: 0\r\nConnection: keep-alive\r\n", True),
        ):
            raw = b"HTTP/" + version + b" 200 OK\r\n" + lines + b"\r\n"
            self.assertEqual(parse_response(raw, b"GET").keep_alive, kept, (version, lines))

    def test_repeated_length(self) -> None:
        """Equal lengths become one, in the field lines too (RFC 9112 6.3)."""
        for lines in (b"Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n", b"A: b\r\nContent-Length: 5 ,5\r\n"):
            head = parse_response(response(b"200 OK", lines), b"GET")
            self.assertEqual((head.length, head.lines), (5, b"A: b\r\nContent-Length: 5\r\n"))
            self.assertEqual(head.noted[b"content-length"], b"5")

    def test_refused(self) -> None:
        """What a back-end breaks is 502."""
        good = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        for raw in (
            response(b"200 OK", b"Content-Length: 5, 6\r\n"),
            response(b"200 OK", b"Content-Length: 5\r\nContent-Length: 6\r\n"),
            response(b"200 OK", b"Content-Length: 5\r\nContent-Length:\r\n"),
            response(b"200 OK", b"Content-Length: +5\r\n"),
            response(b"304 Not Modified", b"Content-Length: five\r\n"),
            response(b"200 OK", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            response(b"200 OK", b"Transfer-Encoding: gzip, chunked\r\n"),
            response(b"200 OK", b"Transfer-Encoding: chunked, chunked\r\n"),
            response(b"200 OK", b"Transfer-Encoding: identity\r\n"),
            response(b"200 OK", b"Transfer-Encoding:\r\n"),
            response(b"200 OK", b"Content-Length : 5\r\n"),
            response(b"200 OK", b" Content-Length: 5\r\n"),
            response(b"200 OK", b"A: b\r\n c\r\n"),
            response(b"200 OK", b"A: b\nC: d\r\n"),
            response(b"200 OK", b"A: \x00\r\n"),
            response(b"200 OK", b"A: b\r\n" * 201),
            response(b"200 O\rK"),
            response(b"200 O\x00K"),
            response(b"099 Low"),
            response(b"20 Short"),
            response(b"2000 Long"),
            response(b" 200 OK"),
            response(b"200\tOK"),
            response(b"+20 OK"),
            good.replace(b"HTTP/1.1", b"HTTP/2.0"),
            good.replace(b"HTTP/1.1", b"http/1.1"),
            good.replace(b"HTTP/1.1 200 OK", b"ICY 200 OK"),
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"<html>\r\n\r\n",
        ):
            with self.assertRaises(MessageError) as caught:
                parse_response(raw, b"GET")
            self.assertEqual(caught.exception.status, 502, raw)


class BufferTests(SynchronousTestCase):
    """Finding a head in what was read."""

    def test_head_end(self) -> None:
        """The end is found, however few bytes there are, from wherever the head starts."""
        for cut in range(len(BROWSER)):
            self.assertEqual(head_end(BROWSER[:cut]), -1)
        self.assertEqual(head_end(BROWSER + b"more"), len(BROWSER))
        self.assertEqual(head_end(bytearray(b"xyz" + BROWSER * 2), 3), 3 + len(BROWSER))
        self.assertEqual(head_end(b"\r"), -1)

    def test_hopeless_bytes(self) -> None:
        """What can never become a head is refused at once."""
        early = (
            b"\x16\x03\x01",
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET /\0",
            b" ",
            b"\n",
            b"\rG",
            b"GET /" + b"a" * 9000 + b"\n",
        )
        for hopeless in (*early, b" " + BROWSER, b"\r\n" + BROWSER):
            with self.assertRaises(MessageError) as caught:
                head_end(hopeless, 0, 502)
            self.assertEqual(caught.exception.status, 502)

    def test_long_heads(self) -> None:
        """A long head that is not complete yet is not taken for a broken one, wherever the line ends fall."""
        lines = b"GET / HTTP/1.1\r\n" + b"Name: value\r\n" * 800
        for cut in range(len(lines) - 20, len(lines)):
            self.assertEqual(head_end(lines[:cut]), -1)

    def test_empty_lines(self) -> None:
        """A few empty lines before a request line are skipped (RFC 9112 2.2)."""
        self.assertEqual(skip_empty_lines(b"\r\n\r\nGET"), 4)
        self.assertEqual(skip_empty_lines(b"\r\n" * 9), 8)
        self.assertEqual(skip_empty_lines(b"\r"), 0)

    def test_field(self) -> None:
        """Any field's value can be asked for, by a name that is no pattern."""
        lines = b"A: 1\r\nX-b:2 \r\na:3\r\nC:\r\nD: a: 4\r\n"
        self.assertEqual(field(lines, b"a"), b"1, 3")
        self.assertEqual(field(lines, b"X-B"), b"2")
        self.assertEqual(field(lines, b"c"), b"")
        self.assertIsNone(field(lines, b"b"))
        self.assertIsNone(field(lines, b"x.b"))


def patterns_of(*modules: ModuleType) -> list[re.Pattern[bytes]]:
    """The compiled expressions of some modules, also those of which only a bound method is kept."""
    found = []
    for value in (value for module in modules for value in vars(module).values()):
        pattern = getattr(value, "__self__", value)
        if isinstance(pattern, re.Pattern):
            found.append(pattern)
    return found


class GrammarTests(SynchronousTestCase):
    """The expressions themselves."""

    def test_no_group_repeats_possessively(self) -> None:
        """Python before 3.11.5 accepts too much where a group repeats possessively: no expression does that."""
        sources = [one.pattern for one in patterns_of(grammar, heads, bodies)]
        self.assertGreater(len(sources), 12)
        for source in sources:
            without_sets = re.sub(rb"\[(?:\\.|[^\\\]])+\]", b"", source)
            self.assertIsNone(re.search(rb"(?<!\\)\)(?:[*+?]|\{[0-9,]*\})\+", without_sets), source)
