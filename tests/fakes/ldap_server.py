"""A directory server that says what a test wants, and LDAP messages for tests that play the server by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from ldaptor.protocols.pureber import berDecodeObject
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from exfront.directory.framing import Framer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IAddress, IListeningPort
    from twisted.internet.task import Clock


class Request(NamedTuple):
    """What a client asked."""

    number: int
    op: Any
    controls: list[tuple[bytes, Any, bytes | None]]


def wire(number: int, op: Any, controls: Sequence[tuple[bytes, Any, bytes | None]] | None = None) -> bytes:
    """One message as it goes over the wire."""
    return pureldap.LDAPMessage(op, controls=controls, id=number).toWire()


def entry(dn: str | bytes, **attributes: Sequence[bytes | str]) -> Any:
    """A search result entry."""
    return pureldap.LDAPSearchResultEntry(dn, [(name, list(values)) for name, values in attributes.items()])


def done(code: int = 0, message: str = "") -> Any:
    """The end of a search."""
    return pureldap.LDAPSearchResultDone(resultCode=code, errorMessage=message)


def bound(code: int = 0, message: str = "") -> Any:
    """The answer to a bind."""
    return pureldap.LDAPBindResponse(resultCode=code, errorMessage=message)


def extended(code: int = 0, name: bytes | None = None) -> Any:
    """The answer to an extended operation, StartTLS for one."""
    return pureldap.LDAPExtendedResponse(resultCode=code, responseName=name)


def requests(data: bytes) -> list[Request]:
    """The requests in what a client wrote."""
    framer, found = Framer(), []
    framer.feed(data)
    while (message := framer.take()) is not None:
        decoded, _ = berDecodeObject(LDAPClient.berdecoder, message)
        found.append(Request(decoded.id, decoded.value, decoded.controls or []))
    assert not framer.pending
    return found


class FakeDirectory(Factory):
    """Listens on a port of 127.0.0.1 and calls `answer` for each request; keeps every request in `asked`.

    `answer(request)` returns the operations to send back (or pairs of operation and controls); an empty list says nothing, None
    cuts the connection. Until it is replaced, binds succeed and searches find nothing.
    """

    noisy = False

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.connections: list[FakeConnection] = []
        self.accepted = 0
        self._port: IListeningPort | None = None
        self.number = 0

    def listen(self, reactor: Any) -> int:
        """Begin, or begin again on the same port; returns the port."""
        self._port = reactor.listenTCP(self.number, self, interface="127.0.0.1")
        self.number = self._port.getHost().port
        return self.number

    async def stop(self) -> None:
        """Refuse connections and cut those that are there."""
        port, self._port = self._port, None
        if port is not None:
            await port.stopListening()
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def answer(self, request: Request) -> Sequence[Any] | None:
        return usual(request)

    def of(self, kind: type) -> list[Request]:
        """The requests of one kind so far."""
        return [request for request in self.asked if isinstance(request.op, kind)]

    def buildProtocol(self, _: IAddress | None) -> FakeConnection:
        self.accepted += 1
        return FakeConnection(self)


class FakeConnection(Protocol):
    """One client's connection to a FakeDirectory."""

    def __init__(self, directory: FakeDirectory) -> None:
        self._directory = directory
        self._framer = Framer()

    def connectionMade(self) -> None:
        self._directory.connections.append(self)

    def connectionLost(self, _: Failure = connectionDone) -> None:
        self._directory.connections.remove(self)

    def dataReceived(self, data: bytes) -> None:
        self._framer.feed(data)
        while (message := self._framer.take()) is not None:
            for request in requests(message):
                self._asked(request)

    def _asked(self, request: Request) -> None:
        self._directory.asked.append(request)
        if isinstance(request.op, pureldap.LDAPUnbindRequest):
            self.transport.loseConnection()
            return
        answers = self._directory.answer(request)
        if answers is None:
            self.transport.abortConnection()
            return
        for answer in answers:
            op, controls = answer if isinstance(answer, tuple) else (answer, None)
            self.transport.write(answer if isinstance(answer, bytes) else wire(request.number, op, controls))


def usual(request: Request) -> Sequence[Any]:
    """What an empty, friendly directory says."""
    if isinstance(request.op, pureldap.LDAPBindRequest):
        return [bound()]
    if isinstance(request.op, pureldap.LDAPSearchRequest):
        return [done()]
    return []


class Line(StringTransport):
    """A client's transport: what was written, whether it was aborted, whether TLS was begun. `cut` ends it."""

    def __init__(self, protocol: Protocol, clock: Clock | None = None) -> None:
        super().__init__()
        self.aborted = False
        self.tls: object = None
        self.protocol = protocol
        self._clock = clock
        self._cut = False
        protocol.makeConnection(self)

    def abortConnection(self) -> None:
        """As real transports do: the protocol hears of it in the reactor's next turn (with a clock), or when `cut`."""
        self.aborted = True
        if self._clock is not None:
            self._clock.callLater(0, self.cut, ConnectionAborted())

    def loseConnection(self) -> None:
        super().loseConnection()
        if self._clock is not None:
            self._clock.callLater(0, self.cut, ConnectionDone())

    def cut(self, reason: Exception | None = None) -> None:
        """The connection is gone; idempotent."""
        if not self._cut:
            self._cut = True
            self.protocol.connectionLost(Failure(reason or ConnectionLost()))

    def startTLS(self, creator: object) -> None:
        self.tls = creator

    def asked(self) -> list[Request]:
        """The requests written since the last call."""
        found = requests(self.value())
        self.clear()
        return found
