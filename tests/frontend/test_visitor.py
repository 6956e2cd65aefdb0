"""What is known of the client behind a connection (F3)."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.frontend.services import RequestIds, Trusted
from exfront.frontend.visitor import Visitor, visitor_of
from exfront.wire.heads import parse_request
from exfront.wire.inbound import ClientConnection
from exfront.wire.patience import Patience
from exfront.wire.roles import Limits


def head(*lines: bytes, host: bytes = b"a.example", minor: int = 1) -> object:
    """A parsed request."""
    return parse_request(
        b"GET / HTTP/1.%d\r\nHost: %b\r\n%b\r\n" % (minor, host, b"".join(line + b"\r\n" for line in lines))
    )


def connection(peer: bytes = b"192.0.2.1", scheme: bytes = b"http") -> ClientConnection:
    """A client's connection that was never made."""
    clock = Clock()
    one = ClientConnection(NoSite(), Limits(), clock, Patience(clock))
    one.peer, one.scheme = peer, scheme
    return one


class NoSite:
    """A site that nobody asks."""


class VisitorTests(unittest.TestCase):
    """One visitor a connection."""

    def test_made_once(self) -> None:
        """The lines of one Host and version are made once; another Host or version changes them."""
        one, trusts = connection(), Trusted([])
        visitor = visitor_of(one, head(), trusts)
        self.assertIs(visitor_of(one, head(b"X: y"), trusts), visitor)
        lines = visitor.lines
        self.assertIs(visitor_of(one, head(), trusts).lines, lines)
        self.assertIn(b"host=b.example;", visitor_of(one, head(host=b"b.example"), trusts).lines)
        self.assertIn(b"Via: 1.0 exfront\r\n", visitor_of(one, head(host=b"b.example", minor=0), trusts).lines)
        self.assertEqual(visitor_of(one, head(), trusts).lines, lines)

    def test_trusted_changes_with_each_request(self) -> None:
        """A trusted proxy's connection carries many clients."""
        one, trusts = connection(b"10.0.0.1"), Trusted([ip_network("10.0.0.0/8")])
        for address, scheme in ((b"192.0.2.7", b"https"), (b"192.0.2.8", b"http"), (b"2001:db8::1", b"https")):
            visitor = visitor_of(one, head(b"X-Forwarded-For: " + address, b"X-Forwarded-Proto: " + scheme), trusts)
            self.assertEqual(
                (visitor.client.address, visitor.client.scheme, visitor.client.peer), (address, scheme, b"10.0.0.1")
            )
        self.assertEqual(visitor_of(one, head(), trusts).client.address, b"10.0.0.1")

    def test_untrusted_is_not_believed(self) -> None:
        """What anybody else says of itself counts nothing."""
        visitor = Visitor(connection(), Trusted([ip_network("10.0.0.0/8")]))
        visitor.read(head(b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: https"), connection(), Trusted([]))
        self.assertEqual((visitor.client.address, visitor.client.scheme), (b"192.0.2.1", b"http"))
        self.assertNotIn(b"10.0.0.1", visitor.lines)


class TrustTests(unittest.TestCase):
    """Networks and ids."""

    def test_trusted(self) -> None:
        """Addresses of both families; what is no address is not trusted."""
        trusts = Trusted([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
        for address, wanted in (
            (b"10.1.2.3", True),
            (b"11.0.0.1", False),
            (b"2001:db8::5", True),
            (b"::1", False),
            (b"", False),
            (b"-", False),
            (b"\xff", False),
        ):
            self.assertEqual(trusts(address), wanted, address)
        self.assertFalse(Trusted([]))

    def test_ids(self) -> None:
        """Ids never repeat, and begin with the prefix."""
        ids = RequestIds(b"ab12")
        made = [ids() for _ in range(1000)]
        self.assertEqual(len(set(made)), 1000)
        self.assertTrue(all(one.startswith(b"ab12") for one in made))
