"""A Twisted transport over one of uvloop's native stream transports.

`NativeTransport` is at once the asyncio protocol that uvloop talks to and the `ITCPTransport` that a Twisted protocol talks to. It owns
nothing but the pairing: no bytes are kept here, `write` is uvloop's own, and data goes to the protocol's `dataReceived` without a
call between. Reading may be paused and resumed in any state and any number of times.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IAddress, IProtocol

WRITE_BUFFER = 128 * 1024
"""Bytes that may wait for a slow peer before whoever produces them is paused."""


class NativeProtocol(Protocol):
    """The three methods of a Twisted protocol that a transport calls."""

    def makeConnection(self, transport: NativeTransport) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


def address_of(name: object) -> IAddress:
    """The Twisted address of what `getsockname` or `getpeername` gave."""
    if isinstance(name, tuple) and len(name) == 4:
        return IPv6Address("TCP", name[0], name[1], name[2], name[3])
    if isinstance(name, tuple) and len(name) == 2:
        return IPv4Address("TCP", name[0], name[1])
    return UNIXAddress(name if isinstance(name, (bytes, str)) and name else None)


@implementer(ITCPTransport, IPushProducer)
class NativeTransport:
    """Pairs one uvloop transport with one Twisted protocol."""

    __slots__ = (
        "_aborted",
        "_claimed",
        "_half_closeable",
        "_native",
        "_producer",
        "_protocol",
        "connected",
        "data_received",
        "disconnecting",
        "reading",
        "write",
        "write_paused",
    )

    def __init__(self, protocol: IProtocol) -> None:
        self._protocol: NativeProtocol = protocol
        self.data_received: Callable[[bytes], None] = protocol.dataReceived
        self._half_closeable = IHalfCloseableProtocol.providedBy(protocol)
        self._native: asyncio.Transport | None = None
        self._producer: Any = None
        self._claimed: tuple[IAddress, IAddress] | None = None
        self.reading = True
        self.write_paused = False
        """True while more bytes wait for the peer than should."""
        self._aborted = False
        self.connected = False
        self.disconnecting = False

    # what uvloop calls

    def connection_made(self, native: asyncio.Transport) -> None:
        self._native = native
        self.write: Callable[[bytes], None] = native.write
        native.set_write_buffer_limits(high=WRITE_BUFFER)
        self.connected = True
        self._protocol.makeConnection(self)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.connected:
            return
        self.connected = False
        self._producer = None
        if self._aborted:
            reason = Failure(ConnectionAborted())
        elif error is None:
            reason = Failure(ConnectionDone())
        else:
            reason = Failure(ConnectionLost(str(error)))
        protocol = self._protocol
        # the pair refers to each other: part them, so that both go at once and not with the next collection
        self.data_received = _nothing
        protocol.connectionLost(reason)

    def eof_received(self) -> bool:
        """True keeps the writing side open (half-close), for protocols that know what to do with it."""
        if self._half_closeable and not self.disconnecting:
            self._protocol.readConnectionLost()  # type: ignore[attr-defined]
            return not self.disconnecting
        return False

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._producer is not None:
            self._producer.resumeProducing()

    def hand_over(self, protocol: IProtocol, claimed: tuple[IAddress, IAddress] | None) -> None:
        """From now on the connection is `protocol`'s; `claimed` are the addresses of its peer and host, None for the socket's own.

        Costs the new protocol nothing: its `dataReceived` is called as if it had been there from the start.
        """
        assert self._native is not None
        self._producer = None
        self._claimed = claimed
        self._protocol = protocol
        self._half_closeable = IHalfCloseableProtocol.providedBy(protocol)
        self.data_received = protocol.dataReceived
        self._native.set_protocol(self)  # type: ignore[arg-type]  # uvloop has kept the old `data_received`
        self._protocol.makeConnection(self)

    # what the Twisted protocol calls; `write` is uvloop's own method

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close once all that was written is sent."""
        if self._native is not None and not self.disconnecting:
            self.disconnecting = True
            self._native.close()

    def abortConnection(self) -> None:
        """Close now and drop what is not sent."""
        if self._native is not None:
            self.disconnecting = self._aborted = True
            self._native.abort()

    def resetConnection(self) -> None:
        """Close now, and so that the peer cannot take it for an orderly end (RFC 9293 3.5.2)."""
        if self._native is not None and self.connected:
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.abortConnection()

    def loseWriteConnection(self) -> None:
        """Send the end of stream once all that was written is sent; go on reading. With TLS, whose ways the loop ends together, close."""
        if self._native is not None and self.connected and not self.disconnecting:
            if self._native.can_write_eof():
                self._native.write_eof()
            else:
                self.loseConnection()

    def getPeer(self) -> IAddress:  # type: ignore[override]  # over a UNIX socket, too
        return self._claimed[0] if self._claimed is not None else address_of(self._extra("peername"))

    def getHost(self) -> IAddress:  # type: ignore[override]
        return self._claimed[1] if self._claimed is not None else address_of(self._extra("sockname"))

    def getTcpNoDelay(self) -> bool:
        return bool(self._socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        return bool(self._socket().getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    # this transport as a consumer (its peer may be slow to read)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """`producer` (a push producer) is paused while more than WRITE_BUFFER bytes wait for the peer."""
        if not streaming:
            raise TypeError("only push producers can be registered")
        self._producer = producer
        if self.write_paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    @property
    def unsent(self) -> int:
        """Bytes written that the peer has not acknowledged: our buffer and the kernel's queue (tcp(7), SIOCOUTQ)."""
        if self._native is None or not self.connected:
            return 0
        queued: bytes = fcntl.ioctl(self._socket().fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return self._native.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)

    @property
    def peer_is_gone(self) -> bool:
        """True when the kernel knows that the peer has closed both ways (RFC 9293 3.3.2: the state is CLOSED)."""
        if not self.connected:
            return True
        state = self._socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == TCP_CLOSED

    # this transport as a producer (whoever takes its bytes may be slow)

    def pauseProducing(self) -> None:
        if self.reading and self.connected and not self.disconnecting and self._native is not None:
            self.reading = False
            self._native.pause_reading()

    def resumeProducing(self) -> None:
        if not self.reading and self.connected and not self.disconnecting and self._native is not None:
            self.reading = True
            self._native.resume_reading()

    def stopProducing(self) -> None:
        self.loseConnection()

    def _extra(self, name: str) -> Any:
        return self._native.get_extra_info(name) if self._native is not None else None

    def _socket(self) -> socket.socket:
        found: socket.socket = self._extra("socket")
        return found


_NO_LINGER = struct.pack("ii", 1, 0)

TCP_CLOSED = 7
"""The kernel's number for CLOSED in `struct tcp_info`."""


def _nothing(data: bytes) -> None:
    """Takes the place of `dataReceived` once the connection is lost."""
