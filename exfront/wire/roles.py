"""Who talks to whom on the wire: what the two connection classes expect of the parts they are given.

Interfaces only. `inbound.ClientConnection` brings requests to a `Site` and tells a `Receiver`; `outbound.ServerConnection` tells an
`Attempt` and goes back to a `Keeper`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from exfront.errors import MessageError
    from exfront.model import RequestHead, ResponseHead, Server
    from exfront.policy.outcome import Unanswered
    from exfront.wire.inbound import ClientConnection
    from exfront.wire.outbound import ServerConnection


class Limits(NamedTuple):
    """How much and how long a client may; seconds and bytes, 0 for no limit on bodies."""

    header_timeout: float = 10.0
    body_timeout: float = 60.0
    idle_timeout: float = 75.0
    max_head_size: int = 65536
    max_body_size: int = 0


class Receiver(Protocol):
    """What the carrier of a request is told by the client's connection."""

    answering: bool
    """Whether the answer's head has been written."""

    def body_received(self, data: bytes) -> None:
        """Decoded bytes of the body, never empty."""

    def body_ended(self, trailers: bytes) -> None:
        """The body is whole; `trailers` are header lines. In a tunnel: the client sends no more."""

    def body_broken(self, error: MessageError) -> None:
        """The body's framing or patience is at an end: answer with `error` and close, or abort when the answer has begun."""

    def client_gone(self) -> None:
        """The client went away: free everything, answer nothing."""

    def pauseProducing(self) -> None:
        """The client reads too slowly: send no more for the moment."""

    def resumeProducing(self) -> None:
        """The client has caught up."""


class Site(Protocol):
    """Where requests go."""

    def take(self, connection: ClientConnection, head: RequestHead) -> Receiver | None:
        """Carry this request; None when it is answered already."""

    def refuse(self, connection: ClientConnection, error: MessageError) -> None:
        """Answer a broken message with an error page and finish with `close`."""


class Pinned(Protocol):
    """A back-end connection as the client's connection sees it."""

    def close(self) -> None:
        """Close it: its client is gone."""


class ConnectionKeeper(Protocol):
    """Who counts the client connections."""

    def made(self, connection: ClientConnection) -> None:
        """One more."""

    def lost(self, connection: ClientConnection) -> None:
        """One less."""


class Follower(Protocol):
    """Who is told what follows a back-end's response head."""

    def continued(self, data: bytes, done: bool) -> None:
        """More of the body, or of the tunnel's bytes; `done`: the body is whole (in a tunnel: the back-end sends no more)."""

    def broken_off(self, reason: str) -> None:
        """The response that has begun will not be completed; the tunnel's other end is lost."""

    def pause_body(self) -> None:
        """The back-end reads too slowly: send no more of the request's body."""

    def resume_body(self) -> None:
        """The back-end has caught up."""


class Attempt(Follower, Protocol):
    """Who wants a back-end's answer. Exactly one of `answered`, `switched` and `unanswered` comes first."""

    def interim(self, head: ResponseHead) -> None:
        """A 1xx response but 101 (RFC 9110 15.2)."""

    def answered(self, head: ResponseHead, data: bytes, done: bool) -> None:
        """The response's head and what is here of its body; `done` when that is all (its trailers are `connection.trailers`)."""

    def switched(self, head: ResponseHead, data: bytes) -> None:
        """101: from now on the connection is a tunnel (RFC 9110 7.8); `data` are its first bytes."""

    def unanswered(self, outcome: Unanswered) -> None:
        """No response will come."""


class Keeper(Protocol):
    """The pool a back-end connection comes from and goes back to."""

    server: Server

    def release(self, connection: ServerConnection) -> None:
        """The connection is idle and may carry another request."""

    def lost(self, connection: ServerConnection) -> None:
        """The connection is closed, or not to be used again."""
