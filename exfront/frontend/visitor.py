"""What is known of the client behind a connection, and the marker lines that tell a back-end of it (F3).

Kept with the connection: most connections send one Host again and again, so the lines are made once. A trusted proxy's connection carries
many clients, so there they are made for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.policy.headers import Client, believed_client, markers

if TYPE_CHECKING:
    from collections.abc import Callable

    from exfront.frontend.services import Trusted
    from exfront.model import RequestHead
    from exfront.wire.inbound import ClientConnection


LONGEST_ID = 128
"""Bytes of a request id that a trusted proxy may send."""


class Visitor:
    """One connection's client."""

    __slots__ = ("_host", "_minor", "client", "lines", "trusted")

    def __init__(self, connection: ClientConnection, trusts: Trusted) -> None:
        peer = connection.peer
        self.trusted = bool(trusts) and trusts(peer)
        self.client = Client(peer, connection.scheme, self.trusted, peer)
        self.lines = b""
        self._host: bytes | None = None
        self._minor = 1

    def read(self, head: RequestHead, connection: ClientConnection, trusts: Trusted) -> None:
        """Make `client` and `lines` those of this request."""
        if self.trusted:
            self.client = believed_client(self.client.peer, connection.scheme, head.noted, trusts)
        elif head.host == self._host and head.minor == self._minor:
            return
        self._host = head.host
        self._minor = head.minor
        self.lines = b"%bVia: 1.%d exfront\r\n" % (markers(self.client, head.host, head.noted), head.minor)


def visitor_of(connection: ClientConnection, head: RequestHead, trusts: Trusted) -> Visitor:
    """The connection's visitor, up to date with `head`."""
    visitor = connection.context
    if visitor is None:
        visitor = connection.context = Visitor(connection, trusts)
    assert isinstance(visitor, Visitor)
    visitor.read(head, connection, trusts)
    return visitor


def request_id_of(visitor: Visitor, head: RequestHead, next_id: Callable[[], bytes]) -> bytes:
    """The request's id: a trusted proxy's where it sent one, so that one id leads through every log, else a new one."""
    given = head.noted.get(b"x-request-id", b"")[:LONGEST_ID] if visitor.trusted else b""
    return given or next_id()
