"""Listening and connecting with real sockets: errors, time-outs, cancelling, TLS to a back-end."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError, ConnectError, ConnectionRefusedError, TimeoutError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.errors import ExfrontError
from exfront.wire.endpoints import NativeClientEndpoint, NativeServerEndpoint, native_loop, told
from tests.fakes.ends import BackEnd, ok
from tests.real.certificates import Authority
from tests.wire.test_transport import Ours

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort


class EndpointCase(unittest.TestCase):
    """Ports that the kernel chooses."""

    timeout = 30

    async def listen(self, interface: str = "127.0.0.1", port: int = 0) -> IListeningPort:
        found = await NativeServerEndpoint(reactor, port, interface).listen(Factory.forProtocol(Ours))
        self.addCleanup(found.stopListening)
        return found

    def connect(self, host: str, port: int, timeout: float = 5, **more: object) -> Deferred[Ours]:
        return NativeClientEndpoint(reactor, host, port, timeout, **more).connect(Factory.forProtocol(Ours))

    def back_end(self, interface: str = "127.0.0.1") -> BackEnd:
        back_end = BackEnd(reactor, lambda _: ok()).listen(interface)
        self.addCleanup(lambda: Deferred.fromCoroutine(back_end.stop()))
        return back_end

    async def end(self, protocol: Ours) -> None:
        protocol.transport.abortConnection()
        while protocol.lost is None:
            turned: Deferred[None] = Deferred()
            reactor.callLater(0.001, turned.callback, None)
            await turned


class ListenTests(EndpointCase):
    """Listening (F4)."""

    async def test_bound_at_once(self) -> None:
        """The port is there when `listen` returns, and a taken one fails with its name."""
        port = await self.listen()
        number = port.getHost().port
        self.assertGreater(number, 0)
        error = await self.assertFailure(
            NativeServerEndpoint(reactor, number, "127.0.0.1").listen(Factory()), CannotListenError
        )
        self.assertEqual((error.interface, error.port), ("127.0.0.1", number))
        await self.assertFailure(NativeServerEndpoint(reactor, 0, "192.0.2.1").listen(Factory()), CannotListenError)

    async def test_families(self) -> None:
        """Without an interface both families; with one just that."""
        both, six = await self.listen(""), await self.listen("::1")
        for host, port in (("127.0.0.1", both), ("::1", both), ("::1", six)):
            await self.end(await self.connect(host, port.getHost().port))
        await self.assertFailure(self.connect("127.0.0.1", six.getHost().port), ConnectionRefusedError)

    async def test_stop(self) -> None:
        """A stopped port refuses; stopping twice, or before the loop has seen it, is no harm."""
        port = await self.listen()
        await port.stopListening()
        await port.stopListening()
        await self.assertFailure(self.connect("127.0.0.1", port.getHost().port), ConnectionRefusedError)
        port = await self.listen()
        protocol = await self.connect("127.0.0.1", port.getHost().port)
        await port.stopListening()
        await self.assertFailure(self.connect("127.0.0.1", port.getHost().port), ConnectionRefusedError)
        self.assertIsNone(protocol.lost)
        await self.end(protocol)

    async def test_refused_by_the_factory(self) -> None:
        """A factory that wants no connection: it is closed."""

        class Full(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        port = await NativeServerEndpoint(reactor, 0, "127.0.0.1").listen(Full())
        self.addCleanup(port.stopListening)
        protocol = await self.connect("127.0.0.1", port.getHost().port)
        while protocol.lost is None:
            turned: Deferred[None] = Deferred()
            reactor.callLater(0.001, turned.callback, None)
            await turned

    def test_other_reactors(self) -> None:
        """A reactor without a loop is told apart, in words."""
        self.assertRaises(ExfrontError, native_loop, Clock())


class ConnectTests(EndpointCase):
    """Connecting (F62)."""

    async def test_connected(self) -> None:
        """By address and by name, to both families."""
        for interface, host in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("::1", "::1")):
            back_end = self.back_end(interface)
            protocol = await self.connect(host, back_end.number)
            await back_end.connection()
            await self.end(protocol)

    async def test_refused(self) -> None:
        """Nobody listens: ConnectionRefusedError; a name that does not resolve: ConnectError with words."""
        back_end = self.back_end()
        number = back_end.number
        await back_end.stop()
        error = await self.assertFailure(self.connect("127.0.0.1", number), ConnectionRefusedError)
        self.assertEqual(told(error), "connection refused")
        error = await self.assertFailure(self.connect("nobody.invalid", 80), ConnectError)
        self.assertTrue(told(error).startswith("the name does not resolve: "), told(error))
        self.assertEqual(told(TimeoutError()), "connect time-out")
        await self.assertFailure(self.connect("not a name", 80), ConnectError)

    def full(self) -> int:
        """The number of a port whose backlog is full."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        self.addCleanup(lambda: [one.close() for one in (listening, *fillers)])
        return int(listening.getsockname()[1])

    async def test_time_out(self) -> None:
        """TimeoutError after `timeout` seconds."""
        await self.assertFailure(self.connect("127.0.0.1", self.full(), timeout=0.05), TimeoutError)

    async def test_cancelled(self) -> None:
        """Cancelling frees the socket, at whatever moment it comes."""
        await self.cancelled_after(self.full(), 20)

    async def test_cancelled_when_connected(self) -> None:
        """The same when the connection is coming about in that very moment: the protocol is told that it is lost, if it was told at all."""
        back_end = self.back_end()
        for turns in range(8):
            for _ in range(5):
                await self.cancelled_after(back_end.number, turns)
        for end in back_end.ends:
            await end.until_ended()

    async def cancelled_after(self, number: int, turns: int) -> None:
        made: list[Ours] = []

        class Watching(Ours):
            def connectionMade(self) -> None:
                made.append(self)

        connecting = NativeClientEndpoint(reactor, "127.0.0.1", number, 5).connect(Factory.forProtocol(Watching))
        ended: list[object] = []
        connecting.addBoth(ended.append)
        for _ in range(turns):
            turned: Deferred[None] = Deferred()
            reactor.callLater(0, turned.callback, None)
            await turned
        if ended:
            await self.end(ended[0])
            return
        connecting.cancel()
        self.assertTrue(ended[0].check(CancelledError))
        for _ in range(50):
            turned = Deferred()
            reactor.callLater(0.0005, turned.callback, None)
            await turned
        for one in made:
            self.assertIsNotNone(one.lost, turns)


class TlsTests(EndpointCase):
    """TLS to a back-end is verified (F4)."""

    def serve(self, names: list[str]) -> tuple[int, Path]:
        from twisted.internet.ssl import DefaultOpenSSLContextFactory

        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        authority = Authority(folder)
        certificate, key = authority.issue(names)
        back_end = BackEnd(reactor, lambda _: ok())
        back_end.port = reactor.listenSSL(
            0, back_end, DefaultOpenSSLContextFactory(str(key), str(certificate)), interface="127.0.0.1"
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(back_end.stop()))
        self.served = back_end
        return back_end.number, authority.ca_file

    async def test_verified(self) -> None:
        """The right name and authority: connected, and data flows."""
        number, ca_file = self.serve(["localhost", "127.0.0.1"])
        for host in ("localhost", "127.0.0.1"):
            protocol = await self.connect(host, number, tls=ssl.create_default_context(cafile=str(ca_file)))
            protocol.transport.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while b"ok" not in protocol.received:
                turned: Deferred[None] = Deferred()
                reactor.callLater(0.001, turned.callback, None)
                await turned
            await self.end(protocol)

    async def test_ends(self) -> None:
        """TLS has no half-closed connections here: ending one way sends what was written and closes; the peer's close ends ours."""
        number, ca_file = self.serve(["localhost"])
        self.served.answer = None
        context = ssl.create_default_context(cafile=str(ca_file))
        protocol = await self.connect("localhost", number, tls=context)
        protocol.transport.write(b"x" * 2_000_000)
        protocol.transport.loseWriteConnection()
        end = await self.served.connection(1)
        await end.until_ended()
        self.assertEqual(end.total, 2_000_000)
        await self.end(protocol)
        protocol = await self.connect("localhost", number, tls=context)
        end = await self.served.connection(2)
        end.send(b"last words")
        end.close()
        await self.end(protocol)

    async def test_not_verified(self) -> None:
        """A wrong name, an unknown authority, no TLS at all: ConnectError, and its text says TLS."""
        number, ca_file = self.serve(["other.example"])
        other = Path(self.mktemp()).absolute()
        other.mkdir()
        for file in (ca_file, Authority(other).ca_file):
            error = await self.assertFailure(
                self.connect("localhost", number, tls=ssl.create_default_context(cafile=str(file))), ConnectError
            )
            self.assertTrue(told(error).startswith("TLS: "), told(error))
        plain = self.back_end()
        plain.answer = None
        plain_connect = self.connect("127.0.0.1", plain.number, tls=ssl.create_default_context(cafile=str(ca_file)))
        end = await plain.connection()
        await end.until(lambda: end.received)
        end.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await self.assertFailure(plain_connect, ConnectError)
