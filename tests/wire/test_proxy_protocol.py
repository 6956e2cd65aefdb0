"""The PROXY protocol: headers as values, and connections that begin with one."""

from __future__ import annotations

import contextlib
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial import unittest

from exfront.wire.proxyprotocol import PATIENCE, read_header
from tests.fakes.ends import ok
from tests.fakes.front import ONE_BACK_END, FrontCase, get, post

if TYPE_CHECKING:
    from tests.fakes.ends import Client, Message

PROXIED = ONE_BACK_END.replace("listen = tcp:", "listen = haproxy:tcp:")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.9 4711 80\r\n"


def block(command: int, family: int, addresses: bytes, extensions: bytes = b"") -> bytes:
    """A version 2 header (the specification's section 2.2)."""
    return (
        SIGNATURE
        + bytes((0x20 | command, family))
        + struct.pack("!H", len(addresses + extensions))
        + addresses
        + extensions
    )


def tcp4(source: str, destination: str, port: int, local: int) -> bytes:
    return ip_address(source).packed + ip_address(destination).packed + struct.pack("!HH", port, local)


HEADERS = {
    "TCP4 line": (LINE, b"192.0.2.7"),
    "TCP6 line": (b"PROXY TCP6 2001:DB8:0::7 ::1 4711 443\r\n", b"2001:db8::7"),
    "UNKNOWN line": (b"PROXY UNKNOWN\r\n", b"127.0.0.1"),
    "UNKNOWN line with something": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", b"127.0.0.1"),
    "TCP4 block": (block(1, 0x11, tcp4("192.0.2.7", "198.51.100.9", 4711, 80)), b"192.0.2.7"),
    "TCP6 block": (block(1, 0x21, tcp4("2001:db8::7", "::1", 4711, 443)), b"2001:db8::7"),
    "block with extensions": (block(1, 0x11, tcp4("192.0.2.7", "192.0.2.8", 1, 2), b"\x04\0\x05xxxxx"), b"192.0.2.7"),
    "LOCAL block": (block(0, 0, b""), b"127.0.0.1"),
    "LOCAL block with addresses": (block(0, 0x11, tcp4("192.0.2.7", "192.0.2.8", 1, 2)), b"127.0.0.1"),
    "unspecified block": (block(1, 0, b""), b"127.0.0.1"),
}
"""Headers, and whom they name."""

WRONG = {
    "no header": b"GET /all/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "small letters": b"proxy TCP4 192.0.2.7 198.51.100.9 4711 80\r\n",
    "no addresses": b"PROXY TCP4\r\n",
    "one address": b"PROXY TCP4 192.0.2.7\r\n",
    "name": b"PROXY TCP4 www.adatum.com 198.51.100.9 4711 80\r\n",
    "other family": b"PROXY TCP4 ::1 ::1 4711 80\r\n",
    "other family still": b"PROXY TCP6 192.0.2.7 192.0.2.7 4711 80\r\n",
    "large port": b"PROXY TCP4 192.0.2.7 198.51.100.9 70000 80\r\n",
    "negative port": b"PROXY TCP4 192.0.2.7 198.51.100.9 -1 80\r\n",
    "port in letters": b"PROXY TCP4 192.0.2.7 198.51.100.9 http 80\r\n",
    "not ASCII": b"PROXY TCP4 192.0.2.\xff 198.51.100.9 4711 80\r\n",
    "UDP line": b"PROXY UDP4 192.0.2.7 198.51.100.9 4711 80\r\n",
    "long line": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "line without end": b"PROXY TCP4 " + b"1" * 200,
    "version 1 in a block": SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
    "unknown command": SIGNATURE + b"\x25\x11\0\x0c" + bytes(12),
    "unknown family": SIGNATURE + b"\x21\x91\0\x0c" + bytes(12),
    "too few addresses": SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    "large block": SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    "signature and something": SIGNATURE[:-1] + b"X" + bytes(16),
}


class ReadTests(unittest.TestCase):
    """Headers as bytes."""

    def test_claims(self) -> None:
        """Both addresses come out, in their shortest form; LOCAL and UNKNOWN name nobody."""
        claimed = (IPv4Address("TCP", "192.0.2.7", 4711), IPv4Address("TCP", "198.51.100.9", 80))
        self.assertEqual(read_header(LINE + b"rest"), (claimed, b"rest"))
        self.assertEqual(read_header(HEADERS["TCP4 block"][0] + b"rest"), (claimed, b"rest"))
        claimed = (IPv6Address("TCP", "2001:db8::7", 4711), IPv6Address("TCP", "::1", 443))
        self.assertEqual(read_header(HEADERS["TCP6 line"][0]), (claimed, b""))
        self.assertEqual(read_header(HEADERS["TCP6 block"][0]), (claimed, b""))
        for name, (header, peer) in HEADERS.items():
            if peer == b"127.0.0.1":
                with self.subTest(name):
                    self.assertEqual(read_header(header + b"rest"), (None, b"rest"))

    def test_unix(self) -> None:
        """A client behind a UNIX socket has a path at most."""
        found = read_header(block(1, 0x31, b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")))
        self.assertEqual(found, ((UNIXAddress(b"/run/client"), UNIXAddress(b"/run/server")), b""))

    def test_incomplete(self) -> None:
        """Any beginning of a header waits for the rest of it."""
        for name, (header, _) in HEADERS.items():
            for end in range(len(header)):
                with self.subTest(f"{name}, {end} bytes"):
                    self.assertIsNone(read_header(header[:end]))

    def test_wrong(self) -> None:
        """Anything else is refused, and with no other exception than the one that says so."""
        for name, data in WRONG.items():
            with self.subTest(name), self.assertRaises(ValueError):
                read_header(data)

    @settings(deadline=None, max_examples=200)
    @given(st.sampled_from([one for one, _ in HEADERS.values()]), st.integers(0, 60), st.binary(max_size=8))
    def test_damaged(self, header: bytes, at: int, damage: bytes) -> None:
        """Damaged headers are read, waited for or refused."""
        with contextlib.suppress(ValueError):
            read_header(header[:at] + damage + header[at + len(damage) :])


class ConnectionTests(FrontCase):
    """Connections through a balancer."""

    def proxied(self, *, clock: bool = False, front: str = "") -> None:
        self.far = self.back_end(self.reflect)
        self.start(PROXIED, backend1=self.far, clock=clock, front=front)

    @staticmethod
    def reflect(request: Message) -> bytes:
        return ok(request.one(b"X-Forwarded-For") + b" %d" % len(request.body))

    async def test_who_asks(self) -> None:
        """The back-end and the log are told of the client that the header names, however its bytes arrive (F3)."""
        self.proxied()
        for number, (name, (header, peer)) in enumerate(HEADERS.items(), 1):
            with self.subTest(name):
                client = await self.client()
                client.send(header + get())
                self.assertEqual((await client.answer()).body, peer + b" 0")
                again = await client.ask(get(b"/all/again"))
                self.assertEqual(again.body, peer + b" 0")
                await client.send_bytewise(get())
                self.assertEqual((await client.answer()).body, peer + b" 0")
                records = await self.recorded(3 * number)
                self.assertEqual({one["peer"] for one in records[-3:]}, {peer.decode()})
                client.close()

    async def test_bytewise(self) -> None:
        """The header may come byte by byte, and what follows it with its last one."""
        self.proxied()
        for header, peer in HEADERS.values():
            client = await self.client()
            await client.send_bytewise(header[:-1])
            await self.turns()
            client.send(header[-1:] + get())
            self.assertEqual((await client.answer()).body, peer + b" 0")
            client.close()

    async def test_wrong(self) -> None:
        """What is no header is closed, and nothing is answered or recorded."""
        self.proxied()
        for name, data in WRONG.items():
            with self.subTest(name):
                client = await self.client()
                client.send(data + get())
                await client.until_ended()
                self.assertEqual(client.total, 0)
        self.assertEqual((await self.recorded(0), self.far.requests), ([], []))

    async def test_late(self) -> None:
        """A header that does not come in time, or never."""
        self.proxied(clock=True)
        silent, slow, gone = await gatherResults([self.asked() for _ in range(3)])
        slow.send(LINE[:-1])
        gone.send(LINE[:5])
        await self.turns(20)
        gone.half_close()
        await gone.until_ended()
        self.clock.advance(PATIENCE - 0.1)
        await self.turns()
        self.assertEqual((silent.ended, slow.ended), (False, False))
        self.clock.advance(0.2)
        await silent.until_ended()
        await slow.until_ended()
        self.assertEqual(silent.total + slow.total + gone.total, 0)

    def asked(self) -> Deferred[Client]:
        return Deferred.fromCoroutine(self.client())

    async def test_in_time(self) -> None:
        """The patience for the header does not end the connection behind it."""
        self.proxied(clock=True)
        client = await self.client()
        client.send(LINE + get())
        await client.answer()
        self.clock.advance(PATIENCE + 1)
        self.assertEqual((await client.ask(get())).status, 200)

    async def test_pipelined(self) -> None:
        """Requests in one piece with the header, answered in order; HTTP/1.0 closes."""
        self.proxied()
        client = await self.client()
        client.send(LINE + get(b"/all/1") + post(b"x" * 10, b"/all/2") + get(b"/all/3"))
        self.assertEqual(
            [(await client.answer()).body for _ in range(3)], [b"192.0.2.7 0", b"192.0.2.7 10", b"192.0.2.7 0"]
        )
        self.assertEqual([one.start.split()[1] for one in self.far.requests], [b"/all/1", b"/all/2", b"/all/3"])
        old = await self.client()
        old.send(LINE + b"GET /all/ HTTP/1.0\r\nHost: x\r\n\r\n")
        self.assertEqual((await old.answer()).body, b"192.0.2.7 0")
        await old.until_ended()

    async def test_broken_message(self) -> None:
        """A header that is right before a request that is not: the client it names gets the 400."""
        self.proxied()
        client = await self.client()
        client.send(LINE + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        self.assertEqual((await client.answer()).status, 400)
        self.assertEqual((await self.recorded(1))[0]["peer"], "192.0.2.7")

    async def test_trusted(self) -> None:
        """`trusted_proxies` are compared with the client that the header names."""
        self.proxied(front="trusted_proxies = 192.0.2.0/24")
        client = await self.client()
        client.send(LINE + get(b"/all/", b"X-Forwarded-For: 203.0.113.5"))
        self.assertEqual((await client.answer()).body, b"203.0.113.5, 192.0.2.7 0")
        other = await self.client()
        other.send(b"PROXY TCP4 198.51.100.1 198.51.100.9 4711 80\r\n" + get(b"/all/", b"X-Forwarded-For: 203.0.113.5"))
        self.assertEqual((await other.answer()).body, b"198.51.100.1 0")

    async def hand(self) -> tuple[Client, object]:
        """A request that the test answers by hand: the client and the back-end's end."""
        self.far = self.back_end()
        self.start(PROXIED, backend1=self.far)
        client = await self.client()
        client.send(LINE)
        return client, self.far

    async def test_back_pressure(self) -> None:
        """Bodies wait for whoever reads slowly, on both sides of the front-end; half a connection is enough for an answer."""
        client, far = await self.hand()
        size = 16_000_000
        client.send(b"PUT /all/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        end = await far.connection()
        await end.head()
        end.pause()
        client.send(b"x" * size)
        (connection,) = self.connections
        await self.eventually(lambda: not connection.transport.reading, "the client is read without an end")
        end.resume()
        await end.until(lambda: len(end.received) == size)
        client.pause()
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"y" * size)
        await self.eventually(lambda: connection.transport.write_paused, "the client is written to without an end")
        client.half_close()
        client.resume()
        answer = await client.answer(b"PUT")
        self.assertEqual(len(answer.body), size)
        await client.until_ended()

    async def test_tunnel(self) -> None:
        """A tunnel, and its two ends one after the other."""
        client, far = await self.hand()
        client.send(get(b"/all/", b"Connection: Upgrade", b"Upgrade: websocket"))
        end = await far.connection()
        await end.head()
        end.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        self.assertEqual((await client.message(b"GET")).status, 101)
        await client.until_received(b"hello")
        client.send(b"last words")
        client.half_close()
        await end.until_received(b"last words")
        await end.until_ended()
        end.send(b"farewell")
        await client.until_received(b"farewell")
        end.close()
        await client.until_ended()

    async def test_full(self) -> None:
        """`max_connections` counts clients behind their headers."""
        self.proxied(front="max_connections = 1")
        first = await self.client()
        first.send(LINE + get())
        await first.answer()
        second = await self.client()
        second.send(LINE + get())
        await second.until_ended()
        self.assertEqual(second.total, 0)
        self.assertEqual((await first.ask(get())).status, 200)
