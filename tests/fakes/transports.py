"""A transport without a socket, with everything that the wire's protocols ask of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from typing import Any

    from twisted.internet.interfaces import IAddress


class FakeTransport:
    """Keeps what is written. `unsent` and `write_paused` are the test's to set; closing is over at once."""

    def __init__(self, protocol: Any, peer: str = "192.0.2.1") -> None:
        self.protocol = protocol
        self.written = b""
        self.unsent = 0
        self.write_paused = False
        self.reading = True
        self.connected = False
        self.disconnecting = False
        self.aborted = self.reset = False
        self.ended = False
        """Whether the protocol has said that it sends no more."""
        self.peer_is_gone = False
        self.producer: Any = None
        self._peer = peer

    # what the test does

    def connect(self) -> FakeTransport:
        self.connected = True
        self.protocol.transport = self
        self.protocol.connectionMade()
        return self

    def feed(self, data: bytes) -> None:
        """Bytes come, unless reading is paused: then that is an error of the test."""
        assert self.reading and self.connected
        self.protocol.dataReceived(data)

    def half_close(self) -> None:
        assert IHalfCloseableProtocol.providedBy(self.protocol)
        self.protocol.readConnectionLost()

    def pause_writing(self) -> None:
        self.write_paused = True
        self.producer.pauseProducing()

    def resume_writing(self) -> None:
        self.write_paused = False
        self.producer.resumeProducing()

    def lose(self) -> None:
        """The connection is gone."""
        if self.connected:
            self.connected = False
            self.disconnecting = True
            self.protocol.connectionLost(Failure(ConnectionAborted() if self.aborted else ConnectionDone()))

    def taken(self) -> bytes:
        """What was written since the last look."""
        written, self.written = self.written, b""
        return written

    # what the protocol does

    def write(self, data: bytes) -> None:
        assert self.connected, "written to a closed connection"
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseWriteConnection(self) -> None:
        self.ended = True

    def loseConnection(self) -> None:
        self.disconnecting = True
        if not self.unsent:
            self.lose()

    def abortConnection(self) -> None:
        self.aborted = True
        self.lose()

    def resetConnection(self) -> None:
        self.reset = True
        self.abortConnection()

    def getPeer(self) -> IAddress:
        return IPv4Address("TCP", self._peer, 4711)

    def getHost(self) -> IAddress:
        return IPv4Address("TCP", "192.0.2.80", 80)
