"""A request that has become a tunnel: bytes go both ways as they come (RFC 9110 7.8).

Takes the client's connection and the back-end's from the relay once the back-end has answered 101, and tells it when both ways have
ended. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exfront.errors import MessageError
    from exfront.wire.inbound import ClientConnection
    from exfront.wire.outbound import ServerConnection

GRACE = 60.0
"""Seconds that one way may stay open after the other has ended."""


class Tunnel:
    """Both ways of one tunnel: a `Receiver` for the client's connection, and told by the back-end's."""

    __slots__ = ("_client", "_connection", "_now", "_over", "_ways", "answering", "received", "sent")

    def __init__(
        self, client: ClientConnection, connection: ServerConnection, now: Callable[[], float], over: Callable[[], None]
    ) -> None:
        """`over` is called once, when the tunnel has ended in whatever way and before the client's connection is finished."""
        self._client = client
        self._connection: ServerConnection | None = connection
        self._now = now
        self._over = over
        self._ways = 2
        self.answering = True
        self.received = 0
        """Bytes from the client."""
        self.sent = 0
        """Bytes to the client."""

    # from the client

    def to_back_end(self, data: bytes) -> None:
        """Bytes from the client."""
        self.received += len(data)
        if self._connection is not None:
            self._connection.write(data)

    def body_received(self, data: bytes) -> None:
        """See `to_back_end`: a tunnel has no body."""
        self.to_back_end(data)

    def body_ended(self, trailers: bytes) -> None:
        """The client sends no more."""
        connection = self._connection
        if connection is not None and connection.transport is not None:
            connection.transport.loseWriteConnection()
        self._end_of_way()

    def body_broken(self, error: MessageError) -> None:
        """Nothing is framed here that could break."""

    def client_gone(self) -> None:
        """The client went away: the other end is left at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()
            self._over()

    def pauseProducing(self) -> None:
        """The client reads too slowly."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The client has caught up."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.resumeProducing()

    # from the back-end

    def continued(self, data: bytes, done: bool) -> None:
        """Bytes from the back-end; `done`: it sends no more."""
        if data:
            self.sent += len(data)
            self._client.write(data)
        if done:
            self._client.transport.loseWriteConnection()
            self._end_of_way()

    def broken_off(self, reason: str) -> None:
        """The back-end's connection is lost."""
        self._connection = None
        self._over()
        self._client.finished(close=True)

    def pause_body(self) -> None:
        """The back-end reads too slowly."""
        self._client.transport.pauseProducing()

    def resume_body(self) -> None:
        """The back-end has caught up."""
        self._client.transport.resumeProducing()

    # the end

    def _end_of_way(self) -> None:
        """One way has ended; with the second one the tunnel is over."""
        self._ways -= 1
        if self._ways:
            self._client.deadline = self._now() + GRACE
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.part()
            self._over()
            self._client.finished(close=True)
