"""The transport over uvloop's, with real sockets: back-pressure, half-closes, aborts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.trial import unittest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from exfront.wire.endpoints import NativeServerEndpoint
from exfront.wire.transport import WRITE_BUFFER, address_of
from tests.fakes.ends import Client

if TYPE_CHECKING:
    from twisted.python.failure import Failure


class Ours(Protocol):
    """A protocol on our transport that writes down what happens."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None
        self.told: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:
        assert self.lost is None
        self.lost = reason

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Ours):
    """The same, for half-closed connections."""

    def readConnectionLost(self) -> None:
        self.told.append("read lost")

    def writeConnectionLost(self) -> None:
        self.told.append("write lost")


class TransportTests(unittest.TestCase):
    """One connection: ours at one end, Twisted's own at the other."""

    timeout = 30

    async def pair(self, kind: type[Ours] = HalfCloseable) -> tuple[Ours, Client]:
        made: Deferred[Ours] = Deferred()

        class Server(kind):
            def connectionMade(self) -> None:
                made.callback(self)

        port = await NativeServerEndpoint(reactor, 0, "127.0.0.1").listen(Factory.forProtocol(Server))
        self.addCleanup(port.stopListening)
        client = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Client(reactor))
        ours = await made
        self.addCleanup(self.close, ours, client)
        return ours, client

    def close(self, ours: Ours, client: Client) -> Deferred[None]:
        async def both() -> None:
            if client.lost is None:
                client.transport.abortConnection()
            await client.until_lost()
            if ours.lost is None:
                ours.transport.abortConnection()
            await self.eventually(lambda: ours.lost)

        return Deferred.fromCoroutine(both())

    async def eventually(self, true: object) -> None:
        for _ in range(4000):
            if true():
                return
            turned: Deferred[None] = Deferred()
            reactor.callLater(0.001, turned.callback, None)
            await turned
        raise AssertionError("waited in vain")

    async def test_interface(self) -> None:
        """It is an ITCPTransport; addresses and options are the socket's."""
        ours, client = await self.pair()
        transport = ours.transport
        verifyObject(ITCPTransport, transport)
        self.assertEqual(transport.getPeer(), client.transport.getHost())
        self.assertEqual(transport.getHost(), client.transport.getPeer())
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(False)
        self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (True, False))
        self.assertRaises(TypeError, transport.registerProducer, ours, False)

    async def test_both_ways(self) -> None:
        """What is written arrives, in order."""
        ours, client = await self.pair()
        ours.transport.write(b"one ")
        ours.transport.writeSequence([b"two ", b"three"])
        await client.until(lambda: client.received == b"one two three")
        client.send(b"answer")
        await self.eventually(lambda: ours.received == b"answer")

    async def test_reasons(self) -> None:
        """Done, aborted, lost: each is told once, with its reason."""
        ours, client = await self.pair(Ours)
        client.close()
        await self.eventually(lambda: ours.lost)
        self.assertTrue(ours.lost.check(ConnectionDone))
        ours, client = await self.pair()
        ours.transport.abortConnection()
        ours.transport.abortConnection()
        ours.transport.loseConnection()
        await self.eventually(lambda: ours.lost)
        self.assertTrue(ours.lost.check(ConnectionAborted))
        ours, client = await self.pair()
        client.reset()
        await self.eventually(lambda: ours.lost)
        self.assertTrue(ours.lost.check(ConnectionLost))

    async def test_reset(self) -> None:
        """A reset is one: no peer takes it for an orderly end."""
        ours, client = await self.pair()
        ours.transport.write(b"half of it")
        await client.until_received(b"half of it")
        ours.transport.resetConnection()
        ours.transport.resetConnection()
        await client.until_lost()
        self.assertTrue(client.lost.check(ConnectionLost))
        await self.eventually(lambda: ours.lost)
        ours.transport.resetConnection()

    async def test_all_is_sent_before_the_close(self) -> None:
        """`loseConnection` sends what was written first, however slow the reader."""
        ours, client = await self.pair()
        client.pause()
        ours.transport.write(b"x" * 5_000_000)
        ours.transport.loseConnection()
        client.resume()
        await client.until_ended()
        self.assertEqual(client.total, 5_000_000)

    async def test_half_close(self) -> None:
        """Either side may end its way and go on with the other."""
        ours, client = await self.pair()
        client.half_close()
        await self.eventually(lambda: "read lost" in ours.told)
        ours.transport.write(b"still here")
        await client.until_received(b"still here")
        ours.transport.loseConnection()
        await client.until_ended()
        ours, client = await self.pair()
        ours.transport.loseWriteConnection()
        await client.until_ended()
        client.send(b"still here")
        await self.eventually(lambda: ours.received == b"still here")

    async def test_back_pressure(self) -> None:
        """A producer is paused while more than WRITE_BUFFER bytes wait, and one that registers late, too."""
        ours, client = await self.pair()
        transport = ours.transport
        transport.registerProducer(ours, True)
        client.pause()
        while "pause" not in ours.told:
            transport.write(b"x" * 65536)
        self.assertTrue(transport.write_paused)
        self.assertGreater(transport.unsent, WRITE_BUFFER)
        late = Ours()
        transport.registerProducer(late, True)
        self.assertEqual(late.told, ["pause"])
        client.resume()
        await self.eventually(lambda: late.told == ["pause", "resume"])
        await self.eventually(lambda: transport.unsent == 0)

    async def test_pausing_reads(self) -> None:
        """Reading may be paused and resumed in any state and any number of times."""
        ours, client = await self.pair()
        transport = ours.transport
        client.send(b"x")
        await self.eventually(lambda: ours.received == b"x")
        ours.received = b""
        for _ in range(3):
            transport.pauseProducing()
            transport.pauseProducing()
            self.assertFalse(transport.reading)
            client.send(b"x")
            for _ in range(20):
                turned: Deferred[None] = Deferred()
                reactor.callLater(0, turned.callback, None)
                await turned
            self.assertEqual(ours.received, b"")
            transport.resumeProducing()
            transport.resumeProducing()
            await self.eventually(lambda: ours.received == b"x")
            ours.received = b""
        transport.abortConnection()
        transport.pauseProducing()
        transport.resumeProducing()
        transport.loseWriteConnection()
        await self.eventually(lambda: ours.lost)
        transport.pauseProducing()
        transport.resumeProducing()
        self.assertEqual((transport.unsent, transport.peer_is_gone), (0, True))

    async def test_lost_once(self) -> None:
        """A loss that is told twice is one."""
        ours, _client = await self.pair()
        ours.transport.connection_lost(None)
        ours.transport.connection_lost(None)
        self.assertTrue(ours.lost.check(ConnectionDone))
        ours.transport.abortConnection()

    def test_addresses(self) -> None:
        """The kernel's names become Twisted's addresses."""
        self.assertEqual(address_of(("192.0.2.1", 80)).host, "192.0.2.1")
        six = address_of(("2001:db8::1", 80, 1, 2))
        self.assertEqual((six.host, six.port, six.flowInfo, six.scopeID), ("2001:db8::1", 80, 1, 2))
        for name in ("", None):
            self.assertIsNone(address_of(name).name)
