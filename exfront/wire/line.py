"""What every client connection has, whatever it carries: its transport, its patience, and the ways it ends.

Owns the difference between a slow reader and a dead one, between a half-closed client and one that is gone, and between closing in peace
and at once. Knows nothing of heads and bodies: these are `exfront.wire.inbound`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from exfront.wire.patience import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime, ITransport

    from exfront.wire.patience import Patience
    from exfront.wire.roles import Limits, Receiver
    from exfront.wire.transport import NativeTransport

LINGER = 2.0
"""Seconds that a closing connection goes on reading, so that the peer reads the answer and not a reset (RFC 9112 9.6)."""

LIFE_CHECK = 5.0
"""Seconds between two looks whether a half-closed client is still there."""

PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


class ClientLine:
    """The line to one client."""

    __slots__ = (
        "_busy",
        "_clock",
        "_closing",
        "_half_closed",
        "_interim",
        "_limits",
        "_now",
        "_patience",
        "_receiver",
        "_unsent",
        "deadline",
        "peer",
        "transport",
        "write",
    )

    def __init__(self, limits: Limits, clock: IReactorTime, patience: Patience) -> None:
        self._limits = limits
        self._clock = clock
        self._now: Callable[[], float] = clock.seconds
        self._patience = patience
        self._receiver: Receiver | None = None
        self._busy = False
        """A request is being answered, or the connection is closing."""
        self._interim = False
        """Whether the client understands interim answers: it speaks HTTP/1.1."""
        self._closing = False
        self._half_closed = False
        self._unsent = 0
        self.deadline = FOREVER
        self.peer = b""
        """The peer's address in text; known from the first request on."""

    def makeConnection(self, transport: ITransport) -> None:
        """Begin: `transport` is a NativeTransport, or behaves like one."""
        self.transport = cast("NativeTransport", transport)
        self.connectionMade()

    def connectionMade(self) -> None:
        """The transport is there."""
        self.write: Callable[[bytes], None] = self.transport.write

    def writeConnectionLost(self) -> None:
        """Nothing to do: a writer learns of it when the connection is lost."""

    # the ends

    def abort(self) -> None:
        """Close at once: an answer that has begun cannot be ended properly (F64)."""
        self._receiver = None
        self._closing = self._busy = True
        if self._interim:
            self.transport.abortConnection()
        else:
            # an HTTP/1.0 client may take the connection's end for the body's
            self.transport.resetConnection()

    def _part(self) -> None:
        """Close our side; read on for a moment, for what the client sent meanwhile would turn the answer into a reset."""
        if self._half_closed:
            self._hang_up()
        else:
            self._closing = self._busy = True
            self._linger()
            self.transport.resumeProducing()
            self.transport.loseWriteConnection()

    def _hang_up(self) -> None:
        """Close both ways once all is sent."""
        self._closing = self._busy = True
        self._linger()
        self.transport.loseConnection()

    def _linger(self) -> None:
        """A moment for the peer's close; more for a peer that still reads (`_wait_for_reader`)."""
        self._unsent = self.transport.unsent + 1
        self.deadline = self._now() + LINGER

    # slow, half-closed or dead

    def _wait_for_reader(self, now: float) -> None:
        """A client that takes bytes, however slowly, gets more time; one that takes none is given up."""
        unsent = self.transport.unsent
        if unsent == 0 or unsent >= self._unsent:
            self.transport.abortConnection()
        else:
            self._unsent = unsent
            self.deadline = now + self._limits.body_timeout

    def _look_for_life(self) -> None:
        """A half-closed client waits for its answer, or is gone: the FIN looks the same.

        An interim answer (RFC 9110 15.2) costs the first nothing, and makes the kernel of the second say so, which is seen a moment later.
        """
        if self._interim and self._receiver is not None and not self._receiver.answering:
            self.write(PROCESSING)
        self.deadline = self._now() + LIFE_CHECK
        self._clock.callLater(0.1, self._leave_the_dead)

    def _leave_the_dead(self) -> None:
        if self.transport is not None and self.transport.peer_is_gone:
            self.transport.abortConnection()


def text_address(address: object) -> bytes:
    """A peer's address in text; IPv4 in IPv6 clothes (a socket for both families) as IPv4."""
    host = getattr(address, "host", "") or "-"
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return host.encode("ascii", "replace")
