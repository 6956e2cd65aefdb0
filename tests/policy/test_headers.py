"""Header lines on their way through (F2, F3, F5)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from exfront.policy.headers import Client, believed_client, markers, named_in_connection, request_lines, response_lines
from exfront.wire.heads import parse_request, parse_response
from tests.wire.messages import field_lines

HOP = (
    b"Connection: close",
    b"Keep-Alive: 5",
    b"Proxy-Connection: x",
    b"TE: gzip",
    b"Transfer-Encoding: chunked",
    b"Upgrade: h2c",
    b"HTTP2-Settings: x",
    b"Proxy: x",
    b"Proxy-Authorization: x",
)
SPOOFED = [
    spelt
    for name in (
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"X-Forwarded",
        b"X-Forwarded-Anything",
        b"Forwarded",
        b"X-Request-Id",
        b"X-Real-IP",
        b"Front-End-Https",
        b"X-Original-URL",
        b"X-Original-Host",
        b"X-Rewrite-URL",
    )
    for spelt in (name, name.lower(), name.upper(), name.replace(b"-", b"_"), name.replace(b"-", b"_", 1))
]


def kept(lines: bytes, trusted: bool = False) -> bytes:
    """The client's lines `lines`, behind a Host, as the back-end gets them, without that Host."""
    head = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    return request_lines(head, trusted).replace(b"Host: a\r\n", b"", 1)


def passed(lines: bytes) -> bytes:
    """A back-end's lines as the client gets them."""
    head = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", b"GET")
    return response_lines(head.lines, head.noted)


class RequestTests(unittest.TestCase):
    """A client's lines."""

    def test_untouched(self) -> None:
        """F2: order, spelling, duplicates and white space stay."""
        lines = b"X-A: 1\r\nx-a:2\r\nCOOKIE:  a \r\nCookie: b\r\nX_Under: c\r\nEmpty:\r\nX-Eight: \xe9\r\n"
        lines += b"Authorization: Basic YTpi\r\nVia: 1.0 x\r\n"
        self.assertEqual(kept(lines), lines)

    def test_hop_by_hop(self) -> None:
        """F2: each hop-by-hop field goes, alone and with others, wherever it stands; its neighbours stay."""
        for line in HOP:
            for before, behind in (
                (b"", b""),
                (b"A: b\r\n", b""),
                (b"", b"A: b\r\n"),
                (b"A: b\r\n", b"A: b\r\n"),
                (b"X-" + line + b"\r\n", b"A: b\r\n"),
            ):
                self.assertEqual(kept(before + line + b"\r\n" + behind), before + behind, line)
            self.assertEqual(kept(line.upper() + b"\r\n"), b"")

    def test_keep_alive_alone(self) -> None:
        """The usual line goes wherever it stands, once and twice, and never a line that only ends like it."""
        usual = b"Connection: keep-alive\r\n"
        for lines, wanted in (
            (usual, b""),
            (usual * 2, b""),
            (b"A: b\r\n" + usual + b"C: d\r\n", b"A: b\r\nC: d\r\n"),
            (b"X-" + usual + usual, b"X-" + usual),
            (usual + b"X-Forwarded-For: 1\r\n", b""),
            (b"connection: Keep-Alive\r\n", b""),
            (b"A: Connection: keep-alive\r\n" + usual, b"A: Connection: keep-alive\r\n"),
        ):
            self.assertEqual(kept(lines), wanted, lines)

    def test_named_in_connection(self) -> None:
        """F2: fields that Connection names go, but for those that matter end to end."""
        lines = b"Connection: X-One, x-two ,close,, Cookie, Content-Type\r\nX-One: 1\r\nX-TWO: 2\r\nx-two: 3\r\n"
        lines += b"X-Three: 4\r\nCookie: a\r\nContent-Type: b\r\n"
        self.assertEqual(kept(lines), b"X-Three: 4\r\nCookie: a\r\nContent-Type: b\r\n")
        self.assertEqual(named_in_connection(b"close, keep-alive, Upgrade, TE, X-A, Host"), frozenset([b"x-a"]))

    def test_spoofed(self) -> None:
        """F3: whatever an untrusted client says of itself goes, in every spelling."""
        for name in SPOOFED:
            self.assertEqual(kept(b"A: b\r\n" + name + b": spoofed\r\nC: d\r\n"), b"A: b\r\nC: d\r\n", name)
        self.assertEqual(kept(b"".join(name + b": spoofed\r\n" for name in SPOOFED)), b"")

    def test_trusted(self) -> None:
        """F3: a trusted proxy's are taken up into ours, so that each stands once; what we do not say ourselves stays."""
        for name in (
            b"X-Forwarded-For",
            b"x_forwarded_for",
            b"Forwarded",
            b"X-Request-Id",
            b"X_Request_Id",
            b"Front-End-Https",
            b"X-Forwarded-Host",
            b"X-Forwarded-Proto",
        ):
            self.assertEqual(kept(name + b": x\r\n", trusted=True), b"", name)
        self.assertEqual(
            kept(b"X-Forwarded-Port: 443\r\nX-Real-IP: 1\r\nA: b\r\n", trusted=True),
            b"X-Forwarded-Port: 443\r\nX-Real-IP: 1\r\nA: b\r\n",
        )

    def test_underscores_behind_a_trusted_proxy(self) -> None:
        """F3: a proxy that lets underscores pass does not say them; mixed spellings go like the pure ones."""
        for name in (
            b"X_Forwarded-For",
            b"X-Forwarded_Proto",
            b"x-forwarded_host",
            b"X-Request_Id",
            b"Front-End_Https",
            b"X_Real-IP",
        ):
            self.assertEqual(kept(name + b": x\r\nA_b: c\r\n", trusted=True), b"A_b: c\r\n", name)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            field_lines
            | st.sampled_from(
                [line + b"\r\n" for line in HOP if not line.startswith(b"Transfer")]
                + [name + b": s\r\n" for name in SPOOFED]
            ),
            max_size=12,
        )
    )
    def test_nothing_else(self, lines: list[bytes]) -> None:
        """F2, F3: among any lines just those that a rule names go; the others stay as they are, in their order."""
        removed = {line.partition(b":")[0].lower() for line in HOP} | {name.lower() for name in SPOOFED}
        given_lines = [
            line
            for line in lines
            if not line.lower().startswith(
                (b"x-forwarded-", b"x_forwarded_", b"x-forwarded_", b"x_forwarded-", b"proxy-", b"host")
            )
        ]
        wanted = [line for line in given_lines if line.partition(b":")[0].lower() not in removed]
        self.assertEqual(kept(b"".join(given_lines)), b"".join(wanted))


class ResponseTests(unittest.TestCase):
    """A back-end's lines."""

    def test_untouched(self) -> None:
        """F5: order, spelling, duplicates and white space stay."""
        lines = b"Set-Cookie: a\r\nset-cookie:b \r\nServer: x\r\nContent-Length: 0\r\n"
        lines += b"WWW-Authenticate: NTLM\r\nWWW-Authenticate: Basic\r\nLocation: /x\r\n"
        self.assertEqual(passed(lines), lines)

    def test_taken_out(self) -> None:
        """F5, S5: hop-by-hop fields, Alt-Svc and Server-Load, each alone and among others."""
        for line in (
            b"Connection: close",
            b"Connection: keep-alive",
            b"connection: Keep-Alive",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: x",
            b"TE: x",
            b"Transfer-Encoding: chunked",
            b"Upgrade: h2c",
            b"Alt-Svc: h3",
            b"Server-Load: 0.5",
            b"ALT-SVC:clear",
        ):
            self.assertEqual(passed(line + b"\r\n"), b"", line)
            self.assertEqual(
                passed(b"A: b\r\n" + line + b"\r\nX-" + line + b"\r\n"), b"A: b\r\nX-" + line + b"\r\n", line
            )
            self.assertEqual(
                passed(b"A: b\r\nConnection: keep-alive\r\n" + line + b"\r\nC: d\r\n"), b"A: b\r\nC: d\r\n", line
            )

    def test_named_in_connection(self) -> None:
        """F5: fields that Connection names go, but for those that matter end to end."""
        self.assertEqual(
            passed(b"Connection: X-A, Set-Cookie, close\r\nX-A: 1\r\nSet-Cookie: a\r\nB: c\r\n"),
            b"Set-Cookie: a\r\nB: c\r\n",
        )


class MarkerTests(unittest.TestCase):
    """The marker lines and whose word counts."""

    def trusts(self, address: bytes) -> bool:
        return address.startswith(b"10.")

    def test_believed(self) -> None:
        """F3: the last address in X-Forwarded-For that is not a trusted proxy's; the last scheme."""
        for noted, address, scheme in (
            ({}, b"10.0.0.1", b"http"),
            ({b"x-forwarded-for": b"192.0.2.1"}, b"192.0.2.1", b"http"),
            ({b"x-forwarded-for": b"6.6.6.6, 192.0.2.1, 10.0.0.2"}, b"192.0.2.1", b"http"),
            ({b"x-forwarded-for": b"10.0.0.3,10.0.0.2"}, b"10.0.0.3", b"http"),
            ({b"x-forwarded-for": b"unknown, 10.0.0.2"}, b"10.0.0.2", b"http"),
            ({b"x-forwarded-for": b"[2001:db8::1]:99, 10.0.0.2:80"}, b"2001:db8::1", b"http"),
            ({b"x-forwarded-for": b"2001:db8::1"}, b"2001:db8::1", b"http"),
            ({b"x-forwarded-for": b"192.0.2.1:4711"}, b"192.0.2.1", b"http"),
            ({b"x-forwarded-for": b", ,"}, b"10.0.0.1", b"http"),
            ({b"x-forwarded-for": b"1.2.3.4.5, 10.0.0.2"}, b"10.0.0.2", b"http"),
            ({b"x-forwarded-for": b"192.0.2.1, dead"}, b"10.0.0.1", b"http"),
            ({b"x-forwarded-for": b"fe80::1%eth0, 10.0.0.2"}, b"10.0.0.2", b"http"),
            ({b"x-forwarded-for": b"192.0.2.1, ::ffff:10.0.0.2"}, b"192.0.2.1", b"http"),
            ({b"x-forwarded-for": b"192.0.2.1," + b"10.0.0.2," * 5000 + b"10.0.0.3"}, b"10.0.0.2", b"http"),
            ({b"x-forwarded-proto": b"HTTPS"}, b"10.0.0.1", b"https"),
            ({b"x-forwarded-proto": b"http, https"}, b"10.0.0.1", b"https"),
            ({b"x-forwarded-proto": b"gopher"}, b"10.0.0.1", b"http"),
        ):
            found = believed_client(b"10.0.0.1", b"http", noted, self.trusts)
            self.assertEqual(found, Client(address, scheme, True, b"10.0.0.1"), noted)

    def test_lines(self) -> None:
        """F3: one line each; addresses of IPv6 quoted where RFC 7239 wants it; a Host with a port quoted."""
        client = Client(b"2001:db8::1", b"https", False, b"2001:db8::1")
        self.assertEqual(
            markers(client, b"a.example:81", {b"x-forwarded-for": b"spoofed"}),
            b"X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example:81\r\n"
            b'Forwarded: for="[2001:db8::1]";host="a.example:81";proto=https\r\nFront-End-Https: On\r\n',
        )
        self.assertIn(b'host="";', markers(client, b"", {}))
        self.assertIn(b"host=a-b.example;", markers(client, b"a-b.example", {}))
