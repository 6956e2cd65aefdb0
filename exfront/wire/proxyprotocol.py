"""The PROXY protocol, versions 1 and 2: whom a balancer in front of us speaks for.

Owns the first bytes of a connection. Parsing a header's fields is Twisted's; here it is found, however its bytes arrive, and afterwards
the native transport belongs to the inner protocol alone, so that a request costs what it costs without a balancer. A connection whose
header is wrong, or late, is closed and gets no answer.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort, IProtocolFactory, IReactorTime
    from twisted.python.failure import Failure

    from exfront.wire.transport import NativeTransport

LONGEST_LINE = 107
"""Bytes of a version 1 header with its line end (the specification's section 2.1)."""
LONGEST_BLOCK = 16 + 4096
"""Bytes of a version 2 header with its extensions (section 2.2 allows 64 KiB; nobody sends a tenth of this)."""
PATIENCE = 5.0
"""Seconds that the header may take."""

_SIGNATURE = V2Parser.PREFIX
_UNKNOWN = b"PROXY UNKNOWN"
_FIXED = 16
"""Bytes of a version 2 header before its addresses."""


def read_header(data: bytes) -> tuple[tuple[IAddress, IAddress] | None, bytes] | None:
    """The client's and the server's address that a PROXY header at the start of `data` names, and what follows the header.

    None while the header is not whole. The addresses are None for LOCAL and UNKNOWN: then the connection speaks for itself.
    Raises ValueError for what is no header.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return _read_block(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _read_line(data)
    raise ValueError("no PROXY header")


def _read_line(data: bytes) -> tuple[tuple[IAddress, IAddress] | None, bytes] | None:
    end = data.find(b"\r\n", 0, LONGEST_LINE)
    if end >= 0:
        line, rest = data[:end], data[end + 2 :]
        # Twisted wants something behind UNKNOWN, the specification does not
        return None if line == _UNKNOWN else _claim(V1Parser, line), rest
    if len(data) >= LONGEST_LINE:
        raise ValueError("the PROXY line is too long")
    return None


def _read_block(data: bytes) -> tuple[tuple[IAddress, IAddress] | None, bytes] | None:
    if len(data) < _FIXED:
        return None
    end = _FIXED + int.from_bytes(data[14:_FIXED], "big")
    if end > LONGEST_BLOCK:
        raise ValueError("the PROXY header is too long")
    if data[12] >> 4 != 2:
        raise ValueError("not version 2")
    if len(data) < end:
        return None
    return _claim(V2Parser, data[:end]), data[end:]


def _claim(parser: type[V1Parser | V2Parser], header: bytes) -> tuple[IAddress, IAddress] | None:
    try:
        found = parser.parse(header)
    except (InvalidProxyHeader, KeyError, UnicodeDecodeError):
        raise ValueError("the PROXY header is wrong") from None
    if found.source is None or found.destination is None:
        return None
    return _checked(found.source), _checked(found.destination)


def _checked(address: IAddress) -> IAddress:
    """The address in its shortest form. Raises ValueError where it is none."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        host = ip_address(address.host)
        if (host.version == 4) is not isinstance(address, IPv4Address) or not 0 <= address.port < 65536:
            raise ValueError("the PROXY header's address is wrong")
        return type(address)("TCP", str(host), address.port)
    return address


@implementer(IProtocol, IHalfCloseableProtocol)
class ProxyHeader:
    """The beginning of one connection: waits for the header, then gives the transport away."""

    def __init__(self, factory: ProxyFactory) -> None:
        self.factory = factory
        self._data = b""
        self._late: IDelayedCall | None = None
        self._transport: NativeTransport | None = None

    def makeConnection(self, transport: NativeTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self._late = self.factory.clock.callLater(PATIENCE, self._close, "late")

    def connectionMade(self) -> None:
        """Part of the interface; the transport calls `makeConnection`."""

    def dataReceived(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._data += data
        try:
            found = read_header(self._data)
        except ValueError:
            self._close("wrong")
            return
        if found is not None:
            self._hand_over(*found)

    def readConnectionLost(self) -> None:
        """Nobody sends a header any more."""
        self._close("")

    def writeConnectionLost(self) -> None:
        """Nothing is written here."""

    def connectionLost(self, reason: Failure) -> None:
        self._finish()

    def _hand_over(self, claimed: tuple[IAddress, IAddress] | None, rest: bytes) -> None:
        transport = self._finish()
        assert transport is not None
        protocol = self.factory.inner.buildProtocol(claimed[0] if claimed else transport.getPeer())
        if protocol is None:
            transport.abortConnection()
            return
        transport.hand_over(protocol, claimed)
        if rest:
            transport.data_received(rest)

    def _close(self, why: str) -> None:
        transport = self._finish()
        if transport is None:
            return
        if why:
            self.factory.complain(why, transport)
        transport.abortConnection()

    def _finish(self) -> NativeTransport | None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._data = b""
        transport, self._transport = self._transport, None
        return transport


class ProxyFactory(Factory):
    """Makes connections that begin with a PROXY header and go on as `inner`'s."""

    noisy = False
    _log = Logger()

    def __init__(self, inner: IProtocolFactory, clock: IReactorTime) -> None:
        self.inner = inner
        self.clock = clock
        self._said = float("-inf")

    def doStart(self) -> None:
        super().doStart()
        self.inner.doStart()

    def doStop(self) -> None:
        super().doStop()
        self.inner.doStop()

    def buildProtocol(self, addr: IAddress | None) -> ProxyHeader:  # type: ignore[override]
        return ProxyHeader(self)

    def complain(self, why: str, transport: NativeTransport) -> None:
        """Say, once a minute at most, that somebody speaks something else."""
        now = self.clock.seconds()
        if now - self._said >= 60:
            self._said = now
            self._log.warn(
                "a connection from {peer} was closed: its PROXY header is {why}", peer=transport.getPeer(), why=why
            )


@implementer(IStreamServerEndpoint)
class ProxyEndpoint:
    """Listens where `inner` listens, for connections with a PROXY header."""

    def __init__(self, inner: IStreamServerEndpoint, clock: IReactorTime) -> None:
        self._inner = inner
        self._clock = clock

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """As `inner` does."""
        return self._inner.listen(ProxyFactory(protocolFactory, self._clock))
