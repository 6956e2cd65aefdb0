"""Which virtual server and which virtual directory a request finds (F7)."""

from __future__ import annotations

from twisted.trial import unittest

from exfront.frontend.tree import Tree, VirtualServerRoot, host_name
from tests.fakes.ends import ok
from tests.fakes.front import FrontCase, get

NESTED = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -

[virtual-server one]
hosts = one.example, *.one.example
authentication = none

[virtual-server two]
hosts = two.example
authentication = none

[virtual-directory outer]
path = /a
kind = forward
servers = backend1

[virtual-directory inner]
path = /a/b
kind = forward
servers = backend2
server = one

[back-end backend1]
address = 127.0.0.1
port = {backend1}

[back-end backend2]
address = 127.0.0.1
port = {backend2}
"""


class Leaf:
    """A leaf that does nothing."""


class HostTests(unittest.TestCase):
    """Virtual servers by Host."""

    def test_names(self) -> None:
        """Port, case, a final dot and brackets do not matter."""
        for host, name in (
            (b"WWW.Adatum.com:8080", b"www.adatum.com"),
            (b"www.adatum.com.", b"www.adatum.com"),
            (b"[2001:DB8::1]:80", b"2001:db8::1"),
            (b"[::1]", b"::1"),
            (b"", b""),
            (b"a:", b"a"),
        ):
            self.assertEqual(host_name(host), name)

    def test_order(self) -> None:
        """The exact name wins, then the longest wildcard, then `*`; a wildcard does not mean its own domain."""
        exact, long, short, rest = [VirtualServerRoot(name, {}, None) for name in ("exact", "long", "short", "any")]
        tree = Tree([(("www.b.com",), exact), (("*.b.com",), short), (("*.a.b.com",), long), (("*",), rest)])
        for host, found in (
            (b"www.b.com", exact),
            (b"WWW.B.COM:81", exact),
            (b"x.b.com", short),
            (b"x.a.b.com", long),
            (b"y.x.a.b.com", long),
            (b"b.com", rest),
            (b"", rest),
            (b"[::1]", rest),
            (b"com", rest),
        ):
            self.assertIs(tree.virtual_server(host), found, host)

    def test_nobody(self) -> None:
        """Without `*` an unknown host finds nothing."""
        tree = Tree([(("www.b.com",), VirtualServerRoot("exact", {}, None))])
        self.assertIsNone(tree.virtual_server(b"other"))


class PathTests(unittest.TestCase):
    """Virtual directories by path."""

    def test_root(self) -> None:
        """F20: `/` itself is the root page's, unless a virtual directory has it."""
        page, leaf, whole = Leaf(), Leaf(), Leaf()
        root = VirtualServerRoot("one", {b"/a": leaf}, page)
        self.assertEqual(
            [root.find(path) for path in (b"/", b"/a", b"/b", b"/a/../b")],
            [(True, page), (True, leaf), (True, None), (False, None)],
        )
        root = VirtualServerRoot("one", {b"/": whole, b"/a": leaf}, page)
        self.assertEqual(
            [root.find(path) for path in (b"/", b"/A/x", b"/b")], [(True, whole), (True, leaf), (True, whole)]
        )


class TreeTests(FrontCase):
    """The same over the wire."""

    async def test_longest_path(self) -> None:
        """F7: whole segments, no matter the case, safely decoded; the longest wins; outside of all 404; dot segments 400."""
        one = self.back_end(lambda _: ok(b"one"))
        two = self.back_end(lambda _: ok(b"two"))
        self.start(NESTED, backend1=one, backend2=two)
        client = await self.client()
        expected = {
            b"/a": b"one",
            b"/a/": b"one",
            b"/A/x?/a/b": b"one",
            b"/a/bc": b"one",
            b"/a/b": b"two",
            b"/A/B/c": b"two",
            b"/%61/%62": b"two",
            b"/a/b?x": b"two",
            b"/ab": 404,
            b"/": 404,
            b"/b": 404,
            b"/a/../a": 400,
            b"/a/%2e%2e/b": 400,
            b"/a/b/%2e": 400,
            b"/a%2f..%2fa": 400,
            b"/a/.%2e/": 400,
            b"/a/%252e%252e/b": 400,
            b"/a//b": 400,
            b"/a%5c..%5cb": 400,
            b"/a/..;x/b": 400,
        }
        for target, wanted in expected.items():
            answer = await client.ask(get(target, host=b"one.example"))
            self.assertEqual(answer.body if isinstance(wanted, bytes) else answer.status, wanted, target)
            if isinstance(wanted, bytes):
                server = one if wanted == b"one" else two
                self.assertEqual(server.requests[-1].start, b"GET " + target + b" HTTP/1.1")
        await self.recorded(len(expected))

    async def test_virtual_servers(self) -> None:
        """A virtual directory belongs to the virtual servers it names; an unknown host gets 404."""
        one = self.back_end(lambda _: ok(b"one"))
        two = self.back_end(lambda _: ok(b"two"))
        self.start(NESTED, backend1=one, backend2=two)
        client = await self.client()
        for host, wanted in (
            (b"one.example", b"two"),
            (b"X.one.example:80", b"two"),
            (b"two.example", b"one"),
            (b"TWO.example.:81", b"one"),
            (b"three.example", 404),
        ):
            answer = await client.ask(get(b"/a/b", host=host))
            self.assertEqual(answer.body if isinstance(wanted, bytes) else answer.status, wanted, host)
        self.assertEqual((await self.recorded(5))[-1]["reason"], "unknown-host")
